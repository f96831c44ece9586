"""A voice bundle on disk: `voice.yaml` and the files it names.

Input   a folder
Output  the manifest of the voice's family, its files checked
State   none
Not here: running networks (engines/), pronouncing text (text/), keeping voices loaded (voices.py)

The manifest is strict: an unknown key, a missing file or a wrong checksum is a `VoiceBundleError`
that names the file and the key, so that a damaged bundle never speaks.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from streaming.errors import VoiceBundleError
from streaming.manifest import VoiceManifest
from streaming.piper_manifest import PiperManifest
from streaming.sambert_manifest import SambertManifest

MANIFEST_NAME = "voice.yaml"
FORMAT_VERSION = 2
HASH_BLOCK_BYTES = 1 << 20  # read size while hashing; a bundle need not fit into memory
FAMILIES: Mapping[str, type[VoiceManifest]] = {"sambert": SambertManifest, "piper": PiperManifest}


def file_sha256(path: Path) -> str:
    """Return the hex SHA-256 of a file, read block by block."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def load_manifest(folder: Path) -> VoiceManifest:
    """Read and validate `voice.yaml`; the files themselves are checked by `verify_files`.

    Raises:
        VoiceBundleError: The manifest is missing, is not YAML, is of an unknown format or family, has an
            unknown key, or its name differs from the folder's.
    """
    path = folder / MANIFEST_NAME
    content = _read(path)
    family = FAMILIES.get(str(content.get("family", "")))
    if family is None:
        msg = f"{path}: family is {content.get('family')!r}; known: {', '.join(FAMILIES)}"
        raise VoiceBundleError(msg)
    try:
        manifest = family.model_validate(content)
    except ValidationError as error:
        details = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'voice'}: {item['msg']}"
            for item in error.errors()
        )
        msg = f"{path}: {details}"
        raise VoiceBundleError(msg) from error
    # A link to a bundle counts by its own name, as in `find_voices`.
    found = Path(os.path.abspath(folder)).name
    if manifest.name != found:
        msg = f"{path}: name is {manifest.name!r}, the folder is {found!r}; they must agree"
        raise VoiceBundleError(msg)
    return manifest


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"{path}: {error.strerror or error}"
        raise VoiceBundleError(msg) from error
    except (ValueError, RecursionError, yaml.YAMLError) as error:  # a scalar may be no number or no date
        msg = f"{path}: {' '.join(str(error).split())}"
        raise VoiceBundleError(msg) from error
    found = content.get("format") if isinstance(content, dict) else None
    if not isinstance(content, dict) or found != FORMAT_VERSION:
        msg = f"{path}: format is {found!r}; this version reads {FORMAT_VERSION}"
        raise VoiceBundleError(msg)
    return content


def dump_manifest(manifest: VoiceManifest) -> str:
    """Return the text of `voice.yaml`, which `load_manifest` reads back to an equal manifest."""
    document = manifest.model_dump(mode="json", exclude_none=True)
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
    return text


def verify_files(folder: Path, manifest: VoiceManifest) -> None:
    """Check that every listed file is there and unchanged.

    Raises:
        VoiceBundleError: A file is missing or its SHA-256 differs from the manifest's.
    """
    for name, expected in manifest.sha256.items():
        try:
            found = file_sha256(folder / name)
        except OSError as error:
            msg = f"{folder / name}: {error.strerror or error}"
            raise VoiceBundleError(msg) from error
        if found != expected:
            msg = f"{folder / name}: sha256 is {found}; {MANIFEST_NAME} says {expected}"
            raise VoiceBundleError(msg)


def find_voices(folders: Iterable[Path]) -> dict[str, Path]:
    """List the bundles in the given folders by name; nothing is read yet.

    A bundle is a sub-folder that holds a `voice.yaml`; its name is the sub-folder's. Where two
    folders hold the same name the later one counts, so that a user's folder can replace a shipped
    voice. Folders whose name starts with a dot are imports under way.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        if folder.is_dir():
            manifests = sorted(folder.glob(f"[!.]*/{MANIFEST_NAME}"))
            found.update({path.parent.name: path.parent for path in manifests})
    return found
