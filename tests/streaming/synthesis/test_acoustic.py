from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from streaming.engines.fake import FakeEngine, fake_manifest
from streaming.errors import SynthesisError
from streaming.sambert_manifest import F0Rows
from streaming.synthesis.acoustic import AcousticStream, encoder_inputs
from streaming.synthesis.engine import Array, NetworkName
from streaming.synthesis.segment import grid_of
from streaming.synthesis.steps import run_steps
from streaming.types import FloatArray, Style
from tests.streaming.doubles import phonemes

VOICE = fake_manifest()
TOKENS = phonemes(3, 17, 44, 8, 21, 143)


class Recorder(FakeEngine):
    """Keeps the inputs of every call, and may spoil an output."""

    def __init__(self, spoil: NetworkName | None = None) -> None:
        super().__init__()
        self.inputs: list[tuple[NetworkName, dict[str, Array]]] = []
        self.spoil = spoil

    def run(self, network: NetworkName, inputs: Mapping[str, Array]) -> dict[str, Array]:
        self.inputs.append((network, {name: value.copy() for name, value in inputs.items()}))
        outputs = super().run(network, inputs)
        if network == self.spoil:
            outputs["frames"] = np.full_like(outputs["frames"], np.nan)
        return outputs

    def of(self, network: NetworkName) -> list[dict[str, Array]]:
        return [inputs for name, inputs in self.inputs if name == network]


def decode(engine: FakeEngine, style: Style | None = None) -> tuple[AcousticStream, FloatArray]:
    stream = AcousticStream(VOICE, TOKENS, style or Style())
    plan = run_steps(engine, stream.encode())
    grid = grid_of(VOICE)
    plans = [grid.block(index) for index in range(grid.n_blocks(plan.n_frames))]
    chunks = [run_steps(engine, stream.frames(block)) for block in plans]
    position = 0
    for chunk in chunks:
        assert chunk.start_frame == position
        position += chunk.frames.shape[0]
    return stream, np.concatenate([chunk.frames for chunk in chunks])


def test_exactly_the_planned_frames_come_out():
    stream, frames = decode(FakeEngine())
    assert frames.shape == (stream.plan.n_frames, 2)
    assert stream.plan.n_frames % 3 != 0  # the case that needs care


def test_frames_beyond_the_end_enter_the_postnet_as_zeros():
    engine = Recorder()
    stream, _ = decode(engine)
    fed = np.concatenate([inputs["frames"][0] for inputs in engine.of("postnet")])
    assert np.all(fed[stream.plan.n_frames :] == 0.0)
    assert np.all(fed[: stream.plan.n_frames].any(axis=1))


def test_postnet_calls_follow_each_other_and_know_the_length():
    engine = Recorder()
    stream, _ = decode(engine)
    start = 0
    for inputs in engine.of("postnet"):
        assert inputs["start"].tolist() == [start]
        assert inputs["length"].tolist() == [stream.plan.n_frames]
        start += inputs["frames"].shape[1]


def test_every_step_feeds_back_its_last_frame_before_the_postnet():
    engine = Recorder()
    decode(engine)
    steps = engine.of("decoder")
    decoded = np.concatenate([inputs["frames"][0] for inputs in engine.of("postnet")])
    assert not steps[0]["prev"].any()
    for index in range(1, len(steps)):
        np.testing.assert_array_equal(steps[index]["prev"][0], decoded[3 * index - 1])


def test_masks_open_the_band_and_nothing_else():
    engine = Recorder()
    stream, _ = decode(engine)
    plan = stream.plan
    for step, inputs in enumerate(engine.of("decoder")):
        own, ahead = min(step, plan.band_width) + 1, min(plan.n_steps - 1 - step, plan.band_width) + 1
        assert np.flatnonzero(inputs["self_mask"][0] == 0.0).tolist() == list(
            range(plan.window - own, plan.window)
        )
        assert np.flatnonzero(inputs["mem_mask"][0] == 0.0).tolist() == list(range(ahead))
        assert inputs["mem_k"].shape[3] == plan.window
        assert inputs["mem_k"].flags.c_contiguous


def test_speaker_and_emotion_go_in_as_ids_for_every_token():
    engine = Recorder()
    decode(engine, Style(speaker="low-sine", emotion="sad"))
    (inputs,) = engine.of("encoder")
    assert inputs["speaker"].tolist() == [[1] * 6]
    assert inputs["emotion"].tolist() == [[6] * 6]


def test_controls_are_neutral_unless_asked_for():
    engine = Recorder()
    decode(engine)
    (inputs,) = engine.of("encoder")
    controls = [inputs[name].tolist() for name in ("emotion_intensity", "pitch_scale", "pitch_shift")]
    assert controls == [[1.0], [1.0], [0.0]]
    assert {inputs[name].dtype for name in ("emotion_intensity", "pitch_scale", "pitch_shift")} == {
        np.dtype(np.float32)
    }


def test_a_pitch_factor_becomes_scale_and_shift_of_the_normalised_pitch():
    voice = VOICE.model_copy(update={"pitch_mean_over_std": 2.5})
    inputs = encoder_inputs(voice, TOKENS.ids, Style(pitch=1.2, emotion_intensity=0.5))
    mean, std = 250.0, 100.0
    f0_hz = 310.0
    (scale,), (shift,) = inputs["pitch_scale"], inputs["pitch_shift"]
    assert scale * (f0_hz - mean) / std + shift == pytest.approx((1.2 * f0_hz - mean) / std, rel=1e-6)
    assert inputs["emotion_intensity"].tolist() == [0.5]


def test_a_voice_with_f0_rows_keeps_its_predicted_pitch():
    rows = F0Rows(norm="mean_std", offset_hz=120.0, scale_hz=90.0)
    inputs = encoder_inputs(VOICE.model_copy(update={"f0": rows}), TOKENS.ids, Style(pitch=1.2))
    assert (inputs["pitch_scale"].tolist(), inputs["pitch_shift"].tolist()) == ([1.0], [0.0])


def test_before_encode_the_plan_is_unknown():
    stream = AcousticStream(VOICE, TOKENS, Style())
    with pytest.raises(RuntimeError, match="encode"):
        _ = stream.plan


def test_values_that_are_not_finite_are_a_synthesis_error():
    with pytest.raises(SynthesisError, match="not finite"):
        decode(Recorder(spoil="postnet"))
