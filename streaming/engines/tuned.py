"""What `zhiyin tune` found out about voices on this machine, for `engine: auto`.

Input   choices per network, why
Output  the same, while voice and processor are those it was measured with
State   one file per voice in the engines' folder
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from pathlib import Path

from streaming.engines.choice import Choice
from streaming.engines.engine_cache import read_description, write_at_once
from streaming.manifest import NetworkName, VoiceManifest

CPU_INFO = Path("/proc/cpuinfo")


def read_tuned(folder: Path, manifest: VoiceManifest) -> dict[NetworkName, Choice]:
    """Return what runs each network of a voice fastest; {} where that was not measured on this processor."""
    document = read_description(_file(folder, manifest))
    if document.get("processor") != processor_name():
        return {}
    return {network: Choice(*document["networks"][network]) for network in manifest.network_names}


def write_tuned(
    folder: Path, manifest: VoiceManifest, choices: Mapping[NetworkName, Choice], why: str
) -> Path:
    """Keep what was found.

    Raises:
        OSError: The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    networks = {
        network: (choice.runtime, choice.precision, choice.device) for network, choice in choices.items()
    }
    document = {"voice": manifest.name, "processor": processor_name(), "networks": networks, "why": why}
    path = _file(folder, manifest)
    write_at_once(path, json.dumps(document, ensure_ascii=False, indent=2).encode())
    return path


def processor_name() -> str:
    """Return what the processor calls itself."""
    try:
        lines = CPU_INFO.read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _file(folder: Path, manifest: VoiceManifest) -> Path:
    """The file of a voice of exactly this content: other precisions are other candidates."""
    content = json.dumps(dict(manifest.sha256), sort_keys=True)
    return folder / f"tuned-{manifest.name}-{hashlib.sha256(content.encode()).hexdigest()[:16]}.json"
