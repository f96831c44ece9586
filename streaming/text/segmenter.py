"""Cut a stream of text deltas into segments that are ready to speak.

Input   text deltas of any size, cut anywhere (tokens of a language model, keystrokes)
Output  Segment, in order; with the skipped white space between them they give back the text
State   the unfinished tail, at most `max_chars + 1` characters, and what was seen in it; no clock
Unaware of pronunciation and dictionaries.

It is an automaton over characters: a decision is a function of the characters up to the one being read, never
of where a delta ended. So any cut of the text gives the same segments. Where a decision needs what follows
(`3.` may become `3.14`; a closing quote may follow 。), it is held until the next character settles it.

What ends a segment
    sentence      。！？!? and their runs, with the closing quotes and brackets that follow; `.` unless
                  letters or digits follow or it belongs to an abbreviation or a list number; a line break
    first clause  of an utterance, if it is long enough to sound natural and enough follows it: audio
                  starts sooner
    A [[word|reading]] is read as one character.

    length        max_chars: at the last clause mark, else at a particle or white space, else there
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from enum import Enum, auto

from streaming.types import Segment

_SENTENCE_MARKS = frozenset("。！？｡")
_QUESTION_MARKS = frozenset("?!")
_CLAUSE_MARKS = frozenset("，、；：…—,;:")
_CLOSERS = frozenset("”’」』）】〕》〉)]}*_`~")
_PARTICLES = frozenset("的了着过呢吧吗和与")
_LINE_BREAKS = frozenset("\n\r\v\f\x85\u2028\u2029")
_ABBREVIATION = re.compile(
    r"(?:^|[^A-Za-z.])(?:(?:[A-Za-z]\.)*[A-Za-z]|Dr|Mr|Mrs|Ms|Prof|St|No|vs|etc|Inc|Ltd|Fig|Vol|approx)\Z"
)
_LIST_NUMBER = re.compile(r"\W*\d{1,3}\Z")
_MAX_GIVEN_CHARS = 270  # of a [[word|reading]]: the longest word and reading, with what stands between
_LOOK_BACK_CHARS = 16  # enough for every abbreviation above

# Spoken length is counted in thirds of a Hanzi: a Latin letter is about a third of a syllable.
_PER_HANZI = 3


@dataclass(frozen=True, slots=True)
class SegmentPolicy:
    """When to cut.

    Attributes:
        first_min_chars: Shortest first clause, in Hanzi (three Latin letters count as one). Shorter ones
            sound cut off and leave the synthesis of the second segment too little time.
        first_rest_min_chars: What must be known to follow the first clause in its sentence, in Hanzi.
        max_chars: Longest segment in characters (code points); also bounds what is held back.
    """

    first_min_chars: int = 6
    first_rest_min_chars: int = 4
    max_chars: int = 80

    def __post_init__(self) -> None:
        if self.first_min_chars < 1 or self.first_rest_min_chars < 1:
            raise ValueError("first_min_chars and first_rest_min_chars must be at least 1")
        if self.max_chars < 10:
            raise ValueError(f"max_chars is {self.max_chars}; it must be at least 10")


class _Pending(Enum):
    """What the characters just read may turn out to be."""

    NOTHING = auto()
    SENTENCE = auto()  # 。 and its run: ends before the first character that is no part of the run
    QUESTION = auto()  # ? or !: a sentence end unless it stands inside a token (a?b=1, !=, ![)
    DOT = auto()  # .: a sentence end, or part of a number, name, abbreviation, ellipsis
    CLAUSE = auto()  # ，: a place to cut, with the closers that follow; ASCII , and : may be part of a number


@dataclass(slots=True)
class _Scan:
    """What was seen in the segment in progress; offsets are relative to its start."""

    length: int = 0
    weight: int = 0  # spoken length in thirds of a Hanzi
    pending: _Pending = _Pending.NOTHING
    pending_at: int = 0
    quote_open: bool = False
    given_at: int = -1  # where a [[word|reading]] began that is still open; nothing in it ends anything
    first_cut: int = 0  # end of the first clause, 0 if there is none
    weight_at_first_cut: int = 0
    clause_cut: int = 0
    particle_cut: int = 0
    space_cut: int = 0


@dataclass(slots=True)
class _Tail:
    """The text that is not yet in a segment: `text[start:]` is the segment in progress."""

    text: str = ""
    start: int = 0
    offset: int = 0  # of text[0] in the utterance
    scan: _Scan = field(default_factory=_Scan)


class Segmenter:
    """Push/flush segmenter of one utterance. Not thread-safe; one per utterance."""

    def __init__(self, policy: SegmentPolicy | None = None, *, goes_on: bool = False) -> None:
        """Begin; with `goes_on` something was spoken before, and no first clause is cut off."""
        self._policy = policy or SegmentPolicy()
        self._tail = _Tail()
        self._index = 0
        self._spoke = goes_on

    def push(self, delta: str) -> list[Segment]:
        """Take more text; return the segments that are now certain, often none."""
        tail = self._tail
        tail.text = tail.text[tail.start :] + delta
        tail.offset += tail.start
        tail.start = 0
        segments: list[Segment] = []
        while (end := self._scan_to_cut()) is not None:
            segments += self._emit(end)
        return segments

    def flush(self) -> list[Segment]:
        """Return all that is held back as a segment; more text may be pushed afterwards.

        A sentence that is flushed in its middle ends there: what is pushed later begins a new segment.
        """
        return self._emit(len(self._tail.text))

    @property
    def held_chars(self) -> int:
        """Characters that are waiting for what follows them."""
        return len(self._tail.text) - self._tail.start

    def _scan_to_cut(self) -> int | None:
        """Read on until the segment ends; return its end in `tail.text`, None if the text runs out."""
        tail, scan = self._tail, self._tail.scan
        while tail.start + scan.length < len(tail.text):
            char = tail.text[tail.start + scan.length]
            if scan.length == 0 and char.isspace():
                tail.start += 1
                continue
            cut = self._read(char)
            if cut:
                return tail.start + cut
            scan.length += 1
        return None

    def _emit(self, end: int) -> list[Segment]:
        """End the segment in progress at `end`; what was read after it is read again."""
        tail = self._tail
        text = tail.text[tail.start : end].rstrip()
        start = tail.offset + tail.start
        self._spoke = self._spoke or any(_weight(char) for char in text)
        tail.start = end
        tail.scan = _Scan()
        if not text:
            return []
        segment = Segment(self._index, text, start, start + len(text))
        self._index += 1
        return [segment]

    def _read(self, char: str) -> int:
        """Read one character at `scan.length`; return where the segment ends before it, 0 if it goes on."""
        scan = self._tail.scan
        position = scan.length
        if scan.given_at >= 0 and self._inside_given(char):
            return 0
        cut = self._settle(char)
        if cut:
            return cut
        if position and char in _LINE_BREAKS:
            return position
        if char == "[" and position and self._tail.text[self._tail.start + position - 1] == "[":
            scan.given_at = position + 1
        if scan.pending is _Pending.NOTHING:
            self._open(char)
        if char == '"':
            scan.quote_open = not scan.quote_open
        scan.weight += _weight(char)
        if char.isspace():
            scan.space_cut = position
        elif char in _PARTICLES:
            scan.particle_cut = position + 1
        enough = scan.weight - scan.weight_at_first_cut >= _PER_HANZI * self._policy.first_rest_min_chars
        if scan.first_cut and enough:
            return scan.first_cut
        return self._best_cut() if position >= self._policy.max_chars else 0

    def _inside_given(self, char: str) -> bool:
        """Read a character of a [[word|reading]]; tell whether it is one. Only its word takes time."""
        scan, tail = self._tail.scan, self._tail
        begun = tail.text[tail.start + scan.given_at : tail.start + scan.length]
        if char in _LINE_BREAKS or char == "[" or len(begun) > _MAX_GIVEN_CHARS:
            scan.given_at = -1  # it was none
            return False
        if char == "]" and begun.endswith("]"):
            scan.given_at = -1
        elif "|" not in begun:
            scan.weight += _weight(char)
        return True

    def _open(self, char: str) -> None:
        """Begin to hold a mark whose meaning the following characters settle."""
        scan = self._tail.scan
        scan.pending_at = scan.length
        if char in _SENTENCE_MARKS:
            scan.pending = _Pending.SENTENCE
        elif char in _QUESTION_MARKS:
            scan.pending = _Pending.QUESTION
        elif char == ".":
            scan.pending = _Pending.DOT
        elif char in _CLAUSE_MARKS:
            scan.pending = _Pending.CLAUSE

    def _settle(self, char: str) -> int:
        """Decide what the held mark is, now that `char` follows; return the sentence's end if it is one."""
        scan = self._tail.scan
        if scan.pending is _Pending.NOTHING or self._continues(char):
            return 0
        pending, scan.pending = scan.pending, _Pending.NOTHING
        if pending is _Pending.CLAUSE:
            if not self._inside_token(char):
                self._note_clause()
            return 0
        if pending is _Pending.SENTENCE:
            return scan.length
        if pending is _Pending.QUESTION:
            return 0 if self._inside_token(char) else scan.length
        return scan.length if self._dot_ends_sentence(char) else 0

    def _continues(self, char: str) -> bool:
        """Tell whether a character belongs to the held mark: more of its run, a closer, combining."""
        scan = self._tail.scan
        if char in _SENTENCE_MARKS or (char in _QUESTION_MARKS and scan.pending is not _Pending.CLAUSE):
            scan.pending = _Pending.SENTENCE
            return True
        if char == '"':
            return scan.quote_open
        if scan.pending is _Pending.CLAUSE and char in "…—":
            return True
        if scan.pending is _Pending.SENTENCE and char == "…":
            return True
        if scan.pending is _Pending.DOT and char == ".":
            scan.pending = _Pending.CLAUSE  # an ellipsis is a pause
            return True
        if scan.pending is _Pending.CLAUSE and char == "." == self._held():
            return True
        return char in _CLOSERS or _extends(char)

    def _held(self) -> str:
        return self._tail.text[self._tail.start + self._tail.scan.pending_at]

    def _before_held(self) -> str:
        """Return the character before the held mark, "" at the segment's start."""
        at = self._tail.scan.pending_at
        return self._tail.text[self._tail.start + at - 1] if at else ""

    def _inside_token(self, char: str) -> bool:
        """Tell whether an ASCII mark stands inside a token: 1,234  12:30  http://  a?b=1  ![image]."""
        mark = self._held()
        if mark in _QUESTION_MARKS and char in "=[":
            return True
        before = self._before_held()
        inside = _is_ascii_alnum(before) and _is_ascii_alnum(char)
        if mark == ",":
            return inside and before.isdigit() and char.isdigit()
        return (mark in "?!:;" and inside) or (mark == ":" and char in "/\\")

    def _dot_ends_sentence(self, char: str) -> bool:
        if _is_ascii_alnum(char) or char in "_-/@,;:":
            return False
        tail = self._tail
        at = tail.start + tail.scan.pending_at
        before = tail.text[max(tail.start, at - _LOOK_BACK_CHARS) : at]
        if at - tail.start <= _LOOK_BACK_CHARS and _LIST_NUMBER.match(before):
            return False
        return not _ABBREVIATION.search(before)

    def _note_clause(self) -> None:
        """Remember the place after a clause mark, for the first clause and for overlong sentences."""
        scan = self._tail.scan
        scan.clause_cut = scan.length
        long_enough = scan.weight >= _PER_HANZI * self._policy.first_min_chars
        if not self._spoke and not scan.first_cut and long_enough:
            scan.first_cut = scan.length
            scan.weight_at_first_cut = scan.weight

    def _best_cut(self) -> int:
        """Return where to cut a segment that is too long, never leaving a fifth or less of it."""
        scan = self._tail.scan
        shortest = self._policy.max_chars // 5
        for cut in (scan.clause_cut, max(scan.particle_cut, scan.space_cut)):
            if cut > shortest and cut <= scan.length and not self._splits_character(cut):
                return cut
        cut = scan.length
        while cut > shortest and self._splits_character(cut):
            cut -= 1
        return cut if cut > shortest else scan.length

    def _splits_character(self, cut: int) -> bool:
        return _extends(self._tail.text[self._tail.start + cut])


def _is_ascii_alnum(char: str) -> bool:
    return char.isascii() and char.isalnum()


def _weight(char: str) -> int:
    """Return the spoken length of a character in thirds of a Hanzi."""
    if not char.isalnum():
        return 0
    return 1 if char.isascii() and char.isalpha() else _PER_HANZI


def _extends(char: str) -> bool:
    """Tell whether a character must stay with the one before it: combining, joiner, low surrogate."""
    if char < "\u0300":
        return False
    return "\udc00" <= char <= "\udfff" or unicodedata.category(char) in {"Mn", "Me", "Mc", "Cf", "Sk"}
