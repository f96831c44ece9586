"""`zhiyin voices optimize`: further precisions for a voice.

Input   the name of a voice, flags
Output  the voice with more files, in its own folder or in the user's; progress on standard error
State   none
The work is done by training/optimise_voice.py, which needs the package onnx; nothing else of the server does.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from server.flags import add_config_flags, config_of
from server.import_command import print_progress
from server.voice_folders import EMBEDDED_VOICES, import_folder
from server.voices_command import voice_folder
from streaming.errors import ConfigError, StreamError, VoiceBundleError

PRECISIONS = ("int8-dynamic", "int8-static", "int8-weights", "fp16", "int8-tensorrt")
MAX_TEXTS = 1000


def add_optimise(actions: Any) -> None:
    """Add the command to those of `zhiyin voices`."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "optimize",
        help="add precisions to a voice",
        description="Write further precisions of a voice's networks, each held against fp32 on real "
        "sentences. A voice that ships with the project is copied to your own voices first. Needs the extra "
        "`optimize`; int8-weights needs `numba` too.",
    )
    parser.add_argument("name")
    parser.add_argument(
        "--precision",
        type=_precisions,
        default=("int8-dynamic",),
        metavar="LIST",
        help=f"of {', '.join(PRECISIONS)} (int8-dynamic)",
    )
    parser.add_argument(
        "--calibration", type=Path, metavar="FILE", help="texts to calibrate on, one per line (built-in)"
    )
    parser.add_argument("--into", type=Path, metavar="DIR", help="folder of voices for a copy")
    add_config_flags(parser)
    parser.set_defaults(run=optimise)


def optimise(parsed: argparse.Namespace) -> int:
    """Run the command; return the exit status.

    Raises:
        ConfigError: A library is not installed, or the file of texts cannot be read.
        UnknownVoiceError: No such voice.
        VoiceBundleError: The voice is broken, or cannot be had in a precision; nothing was written.
    """
    folder = voice_folder(config_of(parsed), parsed.name)
    texts = None if parsed.calibration is None else _read_texts(parsed.calibration)
    _require_libraries(parsed.precision)
    from streaming.recorded_calls import TEXTS
    from training.optimise_voice import optimise_voice

    target = _target(folder, parsed.into)
    try:
        manifest = optimise_voice(folder, target, parsed.precision, print_progress, texts or TEXTS)
    except StreamError:
        raise
    except OSError as error:
        raise VoiceBundleError(f"not optimized: {error}") from error
    sys.stdout.write(f"{target}\n")
    print_progress(
        f"{manifest.name} now has {', '.join(manifest.precisions)}; `zhiyin tune {manifest.name}` finds what "
        f"is fastest here, docs/performance.md says how to choose by hand; a running server notices after "
        f"`zhiyin voices reload`"
    )
    return 0


def _require_libraries(precisions: Sequence[str]) -> None:
    """Ask for everything before minutes of work."""
    needed = {"onnx": "optimize", "onnxruntime": "cpu"}
    if "int8-weights" in precisions:
        needed["numba"] = "numba"
    missing = {library: extra for library, extra in needed.items() if find_spec(library) is None}
    if missing:
        libraries, extras = " and ".join(missing), ",".join(missing.values())
        raise ConfigError(f"optimizing needs {libraries}, once: pip install 'zhiyin[{extras}]'")


def _target(folder: Path, into: Path | None) -> Path:
    """Return where the voice is written: its place, unless that is the project's."""
    if into is not None:
        return into / folder.name
    if folder.parent.resolve() == EMBEDDED_VOICES.resolve():
        return import_folder() / folder.name
    return folder


def _read_texts(path: Path) -> tuple[str, ...]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--calibration {path}: {error}") from None
    texts = tuple(line.strip() for line in lines if line.strip())
    if not 0 < len(texts) <= MAX_TEXTS:
        raise ConfigError(f"--calibration {path}: found {len(texts)} texts; allowed: 1 to {MAX_TEXTS}")
    return texts


def _precisions(text: str) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    unknown = [name for name in chosen if name not in PRECISIONS]
    if unknown or not chosen:
        raise argparse.ArgumentTypeError(f"found {text!r}; allowed: {', '.join(PRECISIONS)}")
    return chosen
