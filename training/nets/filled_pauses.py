"""Filled pauses: 嗯, 啊 and 呃, which some voices put before a word by themselves.

Input   text_hid [1, N, p] of a sentence; per class of pause the encoded rows of its three tokens
Output  text_hid [1, N', p] with those rows before every token that the predictor chose, and the source of
        each row
State   none

Spec section 1.7. Which sound a class stands for changed between releases of the original code, so the voice
says it (`FilledPauses`); the predictor only counts classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streaming.text.symbols import SymbolTables
from training.nets.attention import LAYER_NORM_EPS
from training.nets.config import SambertConfig

N_CLASSES = 4  # 0: nothing is inserted
ROWS_PER_PAUSE = 3  # initial, final, break
INSERTED = -1  # in place of a token's index

SOUNDS = {
    sound: (
        f"{initial}$tone5$s_begin$word_begin",
        f"{final}$tone5$s_end$word_end",
        "#3$tone_none$s_none$word_none",
    )
    for sound, initial, final in (("嗯", "ge", "en_c"), ("啊", "ga", "a_c"), ("呃", "ge", "e_c"))
}
PRESENT_ORDER = ("嗯", "啊", "呃")  # classes 1, 2, 3 since December 2022
EARLY_ORDER = ("啊", "嗯", "呃")  # before that, and the order in which training labels are written


@dataclass(frozen=True, slots=True)
class FilledPauses:
    """The sounds of classes 1, 2 and 3 as a voice's symbols spell them: `ids` [3, 3, 4] int64."""

    ids: Tensor

    @classmethod
    def spelled(cls, tables: SymbolTables, sounds: Sequence[str] = PRESENT_ORDER) -> FilledPauses:
        """Look the sounds up in a voice's tables.

        Args:
            tables: Symbol tables of the voice.
            sounds: What classes 1, 2 and 3 say: `PRESENT_ORDER` or `EARLY_ORDER`.

        Raises:
            ValueError: Not the three sounds.
            UnspeakableTextError: The voice lacks a symbol of one of them.
        """
        if sorted(sounds) != sorted(SOUNDS):
            raise ValueError(
                f"filled pauses are {', '.join(sounds)}; expected {', '.join(SOUNDS)}, any order"
            )
        return cls(torch.stack([torch.from_numpy(tables.encode(SOUNDS[sound])) for sound in sounds]))


class FilledPausePredictor(nn.Module):
    """Decides before which tokens a pause is filled: `FP_predictor` of a checkpoint."""

    def __init__(self, config: SambertConfig) -> None:
        super().__init__()
        units, inner = config.encoder_projection_units, config.embedding_dim // 2
        self.w_1 = nn.Conv1d(units, inner, 3, padding=1)
        self.w_2 = nn.Conv1d(inner, units, 1)
        self.layer_norm1 = nn.LayerNorm(inner, eps=LAYER_NORM_EPS)
        self.layer_norm2 = nn.LayerNorm(units, eps=LAYER_NORM_EPS)
        self.fc = nn.Linear(units, N_CLASSES)

    def forward(self, text_hid: Tensor) -> Tensor:
        """Logits [B, N, 4] of the classes for text_hid [B, N, p]; the largest decides."""
        x = F.relu(self.w_1(text_hid.transpose(1, 2))).transpose(1, 2)
        x = F.relu(self.w_2(self.layer_norm1(x).transpose(1, 2))).transpose(1, 2)
        logits: Tensor = self.fc(self.layer_norm2(x))
        return logits


def insert_pauses(text_hid: Tensor, classes: Tensor, pauses: Tensor) -> tuple[Tensor, Tensor]:
    """Put three rows before every token whose class is not 0.

    Args:
        text_hid: [1, N, p].
        classes: [1, N] int64, 0 to 3.
        pauses: Encoded rows of classes 1 to 3, [3, 3, p].

    Returns:
        text_hid [1, N', p], and the token that each row encodes [1, N'] int64: `INSERTED` where none.
    """
    before = F.pad(pauses, (0, 0, 0, 0, 1, 0))[classes]  # [1, N, 3, p]; class 0 gets rows that are not kept
    rows = torch.cat([before, text_hid.unsqueeze(2)], dim=2).flatten(1, 2)
    chosen = (classes > 0).long().unsqueeze(-1).expand(-1, -1, ROWS_PER_PAUSE)
    keep = F.pad(chosen, (0, 1), value=1).flatten().nonzero().squeeze(1)
    tokens = torch.arange(text_hid.size(1), device=text_hid.device).unsqueeze(1)
    source = F.pad(tokens, (ROWS_PER_PAUSE, 0), value=INSERTED).flatten()
    return rows[:, keep], source[keep].unsqueeze(0)


def lengthened(ids: Tensor, n_rows: int) -> Tensor:
    """Speaker or emotion ids [1, N] for the N' rows after insertion.

    They are not shifted with the text: the sequence goes on from its own start, as in the original.
    """
    order = torch.arange(n_rows, device=ids.device) % ids.size(1)
    return ids[:, order]
