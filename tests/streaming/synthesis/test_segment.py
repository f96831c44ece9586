"""A segment on the fake engine and on ONNX Runtime: the law is that nothing but the input matters."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Mapping

import numpy as np
import pytest

from streaming.engines.bundle import BundleEngine
from streaming.engines.fake import FakeEngine, fake_manifest
from streaming.errors import BadRequestError, SynthesisError, UnknownVoiceError
from streaming.sambert_manifest import SambertManifest
from streaming.synthesis.engine import Array, Engine, NetworkName
from streaming.synthesis.segment import SegmentSynthesis
from streaming.synthesis.volume import KNEE
from streaming.types import FloatArray, Phonemes, Style
from streaming.voice import load_manifest
from tests.streaming.doubles import VOICES, drain, joined, phonemes

Voice = tuple[Engine, SambertManifest]

TOKENS = [
    phonemes(3, 17, 44, 8, 21, 143),
    phonemes(60, 2, 140, 9, 33, 12, 5, 141, 7, 7, 30, 143),
    phonemes(1, 50, 143),
    phonemes(*range(10, 40), 143),
    phonemes(11),
    phonemes(25, 143, 26, 142, 27, 143),
    phonemes(40, 41, 42, 43, 44, 45, 46, 143),
    phonemes(9, 8, 7, 6, 140, 5, 4, 3, 2, 143),
]


@pytest.fixture(scope="module")
def onnx() -> Voice:
    folder = VOICES / "tiny_16k"
    manifest = load_manifest(folder)
    return BundleEngine(folder, manifest), manifest


@pytest.fixture(params=["fake", "onnx"])
def voice(request: pytest.FixtureRequest, onnx: Voice) -> Voice:
    return (FakeEngine(), fake_manifest()) if request.param == "fake" else onnx


def start(voice: Voice, tokens: Phonemes, style: Style | None = None) -> SegmentSynthesis:
    return SegmentSynthesis(*voice, tokens, style or Style())


@pytest.mark.parametrize("tokens", TOKENS, ids=lambda tokens: str(len(tokens.tokens)))
def test_chunks_join_without_gap_to_the_announced_length(voice: Voice, tokens: Phonemes):
    synthesis = start(voice, tokens)
    chunks = drain(synthesis)
    assert joined(chunks).size == synthesis.n_samples == synthesis.token_start_samples[-1]
    assert [chunk.last for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert all(chunk.samples.dtype == np.float32 for chunk in chunks)


def test_eight_interleaved_segments_equal_eight_sequential_ones_bit_for_bit(voice: Voice):
    expected = [joined(drain(start(voice, tokens))) for tokens in TOKENS]
    running = [start(voice, tokens) for tokens in TOKENS]
    chunks: list[list] = [[] for _ in TOKENS]
    order = np.random.default_rng(0)
    open_ones = set(range(len(running)))
    while open_ones:
        index = int(order.choice(sorted(open_ones)))
        chunk = running[index].advance()
        if chunk is None:
            open_ones.remove(index)
        else:
            chunks[index].append(chunk)
    for found, reference in zip(chunks, expected, strict=True):
        np.testing.assert_array_equal(joined(found), reference)


def test_the_first_chunk_is_one_small_block(voice: Voice):
    chunk = start(voice, TOKENS[3]).advance()
    assert chunk is not None
    assert chunk.samples.size == voice[1].block_frames[0] * voice[1].hop_length


def test_the_first_block_needs_only_the_first_decoder_steps():
    engine = FakeEngine()
    start((engine, fake_manifest()), TOKENS[3]).advance()
    assert engine.calls == ["encoder", "memory", *["decoder"] * 6, "postnet", "vocoder"]


def test_nothing_comes_after_the_last_chunk(voice: Voice):
    synthesis = start(voice, TOKENS[0])
    drain(synthesis)
    assert synthesis.advance() is None


@pytest.mark.parametrize("tokens", [phonemes(140, 141), phonemes(140)], ids=["two", "one"])
def test_tokens_without_a_frame_give_one_empty_chunk(tokens: Phonemes):
    engine = FakeEngine()
    synthesis = start((engine, fake_manifest()), tokens)
    chunks = drain(synthesis)
    assert [(chunk.samples.size, chunk.last) for chunk in chunks] == [(0, True)]
    assert synthesis.n_samples == 0
    assert engine.calls == ["encoder"]


def test_tokens_of_no_duration_are_skipped_between_others():
    synthesis = start((FakeEngine(), fake_manifest()), phonemes(3, 140, 4))
    synthesis.advance()
    starts = synthesis.token_start_samples
    assert starts[1] == starts[2]


@pytest.mark.parametrize(("speed", "low", "high"), [(0.5, 1.7, 2.1), (2.0, 0.4, 0.7)])
def test_speed_changes_the_length(voice: Voice, speed: float, low: float, high: float):
    normal, changed = (joined(drain(start(voice, TOKENS[3], Style(speed=s)))).size for s in (1.0, speed))
    assert low < changed / normal < high


def test_volume_is_linear_up_to_the_knee():
    voice = FakeEngine(), fake_manifest()
    normal, half, silent, loud = (
        joined(drain(start(voice, TOKENS[0], Style(volume=volume)))) for volume in (50.0, 25.0, 0.0, 100.0)
    )
    np.testing.assert_allclose(half, normal * 0.5)
    assert not silent.any()
    assert np.abs(loud).max() < 1.0
    quiet = np.abs(normal * 2.0) <= KNEE
    assert 0 < np.count_nonzero(quiet) < quiet.size
    np.testing.assert_array_equal(loud[quiet], normal[quiet] * np.float32(2.0))


def test_speakers_and_emotions_sound_different(voice: Voice):
    emotion = list(voice[1].emotions)[1]
    plain, other_speaker, other_emotion = (
        joined(drain(start(voice, TOKENS[3], style)))
        for style in (Style(), Style(speaker=voice[1].speakers[1]), Style(emotion=emotion))
    )
    assert not np.array_equal(plain, other_speaker)
    assert not np.array_equal(plain, other_emotion)


def test_intensity_leads_from_neutral_through_the_emotion(voice: Voice):
    def said(emotion: str, intensity: float) -> FloatArray:
        style = Style(emotion=emotion, emotion_intensity=intensity)
        return joined(drain(start(voice, TOKENS[3], style)))

    for intensity in (0.0, 2.0):
        np.testing.assert_array_equal(said("neutral", intensity), said("neutral", 1.0))
    assert not np.array_equal(said("sad", 0.5), said("sad", 1.0))
    assert not np.array_equal(said("sad", 2.0), said("sad", 1.0))
    # row - (row - neutral) is neutral up to the last bit
    np.testing.assert_allclose(said("sad", 0.0), said("neutral", 1.0), atol=1e-3)


def test_a_pitch_factor_is_heard_in_a_voice_without_f0_rows(voice: Voice):
    plain, high, low = (joined(drain(start(voice, TOKENS[3], Style(pitch=q)))) for q in (1.0, 1.5, 0.75))
    assert not np.array_equal(plain, high)
    assert not np.array_equal(plain, low)


class FillingEngine(FakeEngine):
    """Puts a pause of three tokens, two frames each, before the token at index 2."""

    def run(self, network: NetworkName, inputs: Mapping[str, Array]) -> dict[str, Array]:
        outputs = super().run(network, inputs)
        if network == "encoder":
            source = np.array([0, 1, -1, -1, -1, *range(2, inputs["ling"].shape[1])])
            outputs = {name: values[:, np.maximum(source, 0)] for name, values in outputs.items()}
            outputs["log_durations"][:, source < 0] = np.log1p(2.0)
            outputs["token"] = source[None]
        return outputs


def test_a_pause_that_the_voice_fills_itself_lengthens_the_segment_and_belongs_to_no_token():
    manifest = fake_manifest()
    acoustic = manifest.acoustic.model_copy(update={"inserts_tokens": True})
    filling = FillingEngine(), manifest.model_copy(update={"acoustic": acoustic})
    plain, filled = start((FakeEngine(), manifest), TOKENS[0]), start(filling, TOKENS[0])
    audio = joined(drain(filled))
    drain(plain)
    expected = plain.token_start_samples.copy()
    expected[2:] += 6 * manifest.hop_length
    np.testing.assert_array_equal(filled.token_start_samples, expected)
    assert audio.size == expected[-1]


def test_unknown_names_are_refused_before_any_call():
    engine = FakeEngine()
    for style, known in ((Style(speaker="bach"), "sine"), (Style(emotion="bored"), "happy")):
        with pytest.raises(UnknownVoiceError, match=known):
            start((engine, fake_manifest()), TOKENS[0], style)
    assert engine.calls == []


@pytest.mark.parametrize(
    "style",
    [
        Style(speed=0.4),
        Style(speed=float("nan")),
        Style(pitch=2.1),
        Style(volume=-1.0),
        Style(emotion_intensity=2.1),
        Style(emotion_intensity=-0.1),
    ],
    ids=["slow", "nan", "high", "quiet", "strong", "weak"],
)
def test_factors_out_of_range_are_refused(style: Style):
    with pytest.raises(BadRequestError, match="is"):
        start((FakeEngine(), fake_manifest()), TOKENS[0], style)


@pytest.mark.parametrize("network", ["encoder", "memory", "decoder", "postnet", "vocoder"])
def test_a_failing_network_is_a_synthesis_error(network):
    with pytest.raises(SynthesisError, match=network):
        drain(start((FakeEngine(fail_at={network: 1}), fake_manifest()), TOKENS[0]))


def test_dropping_the_last_reference_frees_a_half_spoken_segment(voice: Voice):
    synthesis = start(voice, TOKENS[3])
    synthesis.advance()
    observer = weakref.ref(synthesis)
    del synthesis
    gc.collect()
    assert observer() is None


def test_every_stage_is_timed():
    cost_s = {"encoder": 5.0, "memory": 3.0, "decoder": 1.0, "postnet": 2.0, "vocoder": 4.0}
    now_s = 0.0

    def pass_time(network: NetworkName) -> None:
        nonlocal now_s
        now_s += cost_s[network]

    engine = FakeEngine(before_call=pass_time)
    synthesis = SegmentSynthesis(engine, fake_manifest(), TOKENS[0], Style(), clock=lambda: now_s)
    blocks = len(drain(synthesis))
    steps = engine.calls.count("decoder")
    times = synthesis.times
    assert (times.encoder_ms, times.decoder_ms, times.vocoder_ms) == (
        8000.0,
        1000.0 * steps + 2000.0 * blocks,
        4000.0 * blocks,
    )
