"""Read a recording back: what the phone recogniser hears, beside what the text says.

    C="--config configs/training/shanquan.yaml --out build/shanquan"
    python -m training.transcribe hello.wav --text "你好。" $C

Input   a 16-bit or float WAV at the voice's sample rate; the text, if known
Output  units on the terminal, and with a text the error rate
State   none
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import soundfile

from streaming.text.frontend import Frontend
from streaming.text.segmenter import Segmenter
from streaming.text.symbols import SymbolTables
from streaming.types import FloatArray
from training.features import load_statistics
from training.mel import extract
from training.recogniser import edit_distance, recogniser_input, sentence_units
from training.settings import TrainingSettings, load_settings
from training.train_recogniser import load_recogniser


def expected_units(text: str) -> list[str]:
    """Units of a text, cut into segments and read as the server does."""
    segmenter, frontend = Segmenter(), Frontend(SymbolTables())
    frontend.warm_up()
    units: list[str] = []
    for segment in (*segmenter.push(text), *segmenter.flush()):
        phonemes = frontend.phonemes(segment.text)
        if phonemes is not None:
            units += sentence_units(phonemes.tokens)
    return units


def transcribe(audio: FloatArray, settings: TrainingSettings, out: Path) -> list[str]:
    """What the recogniser hears in audio [n_samples] at the voice's sample rate."""
    statistics = load_statistics(out)
    features = extract(audio, settings.audio)
    inputs = recogniser_input(features, statistics)
    return load_recogniser(settings, out).transcribe(inputs)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--text", default="")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    settings = load_settings(options.config)
    audio, sample_rate = soundfile.read(options.recording, dtype="float32")
    if sample_rate != settings.audio.sample_rate:
        parser.error(
            f"{options.recording} is at {sample_rate} Hz; the voice is at {settings.audio.sample_rate} Hz"
        )
    heard = transcribe(audio, settings, options.out)
    sys.stdout.write(f"heard:    {' '.join(heard)}\n")
    if options.text:
        expected = expected_units(options.text)
        errors = edit_distance(heard, expected)
        sys.stdout.write(f"expected: {' '.join(expected)}\n")
        sys.stdout.write(
            f"errors:   {errors} of {len(expected)} ({100 * errors / max(len(expected), 1):.1f} %)\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
