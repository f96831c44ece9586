"""Batches for the acoustic model: utterances of like length, padded.

Input   utterances with features
Output  SambertBatch, at most `batch_frames` frames with padding
State   the random generator
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from streaming.text.symbols import SymbolTables
from streaming.types import FloatArray
from training.features import Statistics, Utterance, token_means
from training.nets.sambert import SambertBatch

SPEAKER_ID = 0  # the embedded voices have one speaker


@dataclass(frozen=True, slots=True)
class AcousticItem:
    """One utterance as the acoustic model sees it; mel is [n_frames, n_mels + 2], all normalised."""

    ling: np.ndarray
    emotion: int
    durations: np.ndarray
    pitch: FloatArray
    energy: FloatArray
    mel: FloatArray


def acoustic_item(item: Utterance, statistics: Statistics, tables: SymbolTables) -> AcousticItem:
    """Normalise an utterance; rows n_mels and n_mels + 1 are F0 (continuous) and U/V (spec section 4.2)."""
    mel = (item.mel - np.asarray(statistics.mel_mean)) / np.asarray(statistics.mel_std)
    f0 = (item.f0_hz - statistics.f0_mean) / statistics.f0_std
    rows = np.column_stack([mel, f0, item.voiced]).astype(np.float32)
    energy = (item.energy - statistics.energy_mean) / statistics.energy_std
    return AcousticItem(
        ling=item.ids,
        emotion=tables.emotion_id(item.emotion),
        durations=item.durations,
        pitch=token_means((f0 * item.voiced).astype(np.float32), item.durations),
        energy=token_means(energy.astype(np.float32), item.durations),
        mel=rows,
    )


def collate(items: Sequence[AcousticItem]) -> SambertBatch:
    """Pad items into one batch."""
    n_tokens = [len(item.ling) for item in items]
    n_frames = [len(item.mel) for item in items]
    shape = (len(items), max(n_tokens))
    ling = torch.zeros(*shape, 4, dtype=torch.int64)
    emotion = torch.zeros(shape, dtype=torch.int64)
    durations = torch.zeros(shape, dtype=torch.int64)
    pitch, energy = torch.zeros(shape), torch.zeros(shape)
    mel = torch.zeros(len(items), max(n_frames), items[0].mel.shape[1])
    for row, item in enumerate(items):
        tokens = slice(0, len(item.ling))
        ling[row, tokens] = torch.from_numpy(item.ling)
        emotion[row] = item.emotion
        durations[row, tokens] = torch.from_numpy(item.durations)
        pitch[row, tokens] = torch.from_numpy(item.pitch)
        energy[row, tokens] = torch.from_numpy(item.energy)
        mel[row, : len(item.mel)] = torch.from_numpy(item.mel)
    return SambertBatch(
        ling=ling,
        emotion=emotion,
        speaker=torch.full(shape, SPEAKER_ID),
        n_tokens=torch.tensor(n_tokens),
        durations=durations,
        pitch=pitch,
        energy=energy,
        mel=mel,
        n_frames=torch.tensor(n_frames),
    )


def to_device(batch: SambertBatch, device: torch.device) -> SambertBatch:
    """Move all tensors of a batch."""
    moved: dict[str, Tensor] = {name: getattr(batch, name).to(device) for name in SambertBatch.__slots__}
    return SambertBatch(**moved)


class AcousticData:
    """Draws batches of utterances of like length for ever."""

    def __init__(self, items: Sequence[AcousticItem], batch_frames: int, rng: np.random.Generator) -> None:
        self._items = sorted(items, key=lambda item: len(item.mel))
        self._batch_frames = batch_frames
        self._rng = rng

    def _groups(self) -> list[list[AcousticItem]]:
        """Cut the sorted items into batches, at a random offset so that the company changes."""
        groups: list[list[AcousticItem]] = []
        current: list[AcousticItem] = []
        budget = self._batch_frames * self._rng.uniform(0.75, 1.0)
        for item in self._items:
            if current and len(item.mel) * (len(current) + 1) > budget:
                groups.append(current)
                current = []
            current.append(item)
        return [*groups, current]

    def __iter__(self) -> Iterator[SambertBatch]:
        """Yield batches, epoch after epoch, in random order."""
        while True:
            groups = self._groups()
            for index in self._rng.permutation(len(groups)):
                yield collate(groups[index])
