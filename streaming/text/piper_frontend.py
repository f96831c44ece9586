"""From a segment's text to the ids of a Piper voice.

Input   the text of one segment, as it was written
Output  Phonemes: one token per id, framed and padded as Piper frames and pads
State   which phonemes the voice was found to lack
Unaware of what the ids sound like. There are no word spans: IPA does not say which word it came from.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from streaming.errors import UnspeakableTextError
from streaming.text.espeak import Clause
from streaming.types import Phonemes

logger = logging.getLogger(__name__)

START, PAD, END = "^", "_", "$"
PAUSES_INSIDE = frozenset(",:;")  # marks after which a sentence goes on, with a space as between words


class PiperFrontend:
    """Text frontend of one Piper voice. Thread-safe.

    A phoneme that the voice has no id for is left out, as Piper does: voices lack rare diacritics, and the
    word is understood without. What was left out is logged once per phoneme, at DEBUG. A text of which
    nothing is left is an error.
    """

    def __init__(
        self,
        read: Callable[[str], list[str]],
        phoneme_ids: Mapping[str, Sequence[int]],
        phoneme_map: Mapping[str, Sequence[str]],
        vowel_clusters: Iterable[Sequence[str]] = (),
    ) -> None:
        """Take the voice's tables.

        Args:
            read: Text to phonemes (code points), [] if nothing is spoken: `letters`, or `ipa` of clauses.
            phoneme_ids: Ids of each phoneme; `^`, `_` and `$` are among them.
            phoneme_map: Phonemes to look up in place of a phoneme.
            vowel_clusters: Phonemes in a row that have an id of their own.
        """
        self._read = read
        self._ids = phoneme_ids
        self._map = phoneme_map
        self._clusters = frozenset(tuple(cluster) for cluster in vowel_clusters)
        self._longest_cluster = max(map(len, self._clusters), default=1)
        self._lacking: set[str] = set()

    def phonemes(self, text: str) -> Phonemes | None:
        """Return one token per id, ids [n_tokens, 1]; None if nothing in the text is spoken.

        Raises:
            UnspeakableTextError: The voice has none of the phonemes.
        """
        read = self._read(text)
        if not read:
            return None
        known = list(self._known(read))
        if not any(map(_is_sound, known)):
            msg = f"the voice has an id for none of the phonemes {' '.join(sorted(set(read)))}"
            raise UnspeakableTextError(msg)
        pairs = list(self._framed(known))
        ids = np.array([number for _, number in pairs], np.int64)[:, None]
        return Phonemes(tuple(phoneme for phoneme, _ in pairs), ids)

    def _known(self, read: list[str]) -> Iterator[str]:
        for phoneme in self._clustered(read):
            for written in self._map.get(phoneme, (phoneme,)):
                if written in self._ids:
                    yield written
                elif written not in self._lacking:
                    self._lacking.add(written)
                    logger.debug("the voice has no id for phoneme %r; it is left out", written)

    def _clustered(self, read: list[str]) -> Iterator[str]:
        """Yield the phonemes with clusters as one, the longest first."""
        position = 0
        while position < len(read):
            for length in range(self._longest_cluster, 0, -1):
                group = tuple(read[position : position + length])
                if length == 1 or group in self._clusters:
                    yield "".join(group)
                    position += length
                    break

    def _framed(self, known: Iterable[str]) -> Iterator[tuple[str, int]]:
        """Yield phoneme and id: start, pad, and each phoneme with a pad after it, end."""
        yield from self._numbered(START, PAD)
        for phoneme in known:
            yield from self._numbered(phoneme, PAD)
        yield from self._numbered(END)

    def _numbered(self, *phonemes: str) -> Iterator[tuple[str, int]]:
        for phoneme in phonemes:
            yield from ((phoneme, number) for number in self._ids[phoneme])


def _is_sound(phoneme: str) -> bool:
    """Tell a phoneme from spaces, punctuation and marks (stress, length) that need one beside them."""
    categories = {unicodedata.category(char) for char in phoneme}
    return any(category[0] in "LN" for category in categories - {"Lm"})


def letters(text: str) -> list[str]:
    """Return the code points of a text in lower case, accents apart; [] if it has no letter or digit."""
    folded = unicodedata.normalize("NFD", text.casefold())
    return list(folded) if any(char.isalnum() for char in folded) else []


def ipa(clauses: Sequence[Clause]) -> list[str]:
    """Return the code points of clauses, accents apart, each with its mark; [] if nothing is spoken.

    Sentences follow each other without a space, as in the recordings' transcripts that Piper trains on.
    """
    read: list[str] = []
    for clause in clauses:
        spaced = f"{clause.mark} " if clause.mark in PAUSES_INSIDE else clause.mark
        read += unicodedata.normalize("NFD", clause.ipa + spaced)
    return read if any(clause.ipa.strip() for clause in clauses) else []
