"""Import voices that somebody else trained: checkpoints in, checked voice bundles out.

Input   a folder, file or zip of checkpoints (KAN-TTS / ModelScope Sambert-HiFiGAN, Piper); the user's choices
Output  one bundle per voice in a folder of voices
State   none
All voices of one import appear together or not at all: they are written to a hidden folder inside the target
and renamed at the end.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from streaming.errors import StreamError
from streaming.manifest import MAX_NAME_LENGTH, VoiceManifest
from training.export import ExportError
from training.import_piper import PiperSource, find_piper, import_piper
from training.import_sambert import import_sambert
from training.imported_manifest import ImportOptions, Progress, bundle_name
from training.layouts import is_model_folder
from training.self_check import SelfCheckError
from training.sources import VoiceSource, find_sources
from training.untrusted import CheckpointError

SCRATCH_PREFIX = ".import-"  # hidden: voices are not looked for in folders that begin with a dot
FAILURES = (CheckpointError, ExportError, SelfCheckError, StreamError, OSError)  # what an import may end in


@dataclass(frozen=True, slots=True)
class _Plan:
    """One voice that was found, and what its bundle will be called."""

    name: str
    source: PiperSource | VoiceSource


def import_voices(
    path: Path, voices: Path, options: ImportOptions, progress: Progress, *, replace: bool = False
) -> tuple[VoiceManifest, ...]:
    """Import every voice under `path` into the folder `voices`, which is made if it does not exist.

    Blocking, minutes for voices of full width. When it fails or is interrupted, `voices` is as it was.

    Args:
        path: A checkpoint folder, a folder of several, a zip of one; or a Piper voice.
        voices: Folder of bundles.
        options: What to call the voices and what to make of them.
        progress: Called with one line per step.
        replace: Whether voices of the same names may be replaced.

    Raises:
        CheckpointError: The source is not a voice this project reads, or a voice of that name exists.
        ExportError: A graph differs from its network.
        SelfCheckError: The exported voice does not speak as the original does.
        OSError: A file cannot be read or written.
    """
    with _scratch_in(voices) as scratch:
        progress(f"reading {path}")
        plans = _plans(path, scratch, options.name)
        for plan in plans:
            _refuse_existing(voices / plan.name, replace)
        manifests = []
        for index, plan in enumerate(plans):
            manifests.append(_written(plan, scratch, options, _numbered(progress, index, plans)))
        for plan in plans:  # another import may have been faster
            _refuse_existing(voices / plan.name, replace)
        _publish([scratch / "done" / plan.name for plan in plans], voices, scratch)
    return tuple(manifests)


def _plans(path: Path, scratch: Path, name: str) -> list[_Plan]:
    """Find the voices, and what to call them.

    Raises:
        CheckpointError: There is none; the name is not legal or given for several; or two would be called the
            same.
    """
    if name and name != bundle_name(name):
        raise CheckpointError(
            f"name is {name!r}; allowed are lower-case letters, digits, - and _, at most {MAX_NAME_LENGTH}, "
            f"a letter or digit first"
        )
    # A folder of KAN-TTS may hold networks that somebody exported.
    found: list[PiperSource | VoiceSource] = [] if is_model_folder(path) else [*find_piper(path)]
    found = found or [*find_sources(path, _made(scratch / "unpacked"))]
    if name and len(found) > 1:
        published = ", ".join(source.name for source in found)
        raise CheckpointError(f"a name was given for one voice, but {path} holds {len(found)}: {published}")
    plans = [_Plan(name or bundle_name(source.name), source) for source in found]
    names = [plan.name for plan in plans]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise CheckpointError(f"{path} holds several voices that would be called {', '.join(twice)}")
    return plans


def _written(plan: _Plan, scratch: Path, options: ImportOptions, progress: Progress) -> VoiceManifest:
    folder = _made(scratch / "done" / plan.name)
    try:
        if isinstance(plan.source, PiperSource):
            return import_piper(plan.source, folder, options, progress)
        return import_sambert(plan.source, folder, options, progress)
    except CheckpointError as error:
        raise CheckpointError(f"voice {plan.source.name}: {error}") from error


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _numbered(progress: Progress, index: int, plans: Sequence[_Plan]) -> Progress:
    head = f"[{index + 1}/{len(plans)}] {plans[index].name}: "
    return lambda line: progress(head + line)


def _refuse_existing(target: Path, replace: bool) -> None:
    if target.exists() and not replace:
        raise CheckpointError(
            f"{target.parent} has a voice {target.name!r}; give another --name, or --replace"
        )


@contextmanager
def _scratch_in(voices: Path) -> Iterator[Path]:
    """A hidden folder on the same file system as its destination; gone afterwards, whatever happens.

    Raises:
        CheckpointError: `voices` is a file.
    """
    if voices.exists() and not voices.is_dir():
        raise CheckpointError(f"{voices} is not a folder, so it cannot hold voices")
    made = [folder for folder in (voices, *voices.parents) if not folder.exists()]
    voices.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(voices)
    scratch = Path(tempfile.mkdtemp(prefix=f"{SCRATCH_PREFIX}{os.getpid()}-", dir=voices))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch)
        for folder in made:
            if any(folder.iterdir()):
                break
            folder.rmdir()


def _remove_abandoned(voices: Path) -> None:
    """Remove what an import that was killed left behind."""
    for folder in voices.glob(f"{SCRATCH_PREFIX}*"):
        process = folder.name.removeprefix(SCRATCH_PREFIX).partition("-")[0]
        if process.isdecimal() and not _is_running(int(process)):
            shutil.rmtree(folder)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's process
        return True
    return True


def _publish(bundles: Sequence[Path], voices: Path, scratch: Path) -> None:
    """Move finished bundles to their places; undo all if one cannot be moved."""
    undo: list[tuple[Path, Path]] = []
    (scratch / "replaced").mkdir()
    try:
        for bundle in bundles:
            target, replaced = voices / bundle.name, scratch / "replaced" / bundle.name
            if target.exists():
                target.rename(replaced)
                undo.append((replaced, target))
            bundle.rename(target)
            undo.append((target, bundle))
    except BaseException:
        for moved, origin in reversed(undo):
            moved.rename(origin)
        raise
