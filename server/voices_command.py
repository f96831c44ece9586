"""`zhiyin voices`: look at voice bundles without a server.

Input   the configuration's folders
Output  text for a terminal
State   none
"""

from __future__ import annotations

import yaml

from server.backend import open_library
from server.config import ServerConfig
from streaming.errors import UnknownVoiceError
from streaming.voice import VoiceManifest


def list_voices(config: ServerConfig) -> str:
    """Return one line per voice, the default marked, broken bundles last with the reason.

    Raises:
        ConfigError: A configured folder does not exist.
    """
    library = open_library(config)
    lines = [_line(library.manifests[name], name == library.default_name) for name in library.names]
    lines += [f"! {name}: {error}" for name, error in sorted(library.broken.items())]
    return "\n".join(lines) + "\n" if lines else "no voices found\n"


def show_voice(config: ServerConfig, name: str) -> str:
    """Return the manifest of one voice ("" is the default) as YAML.

    Raises:
        ConfigError: A configured folder does not exist.
        UnknownVoiceError: No such voice.
    """
    library = open_library(config)
    name = name or library.default_name
    if name not in library.manifests:
        raise UnknownVoiceError("voice", name, library.names)
    content = library.manifests[name].model_dump(mode="json", exclude_none=True)
    return yaml.safe_dump(content, allow_unicode=True, sort_keys=False)


def _line(manifest: VoiceManifest, is_default: bool) -> str:
    mark = "*" if is_default else " "
    return (
        f"{mark} {manifest.name:<20} {', '.join(manifest.languages):<14} {manifest.sample_rate} Hz  "
        f"speakers: {', '.join(manifest.speakers)}  emotions: {', '.join(manifest.emotions)}  "
        f"[{manifest.licence}] {manifest.description}"
    )
