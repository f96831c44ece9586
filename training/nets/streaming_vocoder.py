"""The causal generator as a function of one block: mel and state in, audio and state out.

Input   mel [B, T, n_mels]; packed state [B, S], all zero at the start of an utterance; for NSF the unmixed
        harmonics [B, H, T * hop] (the mixing weights stay in the network)
Output  audio [B, T * hop], next state [B, S]
State   the left context of every convolution, nothing else; blocks may have any length

Exact: blocks of any size give what the whole-utterance generator gives, up to float rounding. Shaped for
inference runtimes: convolutions in 4-D form (N, C, 1, T), both upsampling branches merged into one low-rate
convolution followed by depth-to-space. Built from a generator, whose weights it copies; it never trains.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.nets.hifigan import FINAL_SLOPE, CroppedConvTranspose1d, Generator, PaddedConv1d, ResidualBlock
from training.nets.module_list import ModuleListOf
from training.nets.packed_state import StateLayout, StateReader
from training.nets.weight_norm import WeightNormConv1d


class StreamingConv(nn.Module):
    """Causal convolution whose zero padding on the left is replaced by the previous block's last columns.

    Weight [C_out, C_in, k]; a stride s expects blocks of a multiple of s columns.
    """

    weight: Tensor
    bias: Tensor

    def __init__(
        self, weight: Tensor, bias: Tensor, layout: StateLayout, *, dilation: int = 1, stride: int = 1
    ) -> None:
        super().__init__()
        self.register_buffer("weight", weight.detach().unsqueeze(2).clone())
        self.register_buffer("bias", bias.detach().clone())
        self.dilation, self.stride = dilation, stride
        self.context = (weight.size(2) - 1) * dilation
        layout.reserve(weight.size(1), 1, self.context)

    def forward(self, x: Tensor, state: StateReader) -> Tensor:
        """Map [B, C_in, 1, T] to [B, C_out, 1, T / stride]."""
        before = state.take()
        if before is not None:
            x = torch.cat([before, x], dim=3)
            state.give(x[..., -self.context :])
        return F.conv2d(x, self.weight, self.bias, stride=(1, self.stride), dilation=(1, self.dilation))


def streaming_conv(padded: PaddedConv1d, layout: StateLayout) -> StreamingConv:
    """The streaming form of one of the generator's causal convolutions."""
    conv = padded.conv1d
    return StreamingConv(conv.normed_weight(), _bias(conv), layout, dilation=conv.dilation[0])


