"""A small phone recogniser: tells how much of what was said can be heard, tones included.

Input   frame features of a recording (mel, log F0, U/V)
Output  a string of units: initials and English phones as they are, Mandarin finals with their tone (`ing_c1`)
State   the network's weights

It is trained on teacher audio only (training/train_recogniser.py), so a voice cannot teach it its own
mistakes. The network is a stack of residual convolutions and one bidirectional GRU, trained with CTC (Graves
et al. 2006); a second head learns the known alignment beside it, which only speeds training up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from streaming.types import FloatArray
from training.features import Statistics
from training.mel import FrameFeatures

STRIDE = 2  # 25 ms per output step; the teacher's shortest phones last about 30 ms
BLANK = 0
_TONE_DIGITS = {"tone1": "1", "tone2": "2", "tone3": "3", "tone4": "4", "tone5": "5"}


def token_unit(token: str) -> str:
    """Return the unit of a token, or "" for pauses and silent onsets.

    A Mandarin final is the last phone of its syllable and carries the tone; English stress is not judged.
    """
    phone, tone, flag, _ = token.split("$")
    if phone.startswith("#") or phone in ("ga", "ge", "go"):
        return ""
    if phone.endswith("_c") and flag in ("s_end", "s_both"):
        return phone + _TONE_DIGITS[tone]
    return phone


def sentence_units(tokens: Iterable[str]) -> list[str]:
    """Return the units of a token sequence."""
    return [unit for unit in map(token_unit, tokens) if unit]


def edit_distance(found: Sequence[str], expected: Sequence[str]) -> int:
    """Levenshtein distance of two unit strings."""
    row = list(range(len(expected) + 1))
    for i, a in enumerate(found, 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(expected, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1]


@dataclass(frozen=True, slots=True)
class Units:
    """The inventory; index 0 is the blank."""

    names: tuple[str, ...]

    @classmethod
    def of(cls, sentences: Iterable[Sequence[str]]) -> Units:
        """Collect the inventory of a corpus."""
        return cls(("", *sorted({unit for sentence in sentences for unit in sentence})))

    def ids(self, units: Sequence[str]) -> list[int]:
        """Return ids; units the corpus never had are left out."""
        known = {name: index for index, name in enumerate(self.names)}
        return [known[unit] for unit in units if unit in known]


def recogniser_input(features: FrameFeatures, statistics: Statistics) -> FloatArray:
    """Stack normalised mel, centred log F0 and voicing, [T, n_mels + 2]."""
    mel = (features.mel - np.asarray(statistics.mel_mean)) / np.asarray(statistics.mel_std)
    log_f0 = np.log(features.f0_hz)
    voiced = features.voiced > 0
    # Relative to the speaker's level in this sentence, so that emotions' registers do not look like tones.
    centred = (log_f0 - (np.median(log_f0[voiced]) if voiced.any() else log_f0.mean())) * 4.0
    return np.column_stack([mel, np.where(voiced, centred, 0.0), features.voiced]).astype(np.float32)


class Recogniser(nn.Module):
    """Convolutions, GRU, CTC head, alignment head."""

    def __init__(self, n_inputs: int, units: Units, width: int, n_layers: int) -> None:
        super().__init__()
        self.units = units
        self.front = nn.Conv1d(n_inputs, width, 5, stride=STRIDE, padding=2)
        self.convs = nn.ModuleList(
            nn.Conv1d(width, width, 5, padding=2 * dilation, dilation=dilation)
            for dilation in [1, 2, 4, 1, 2, 4][:n_layers]
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in self.convs)
        self.gru = nn.GRU(width, width // 2, batch_first=True, bidirectional=True)
        self.ctc = nn.Linear(width, len(units.names))
        self.alignment = nn.Linear(width, len(units.names))

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Map [B, T, n_inputs] to two log-probabilities [B, ceil(T / 2), n_units]: CTC and alignment."""
        x = F.relu(self.front(inputs.transpose(1, 2)))
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = x + F.relu(norm(conv(x)))
        hidden = self.gru(F.dropout(x.transpose(1, 2), 0.1, self.training))[0] + x.transpose(1, 2)
        return self.ctc(hidden).log_softmax(-1), self.alignment(hidden).log_softmax(-1)

    @torch.no_grad()
    def transcribe(self, inputs: FloatArray) -> list[str]:
        """Greedy CTC decoding of one recording [T, n_inputs]."""
        best = self(torch.from_numpy(inputs)[None])[0][0].argmax(-1).tolist()
        kept = [
            unit
            for index, unit in enumerate(best)
            if unit != BLANK and (index == 0 or unit != best[index - 1])
        ]
        return [self.units.names[unit] for unit in kept]
