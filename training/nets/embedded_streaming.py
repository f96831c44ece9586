"""The embedded vocoder as a function of one block: mel, F0, excitation and state in, audio and state out.

Input   mel [B, T, n_mels]; excitation [B, 2, T * hop]; f0 [B, T, 2] (log F0, U/V); packed state [B, S]
Output  audio [B, T * hop], late by the source's look-ahead; next state [B, S]
State   conv contexts, the last excitation block, the pending overlap of three hops

Built from a trained vocoder, whose weights it copies; exact up to float rounding for blocks of any length.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.nets.embedded_vocoder import EmbeddedVocoder
from training.nets.folded_shaper import FoldedShaper, Quarters
from training.nets.hifigan import FINAL_SLOPE, Generator, SourceDown
from training.nets.module_list import ModuleListOf
from training.nets.onnx_shape import reshape
from training.nets.packed_state import StateLayout, StateReader
from training.nets.source import LEAKY_SLOPE, WINDOWS_PER_BLOCK, HarmonicNoiseSource, soft_limit
from training.nets.streaming_ops import StreamingConv, StreamingUpsample, streaming_conv
from training.nets.streaming_vocoder import StreamingResidualGroup


def _plain_conv(conv: nn.Conv1d, layout: StateLayout) -> StreamingConv:
    assert conv.bias is not None
    return StreamingConv(conv.weight, conv.bias, layout)


class StreamingSourceSignal(nn.Module):
    """The learned source, block by block."""

    def __init__(self, source: HarmonicNoiseSource, layout: StateLayout) -> None:
        super().__init__()
        self.net, self.shaper = source.net, FoldedShaper(source.shaper)
        self.hop_length = source.hop_length
        self.convs = ModuleListOf(_plain_conv(conv, layout) for conv in source.net.convs)
        self.out = _plain_conv(source.net.out, layout)
        layout.reserve(1, 1)  # voicing of the last frame
        layout.reserve(2, 1, self.hop_length)
        layout.reserve(WINDOWS_PER_BLOCK - 1, self.hop_length)

    def forward(self, mel: Tensor, f0: Tensor, excitation: Tensor, state: StateReader) -> Tensor:
        """Return the source signal [B, T * hop]."""
        magnitudes, voiced = self._magnitudes(mel, f0, state), self._delayed_voicing(f0, state)
        blocks = reshape(excitation, 0, 0, -1, self.hop_length)
        last = state.take()
        assert last is not None
        state.give(blocks[:, :, -1:])
        windows = torch.cat([torch.cat([last, blocks[:, :, :-1]], 2), blocks], -1)
        return self._overlap_add(self.shaper(windows, magnitudes, voiced), state)

    def _magnitudes(self, mel: Tensor, f0: Tensor, state: StateReader) -> Tensor:
        x = self.net.condition(mel, f0).unsqueeze(2)
        for index, conv in enumerate(self.convs):
            y = F.leaky_relu(conv(x, state), LEAKY_SLOPE)
            x = y if index == 0 else x + y
        log_magnitudes: Tensor = self.out(x, state)
        return self.net.magnitudes(log_magnitudes.squeeze(2))

    def _delayed_voicing(self, f0: Tensor, state: StateReader) -> Tensor:
        """U/V of the frame before each, [B, T, 1]: the one that its window is centred on."""
        last, voiced = state.take(), f0[..., 1:]
        assert last is not None
        state.give(voiced[:, -1:])
        return torch.cat([last, voiced[:, :-1]], 1)

    def _overlap_add(self, quarters: Quarters, state: StateReader) -> Tensor:
        tail = WINDOWS_PER_BLOCK - 1
        padded = [F.pad(quarter, (0, 0, k, tail - k)) for k, quarter in enumerate(quarters)]
        ascending, descending = padded[0] + padded[2], padded[1] + padded[3]
        total = ascending[..., : self.hop_length] + descending[..., 1:].flip(-1)
        pending = state.take()
        assert pending is not None
        total = torch.cat([total[:, :tail] + pending, total[:, tail:]], 1)
        state.give(total[:, -tail:])
        return total[:, :-tail].flatten(1)


class StreamingBody(nn.Module):
    """The HiFi-GAN body, block by block, fed by a ready source signal."""

    def __init__(self, generator: Generator, layout: StateLayout) -> None:
        super().__init__()
        config = generator.config
        self.slope = config.negative_slope
        self.conv_pre = streaming_conv(generator.conv_pre, layout)
        self.downs = ModuleListOf(_streaming_down(down, layout) for down in generator.source_downs)
        self.upsamples = ModuleListOf[StreamingUpsample]()
        self.groups = ModuleListOf[StreamingResidualGroup]()
        n_kernels = len(config.resblock_kernel_sizes)
        branches = zip(generator.transpose_upsamples, generator.repeat_upsamples, strict=True)
        for stage, (transpose, repeat) in enumerate(branches):
            self.upsamples.append(StreamingUpsample(transpose.conv, repeat.conv, layout))
            blocks = generator.conv_blocks.between(stage * n_kernels, (stage + 1) * n_kernels)
            self.groups.append(StreamingResidualGroup(blocks, layout))
        self.conv_post = streaming_conv(generator.conv_post, layout)

    def forward(self, mel: Tensor, source: Tensor, state: StateReader) -> Tensor:
        """Return what the body adds to the source signal, [B, T * hop]."""
        x = self.conv_pre(mel.transpose(1, 2).unsqueeze(2), state)
        signal = source.unsqueeze(1).unsqueeze(2)
        injected = [down(signal, state) for down in self.downs]
        for upsample, group, extra in zip(self.upsamples, self.groups, injected, strict=True):
            x = group(upsample(F.leaky_relu(x + torch.sin(x), self.slope), state) + extra, state)
        audio = torch.tanh(self.conv_post(F.leaky_relu(x, FINAL_SLOPE), state))
        return audio.reshape(audio.size(0), -1)


def _streaming_down(down: SourceDown, layout: StateLayout) -> StreamingConv:
    conv = down.conv1d
    assert conv.bias is not None
    return StreamingConv(conv.normed_weight(), conv.bias, layout, stride=conv.stride[0])


class StreamingEmbeddedVocoder(nn.Module):
    """The whole embedded vocoder; without a body it is the learned source alone."""

    def __init__(self, vocoder: EmbeddedVocoder | HarmonicNoiseSource) -> None:
        super().__init__()
        source = vocoder if isinstance(vocoder, HarmonicNoiseSource) else vocoder.source
        self.hop_length = source.hop_length
        self.layout = layout = StateLayout()
        self.source = StreamingSourceSignal(source, layout)
        self.body = None if isinstance(vocoder, HarmonicNoiseSource) else StreamingBody(vocoder.body, layout)

    def initial_state(self, batch: int = 1) -> Tensor:
        """The packed state before the first block, [B, S]."""
        return self.layout.initial(batch)

    def forward(self, mel: Tensor, excitation: Tensor, f0: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Synthesise one block; shapes as in the module docstring."""
        reader = self.layout.unpack(state)
        audio = self.source(mel, f0, excitation, reader)
        if self.body is not None:
            audio = audio + self.body(mel, audio, reader)
        return soft_limit(audio), reader.pack()
