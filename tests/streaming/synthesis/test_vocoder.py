from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from streaming.engines.fake import fake_manifest
from streaming.errors import SynthesisError
from streaming.sambert_manifest import F0Rows, SambertManifest, VocoderSizes
from streaming.synthesis.engine import Array, NetworkName
from streaming.synthesis.segment import grid_of
from streaming.synthesis.steps import run_steps
from streaming.synthesis.vocoder import VocoderStream
from streaming.types import FloatArray, MelChunk, Style

HOP = 200


class LateVocoder:
    """Repeats the first mel band, late by some frames; the delay line is its state."""

    name = "late"

    def __init__(self, lookahead: int, spoil: bool = False) -> None:
        self.lookahead = lookahead
        self.spoil = spoil
        self.inputs: list[dict[str, Array]] = []

    def run(self, network: NetworkName, inputs: Mapping[str, Array]) -> dict[str, Array]:
        self.inputs.append(dict(inputs))
        line = np.concatenate([inputs["state"], inputs["mel"][..., 0]], axis=1)
        late = line[:, : inputs["mel"].shape[1]] * (np.nan if self.spoil else 1.0)
        audio = np.repeat(late, HOP, axis=1).astype(np.float32)
        return {"audio": audio, "state": line[:, line.shape[1] - self.lookahead :]}


class PaddingVocoder(LateVocoder):
    """The same with edges: nothing before the segment comes out, and everything inside it does at its end."""

    def run(self, network: NetworkName, inputs: Mapping[str, Array]) -> dict[str, Array]:
        out = super().run(network, inputs)
        first, last = inputs["edges"]
        inside = np.repeat(out["state"], HOP, axis=1)[:, : last * self.lookahead * HOP]
        audio = np.concatenate([out["audio"], inside], axis=1)
        return out | {"audio": audio[:, first * self.lookahead * HOP :]}


def manifest(
    lookahead: int, *, takes_f0: bool = False, takes_edges: bool = False, kind: str = "harmonic_noise"
) -> SambertManifest:
    base = fake_manifest().model_dump()
    base["n_mels"] = 1
    base["acoustic"]["n_features"] = 3
    base["f0"] = F0Rows(norm="mean_std", offset_hz=200.0, scale_hz=50.0).model_dump()
    sizes = VocoderSizes(
        kind=kind,
        lookahead_frames=lookahead,
        state_size=lookahead,
        takes_f0=takes_f0,
        takes_edges=takes_edges,
    )
    base["vocoder"] = sizes.model_dump()
    return SambertManifest.model_validate(base)


def vocode(engine: LateVocoder, voice: SambertManifest, frames: FloatArray, style: Style) -> FloatArray:
    stream = VocoderStream(voice, style, frames.shape[0])
    grid, out = grid_of(voice), []
    for index in range(grid.n_blocks(frames.shape[0])):
        plan = grid.block(index)
        part = frames[min(plan.start_frame, frames.shape[0]) : plan.end_frame]
        stream.push(MelChunk(part, plan.start_frame))
        out.append(run_steps(engine, stream.block(plan)))
    assert [chunk.last for chunk in out] == [False] * (len(out) - 1) + [True]
    assert all(chunk.samples.size for chunk in out)
    sizes = [chunk.samples.size for chunk in out]
    assert [chunk.start_sample for chunk in out] == [sum(sizes[:index]) for index in range(len(out))]
    return np.concatenate([chunk.samples for chunk in out])


def features(n_frames: int) -> FloatArray:
    return np.random.default_rng(n_frames).normal(size=(n_frames, 3)).astype(np.float32) * 0.3


@pytest.mark.parametrize("lookahead", [0, 1, 3])
@pytest.mark.parametrize("n_frames", [1, 3, 4, 5, 12, 27, 28, 29, 60])
def test_lookahead_is_cut_at_the_start_and_filled_at_the_end(lookahead: int, n_frames: int):
    frames = features(n_frames)
    audio = vocode(LateVocoder(lookahead), manifest(lookahead), frames, Style())
    np.testing.assert_array_equal(audio, np.repeat(frames[:, 0], HOP))