def merge_upsampling(transpose: Tensor, repeat: Tensor, scale: int) -> Tensor:
    """One low-rate kernel for both upsampling branches (exact algebra).

    Output column n = j * scale + phase. The repeat branch takes tap kappa from input column
    j + floor((phase - (k - 1) + kappa) / scale), the transposed one takes tap phase + q * scale from column j
    - q.

    Args:
        transpose: Weight of the transposed convolution [C_in, C_out, K], cropped causally.
        repeat: Weight of the convolution after nearest-neighbour repetition [C_out, C_in, k], causal.
        scale: Columns out per column in.

    Returns:
        [C_out * scale, C_in, taps]: channel c * scale + phase, the last tap on the newest column.
    """
    n_out, n_in, size = repeat.shape
    taps = max(-(-(size - 1) // scale), -(-transpose.size(2) // scale) - 1) + 1
    merged = repeat.new_zeros(n_out, scale, n_in, taps)
    for phase in range(scale):
        for tap in range(size):
            back = -((phase - (size - 1) + tap) // scale)
            merged[:, phase, :, taps - 1 - back] += repeat[:, :, tap]
        for back, tap in enumerate(range(phase, transpose.size(2), scale)):
            merged[:, phase, :, taps - 1 - back] += transpose[:, :, tap].T
    return merged.reshape(n_out * scale, n_in, taps)


class StreamingUpsample(nn.Module):
    """Both upsampling branches of a stage: one low-rate convolution, then depth to space."""

    def __init__(self, transpose: CroppedConvTranspose1d, repeat: PaddedConv1d, layout: StateLayout) -> None:
        super().__init__()
        self.scale = transpose.stride
        weight = merge_upsampling(transpose.deconv.normed_weight(), repeat.conv1d.normed_weight(), self.scale)
        bias = _bias(transpose.deconv) + _bias(repeat.conv1d)
        self.conv = StreamingConv(weight, bias.repeat_interleave(self.scale), layout)

    def forward(self, x: Tensor, state: StateReader) -> Tensor:
        """Map [B, C_in, 1, T] to [B, C_out, 1, T * scale]."""
        return depth_to_space(self.conv(x, state), self.scale)


def depth_to_space(x: Tensor, scale: int) -> Tensor:
    """[B, C * scale, 1, T], channel c * scale + phase, to [B, C, 1, T * scale], column t * scale + phase."""
    n_channels = x.size(1) // scale
    return x.reshape(x.size(0), n_channels, scale, -1).transpose(2, 3).reshape(x.size(0), n_channels, 1, -1)


class StreamingResidualBlock(nn.Module):
    """x + conv(lrelu(conv_dilated(lrelu(x)))), once per dilation."""

    def __init__(self, block: ResidualBlock, layout: StateLayout) -> None:
        super().__init__()
        self.slope = block.slope
        self.convs = ModuleListOf(
            streaming_conv(conv, layout)
            for pair in zip(block.convs1, block.convs2, strict=True)
            for conv in pair
        )

    def forward(self, x: Tensor, state: StateReader) -> Tensor:
        """Map [B, C, 1, T] to [B, C, 1, T]."""
        convs = list(self.convs)
        for dilated, plain in zip(convs[0::2], convs[1::2], strict=True):
            hidden = dilated(F.leaky_relu(x, self.slope), state)
            x = x + plain(F.leaky_relu(hidden, self.slope), state)
        return x


class StreamingResidualGroup(nn.Module):
    """The mean of a stage's residual blocks, which differ in kernel size."""

    def __init__(self, blocks: Iterable[ResidualBlock], layout: StateLayout) -> None:
        super().__init__()
        self.blocks = ModuleListOf(StreamingResidualBlock(block, layout) for block in blocks)

    def forward(self, x: Tensor, state: StateReader) -> Tensor:
        """Map [B, C, 1, T] to [B, C, 1, T]."""
        outputs: list[Tensor] = [block(x, state) for block in self.blocks]
        return sum(outputs[1:], start=outputs[0]) / len(outputs)


class StreamingSource(nn.Module):
    """Mixes the harmonics of a block to one excitation and brings it to the rate of every stage."""

    def __init__(self, generator: Generator, layout: StateLayout) -> None:
        super().__init__()
        mix = generator.source_module.ffn.at(0)
        self.mix = StreamingConv(mix.normed_weight(), _bias(mix), layout)
        self.downs = ModuleListOf(
            StreamingConv(
                down.conv1d.normed_weight(), _bias(down.conv1d), layout, stride=down.conv1d.stride[0]
            )
            for down in generator.source_downs
        )

    def forward(self, harmonics: Tensor, state: StateReader) -> list[Tensor]:
        """Map [B, H, T * hop] to one [B, C_i, 1, columns_i] per stage."""
        excitation = torch.tanh(self.mix(harmonics.unsqueeze(2), state))
        return [down(excitation, state) for down in self.downs]


class StreamingVocoder(nn.Module):
    """The whole causal generator, plain or NSF; see the module docstring for the contract."""

    def __init__(self, generator: Generator) -> None:
        """Copy the weights of `generator`.

        Raises:
            ValueError: The generator is not causal; its look-ahead does not fit this form.
        """
        super().__init__()
        config = generator.config
        if not config.causal:
            raise ValueError("only a causal generator streams without look-ahead")
        self.hop_length, self.slope = config.hop_length, config.negative_slope
        self.n_harmonics = config.nsf.nb_harmonics + 1 if config.nsf else 0
        self.layout = layout = StateLayout()
        self.conv_pre = streaming_conv(generator.conv_pre, layout)
        self.source = StreamingSource(generator, layout) if config.nsf else None
        self.upsamples = ModuleListOf[StreamingUpsample]()
        self.groups = ModuleListOf[StreamingResidualGroup]()
        n_kernels = len(config.resblock_kernel_sizes)
        for stage, (transpose, repeat) in enumerate(
            zip(generator.transpose_upsamples, generator.repeat_upsamples, strict=True)
        ):
            self.upsamples.append(StreamingUpsample(transpose.conv, repeat.conv, layout))
            blocks = generator.conv_blocks.between(stage * n_kernels, (stage + 1) * n_kernels)
            self.groups.append(StreamingResidualGroup(blocks, layout))
        self.conv_post = streaming_conv(generator.conv_post, layout)

    def initial_state(self, batch: int = 1) -> Tensor:
        """The packed state before the first block, [B, S]."""
        return self.layout.initial(batch)

    def forward(self, mel: Tensor, state: Tensor, excitation: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Synthesise one block.

        Args:
            mel: [B, T, n_mels].
            state: [B, S] as the previous block returned it.
            excitation: Unmixed harmonics [B, H, T * hop]; an NSF generator needs them, another takes none.

        Returns:
            Audio [B, T * hop] and the next state [B, S].

        Raises:
            ValueError: The excitation is missing, or given to a generator that has no source.
        """
        if (excitation is None) != (self.source is None):
            raise ValueError("an NSF generator needs an excitation; a plain one takes none")
        reader = self.layout.unpack(state)
        x = self.conv_pre(mel.transpose(1, 2).unsqueeze(2), reader)
        sources = None if self.source is None else self.source(excitation, reader)
        for stage, (upsample, group) in enumerate(zip(self.upsamples, self.groups, strict=True)):
            x = upsample(F.leaky_relu(x + torch.sin(x), self.slope), reader)
            x = group(x if sources is None else x + sources[stage], reader)
        audio = torch.tanh(self.conv_post(F.leaky_relu(x, FINAL_SLOPE), reader))
        return audio.reshape(audio.size(0), -1), reader.pack()


def _bias(conv: WeightNormConv1d | nn.ConvTranspose1d) -> Tensor:
    assert conv.bias is not None
    return conv.bias.detach()
