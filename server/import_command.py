"""`zhiyin voices import`: turn a checkpoint that somebody else trained into a voice.

Input   the path of a checkpoint, flags
Output  bundles in the user's folder of voices; progress on standard error
State   none
The work is done by training/import_voice.py, which needs torch; nothing else of the server does.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any

from server.voice_folders import import_folder
from streaming.errors import ConfigError, VoiceBundleError

_LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*")
PRECISIONS = ("fp32", "int8-dynamic")


def add_import(actions: Any) -> None:
    """Add the command to those of `zhiyin voices`."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "import",
        help="make a voice of a KAN-TTS, ModelScope or Piper checkpoint",
        description="Make voices of a checkpoint: a ModelScope folder or zip, a fine-tune, a Piper voice. "
        "Needs the extra `training` (torch).",
    )
    parser.add_argument("path", type=Path, help="folder, zip or .onnx file of the checkpoint")
    parser.add_argument("--name", default="", help="what to call the voice (default: as it was published)")
    parser.add_argument(
        "--precision",
        type=_precisions,
        default=("fp32",),
        metavar="LIST",
        help=f"alternatives to write, of {', '.join(PRECISIONS)} (fp32, always among them)",
    )
    parser.add_argument("--into", type=Path, metavar="DIR", help="folder of voices (first of ZHIYIN_VOICES)")
    parser.add_argument("--replace", action="store_true", help="replace a voice of the same name")
    parser.add_argument("--licence", default="", help="licence of the weights, for the manifest")
    parser.add_argument(
        "--language",
        type=_language,
        default="",
        metavar="TAG",
        help="language tag, where the checkpoint errs",
    )
    parser.add_argument(
        "--emotions", type=_names, default=(), metavar="LIST", help="emotions to offer (default: all it has)"
    )
    parser.add_argument(
        "--filled-pauses",
        choices=("present", "early", "off"),
        default="present",
        help="what an FP model's pauses say: 嗯 啊 呃 as since December 2022, 啊 嗯 呃 as before, or nothing",
    )
    parser.set_defaults(run=import_voice)


def import_voice(parsed: argparse.Namespace) -> int:
    """Run the command; return the exit status.

    Raises:
        ConfigError: torch is not installed.
        VoiceBundleError: The checkpoint was refused; nothing was written.
    """
    _require_training()
    from training.import_voice import FAILURES, import_voices
    from training.imported_manifest import ImportOptions

    options = ImportOptions(
        name=parsed.name,
        precisions=parsed.precision,
        language=parsed.language,
        emotions=parsed.emotions,
        filled_pauses=parsed.filled_pauses,
        **({"licence": parsed.licence} if parsed.licence else {}),
    )
    folder = parsed.into or import_folder()
    _exit_on_signals()
    try:
        manifests = import_voices(parsed.path, folder, options, print_progress, replace=parsed.replace)
    except FAILURES as error:
        raise VoiceBundleError(f"not imported: {_with_place(error, folder)}") from error
    names = [manifest.name for manifest in manifests]
    sys.stdout.write("".join(f"{folder / name}\n" for name in names))
    print_progress(f"imported {', '.join(names)}; a running server offers it after `zhiyin voices reload`")
    return 0


def _require_training() -> None:
    missing = [name for name in ("torch", "onnx") if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"importing needs {' and '.join(missing)}, once: make install-training, "
            f"or pip install 'zhiyin[training]'"
        )


def _precisions(text: str) -> tuple[str, ...]:
    chosen = _names(text)
    if unknown := [name for name in chosen if name not in PRECISIONS]:
        raise argparse.ArgumentTypeError(f"found {', '.join(unknown)}; allowed: {', '.join(PRECISIONS)}")
    return tuple(dict.fromkeys(("fp32", *chosen)))


def _language(text: str) -> str:
    if text and not _LANGUAGE_TAG.fullmatch(text):
        raise argparse.ArgumentTypeError(f"found {text!r}; allowed are tags like zh-CN, en, yue-HK")
    return text


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def print_progress(line: str) -> None:
    """Tell how far a long command is, where it does not mix with its output."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _with_place(error: BaseException, folder: Path) -> str:
    """Tell an error; the system does not say where a disk is full."""
    is_placeless = isinstance(error, OSError) and error.filename is None
    return f"{error} (writing to {folder})" if is_placeless else str(error)


def _exit_on_signals() -> None:
    """Have SIGTERM and the end of the terminal end the process so that what was written is removed."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, _exit_on_signal)


def _exit_on_signal(number: int, frame: FrameType | None) -> None:
    del frame
    sys.exit(128 + number)
