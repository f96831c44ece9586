"""HiFi-GAN generator of KAN-TTS: mel frames to samples; causal, non-causal, and with a sine source (NSF).

Input   mel [B, n_mels, T]; for NSF also F0 in hertz and U/V [B, 1, T]
Output  audio [B, T * hop] in (-1, 1)
State   none: this is the whole-utterance form (streaming_vocoder.py is the stateful one)

state_dict names and shapes are those of KAN-TTS (spec section 2). Knows nothing about mel extraction or
voices.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import Generic, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.nets.config import HifiganConfig, NsfConfig
from training.nets.module_list import ModuleListOf
from training.nets.weight_norm import WeightNormConv1d, WeightNormConvTranspose1d, fuse_weight_norm

Conv = TypeVar("Conv", bound=nn.Module)

FINAL_SLOPE = 0.01  # the last activation uses PyTorch's default slope, not the configured one


class PaddedConv1d(nn.Module):
    """Convolution that keeps the length: zeros on the left only (causal) or on both sides."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, dilation: int = 1, *, causal: bool
    ) -> None:
        super().__init__()
        self.conv1d = WeightNormConv1d(in_channels, out_channels, kernel_size, dilation=dilation)
        context = (kernel_size - 1) * dilation
        self.padding = (context, 0) if causal else (context // 2, context - context // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve [B, C_in, T] to [B, C_out, T]."""
        output: Tensor = self.conv1d(F.pad(x, self.padding))
        return output


class CroppedConvTranspose1d(nn.Module):
    """Transposed convolution cropped to `stride` columns per input column."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int, *, causal: bool
    ) -> None:
        super().__init__()
        padding = 0 if causal else (kernel_size - stride) // 2
        self.stride = stride
        self.deconv = WeightNormConvTranspose1d(in_channels, out_channels, kernel_size, stride, padding)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C_in, T] to [B, C_out, T stride]."""
        output: Tensor = self.deconv(x)[:, :, : x.size(2) * self.stride]
        return output


class UpsampleBranch(nn.Module, Generic[Conv]):
    """One way up: repeated columns or a transposed convolution, under the checkpoint's numbering.

    KAN-TTS numbers the repetition and the activation too, so the convolution is part 1 or 2. Both branches of
    a stage share one activation here (the repetition commutes with it): the input is already activated.
    """

    def __init__(self, conv: Conv, *, part: int, repeat: int = 1) -> None:
        super().__init__()
        self.part, self.repeat = str(part), repeat
        self.add_module(self.part, conv)

    @property
    def conv(self) -> Conv:
        """The convolution of the branch."""
        return cast("Conv", self.get_submodule(self.part))

    def forward(self, activated: Tensor) -> Tensor:
        """Map [B, C_in, T] to [B, C_out, T * scale]."""
        if self.repeat > 1:
            activated = activated.repeat_interleave(self.repeat, dim=2)
        output: Tensor = self.conv(activated)
        return output


class SourceDown(nn.Module):
    """Excitation at sample rate to one stage's rate: a strided convolution, or 1 x 1 at the last stage."""

    def __init__(self, out_channels: int, factor: int, *, causal: bool) -> None:
        super().__init__()
        kernel_size = 1 if factor == 1 else 2 * factor
        if factor == 1:
            self.padding = (0, 0)
        else:
            self.padding = (kernel_size - 1, 0) if causal else (factor // 2, factor // 2)
        self.conv1d = WeightNormConv1d(1, out_channels, kernel_size, stride=factor)

    def forward(self, excitation: Tensor) -> Tensor:
        """Map [B, 1, L] to [B, C, L / factor]."""
        output: Tensor = self.conv1d(F.pad(excitation, self.padding))
        return output


class ResidualBlock(nn.Module):
    """x + conv(lrelu(conv_dilated(lrelu(x)))), once per dilation."""

    def __init__(
        self, channels: int, kernel_size: int, dilations: tuple[int, ...], slope: float, *, causal: bool
    ) -> None:
        super().__init__()
        self.slope = slope
        self.convs1 = ModuleListOf(
            PaddedConv1d(channels, channels, kernel_size, dilation, causal=causal) for dilation in dilations
        )
        self.convs2 = ModuleListOf(
            PaddedConv1d(channels, channels, kernel_size, causal=causal) for _ in dilations
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C, T] to [B, C, T]."""
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            x = x + plain(F.leaky_relu(dilated(F.leaky_relu(x, self.slope)), self.slope))
        return x


@dataclass(frozen=True, slots=True)
class SourceDraws:
    """The random draws of the sine source, for reproducible synthesis.

    Attributes:
        phase: [B, H, 1] initial phases in radians; row 0 (the fundamental) is not used.
        noise: [B, H, T * hop] with the configured standard deviation.
    """

    phase: Tensor
    noise: Tensor


class SourceModule(nn.Module):
    """Sines at the harmonics of F0 plus noise, mixed to one excitation (spec section 2.3)."""

    def __init__(self, config: NsfConfig, hop_length: int) -> None:
        super().__init__()
        self.config, self.hop_length = config, hop_length
        self.ffn = ModuleListOf([WeightNormConv1d(config.nb_harmonics + 1, 1, 1)])

    def draw(self, f0: Tensor) -> SourceDraws:
        """Random phases and noise for F0 [B, 1, T], from torch's global generator."""
        n_rows, config = self.config.nb_harmonics + 1, self.config
        phase = (torch.rand(f0.size(0), n_rows, 1, device=f0.device) * 2 - 1) * pi
        noise = torch.randn(f0.size(0), n_rows, f0.size(2) * self.hop_length, device=f0.device) * config.sigma
        return SourceDraws(phase, noise)

    def harmonics(self, f0: Tensor, uv: Tensor, draws: SourceDraws) -> Tensor:
        """The unmixed rows [B, H, T * hop] of F0 in hertz and U/V, both [B, 1, T]."""
        config = self.config
        f0 = f0.repeat_interleave(self.hop_length, dim=2)
        uv = uv.repeat_interleave(self.hop_length, dim=2)
        order = torch.arange(1, config.nb_harmonics + 2, device=f0.device, dtype=f0.dtype).view(1, -1, 1)
        # float32 increments summed in float64 and rounded once per sample, as torch's CPU cumsum does.
        turns = (f0 * order / config.sampling_rate).double().cumsum(dim=2).float() % 1
        phase = torch.cat([torch.zeros_like(draws.phase[:, :1]), draws.phase[:, 1:]], dim=1)
        voiced = config.alpha * torch.sin(2 * pi * turns + phase) + draws.noise
        unvoiced = config.alpha / 3 / config.sigma * draws.noise
        return voiced * uv + unvoiced * (1 - uv)

    def mix(self, harmonics: Tensor) -> Tensor:
        """Excitation [B, 1, L] of the rows [B, H, L]."""
        return torch.tanh(self.ffn.at(0)(harmonics))

    def forward(self, f0: Tensor, uv: Tensor, draws: SourceDraws | None = None) -> Tensor:
        """Excitation [B, 1, T * hop]; random draws where none are given."""
        return self.mix(self.harmonics(f0, uv, draws or self.draw(f0)))


class Generator(nn.Module):
    """The generator. `fuse()` before inference removes weight norm."""

    def __init__(self, config: HifiganConfig) -> None:
        super().__init__()
        self.config = config
        causal, slope = config.causal, config.negative_slope
        self.transpose_upsamples = ModuleListOf[UpsampleBranch[CroppedConvTranspose1d]]()
        self.repeat_upsamples = ModuleListOf[UpsampleBranch[PaddedConv1d]]()
        self.conv_blocks = ModuleListOf[ResidualBlock]()
        for stage, (scale, kernel) in enumerate(
            zip(config.upsample_scales, config.upsample_kernel_sizes, strict=True)
        ):
            width_in, width = config.stage_channels(stage - 1), config.stage_channels(stage)
            deconv = CroppedConvTranspose1d(width_in, width, kernel, scale, causal=causal)
            conv = PaddedConv1d(width_in, width, config.kernel_size, causal=causal)
            self.transpose_upsamples.append(UpsampleBranch(deconv, part=1))
            self.repeat_upsamples.append(UpsampleBranch(conv, part=2, repeat=scale))
            for size, dilations in zip(config.resblock_kernel_sizes, config.resblock_dilations, strict=True):
                self.conv_blocks.append(ResidualBlock(width, size, dilations, slope, causal=causal))
        self.conv_pre = PaddedConv1d(config.in_channels, config.channels, config.kernel_size, causal=causal)
        last = config.stage_channels(len(config.upsample_scales) - 1)
        self.conv_post = PaddedConv1d(last, config.out_channels, config.kernel_size, causal=causal)
        if config.nsf:
            self.source_module = SourceModule(config.nsf, config.hop_length)
            self.source_downs = ModuleListOf(
                SourceDown(config.stage_channels(stage), factor, causal=causal)
                for stage, factor in enumerate(config.source_factors)
            )

    def forward(self, frames: Tensor, draws: SourceDraws | None = None) -> Tensor:
        """Synthesise audio [B, T * hop].

        Args:
            frames: [B, n_mels, T], or [B, n_mels + 2, T] of an NSF generator: the last rows are F0 in hertz
                and U/V.
            draws: Random draws of the NSF source; None draws anew.

        Raises:
            ValueError: The number of rows is not what the generator takes.
        """
        expected = self.config.in_channels + (2 if self.config.nsf else 0)
        if frames.size(1) != expected:
            raise ValueError(f"frames have {frames.size(1)} rows, expected {expected}")
        if not self.config.nsf:
            return self.synthesise(frames, None)
        excitation = self.source_module(frames[:, -2:-1], frames[:, -1:], draws)
        return self.synthesise(frames[:, :-2], excitation)

    def synthesise(self, mel: Tensor, excitation: Tensor | None) -> Tensor:
        """Audio [B, T * hop] of mel [B, n_mels, T] and the mixed excitation [B, 1, T * hop] (NSF only)."""
        x = self.conv_pre(mel)
        n_kernels = len(self.config.resblock_kernel_sizes)
        for stage, (transpose, repeat) in enumerate(
            zip(self.transpose_upsamples, self.repeat_upsamples, strict=True)
        ):
            activated = F.leaky_relu(x + torch.sin(x), self.config.negative_slope)
            x = repeat(activated)
            if excitation is not None:
                x = x + self.source_downs.at(stage)(excitation)
            x = x + transpose(activated)
            blocks = self.conv_blocks.between(stage * n_kernels, (stage + 1) * n_kernels)
            x = torch.stack([block(x) for block in blocks]).sum(dim=0) / n_kernels
        return torch.tanh(self.conv_post(F.leaky_relu(x, FINAL_SLOPE))).squeeze(1)

    def fuse(self) -> None:
        """Replace every weight-norm pair by its product, in place; the checkpoint's names are gone after."""
        fuse_weight_norm(self)
