from __future__ import annotations

import pytest
import torch

from tests.training.nets.small import largest_difference
from training.nets.config import HifiganConfig, NsfConfig
from training.nets.hifigan import Generator, SourceDraws, SourceModule

SMALL = HifiganConfig(in_channels=8, channels=16, resblock_dilations=((1, 3),) * 3)
# Spec section 2.1.
FULL_SHAPES = {
    "conv_pre.conv1d.weight_v": (256, 80, 7),
    "conv_pre.conv1d.weight_g": (256, 1, 1),
    "transpose_upsamples.0.1.deconv.weight_v": (256, 128, 20),
    "transpose_upsamples.0.1.deconv.weight_g": (256, 1, 1),
    "transpose_upsamples.3.1.deconv.bias": (16,),
    "repeat_upsamples.1.2.conv1d.weight_v": (64, 128, 7),
    "conv_blocks.11.convs1.3.conv1d.weight_v": (16, 16, 11),
    "conv_blocks.0.convs2.0.conv1d.weight_g": (128, 1, 1),
    "conv_post.conv1d.weight_v": (1, 16, 7),
    "source_module.ffn.0.weight_v": (1, 8, 1),
    "source_downs.0.conv1d.weight_v": (128, 1, 40),
    "source_downs.3.conv1d.weight_v": (16, 1, 1),
}


def fused_size(config: HifiganConfig) -> float:
    generator = Generator(config)
    generator.fuse()
    return sum(value.numel() for value in generator.parameters()) / 1e6


@pytest.mark.parametrize(
    ("config", "millions"),
    [
        (HifiganConfig(), 4.858),
        (HifiganConfig(causal=False, upsample_kernel_sizes=(20, 11, 4, 4)), 4.866),
        (HifiganConfig(causal=False, upsample_kernel_sizes=(20, 11, 4, 4), nsf=NsfConfig()), 4.872),
        (HifiganConfig(upsample_scales=(5, 5, 2, 2), upsample_kernel_sizes=(10, 10, 4, 4)), 4.53),
    ],
)
def test_full_width_has_the_published_size(config: HifiganConfig, millions: float) -> None:
    assert abs(fused_size(config) - millions) < 0.001


@pytest.mark.parametrize(("key", "shape"), FULL_SHAPES.items())
def test_full_width_tensors_have_the_published_shapes(key: str, shape: tuple[int, ...]) -> None:
    generator = Generator(HifiganConfig(nsf=NsfConfig()))
    assert tuple(generator.state_dict()[key].shape) == shape


@pytest.mark.parametrize("causal", [True, False])
def test_every_frame_gives_hop_length_samples(causal: bool) -> None:
    kernels = (20, 10, 4, 4) if causal else (20, 11, 4, 4)
    config = HifiganConfig(in_channels=8, channels=16, causal=causal, upsample_kernel_sizes=kernels)
    with torch.no_grad():
        assert Generator(config)(torch.randn(2, 8, 5)).shape == (2, 5 * 200)


def test_later_mel_never_changes_earlier_audio_of_a_causal_generator() -> None:
    generator, mel = Generator(SMALL), torch.randn(1, 8, 9)
    changed = mel.clone()
    changed[:, :, 6:] += 1
    with torch.no_grad():
        before, after = generator(mel)[0], generator(changed)[0]
    assert torch.equal(before[: 6 * 200], after[: 6 * 200])
    assert not torch.equal(before[6 * 200 :], after[6 * 200 :])


def test_fusing_changes_nothing_audible_and_leaves_plain_weights() -> None:
    generator, mel = Generator(SMALL), torch.randn(1, 8, 4)
    with torch.no_grad():
        before = generator(mel)
        generator.fuse()
        generator.fuse()  # idempotent
        assert largest_difference(generator(mel), before) <= 1e-6
    assert not [key for key in generator.state_dict() if key.endswith(("_g", "_v"))]


def test_gradients_reach_every_parameter() -> None:
    config = HifiganConfig(in_channels=8, channels=16, resblock_dilations=((1,),) * 3, nsf=NsfConfig())
    generator = Generator(config)
    frames = torch.randn(1, 10, 4)
    frames[:, -2], frames[:, -1] = 200.0, 1.0
    generator(frames).square().sum().backward()
    silent = [
        name for name, value in generator.named_parameters() if value.grad is None or not value.grad.any()
    ]
    assert silent == []


def test_a_wrong_number_of_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="9 rows, expected 8"):
        Generator(SMALL)(torch.randn(1, 9, 4))


class TestSource:
    source = SourceModule(NsfConfig(), hop_length=200)

    def rows(self, f0_hz: float, voiced: float, phase: float = 0.0) -> torch.Tensor:
        f0, uv = torch.full((1, 1, 4), f0_hz), torch.full((1, 1, 4), voiced)
        draws = SourceDraws(torch.full((1, 8, 1), phase), torch.zeros(1, 8, 800))
        return self.source.harmonics(f0, uv, draws)[0]

    def test_voiced_rows_are_sines_at_the_harmonics(self) -> None:
        rows = self.rows(f0_hz=200.0, voiced=1.0)
        turns = torch.arange(1, 801, dtype=torch.float64) * 200 / 16000
        for order in range(1, 9):
            sine = 0.1 * torch.sin(2 * torch.pi * order * turns)
            assert largest_difference(rows[order - 1].double(), sine) < 1e-4

    def test_the_fundamental_starts_at_phase_zero_whatever_was_drawn(self) -> None:
        plain, shifted = self.rows(200.0, 1.0), self.rows(200.0, 1.0, phase=1.5)
        assert torch.equal(plain[0], shifted[0])
        assert not torch.equal(plain[1], shifted[1])

    def test_unvoiced_rows_are_noise_alone(self) -> None:
        f0, uv = torch.full((1, 1, 2), 100.0), torch.zeros(1, 1, 2)
        noise = torch.randn(1, 8, 400) * 0.003
        rows = self.source.harmonics(f0, uv, SourceDraws(torch.zeros(1, 8, 1), noise))
        torch.testing.assert_close(rows, noise * (0.1 / 3 / 0.003))

    def test_draws_differ_from_call_to_call(self) -> None:
        f0, uv = torch.full((1, 1, 2), 100.0), torch.ones(1, 1, 2)
        assert not torch.equal(self.source(f0, uv), self.source(f0, uv))
