"""The voice bundles of some folders, as they are on disk at one moment.

Input   folders
Output  Bundle per voice: where it is, what it says about itself or why it cannot be used, its files' stamps
State   none
Not here: checksums and networks (loaded_voice.py), which voices stay in memory (voices.py)

Two scans tell whether a bundle changed without reading its networks: what is compared are the manifest's
text and, as `make` does, size and time of the other files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from streaming.engines.choice import EnginePlan
from streaming.errors import VoiceBundleError
from streaming.manifest import VoiceManifest
from streaming.voice import MANIFEST_NAME, find_voices, load_manifest

# Measured with malloc_trim on seven graphs of 1.5 to 21 MB: a session keeps 1.13 to 1.65 times its file (the
# weights, and a second copy of those that are laid out anew for the kernels).
RESIDENT_PER_FILE_BYTE = 1.7
# Symbol tables and what the runtime keeps besides; dictionaries and grammars are shared by all voices.
FRONTEND_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What changes when a file is written or replaced."""

    size_bytes: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class Bundle:
    """A voice's folder as it was found; equal bundles are the same voice.

    Attributes:
        manifest: None where `reason` says why the bundle cannot be used.
        manifest_digest: Of the text of `voice.yaml`; "" where it cannot be read.
        files: Stamps of the other files by name; None where one is missing.
    """

    name: str
    folder: Path
    manifest: VoiceManifest | None
    reason: str = ""
    manifest_digest: str = ""
    files: Mapping[str, FileStamp | None] = field(default_factory=dict)

    def resident_bytes(self, plan: EnginePlan) -> int:
        """Estimate the memory that the voice takes when loaded, rather too high than too low."""
        try:
            names = plan.files(self.manifest) if self.manifest else set()
        except VoiceBundleError:  # then it cannot be loaded like this
            names = set()
        stamps = [stamp for name in names if (stamp := self.files.get(name)) is not None]
        return FRONTEND_BYTES + round(RESIDENT_PER_FILE_BYTE * sum(stamp.size_bytes for stamp in stamps))


def scan_bundles(folders: Iterable[Path]) -> dict[str, Bundle]:
    """Read the manifests of all bundles by name, sorted; a later folder replaces voices of the same name."""
    return {name: _read(name, folder) for name, folder in sorted(find_voices(folders).items())}


def _read(name: str, folder: Path) -> Bundle:
    # Stamps come first: a file that is written while it is read then looks changed at the next scan.
    digest = _digest(folder / MANIFEST_NAME)
    try:
        manifest = load_manifest(folder)
    except VoiceBundleError as error:
        return Bundle(name, folder, None, str(error), digest)
    return Bundle(
        name, folder, manifest, "", digest, {file: _stamp(folder / file) for file in manifest.sha256}
    )


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:  # the manifest's reader says why
        return ""


def _stamp(path: Path) -> FileStamp | None:
    try:
        stat = path.stat()
    except OSError:  # loading says so
        return None
    return FileStamp(stat.st_size, stat.st_mtime_ns, stat.st_ino)
