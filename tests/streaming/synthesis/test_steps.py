from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from streaming.engines.fake import FakeEngine, fake_manifest
from streaming.errors import SynthesisError
from streaming.loaded_voice import LoadedVoice, load_voice
from streaming.synthesis.engine import Array, NetworkName
from streaming.synthesis.family import new_synthesis
from streaming.synthesis.steps import (
    Call,
    HostCall,
    NetworkCall,
    Progress,
    Steps,
    perform,
    perform_stacked,
    run_steps,
)
from streaming.types import FloatArray, Phonemes, StageTimes, Style
from tests.streaming.doubles import VOICES, fake_voice, phonemes

SENTENCES = (phonemes(3, 17, 44, 8, 143), phonemes(5, 9, 143), phonemes(40, 2, 31, 7, 7, 21, 143))
SHIPPED = Path(__file__).parents[3] / "voices" / "shanquan"


class Doubling:
    """A network that doubles; its inputs must be contiguous, as a runtime wants them."""

    name = "doubling"

    def run(self, network: NetworkName, inputs: Mapping[str, Array]) -> dict[str, Array]:
        assert all(array.flags.c_contiguous for array in inputs.values())
        return {"y": np.asarray(2 * inputs["x"], np.float32)}


def doubled(x: FloatArray) -> Steps[FloatArray]:
    return (yield NetworkCall("vocoder", {"x": x}, "vocoder_ms"))["y"]  # type: ignore[no-any-return]


def test_calls_are_made_and_their_results_sent():
    def steps() -> Steps[str]:
        y = yield from doubled(np.arange(12, dtype=np.float32).reshape(1, 3, 4)[:, :, 1:3])
        text = yield HostCall(lambda: "said", "frontend_ms")
        return f"{text} {y.sum():.0f}"

    assert run_steps(Doubling(), steps()) == "said 66"


def test_steps_without_a_call_have_a_result_too():
    def steps() -> Steps[int]:
        return 7
        yield

    assert run_steps(Doubling(), steps()) == 7


def test_a_call_that_fails_is_raised_inside_the_steps():
    heard: list[str] = []

    def steps() -> Steps[None]:
        try:
            yield HostCall(lambda: 1 // 0, "frontend_ms")
        except ZeroDivisionError as error:
            heard.append(str(error))
            raise SynthesisError("failed") from error

    with pytest.raises(SynthesisError, match="failed"):
        run_steps(Doubling(), steps())
    assert heard


def test_time_counts_for_the_stage_that_it_prepares_and_calls_for_their_own():
    now_s = 0.0

    def spend(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds

    def steps() -> Steps[None]:
        spend(1.0)
        yield HostCall(lambda: spend(10.0), "frontend_ms")
        spend(2.0)
        yield HostCall(lambda: spend(20.0), "vocoder_ms")
        spend(4.0)

    times = StageTimes()
    run_steps(Doubling(), steps(), times, clock=lambda: now_s)
    assert times == StageTimes(frontend_ms=11_000.0, vocoder_ms=26_000.0)


def test_progress_that_is_closed_lets_the_steps_clean_up():
    log: list[str] = []

    def steps() -> Steps[None]:
        try:
            yield HostCall(lambda: None, "frontend_ms")
        finally:
            log.append("clean")

    progress = Progress(steps(), StageTimes())
    assert not progress.started
    progress.resume()
    assert progress.started
    progress.close()
    progress.close()
    assert (log, progress.over, progress.call) == (["clean"], True, None)


# -- rows of several streams in one call -----------------------------------------------------


def test_stacked_calls_come_back_row_by_row():
    calls = [
        NetworkCall("decoder", {"x": np.full((1, 3), value, np.float32)}, "decoder_ms") for value in (1, 5)
    ]
    outputs = perform_stacked(Doubling(), calls)
    assert [found["y"].tolist() for found in outputs] == [[[2.0] * 3], [[10.0] * 3]]


def speak_together(voice: LoadedVoice, sentences: list[Phonemes]) -> list[FloatArray]:
    """Speak sentences at once, every call that can be stacked with all equal ones that are next."""
    syntheses = [new_synthesis(voice.engine, voice.manifest, tokens, Style(seed=3)) for tokens in sentences]
    pieces: list[list[FloatArray]] = [[] for _ in sentences]
    going = dict(enumerate(Progress(synthesis.steps(), StageTimes()) for synthesis in syntheses))
    for progress in going.values():
        progress.resume()
    while going:
        for number in [number for number, progress in going.items() if progress.over]:
            if (chunk := going.pop(number).result) is not None:
                pieces[number].append(chunk.samples)
                going[number] = Progress(syntheses[number].steps(), StageTimes())
                going[number].resume()
        _make_calls(voice, [progress for progress in going.values() if not progress.over])
    return [np.concatenate(found) for found in pieces]


def _make_calls(voice: LoadedVoice, waiting: list[Progress]) -> None:  # type: ignore[type-arg]
    groups: dict[object, list[Progress]] = {}  # type: ignore[type-arg]
    for progress in waiting:
        groups.setdefault(_kind(progress.call), []).append(progress)
    for alike in groups.values():
        calls = [progress.call for progress in alike]
        if len(calls) == 1:
            alike[0].resume(perform(voice.engine, calls[0]))
        else:
            for progress, outcome in zip(alike, perform_stacked(voice.engine, calls), strict=True):  # type: ignore[arg-type]
                progress.resume(outcome)


def _kind(call: Call | None) -> object:
    if isinstance(call, NetworkCall) and call.stackable:
        return call.network, *(array.shape for array in call.inputs.values())
    return id(call)


def speak_alone(voice: LoadedVoice, tokens: Phonemes) -> FloatArray:
    synthesis = new_synthesis(voice.engine, voice.manifest, tokens, Style(seed=3))
    pieces = []
    while (chunk := synthesis.advance()) is not None:
        pieces.append(chunk.samples)
    return np.concatenate(pieces)


TEXTS = ("你好，欢迎。", "今天天气很好！", "我们去公园走走吧？", "你好。", "请帮我订一张去上海的车票。")


@pytest.mark.parametrize(
    "folder",
    [VOICES / "tiny_16k", pytest.param(SHIPPED, marks=pytest.mark.model)],
    ids=lambda path: path.name,
)
def test_rows_in_company_have_the_samples_of_rows_alone_bit_for_bit(folder: Path):
    voice = load_voice(folder)
    sentences = [tokens for text in TEXTS if (tokens := voice.frontend.phonemes(text)) is not None]
    for samples, tokens in zip(speak_together(voice, sentences), sentences, strict=True):
        np.testing.assert_array_equal(samples, speak_alone(voice, tokens))


def test_rows_of_the_fake_voice_are_those_of_streams_alone():
    for samples, tokens in zip(speak_together(fake_voice(), list(SENTENCES)), SENTENCES, strict=True):
        np.testing.assert_array_equal(samples, speak_alone(fake_voice(), tokens))


def test_the_fake_engine_takes_rows():
    engine, manifest = FakeEngine(), fake_manifest()
    speak_together(LoadedVoice(manifest, engine, fake_voice().frontend), list(SENTENCES))
    assert engine.calls.count("decoder") < sum(_n_decoder_calls(tokens) for tokens in SENTENCES), (
        "nothing ran together"
    )


def _n_decoder_calls(tokens: Phonemes) -> int:
    engine = FakeEngine()
    speak_alone(LoadedVoice(fake_manifest(), engine, fake_voice().frontend), tokens)
    return engine.calls.count("decoder")
