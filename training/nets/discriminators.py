"""The two discriminators of HiFi-GAN in KAN-TTS's form: multi-period (MPD) and multi-scale (MSD).

Input   audio [B, 1, T]
Output  one `Judgement` per sub-discriminator: the final map and every activation, for feature matching
State   none (spectral norm keeps its power-iteration vectors as buffers)

Spec section 2.5. `width` scales the channels (1 is the published size) so that small ones train on a CPU.
"""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from training.nets.losses import Judgement
from training.nets.module_list import ModuleListOf
from training.nets.wavelet import WaveletDown
from training.nets.weight_norm import WeightNormConv1d, WeightNormConv2d

SLOPE = 0.1
PERIODS = (2, 3, 5, 7, 11)
PERIOD_CHANNELS = (32, 128, 512, 1024, 1024)
PERIOD_STRIDES = (3, 3, 3, 3, 1)
SCALE_COUNT = 3
# Output channels, kernel size, stride, groups of each layer of one scale.
SCALE_LAYERS = (
    (128, 15, 1, 1),
    (128, 41, 4, 4),
    (256, 41, 4, 16),
    (512, 41, 4, 16),
    (1024, 41, 4, 16),
    (1024, 41, 1, 16),
    (1024, 5, 1, 1),
)

Conv1dFactory = Callable[..., nn.Conv1d]


def scaled(channels: int, width: float, groups: int = 1) -> int:
    """`channels` times `width`, as a positive multiple of `groups`."""
    return max(1, round(channels * width / groups)) * groups


class PeriodDiscriminator(nn.Module):
    """Looks at every p-th sample: audio folded to [B, C, T / p, p], convolved along the first time axis."""

    def __init__(self, period: int, width: float = 1.0) -> None:
        super().__init__()
        self.period = period
        widths = [1, *(scaled(channels, width) for channels in PERIOD_CHANNELS)]
        self.convs = ModuleListOf(
            # The list of one is the checkpoint's numbering (convs.n.0).
            ModuleListOf([WeightNormConv2d(n_in, n_out, (5, 1), (stride, 1), (2, 0))])
            for n_in, n_out, stride in zip(widths, widths[1:], PERIOD_STRIDES, strict=False)
        )
        self.conv_post = nn.Conv2d(widths[-1], 1, (2, 1), padding=(1, 0))

    def forward(self, audio: Tensor) -> Judgement:
        """Judge audio [B, 1, T]."""
        n_batch, n_channels, n_samples = audio.shape
        if rest := -n_samples % self.period:
            audio = F.pad(audio, (0, rest), mode="reflect")
        x = audio.reshape(n_batch, n_channels, -1, self.period)
        features: list[Tensor] = []
        for conv in self.convs:
            x = F.leaky_relu(conv.at(0)(x), SLOPE)
            features.append(x)
        x = self.conv_post(x)
        return Judgement(score=x.flatten(1), features=(*features, x))


class MultiPeriodDiscriminator(nn.Module):
    """One discriminator per period."""

    def __init__(self, periods: tuple[int, ...] = PERIODS, width: float = 1.0) -> None:
        super().__init__()
        self.discriminators = ModuleListOf(PeriodDiscriminator(period, width) for period in periods)

    def forward(self, audio: Tensor) -> list[Judgement]:
        """Judge audio [B, 1, T] once per period."""
        return [discriminator(audio) for discriminator in self.discriminators]


class ScaleDiscriminator(nn.Module):
    """Strided, grouped convolutions over audio at one rate."""

    def __init__(self, make_conv: Conv1dFactory, width: float = 1.0) -> None:
        super().__init__()
        self.convs = ModuleListOf[nn.Conv1d]()
        n_in = 1
        for index, (channels, kernel_size, stride, groups) in enumerate(SCALE_LAYERS):
            # A layer's width divides by its own groups and by the next one's.
            following = SCALE_LAYERS[index + 1][3] if index + 1 < len(SCALE_LAYERS) else 1
            n_out = scaled(channels, width, max(groups, following))
            padding = (kernel_size - 1) // 2
            conv = make_conv(n_in, n_out, kernel_size, stride=stride, padding=padding, groups=groups)
            self.convs.append(conv)
            n_in = n_out
        self.conv_post = make_conv(n_in, 1, 3, padding=1)

    def forward(self, audio: Tensor) -> Judgement:
        """Judge audio [B, 1, T]."""
        x = audio
        features: list[Tensor] = []
        for conv in self.convs:
            x = F.leaky_relu(conv(x), SLOPE)
            features.append(x)
        x = self.conv_post(x)
        return Judgement(score=x.flatten(1), features=(*features, x))


class MultiScaleDiscriminator(nn.Module):
    """Scale discriminators over audio at full, half and quarter rate, with wavelets in between."""

    def __init__(self, n_scales: int = SCALE_COUNT, width: float = 1.0) -> None:
        super().__init__()
        self.discriminators = ModuleListOf(
            ScaleDiscriminator(_spectral_conv if scale == 0 else WeightNormConv1d, width)
            for scale in range(n_scales)
        )
        self.meanpools = ModuleListOf(WaveletDown() for _ in range(n_scales - 1))
        self.aux_convs = ModuleListOf(WeightNormConv1d(2, 1, 15, padding=7) for _ in range(n_scales - 1))

    def forward(self, audio: Tensor) -> list[Judgement]:
        """Judge audio [B, 1, T] once per scale."""
        judgements = [self.discriminators.at(0)(audio)]
        for scale, (pool, conv) in enumerate(zip(self.meanpools, self.aux_convs, strict=True), start=1):
            audio = F.leaky_relu(conv(pool(audio)), SLOPE)
            judgements.append(self.discriminators.at(scale)(audio))
        return judgements


def _spectral_conv(in_channels: int, out_channels: int, kernel_size: int, **options: int) -> nn.Conv1d:
    conv = nn.Conv1d(in_channels, out_channels, kernel_size, **options)  # type: ignore[arg-type]
    spectral_norm(conv)  # in place
    return conv
