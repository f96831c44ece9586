from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from benchmarks.ladder import Rung, draw, measure, report, streaming
from benchmarks.rungs import CPU_RUNGS, FP32, possible_rungs, rungs_for
from benchmarks.sweep import streams_by_batch
from streaming.engines.bundle import BundleEngine
from streaming.engines.choice import EnginePlan
from streaming.errors import SynthesisError
from streaming.manifest import NetworkName
from streaming.recorded_calls import record_calls
from streaming.sambert_manifest import as_sambert
from streaming.synthesis.engine import Array
from streaming.types import FloatArray, Phonemes
from streaming.voice import load_manifest
from tests.streaming.doubles import VOICES, phonemes

FOLDER = VOICES / "tiny_16k"
SENTENCE = phonemes(3, 9, 27, 14, 143)


def rows() -> list[dict[str, object]]:
    figures = {"rtf_p50": 0.1, "sentences_per_s": 2.0}
    return [
        {"name": "whole", "latency_p50_ms": 400.0, "ttfc_p50_ms": 400.0, **figures},
        {"name": "streaming", "latency_p50_ms": 200.0, "ttfc_p50_ms": 20.0, "memory_mb": 300.0, **figures},
        {"name": "cuda", "reason": "no CUDA device"},
    ]


def test_the_whole_sentence_at_once_is_the_streamed_one() -> None:
    manifest = as_sambert(load_manifest(FOLDER))
    pieces = list(streaming(FOLDER, EnginePlan())(SENTENCE, 0))
    streamed = np.concatenate(pieces)
    whole = list(streaming(FOLDER, EnginePlan(), whole=True)(SENTENCE, streamed.size // manifest.hop_length))
    assert len(pieces) > 1
    assert len(whole) == 1
    np.testing.assert_allclose(whole[0], streamed, atol=1e-4)


def test_rungs_are_those_that_the_bundle_has_files_for() -> None:
    assert set(CPU_RUNGS) > set(possible_rungs(FOLDER)) >= {FP32, "bf16 vocoder"}


@pytest.mark.parametrize("keep", [True, False])
def test_a_measurement_counts_up_to_the_first_piece_and_to_the_last(keep: bool) -> None:
    def speak(phonemes: Phonemes, n_frames: int) -> Iterator[FloatArray]:
        for _ in range(3):
            yield np.zeros(n_frames * 10, np.float32)

    rung = Rung("test", speak)
    measure(rung, lambda: SENTENCE, 80, 16_000, keep=keep)
    assert len(rung.latencies_ms) == len(rung.ttfc_ms) == len(rung.rtf) == keep
    if keep:
        assert 0.0 < rung.ttfc_ms[0] <= rung.latencies_ms[0]
        assert rung.rtf[0] == pytest.approx(rung.latencies_ms[0] / 1000 / (3 * 800 / 16_000))


def test_the_report_compares_with_pytorch_and_says_why_a_rung_is_missing() -> None:
    lines = report(rows(), ["head"], {"rows": rows()}).splitlines()
    assert lines[0] == "head"
    assert lines[5] == "| streaming | 200 | 20.0 | 0.1000 | 20.0 | 2.00 | 300 | - |"
    assert lines[6] == "| cuda | skipped: no CUDA device |"
    assert json.loads(lines[-1])["rows"] == rows()


def test_the_rungs_can_be_drawn(tmp_path: Path) -> None:
    draw(rows(), tmp_path / "ladder.png", "a voice")
    assert (tmp_path / "ladder.png").stat().st_size > 5000


def test_streams_are_counted_by_batch_up_to_what_an_engine_takes() -> None:
    manifest = as_sambert(load_manifest(FOLDER))
    calls = record_calls(FOLDER, manifest, ("你好，欢迎。",))
    engine = BundleEngine(FOLDER, manifest)
    found = streams_by_batch(engine, manifest, calls, (1, 4))
    assert list(found) == [1, 4]
    assert all(streams > 0.0 for streams in found.values())
    run = engine.run

    def at_most_two(network: NetworkName, inputs: Mapping[str, Array]) -> dict[str, Array]:
        if next(iter(inputs.values())).shape[0] > 2:
            raise SynthesisError("a batch of 4 rows; the engine takes at most 2")
        return run(network, inputs)

    engine.run = at_most_two  # type: ignore[method-assign]
    assert list(streams_by_batch(engine, manifest, calls, (1, 2, 4, 8))) == [1, 2]


def test_on_a_gpu_each_rung_is_one_word_of_the_configuration() -> None:
    plans = rungs_for(FOLDER, "cuda")
    assert next(iter(plans)) == FP32
    for name, plan in list(plans.items())[1:]:
        assert plan.default.device == "cuda"
        assert plan.default.precision.partition("-")[0] in name
        assert plan.default.file_precision in {"fp32", "fp16", "int8-tensorrt"}
