"""A Piper segment on an engine without weights: blocks are the whole, and nothing but the input matters."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.errors import BadRequestError, UnknownVoiceError
from streaming.synthesis.family import new_synthesis
from streaming.synthesis.piper import NOISE_LENGTH, PiperSynthesis, encoder_inputs, noise_table
from streaming.types import FloatArray, Phonemes, StageTimes, Style
from tests.streaming.doubles import drain, joined
from tests.streaming.piper_doubles import CONTEXT, HOP_LENGTH, PiperEngine, piper_manifest


def row(*ids: int) -> Phonemes:
    return Phonemes(tuple(map(str, ids)), np.array(ids, np.int64)[:, None])


PHONEMES = row(*range(1, 20))


def spoken(style: Style | None = None, engine: PiperEngine | None = None, **changes: object) -> FloatArray:
    engine = engine or PiperEngine()
    return joined(drain(PiperSynthesis(engine, piper_manifest(**changes), PHONEMES, style or Style())))


def test_the_first_call_runs_the_encoder_and_one_block():
    engine = PiperEngine()
    synthesis = PiperSynthesis(engine, piper_manifest(), PHONEMES, Style())
    assert engine.calls == []
    chunk = synthesis.advance()
    assert chunk is not None
    assert [network for network, _ in engine.calls] == ["encoder", "decoder"]
    assert (chunk.samples.size, chunk.start_sample, chunk.last) == (2 * HOP_LENGTH, 0, False)


@pytest.mark.parametrize("block_frames", [(1,), (2, 5), (7, 11, 13), (38,), (1000,)])
def test_blocks_are_the_whole_bit_for_bit(block_frames: tuple[int, ...]):
    np.testing.assert_array_equal(spoken(block_frames=block_frames), spoken(block_frames=(10**9,)))


def test_less_context_than_the_decoder_reaches_is_heard():
    assert np.abs(spoken(context_frames=CONTEXT - 1) - spoken(block_frames=(10**9,))).max() > 1e-3


def test_the_decoder_is_given_real_frames_only():
    engine = PiperEngine()
    spoken(engine=engine, block_frames=(10,))
    lengths = [inputs["latent"].shape[2] for network, inputs in engine.calls if network == "decoder"]
    assert lengths == [10 + CONTEXT, 10 + 2 * CONTEXT, 10 + 2 * CONTEXT, 8 + CONTEXT]


def test_chunks_join_to_the_announced_length():
    synthesis = PiperSynthesis(PiperEngine(), piper_manifest(), PHONEMES, Style())
    chunks = drain(synthesis)
    starts = synthesis.token_start_samples
    assert joined(chunks).size == synthesis.n_samples == starts[-1] == 38 * HOP_LENGTH
    assert starts.shape == (len(PHONEMES.tokens) + 1,)
    assert [chunk.last for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


def test_a_segment_without_a_frame_is_one_empty_last_chunk():
    [chunk] = drain(PiperSynthesis(PiperEngine(frames_per_id=0), piper_manifest(), PHONEMES, Style()))
    assert (chunk.samples.size, chunk.last) == (0, True)


def test_interleaved_segments_do_not_hear_each_other():
    engine = PiperEngine()
    running = [PiperSynthesis(engine, piper_manifest(), row(*ids), Style()) for ids in ((3, 9, 4), (7, 7, 1))]
    alone = [drain(PiperSynthesis(PiperEngine(), piper_manifest(), row(*ids), Style())) for ids in
             ((3, 9, 4), (7, 7, 1))]  # fmt: skip
    chunks: list[list] = [[], []]
    for index in (0, 1) * 10:
        if (chunk := running[index].advance()) is not None:
            chunks[index].append(chunk)
    for found, expected in zip(chunks, alone, strict=True):
        np.testing.assert_array_equal(joined(found), joined(expected))


def test_style_becomes_what_the_encoder_is_given():
    voice = piper_manifest(noise_scale=0.5, length_scale=1.5, noise_w=0.25)
    inputs = encoder_inputs(voice, row(4, 5), Style(speaker="bob", speed=2.0))
    assert inputs["input"].tolist() == [[4, 5]]
    assert inputs["input_lengths"].tolist() == [2]
    assert inputs["scales"].tolist() == [0.5, 0.75, 0.25]
    assert inputs["speaker"].tolist() == [1]
    assert inputs["noise"].shape == (2, NOISE_LENGTH)


def test_noise_belongs_to_the_seed_and_the_row():
    table = noise_table(5, 2)
    np.testing.assert_array_equal(noise_table(5, 2), table)
    assert abs(float(table.mean())) < 0.01
    assert abs(float(table.std()) - 1.0) < 0.01
    assert np.abs(np.corrcoef([*table, *noise_table(6, 2)]) - np.eye(4)).max() < 0.01


def test_the_seed_the_speaker_and_the_volume_are_heard():
    plain = spoken()
    np.testing.assert_array_equal(spoken(), plain)
    assert not np.array_equal(spoken(Style(seed=1)), plain)
    np.testing.assert_allclose(spoken(Style(speaker="bob")), plain + 0.1, atol=1e-6)
    np.testing.assert_allclose(spoken(Style(volume=25.0)), plain / 2, atol=1e-7)


@pytest.mark.parametrize(
    ("style", "error", "message"),
    [
        (
            Style(pitch=1.2),
            BadRequestError,
            r"pitch is 1\.2; voice 'piped' has a fixed pitch, allowed is 1\.0",
        ),
        (Style(emotion="happy"), UnknownVoiceError, "no emotion 'happy'; known: none"),
        (Style(emotion_intensity=0.5), BadRequestError, "emotion_intensity"),
        (Style(speaker="carl"), UnknownVoiceError, "known: anna, bob"),
        (Style(speed=3.0), BadRequestError, "speed"),
    ],
)
def test_what_vits_cannot_do_is_refused_before_any_work(style: Style, error: type[Exception], message: str):
    engine = PiperEngine()
    with pytest.raises(error, match=message):
        PiperSynthesis(engine, piper_manifest(), PHONEMES, style)
    assert engine.calls == []


def test_the_family_speaks_it_into_the_times_given():
    times = StageTimes()
    synthesis = new_synthesis(PiperEngine(), piper_manifest(), PHONEMES, Style(), times=times)
    assert isinstance(synthesis, PiperSynthesis)
    drain(synthesis)
    assert times.encoder_ms > 0.0
    assert times.vocoder_ms > 0.0
