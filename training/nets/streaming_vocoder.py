"""The generator as a function of one block: mel and state in, audio and state out.

Input   mel [B, T, n_mels]; packed state [B, S], all zero at the start of an utterance; for NSF the unmixed
        harmonics [B, H, T * hop] (the mixing weights stay in the network); for a non-causal generator the
        edges int64 [2], whether this is the first and the last block (0 or 1)
Output  audio [B, T * hop], of a non-causal generator late by `lookahead_frames`: that many frames less in the
        first block and more in the last; next state [B, S]
State   the left context of every convolution and what branches without look-ahead hold back

Exact: blocks of any size give what the whole-utterance generator gives, up to float rounding; only the first
block of a non-causal generator must be longer than its look-ahead, unless it is the last too. Shaped for
inference runtimes: convolutions in 4-D form (N, C, 1, T), both upsampling branches merged into one low-rate
convolution followed by depth-to-space. Built from a generator, whose weights it copies; it never trains.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.nets.hifigan import FINAL_SLOPE, Generator, ResidualBlock, SourceDown
from training.nets.module_list import ModuleListOf
from training.nets.packed_state import StateLayout, StateReader
from training.nets.streaming_ops import (
    Delay,
    Edges,
    StreamingConv,
    StreamingUpsample,
    bias_of,
    streaming_conv,
)


class StreamingResidual(nn.Module):
    """x + conv(lrelu(conv_dilated(lrelu(x)))) for one dilation."""

    def __init__(self, block: ResidualBlock, index: int, layout: StateLayout) -> None:
        super().__init__()
        self.slope = block.slope
        dilated, plain = block.convs1.at(index), block.convs2.at(index)
        self.dilated, self.plain = streaming_conv(dilated, layout), streaming_conv(plain, layout)
        self.lag = self.dilated.lag + self.plain.lag
        self.delay = Delay(plain.conv1d.in_channels, self.lag, layout)

    def forward(self, x: Tensor, state: StateReader, edges: Edges | None) -> Tensor:
        """Map [B, C, 1, T] to [B, C, 1, T]."""
        hidden = self.dilated(F.leaky_relu(x, self.slope), state, edges)
        hidden = self.plain(F.leaky_relu(hidden, self.slope), state, edges)
        output: Tensor = self.delay(x, state, edges) + hidden
        return output


class StreamingResidualBlock(nn.Module):
    """One residual block: all its dilations, one after the other."""

    def __init__(self, block: ResidualBlock, layout: StateLayout) -> None:
        super().__init__()
        self.residuals = ModuleListOf(
            StreamingResidual(block, index, layout) for index in range(len(block.convs1))
        )
        self.lag = sum(residual.lag for residual in self.residuals)

    def forward(self, x: Tensor, state: StateReader, edges: Edges | None) -> Tensor:
        """Map [B, C, 1, T] to [B, C, 1, T]."""
        for residual in self.residuals:
            x = residual(x, state, edges)
        return x


class StreamingResidualGroup(nn.Module):
    """The mean of a stage's residual blocks, which differ in kernel size and so in lag."""

    def __init__(self, blocks: Iterable[ResidualBlock], layout: StateLayout) -> None:
        super().__init__()
        blocks = list(blocks)
        self.blocks = ModuleListOf(StreamingResidualBlock(block, layout) for block in blocks)
        self.lag = max(block.lag for block in self.blocks)
        n_channels = blocks[0].convs1.at(0).conv1d.in_channels
        self.delays = ModuleListOf(Delay(n_channels, self.lag - block.lag, layout) for block in self.blocks)

    def forward(self, x: Tensor, state: StateReader, edges: Edges | None = None) -> Tensor:
        """Map [B, C, 1, T] to [B, C, 1, T]."""
        outputs: list[Tensor] = [block(x, state, edges) for block in self.blocks]
        aligned = [delay(y, state, edges) for delay, y in zip(self.delays, outputs, strict=True)]
        return sum(aligned[1:], start=aligned[0]) / len(aligned)


