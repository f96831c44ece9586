"""Mouth shapes of phones: the 15 classes that avatars are usually animated with.

Input   the phones of a word, each with its first sample and its end
Output  mouth shapes, likewise
State   none
The 15 classes are those that animation tools share: `sil PP FF TH DD kk CH SS nn RR aa E ih oh ou`
(docs/protocol.md). A Mandarin final is as many shapes as it has vowels and nasals, in equal parts of its
time. Where nothing is listed the mouth is at rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

SILENCE = "sil"
_CLASSES = {
    "PP": "b p m", "FF": "f v", "TH": "th dh", "DD": "d t", "kk": "g k h hh ng", "CH": "j q x zh ch sh jh",
    "SS": "z c s", "nn": "n l", "RR": "r er", "ih": "y xx iy ih ii", "ou": "w uh uw", "aa": "aa ae ah ga",
    "E": "eh ge", "oh": "ao go",
}  # fmt: skip
_SINGLE = {phone: viseme for viseme, phones in _CLASSES.items() for phone in phones.split()}
_DIPHTHONGS = {
    "aw": ("aa", "ou"), "ay": ("aa", "ih"), "ey": ("E", "ih"), "ow": ("oh", "ou"), "oy": ("oh", "ih"),
}  # fmt: skip
_VOWELS = {"a": "aa", "o": "oh", "e": "E", "i": "ih", "u": "ou", "v": "ou"}
MANDARIN = "_c"  # how the voices' inventory ends Mandarin phones

VISEMES = (SILENCE, *_CLASSES)

Timed = tuple[str, int, int]


@lru_cache(maxsize=512)
def visemes_of(phone: str) -> tuple[str, ...]:
    """Return the mouth shapes of a phone in order; `sil` for one that is not known."""
    if phone.endswith(MANDARIN):
        return _of_mandarin(phone.removesuffix(MANDARIN))
    if phone in _DIPHTHONGS:
        return _DIPHTHONGS[phone]
    return (_SINGLE.get(phone, SILENCE),)


def _of_mandarin(phone: str) -> tuple[str, ...]:
    if phone in _SINGLE and (phone[0] not in _VOWELS or phone in {"ih", "ii"}):
        return (_SINGLE[phone],)
    if phone == "er":
        return ("E", "RR")
    coloured = phone.endswith("r")
    shapes = [_VOWELS[letter] for letter in phone if letter in _VOWELS]
    if phone.rstrip("r").endswith(("n", "ng")):
        shapes.append("nn")
    return (*shapes, "RR") if coloured else tuple(shapes) or (SILENCE,)


def timed_visemes(phones: Iterable[Timed]) -> Iterator[Timed]:
    """Yield shape, first sample and end of each; equal neighbours are one."""
    pending: Timed | None = None
    for phone, start, end in phones:
        shapes = visemes_of(phone)
        borders = [start + (end - start) * index // len(shapes) for index in range(len(shapes) + 1)]
        for shape, first, last in zip(shapes, borders[:-1], borders[1:], strict=True):
            if pending is not None and pending[0] == shape and pending[2] == first:
                pending = (shape, pending[1], last)
                continue
            if pending is not None:
                yield pending
            pending = (shape, first, last)
    if pending is not None:
        yield pending