def test_padding_frames_repeat_the_last_one():
    engine = LateVocoder(3)
    frames = features(5)
    vocode(engine, manifest(3), frames, Style())
    last_mel = engine.inputs[-1]["mel"][0]
    assert last_mel.shape == (8, 1)  # the grid's block, whatever the length
    np.testing.assert_array_equal(last_mel[1:], np.repeat(frames[-1:, :1], 7, axis=0))


@pytest.mark.parametrize("n_frames", [1, 3, 4, 5, 12, 27, 28, 29, 60])
def test_a_vocoder_that_takes_edges_gets_the_segment_alone(n_frames: int):
    frames, engine = features(n_frames), PaddingVocoder(3)
    audio = vocode(engine, manifest(3, takes_edges=True), frames, Style())
    np.testing.assert_array_equal(audio, np.repeat(frames[:, 0], HOP))
    given = np.concatenate([call["mel"][0, :, 0] for call in engine.inputs])
    np.testing.assert_array_equal(given, frames[:, 0])
    assert sum(call["excitation"].shape[2] for call in engine.inputs) == n_frames * HOP


def test_edges_say_which_block_is_first_and_last():
    engine = PaddingVocoder(3)
    vocode(engine, manifest(3, takes_edges=True), features(29), Style())
    assert [call["edges"].tolist() for call in engine.inputs] == [[1, 0], [0, 0], [0, 0], [0, 1]]
    assert [call["mel"].shape[1] for call in engine.inputs] == [4, 8, 16, 1]
    assert {call["edges"].dtype for call in engine.inputs} == {np.dtype(np.int64)}


def test_a_segment_of_one_block_is_first_and_last():
    engine = PaddingVocoder(3)
    vocode(engine, manifest(3, takes_edges=True), features(2), Style())
    assert [call["edges"].tolist() for call in engine.inputs] == [[1, 1]]


def test_a_vocoder_without_edges_is_not_given_any():
    engine = LateVocoder(3)
    vocode(engine, manifest(3), features(5), Style())
    assert all("edges" not in call for call in engine.inputs)


def test_excitation_and_f0_are_handed_to_vocoders_that_take_them():
    engine = LateVocoder(3)
    frames = features(20)
    vocode(engine, manifest(3, takes_f0=True), frames, Style(pitch=1.5))
    first = engine.inputs[0]
    assert first["excitation"].shape == (1, 2, 4 * HOP)
    assert first["f0"].dtype == np.float32
    expected = np.log(np.maximum((frames[:4, 1] * 50.0 + 200.0) * 1.5, 30.0))
    np.testing.assert_allclose(first["f0"][0, :, 0], expected, rtol=1e-5)
    np.testing.assert_array_equal(first["f0"][0, :, 1], (frames[:4, 2] >= 0.6).astype(np.float32))


def test_nsf_vocoders_get_eight_rows():
    engine = LateVocoder(0)
    vocode(engine, manifest(0, kind="nsf"), features(5), Style())
    assert engine.inputs[0]["excitation"].shape == (1, 8, 4 * HOP)
    assert "f0" not in engine.inputs[0]


def test_a_block_without_its_frames_is_a_bug_that_is_told():
    stream = VocoderStream(manifest(0), Style(), 10)
    with pytest.raises(RuntimeError, match="needs 4 frames, 0 were pushed"):
        run_steps(LateVocoder(0), stream.block(grid_of(manifest(0)).block(0)))


def test_samples_that_are_not_finite_are_a_synthesis_error():
    with pytest.raises(SynthesisError, match="not finite"):
        vocode(LateVocoder(1, spoil=True), manifest(1), features(5), Style())
