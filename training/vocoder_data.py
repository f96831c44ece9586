"""Batches for the vocoder: random stretches of frames with their audio, and whole utterances.

Input   utterances with features
Output  VocoderBatch
State   the random generator
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.features import Statistics, Utterance

# Frames before the stretch that only fill the causal contexts: no loss falls on them. The body sees 35
# frames back at full width, but what lies beyond a dozen no longer matters to training.
WARMUP_FRAMES = 12


@dataclass(frozen=True, slots=True)
class VocoderBatch:
    """Stretches of T frames.

    Attributes:
        mel: [B, T, n_mels] normalised.
        f0_hz: [B, T] float64, continuous.
        voiced: [B, T].
        audio: [B, T * hop], where sample 0 belongs to frame 0: already late by the look-ahead.
    """

    mel: Tensor
    f0_hz: Tensor
    voiced: Tensor
    audio: Tensor


class VocoderData:
    """Holds the utterances of a split in the form the vocoder reads."""

    def __init__(
        self, utterances: Sequence[Utterance], statistics: Statistics, hop_length: int, lookahead_frames: int
    ) -> None:
        mean = np.asarray(statistics.mel_mean, np.float32)
        std = np.asarray(statistics.mel_std, np.float32)
        self._hop = hop_length
        self._items = [self._prepare(item, mean, std, lookahead_frames) for item in utterances]

    def _prepare(
        self, item: Utterance, mean: np.ndarray, std: np.ndarray, lookahead: int
    ) -> tuple[np.ndarray, ...]:
        """Repeat the last frame for the look-ahead and delay the audio by it, as the stream does."""
        edge = ((0, lookahead), (0, 0))
        mel = np.pad((item.mel - mean) / std, edge, mode="edge")
        f0 = np.pad(item.f0_hz, (0, lookahead), mode="edge")
        voiced = np.pad(item.voiced, (0, lookahead), mode="edge")
        length = len(mel) * self._hop
        audio = np.pad(item.audio.astype(np.float32) / 32768.0, (lookahead * self._hop, self._hop))[:length]
        return mel, f0, voiced, audio

    def batch(self, rng: np.random.Generator, size: int, n_frames: int) -> VocoderBatch:
        """Draw stretches of `n_frames` frames plus the warm-up."""
        total = n_frames + WARMUP_FRAMES
        items = [self._items[i] for i in rng.integers(len(self._items), size=size)]
        return _stack(
            [self._cut(item, int(rng.integers(0, max(1, len(item[0]) - total))), total) for item in items]
        )

    def _cut(self, item: tuple[np.ndarray, ...], start: int, total: int) -> tuple[np.ndarray, ...]:
        mel, f0, voiced, audio = item
        frames, samples = slice(start, start + total), slice(start * self._hop, (start + total) * self._hop)
        pieces = (mel[frames], f0[frames], voiced[frames], audio[samples])
        missing = total - len(pieces[0])
        if missing <= 0:
            return pieces
        return (
            np.pad(pieces[0], ((0, missing), (0, 0)), mode="edge"),
            np.pad(pieces[1], (0, missing), mode="edge"),
            np.pad(pieces[2], (0, missing), mode="edge"),
            np.pad(pieces[3], (0, missing * self._hop)),
        )

    def whole(self, index: int) -> VocoderBatch:
        """Return one utterance as a batch of one."""
        return _stack([self._items[index]])

    def __len__(self) -> int:
        """Number of utterances."""
        return len(self._items)


def _stack(rows: Sequence[tuple[np.ndarray, ...]]) -> VocoderBatch:
    mel, f0, voiced, audio = (np.stack(column) for column in zip(*rows, strict=True))
    return VocoderBatch(
        torch.from_numpy(mel).float(),
        torch.from_numpy(f0).double(),
        torch.from_numpy(voiced).float(),
        torch.from_numpy(audio).float(),
    )
