"""The embedded vocoder: streamed blocks equal the whole, and the parts do what the header says."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from streaming.synthesis.excitation import HarmonicNoiseExcitation, Pitch, pulse_train
from training.nets.embedded_streaming import StreamingEmbeddedVocoder
from training.nets.embedded_vocoder import EmbeddedVocoder
from training.nets.folded_shaper import FoldedShaper
from training.nets.source import (
    LOOKAHEAD_FRAMES,
    HarmonicNoiseSource,
    SpectralShaper,
    excitation_windows,
    gate_pulses,
    harmonic_noise_excitation,
    overlap_add,
    soft_limit,
)

HOP = 200
N_FRAMES = 37


def make_source() -> HarmonicNoiseSource:
    torch.manual_seed(1)
    source = HarmonicNoiseSource(80, HOP, channels=24, kernel_size=3, n_layers=3, n_bins=129)
    torch.nn.init.normal_(source.net.out.weight, std=0.3)
    return source


def make_vocoder() -> EmbeddedVocoder:
    vocoder = EmbeddedVocoder(make_source(), 80, channels=16)
    torch.nn.init.normal_(vocoder.body.conv_post.conv1d.weight_g, std=1.0)
    return vocoder.eval()


def make_inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    mel = torch.randn(1, N_FRAMES, 80, generator=generator)
    f0_hz = 180 + 40 * torch.sin(torch.arange(N_FRAMES, dtype=torch.float64) / 5)[None]
    noise = torch.randn(1, N_FRAMES * HOP, generator=generator)
    excitation = harmonic_noise_excitation(f0_hz, HOP, 16000, torch.zeros(1, dtype=torch.float64), noise)
    return (
        mel,
        torch.stack([f0_hz.log().float(), (torch.arange(N_FRAMES) % 7 > 1).float()[None]], -1),
        excitation,
    )


@pytest.mark.parametrize("make", [make_source, make_vocoder])
@pytest.mark.parametrize("sizes", [(1,) * N_FRAMES, (4, 8, 16, 9), (3, 34), (N_FRAMES,)])
def test_blocks_of_any_size_equal_the_whole(make, sizes) -> None:
    vocoder = make().eval()
    mel, f0, excitation = make_inputs()
    streaming = StreamingEmbeddedVocoder(vocoder)
    state, pieces, start = streaming.initial_state(), [], 0
    with torch.no_grad():
        whole = vocoder(mel, f0, excitation)
        for size in sizes:
            frames, samples = slice(start, start + size), slice(start * HOP, (start + size) * HOP)
            audio, state = streaming(mel[:, frames], excitation[:, :, samples], f0[:, frames], state)
            pieces.append(audio)
            start += size
    assert torch.cat(pieces, 1) == pytest.approx(soft_limit(whole), abs=2e-5)


def test_a_flat_response_gives_the_excitation_back_two_frames_late() -> None:
    _, _, excitation = make_inputs()
    flat = torch.zeros(1, 2, N_FRAMES, 129)
    flat[:, 0] = 1.0
    audio = overlap_add(
        SpectralShaper(HOP, 129, dispersion_samples=0.0)(excitation_windows(excitation, HOP), flat), HOP
    )
    assert audio[:, 4 * HOP :] == pytest.approx(excitation[:, 0, 2 * HOP : -2 * HOP], abs=2e-5)


def test_dispersion_lowers_peaks_and_keeps_magnitudes() -> None:
    _, _, excitation = make_inputs()
    flat = torch.zeros(1, 2, N_FRAMES, 129)
    flat[:, 0] = 1.0
    windows = excitation_windows(excitation, HOP)
    plain = SpectralShaper(HOP, 129, dispersion_samples=0.0)(windows, flat)
    spread = SpectralShaper(HOP, 129)(windows, flat)
    expected, found = torch.fft.rfft(plain).abs(), torch.fft.rfft(spread).abs()
    assert found[..., :-1] == pytest.approx(expected[..., :-1], abs=2e-3)  # the last bin has no phase to turn
    assert spread.abs().max() < 0.75 * plain.abs().max()


@pytest.mark.parametrize("hop_length", [HOP, 64])
def test_the_folded_shaper_computes_the_same_windows(hop_length: int) -> None:
    generator = torch.Generator().manual_seed(4)
    shaper = SpectralShaper(hop_length, 33)
    windows = torch.randn(2, 2, 5, 2 * hop_length, generator=generator)
    responses = torch.rand(2, 2, 5, 33, generator=generator)
    voiced = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0])[None, :, None].expand(2, -1, -1)
    expected = shaper(windows, gate_pulses(responses, voiced[..., 0]))
    first, second, third, fourth = FoldedShaper(shaper)(windows, responses, voiced)
    pieces = (first[..., :-1], second[..., 1:].flip(-1), third[..., :-1], fourth[..., 1:].flip(-1))
    assert torch.cat(pieces, -1) == pytest.approx(expected, abs=2e-5)


def test_a_hop_length_that_cannot_be_folded_is_refused() -> None:
    with pytest.raises(ValueError, match="found 66; allowed are multiples of 4"):
        FoldedShaper(SpectralShaper(66, 33))


def test_the_limiter_bends_only_what_is_loud() -> None:
    audio = torch.tensor([0.0, 0.5, -0.84, 0.95, -1.5, 40.0])
    limited = soft_limit(audio)
    assert torch.equal(limited[:3], audio[:3])
    assert (limited.abs() <= 1.0).all()
    assert 0.85 < limited[3] < 0.95
    assert limited[4] < -0.99


def test_unvoiced_frames_have_no_pulses() -> None:
    source = make_source().eval()
    mel, f0, excitation = make_inputs()
    unvoiced = torch.stack([f0[..., 0], torch.zeros(1, N_FRAMES)], -1)
    silent = excitation.clone()
    silent[:, 0] = 0.0
    with torch.no_grad():
        assert torch.equal(source(mel, unvoiced, excitation), source(mel, unvoiced, silent))
        assert not torch.equal(source(mel, f0, excitation), source(mel, f0, silent))


def test_the_source_needs_exactly_its_lookahead() -> None:
    """Frame p may change samples from (p - 3) * hop on in the late timeline, and nothing before it."""
    source = make_source().eval()
    mel, f0, excitation = make_inputs()
    changed = mel.clone()
    changed[:, 20] += 1.0
    with torch.no_grad():
        difference = (source(changed, f0, excitation) - source(mel, f0, excitation)).abs()[0]
    assert difference[: 20 * HOP].max() == 0.0
    assert difference[20 * HOP :].max() > 1e-3
    assert LOOKAHEAD_FRAMES == 3


def test_a_fresh_body_leaves_the_source_as_it_is() -> None:
    source = make_source()
    vocoder = EmbeddedVocoder(source, 80, channels=16).eval()
    mel, f0, excitation = make_inputs()
    with torch.no_grad():
        assert torch.equal(vocoder(mel, f0, excitation), source(mel, f0, excitation))


def test_the_torch_excitation_is_the_serving_sides() -> None:
    """Same pulses from the same F0; training's phase is free, so it starts where the serving side does."""
    f0 = 180 + 40 * np.sin(np.arange(N_FRAMES) / 5)
    served = HarmonicNoiseExcitation(HOP, 16000, seed=0).push(Pitch(f0, np.ones(N_FRAMES)))
    trained = harmonic_noise_excitation(
        torch.from_numpy(f0)[None],
        HOP,
        16000,
        torch.zeros(1, dtype=torch.float64),
        torch.zeros(1, N_FRAMES * HOP),
    )
    assert np.abs(served[0] - trained[0, 0].numpy()).max() < 2e-3


def test_pulses_and_noise_have_unit_variance() -> None:
    served = HarmonicNoiseExcitation(HOP, 16000, seed=3).push(Pitch(np.full(400, 200.0), np.ones(400)))
    assert served.var(axis=1) == pytest.approx([1.0, 1.0], rel=0.05)


def test_the_pulse_train_is_the_sum_of_its_harmonics() -> None:
    phase = np.linspace(0.0, 2.0, 501)
    f0 = np.full_like(phase, 1000.0)
    direct = sum(np.cos(2 * math.pi * k * phase) for k in range(1, 9)) * math.sqrt(2 / 8)
    assert pulse_train(phase, f0, 16000) == pytest.approx(direct, abs=2e-5)
