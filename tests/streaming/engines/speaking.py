"""What an engine says with the tiny voice, so that two engines can be held against each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from streaming.sambert_manifest import as_sambert
from streaming.synthesis.engine import Engine
from streaming.synthesis.segment import SegmentSynthesis
from streaming.synthesis.steps import NetworkCall, as_state, owned, perform_stacked
from streaming.text.frontend import Frontend
from streaming.text.symbols import SymbolTables
from streaming.types import Style
from streaming.voice import load_manifest
from tests.streaming.doubles import VOICES

FOLDER = VOICES / "tiny_16k"
N_STREAMS = 3
COMPANIES = ([0], [0, 1], [2, 0, 1], [1], [2, 1])  # some have been there before, others have not


def in_company(engine: Engine) -> list[Any]:
    """Vocode streams that meet in calls and part again; return each call's samples and the last states."""
    random = np.random.default_rng(2)
    mels = [random.normal(size=(1, 8, 80)).astype(np.float32) for _ in range(N_STREAMS)]
    silent = np.zeros((1, load_manifest(FOLDER).vocoder.state_size), np.float32)
    states: list[Any] = [silent] * N_STREAMS
    audio: list[Any] = []
    for company in COMPANIES:
        calls = [
            NetworkCall("vocoder", {"mel": mels[index], "state": states[index]}, "vocoder_ms", True)
            for index in company
        ]
        for index, outputs in zip(company, perform_stacked(engine, calls), strict=True):
            states[index] = owned(as_state(outputs["state"]))
            audio.append(np.asarray(outputs["audio"]))
    return [*audio, *map(np.asarray, states)]


def segment(engine: Engine) -> Any:
    """Speak a sentence; return its samples."""
    phonemes = Frontend(SymbolTables()).phonemes("今天天气很好。")
    assert phonemes is not None
    synthesis = SegmentSynthesis(engine, as_sambert(load_manifest(FOLDER)), phonemes, Style())
    return np.concatenate([chunk.samples for chunk in iter(synthesis.advance, None)])
