"""The symbol inventory of a voice: which phones, tones, flags and emotions it knows, and their ids.

Input   token strings `sy$tone$syllable_flag$word_segment`, emotion names
Output  ids as the networks' embedding tables number them
State   none: the tables are values, built from the lists below or from a voice's own lists
Unaware of pinyin rules, of words and of text.

Ids follow KAN-TTS: every feature has its own table, its symbols in list order, then `_` (pad), `~` (end of
sequence) and, in all but the oldest voices, `@[MASK]`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from streaming.errors import UnspeakableTextError
from streaming.types import IntArray

# Order is meaning: it is the row order of the released voices' embedding tables.
PINYIN_PHONES: tuple[str, ...] = tuple(
    """
    a_c ai_c an_c ang_c ao_c b_c c_c ch_c d_c e_c ei_c en_c eng_c er_c f_c g_c h_c i_c ia_c ian_c iang_c
    iao_c ie_c ih_c ii_c in_c ing_c io_c iong_c iou_c j_c k_c l_c m_c n_c o_c ong_c ou_c p_c q_c r_c s_c
    sh_c t_c u_c ua_c uai_c uan_c uang_c uei_c uen_c ueng_c uo_c v_c van_c ve_c vn_c xx_c z_c zh_c w_c y_c
    ga ge go aa ae ah ao aw ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v w
    y z zh air_c angr_c anr_c aor_c ar_c eir_c engr_c enr_c iangr_c ianr_c iaor_c iar_c ier_c ihr_c iir_c
    ingr_c inr_c iongr_c iour_c ir_c ongr_c or_c our_c uair_c uangr_c uanr_c uar_c ueir_c uenr_c uor_c
    ur_c vanr_c ver_c vnr_c vr_c pau
    """.split()
)
PINYIN_TONES: tuple[str, ...] = ("tone1", "tone_none", "tone4", "tone2", "tone3", "tone5", "tone0")
BREAKS: tuple[str, ...] = ("#1", "#2", "#3", "#4")
SYLLABLE_FLAGS: tuple[str, ...] = ("s_begin", "s_end", "s_none", "s_both", "s_middle")
WORD_SEGMENTS: tuple[str, ...] = ("word_begin", "word_end", "word_middle", "word_both", "word_none")
EMOTIONS: tuple[str, ...] = tuple(
    f"emotion_{name}"
    for name in """
    none neutral angry disgust fear happy sad surprise calm gentle relax lyrical serious disgruntled satisfied
    disappointed excited anxiety jealousy hate pity pleasure arousal dominance placeholder1 placeholder2
    placeholder3 placeholder4 placeholder5 placeholder6 placeholder7 placeholder8 placeholder9
    """.split()
)


@dataclass(frozen=True, slots=True)
class SymbolTable:
    """The numbered symbols of one feature.

    Attributes:
        feature: `sy`, `tone`, `syllable_flag`, `word_segment` or `emotion`; used in messages.
        symbols: In id order.
        has_mask: Whether the table ends in a mask row (false in the oldest voices).
    """

    feature: str
    symbols: tuple[str, ...]
    has_mask: bool = True
    ids: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(set(self.symbols)) != len(self.symbols):
            raise ValueError(f"{self.feature} has the same symbol twice")
        object.__setattr__(self, "ids", {symbol: index for index, symbol in enumerate(self.symbols)})

    @property
    def pad_id(self) -> int:
        """Id of the padding symbol `_`."""
        return len(self.symbols)

    @property
    def eos_id(self) -> int:
        """Id of the end-of-sequence symbol `~`, which is never synthesised."""
        return len(self.symbols) + 1

    @property
    def size(self) -> int:
        """Rows of the embedding table: symbols, pad, eos and, where there is one, mask."""
        return len(self.symbols) + 2 + self.has_mask

    def id(self, symbol: str) -> int:
        """Return the id of a symbol.

        Raises:
            UnspeakableTextError: The voice does not have this symbol.
        """
        try:
            return self.ids[symbol]
        except KeyError:
            raise UnspeakableTextError(f"the voice has no {self.feature} symbol {symbol!r}") from None


@dataclass(frozen=True, slots=True)
class SymbolTables:
    """The tables of all features of a voice. The default is the 16k PinYin inventory, 147/10/8/8/36 rows."""

    sy: SymbolTable = SymbolTable("sy", PINYIN_PHONES + BREAKS)
    tone: SymbolTable = SymbolTable("tone", PINYIN_TONES)
    syllable_flag: SymbolTable = SymbolTable("syllable_flag", SYLLABLE_FLAGS)
    word_segment: SymbolTable = SymbolTable("word_segment", WORD_SEGMENTS)
    emotion: SymbolTable = SymbolTable("emotion", EMOTIONS)

    @classmethod
    def from_lists(
        cls,
        phones: Iterable[str],
        tones: Iterable[str],
        *,
        emotions: Iterable[str] = EMOTIONS,
        has_mask: bool = True,
    ) -> SymbolTables:
        """Build the tables of a voice that brings its own lists.

        Args:
            phones: Phone list in file order, without the break symbols, which are appended.
            tones: Tone names in file order (`tone1`, `tone_none`, ...).
            emotions: Emotion names in id order, with or without the prefix `emotion_`.
            has_mask: False for voices whose tables lack the mask row.
        """
        prefixed = (name if name.startswith("emotion_") else f"emotion_{name}" for name in emotions)
        return cls(
            sy=SymbolTable("sy", tuple(phones) + BREAKS, has_mask),
            tone=SymbolTable("tone", tuple(tones), has_mask),
            syllable_flag=SymbolTable("syllable_flag", SYLLABLE_FLAGS, has_mask),
            word_segment=SymbolTable("word_segment", WORD_SEGMENTS, has_mask),
            emotion=SymbolTable("emotion", tuple(prefixed), has_mask),
        )

    @property
    def emotions(self) -> tuple[str, ...]:
        """Emotion names in id order, without the prefix `emotion_`."""
        return tuple(name.removeprefix("emotion_") for name in self.emotion.symbols)

    def emotion_id(self, name: str) -> int:
        """Return the id of an emotion, given as `happy` or `emotion_happy`.

        Raises:
            UnspeakableTextError: The voice has no such emotion.
        """
        return self.emotion.id(name if name.startswith("emotion_") else f"emotion_{name}")

    def encode(self, tokens: Sequence[str]) -> IntArray:
        """Return ids [n_tokens, 4] int64 of tokens `sy$tone$syllable_flag$word_segment`; no EOS is added.

        Raises:
            UnspeakableTextError: A token is not of four fields, or a field holds an unknown symbol.
        """
        features = (self.sy, self.tone, self.syllable_flag, self.word_segment)
        ids = np.empty((len(tokens), len(features)), dtype=np.int64)
        for row, token in enumerate(tokens):
            fields = token.split("$")
            if len(fields) != len(features):
                raise UnspeakableTextError(f"token {token!r} has {len(fields)} fields; 4 are needed")
            for column, (table, symbol) in enumerate(zip(features, fields, strict=True)):
                ids[row, column] = table.id(symbol)
        return ids


@dataclass(frozen=True, slots=True)
class SymbolLine:
    """A symbol sequence as the original front end writes it, taken apart.

    Attributes:
        tokens: `sy$tone$syllable_flag$word_segment`, as `SymbolTables.encode` takes them.
        emotions: Emotion name of every token (pause tokens may differ from phones).
        speakers: Speaker name of every token.
    """

    tokens: tuple[str, ...]
    emotions: tuple[str, ...]
    speakers: tuple[str, ...]


def parse_symbol_line(line: str) -> SymbolLine:
    """Take apart `{sy$tone$flag$segment$emotion$speaker} {...}`.

    Raises:
        UnspeakableTextError: A token is not in braces or does not have six fields.
    """
    rows: list[list[str]] = []
    for token in line.split():
        fields = token[1:-1].split("$")
        if not (token.startswith("{") and token.endswith("}") and len(fields) == 6):
            raise UnspeakableTextError(
                f"token {token!r} is not of the form {{sy$tone$flag$segment$emotion$speaker}}"
            )
        rows.append(fields)
    return SymbolLine(
        tokens=tuple("$".join(fields[:4]) for fields in rows),
        emotions=tuple(fields[4] for fields in rows),
        speakers=tuple(fields[5] for fields in rows),
    )