class StreamingSourceDown(nn.Module):
    """Brings the excitation to the rate and the lag of one stage."""

    def __init__(self, down: SourceDown, lag: int, held: int, layout: StateLayout) -> None:
        """Copy the weights.

        Args:
            down: The convolution.
            lag: Columns by which the stage lags.
            held: Samples by which the stages before this one held the excitation back.
            layout: Where the state is reserved.
        """
        super().__init__()
        conv, stride = down.conv1d, down.conv1d.stride[0]
        self.held = (lag - -(-down.padding[1] // stride)) * stride
        # One channel of excitation is held back instead of the many of the convolution's output.
        self.delay = Delay(1, self.held - held, layout)
        self.conv = StreamingConv(
            conv.normed_weight(), bias_of(conv), layout, stride=stride, padding=down.padding
        )

    def forward(self, excitation: Tensor, state: StateReader, edges: Edges | None) -> tuple[Tensor, Tensor]:
        """Map [B, 1, 1, L] to the stage's [B, C, 1, L / stride] and to the excitation held back."""
        excitation = self.delay(excitation, state, edges)
        return self.conv(excitation, state, edges), excitation


class StreamingStage(nn.Module):
    """One stage of the generator: activation, upsampling, excitation, residual blocks."""

    def __init__(self, generator: Generator, index: int, lag: int, held: int, layout: StateLayout) -> None:
        """Copy the weights of stage `index`; `lag` and `held` are those that the stage before has."""
        super().__init__()
        self.slope = generator.config.negative_slope
        transpose, repeat = generator.transpose_upsamples.at(index), generator.repeat_upsamples.at(index)
        self.upsample = StreamingUpsample(transpose.conv, repeat.conv, layout)
        lag = lag * self.upsample.scale + self.upsample.lag
        self.down: StreamingSourceDown | None = None
        self.held = held
        if generator.config.nsf:
            self.down = StreamingSourceDown(generator.source_downs.at(index), lag, held, layout)
            self.held = self.down.held
        n_kernels = len(generator.config.resblock_kernel_sizes)
        blocks = generator.conv_blocks.between(index * n_kernels, (index + 1) * n_kernels)
        self.group = StreamingResidualGroup(blocks, layout)
        self.lag = lag + self.group.lag

    def forward(
        self, x: Tensor, excitation: Tensor | None, state: StateReader, edges: Edges | None
    ) -> tuple[Tensor, Tensor | None]:
        """Map [B, C_in, 1, T] to [B, C_out, 1, T * scale]; also the excitation for the next stage."""
        x = self.upsample(F.leaky_relu(x + torch.sin(x), self.slope), state, edges)
        if self.down is not None:
            source, excitation = self.down(excitation, state, edges)
            x = x + source
        return self.group(x, state, edges), excitation


class StreamingVocoder(nn.Module):
    """The whole generator, plain or NSF, causal or not; see the module docstring for the contract.

    Attributes:
        hop_length: Samples per frame.
        n_harmonics: Rows of the excitation; 0 for a plain generator.
        lookahead_frames: Frames by which the audio is late; 0 for a causal generator.
        layout: Order and sizes of the packed state.
    """

    def __init__(self, generator: Generator) -> None:
        """Copy the weights of `generator`."""
        super().__init__()
        config = generator.config
        self.hop_length = config.hop_length
        self.n_harmonics = config.nsf.nb_harmonics + 1 if config.nsf else 0
        self.layout = layout = StateLayout()
        self.conv_pre = streaming_conv(generator.conv_pre, layout)
        self.mix: StreamingConv | None = None
        if config.nsf:
            mix = generator.source_module.ffn.at(0)
            self.mix = StreamingConv(mix.normed_weight(), bias_of(mix), layout)
        self.stages = ModuleListOf[StreamingStage]()
        lag, held = self.conv_pre.lag, 0
        for index in range(len(config.upsample_scales)):
            stage = StreamingStage(generator, index, lag, held, layout)
            self.stages.append(stage)
            lag, held = stage.lag, stage.held
        self.conv_post = streaming_conv(generator.conv_post, layout)
        lag += self.conv_post.lag
        self.lookahead_frames = -(-lag // self.hop_length)
        self.delay = Delay(1, self.lookahead_frames * self.hop_length - lag, layout)

    def initial_state(self, batch: int = 1) -> Tensor:
        """The packed state before the first block, [B, S]."""
        return self.layout.initial(batch)

    def forward(
        self, mel: Tensor, state: Tensor, excitation: Tensor | None = None, edges: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Synthesise one block.

        Args:
            mel: [B, T, n_mels], frames of the utterance only, never padding.
            state: [B, S] as the previous block returned it.
            excitation: Unmixed harmonics [B, H, T * hop]; an NSF generator needs them, another takes none.
            edges: int64 [2], whether the block is the first and the last; a non-causal generator needs them,
                a causal one takes none.

        Returns:
            Audio [B, T * hop], of a non-causal generator `lookahead_frames` frames less in the first block
            and more in the last, and the next state [B, S].

        Raises:
            ValueError: The excitation or the edges are missing, or given to a generator that has no use for
                them; or the first block of several is not longer than the look-ahead.
        """
        self._check(mel.size(1), excitation, edges)
        reader = self.layout.unpack(state)
        where = None if edges is None else Edges.of(edges)
        x = self.conv_pre(mel.transpose(1, 2).unsqueeze(2), reader, where)
        mixed = None
        if self.mix is not None and excitation is not None:
            mixed = torch.tanh(self.mix(excitation.unsqueeze(2), reader))
        for stage in self.stages:
            x, mixed = stage(x, mixed, reader, where)
        audio = torch.tanh(self.conv_post(F.leaky_relu(x, FINAL_SLOPE), reader, where))
        audio = self.delay(audio, reader, where)
        return audio.reshape(audio.size(0), -1), reader.pack()

    def _check(self, n_frames: int, excitation: Tensor | None, edges: Tensor | None) -> None:
        if (excitation is None) != (self.mix is None):
            raise ValueError("an NSF generator needs an excitation; a plain one takes none")
        if (edges is None) != (self.lookahead_frames == 0):
            raise ValueError("a non-causal generator needs edges; a causal one takes none")
        if edges is None or torch.onnx.is_in_onnx_export():
            return
        if edges.tolist() == [1, 0] and n_frames <= self.lookahead_frames:
            msg = f"the first block has {n_frames} frames; more than {self.lookahead_frames} are needed"
            raise ValueError(msg)
