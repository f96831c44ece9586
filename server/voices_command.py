"""The voices on this machine, without a server: list, show, verify, remove.

Input   the configuration's folders
Output  text for a terminal; a folder less
State   none
"""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from server.backend import open_library
from server.config import ServerConfig
from server.voice_folders import EMBEDDED_VOICES, voice_folders
from streaming.engines.choice import EnginePlan, processor_choice
from streaming.errors import ConfigError, MissingLibraryError, UnknownVoiceError, VoiceBundleError
from streaming.loaded_voice import load_voice
from streaming.manifest import VoiceManifest
from streaming.voice import dump_manifest, find_voices, load_manifest


@dataclass(frozen=True, slots=True)
class Verified:
    """The outcome for one voice; `reason` is "" where all is well.

    `precisions` were spoken in; of those that are `not_run` only the checksums were compared.
    """

    name: str
    reason: str
    precisions: tuple[str, ...] = ()
    took_s: float = 0.0
    not_run: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.reason:
            return f"FAILED {self.name}: {self.reason}"
        left = f"; checksums only, as nothing here runs it: {', '.join(self.not_run)}" if self.not_run else ""
        return f"ok     {self.name}: {', '.join(self.precisions)}, {self.took_s:.1f} s{left}"


def list_voices(config: ServerConfig) -> str:
    """Return one line per voice, the default marked, broken bundles last with the reason.

    Raises:
        ConfigError: A configured folder does not exist.
    """
    library = open_library(config)
    lines = [_line(manifest, name == library.default_name) for name, manifest in library.manifests.items()]
    lines += [f"! {name}: {reason}" for name, reason in library.broken.items()]
    return "\n".join(lines) + "\n" if lines else "no voices found\n"


def show_voice(config: ServerConfig, name: str) -> str:
    """Return the manifest of one voice ("" is the default) as YAML.

    Raises:
        ConfigError: A configured folder does not exist.
        UnknownVoiceError: No such voice.
        VoiceBundleError: Its manifest is broken.
    """
    manifest, _ = open_library(config).find(name)
    return dump_manifest(manifest)


def verify_voices(config: ServerConfig, names: Sequence[str]) -> Iterator[Verified]:
    """Check voices, all if none is named: checksums, networks in each precision, a spoken sentence.

    Raises:
        ConfigError: A configured folder does not exist.
        UnknownVoiceError: No such voice; nothing was checked.
    """
    folders = _folders(config)
    for name in names:
        _require(name, folders)
    for name in names or sorted(folders):
        yield _verified(name, folders[name])


def default_voice(config: ServerConfig) -> str:
    """Return the name of the voice that requests get that name none.

    Raises:
        ConfigError: A configured folder does not exist, or there is no voice.
    """
    name = open_library(config).default_name
    if not name:
        raise ConfigError("there is no voice")
    return name


def voice_folder(config: ServerConfig, name: str) -> Path:
    """Return the folder of a voice.

    Raises:
        ConfigError: A configured folder does not exist.
        UnknownVoiceError: No such voice.
    """
    folders = _folders(config)
    _require(name, folders)
    return folders[name]


def folder_of_voice_or_default(config: ServerConfig, name: str) -> Path:
    """Return the folder of a voice; of the default one, if the name is empty.

    Raises:
        ConfigError: A configured folder does not exist, or there is no voice.
        UnknownVoiceError: No such voice.
    """
    return voice_folder(config, name or default_voice(config))


def removable_folder(config: ServerConfig, name: str) -> Path:
    """Return the folder of a voice that its user may delete.

    Raises:
        ConfigError: A configured folder does not exist, or the voice belongs to the project.
        UnknownVoiceError: No such voice.
    """
    folder = voice_folder(config, name)
    if folder.parent.resolve() == EMBEDDED_VOICES.resolve():
        raise ConfigError(
            f"voice {name!r} ships with the project ({folder}) and is not removed; "
            f"voice.embedded: false leaves the embedded voices out"
        )
    return folder


def remove_folder(folder: Path) -> None:
    """Delete a voice's folder, or the link to it. It is out of sight at once: half a voice is never found.

    Raises:
        VoiceBundleError: The system refused; what is left has a name that starts with a dot.
    """
    doomed = folder.with_name(f".{folder.name}.removed-{secrets.token_hex(4)}")
    try:
        folder.rename(doomed)
        if doomed.is_symlink():
            doomed.unlink()
        else:
            shutil.rmtree(doomed)
    except OSError as error:
        raise VoiceBundleError(f"{error.filename or folder}: {error.strerror or error}") from error


def _folders(config: ServerConfig) -> dict[str, Path]:
    """Return the folder of each voice, broken or not."""
    for folder in config.voice.folders:
        if not folder.is_dir():
            raise ConfigError(f"voice.folders: no folder {folder}")
    return find_voices(voice_folders(config))


def _require(name: str, folders: dict[str, Path]) -> None:
    if name not in folders:
        raise UnknownVoiceError("voice", name, tuple(sorted(folders)))


def _verified(name: str, folder: Path) -> Verified:
    started_s = time.perf_counter()
    try:
        precisions = load_manifest(folder).precisions
        if not precisions:
            return Verified(name, f"{folder}: no precision has all networks")
        run = [precision for precision in precisions if _is_run(folder, precision)]
    except VoiceBundleError as error:
        return Verified(name, str(error))
    not_run = tuple(precision for precision in precisions if precision not in run)
    return Verified(name, "", tuple(run), time.perf_counter() - started_s, not_run)


def _is_run(folder: Path, precision: str) -> bool:
    """Load and try a voice in a precision; return whether this processor and its libraries can.

    Raises:
        VoiceBundleError: The voice is broken.
    """
    if (choice := processor_choice(precision)) is None:
        return False
    try:
        load_voice(folder, EnginePlan(choice))
    except MissingLibraryError:
        return False
    return True


def _line(manifest: VoiceManifest, is_default: bool) -> str:
    mark = "*" if is_default else " "
    return (
        f"{mark} {manifest.name:<20} {', '.join(manifest.languages):<14} {manifest.sample_rate} Hz  "
        f"speakers: {', '.join(manifest.speakers)}  emotions: {', '.join(manifest.emotions)}  "
        f"[{manifest.licence}] {manifest.description}"
    )
