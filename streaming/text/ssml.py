"""Read SSML as it is written: what is said how, and where there is silence.

Input   pieces of one SSML document, cut anywhere; the style that it starts from
Output  Said and Pause, in order
State   the parser, the elements that are open, the text of the run in progress
The subset: `speak, p, s, w, break, prosody, emotion, say-as, phoneme, sub` (docs/ssml.md has the attributes).
Anything else is refused with its place. There is no DTD, and so no entity but the five of XML: nothing grows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from xml.parsers import expat

from streaming.errors import RequestError, SsmlError, UnspeakableTextError
from streaming.text.aligned import AlignedText
from streaming.text.chinese_numbers import cardinal, phone, spell
from streaming.text.lexicon import read_reading
from streaming.text.segmenter import Segmenter, SegmentPolicy
from streaming.types import Segment, Style

MAX_DEPTH = 32
MAX_PAUSE_MS = 10_000
LINES_OF = {"s": 1, "p": 2}  # an element is parted from what stands around it as by so many line ends
MAX_REPLACED_CHARS = 200  # inside say-as, phoneme and sub
IGNORED_ATTRIBUTES = frozenset({"version", "xmlns", "xml:lang", "xmlns:xsi", "xsi:schemaLocation"})
ATTRIBUTES: Mapping[str, frozenset[str]] = {
    "speak": frozenset({"rate", "pitch", "volume"}),
    "p": frozenset(),
    "s": frozenset(),
    "w": frozenset(),
    "break": frozenset({"time", "strength"}),
    "prosody": frozenset({"rate", "pitch", "volume"}),
    "emotion": frozenset({"category", "intensity"}),
    "say-as": frozenset({"interpret-as"}),
    "phoneme": frozenset({"alphabet", "ph"}),
    "sub": frozenset({"alias"}),
}
STRENGTHS_MS = {"none": 0, "x-weak": 50, "weak": 100, "medium": 250, "strong": 500, "x-strong": 1000}
RATES = {"x-slow": 0.5, "slow": 0.8, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.6}
PITCHES = {"x-low": 0.75, "low": 0.87, "medium": 1.0, "default": 1.0, "high": 1.15, "x-high": 1.3}
VOLUMES = {
    "silent": 0.0,
    "x-soft": 15.0,
    "soft": 30.0,
    "medium": 50.0,
    "default": 50.0,
    "loud": 70.0,
    "x-loud": 90.0,
}
ALPHABETS = ("py", "pinyin", "x-pinyin", "cmu", "arpabet", "x-arpabet")
REPLACING = frozenset({"say-as", "phoneme", "sub"})

_TIME = re.compile(r"\+?(\d+(?:\.\d+)?)(ms|s)")
_PERCENT = re.compile(r"([+-]?)(\d+(?:\.\d+)?)%")
_SEMITONES = re.compile(r"([+-]\d+(?:\.\d+)?)st")
_DECIBELS = re.compile(r"([+-]\d+(?:\.\d+)?)dB")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Said:
    """A segment to speak.

    Attributes:
        segment: Its text as it is spoken; its place in the document.
        source: The same text, each character with its place in the document.
        style: How.
        lines_before: Line ends between it and the one before; an element `s` counts as one, `p` as two.
    """

    segment: Segment
    source: AlignedText
    style: Style
    lines_before: int = 0


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence between two segments; `char_end` is where the document stands."""

    ms: int
    char_end: int


Piece = Said | Pause


@dataclass(slots=True)
class _Element:
    name: str
    style: Style
    attributes: Mapping[str, str]
    begins: int  # where it, or the text in it, begins
    text: str = ""


@dataclass(slots=True)
class _Run:
    """Text in one style, on its way through a segmenter."""

    segmenter: Segmenter
    style: Style
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)


class SsmlReader:
    """Push/flush reader of one document. Not thread-safe; one per utterance."""

    def __init__(
        self, style: Style, policy: SegmentPolicy, check: Callable[[Style], None] = lambda _: None
    ) -> None:
        """Begin.

        Args:
            style: Of text that no element changes.
            policy: How text is cut.
            check: Refuses a style that the voice cannot speak in, with a RequestError.
        """
        self._style, self._policy, self._check = style, policy, check
        self._open: list[_Element] = []
        self._pieces: list[Piece] = []
        self._index = 0
        self._document = b""
        self._fed = 0  # characters
        self._finished = False
        self._failed: SsmlError | None = None
        self._run = _Run(Segmenter(policy), style)
        self._lines = 0  # since the last segment
        self._parser = parser = expat.ParserCreate("utf-8")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.ProcessingInstructionHandler = self._refuse_instruction
        if hasattr(parser, "SetReparseDeferralEnabled"):  # what is known must not wait for more
            parser.SetReparseDeferralEnabled(False)

    def push(self, delta: str) -> list[Piece]:
        """Take more of the document; return what is now certain.

        Raises:
            SsmlError: It is not such a document, and will not become one; where and why.
        """
        if self._failed is not None:
            raise self._failed
        raw = delta.encode("utf-8", "replace")
        self._document += raw
        self._fed += len(delta)
        self._parse(raw, is_last=False)
        return self._taken()

    def flush(self) -> list[Piece]:
        """Return what is held back of the text so far as a segment; the document may go on."""
        self._end_run()
        return self._taken()

    def end(self) -> list[Piece]:
        """The document is complete: return the rest.

        Raises:
            SsmlError: It is not complete.
        """
        if self._failed is not None:
            raise self._failed
        if not self._finished:
            self._finished = True
            self._parse(b"", is_last=True)
        self._end_run()
        return self._taken()

    def _parse(self, raw: bytes, *, is_last: bool) -> None:
        try:
            self._parser.Parse(raw, is_last)
        except expat.ExpatError as error:
            self._failed = self._error(expat.ErrorString(error.code), error.lineno, error.offset)
            raise self._failed from None
        except SsmlError as error:
            self._failed = error
            raise

    def _taken(self) -> list[Piece]:
        taken, self._pieces = self._pieces, []
        return taken

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        given = {key: value for key, value in attributes.items() if key not in IGNORED_ATTRIBUTES}
        self._check_place(name)
        allowed = ATTRIBUTES[name]
        for key in given:
            if key not in allowed:
                raise self._error(
                    f"<{name}> has no attribute {key!r}; allowed: {', '.join(sorted(allowed)) or 'none'}"
                )
        style = self._changed(name, given)
        if style != self._current_style or name in {"p", "s"}:
            self._end_run()
            self._note_lines(name)
        if name == "break":
            self._end_run()
            self._pieces.append(Pause(self._pause_ms(given), self._position()))
        self._open.append(_Element(name, style, given, self._position()))

    def _end(self, name: str) -> None:
        element = self._open.pop()
        if name in REPLACING:
            self._say(self._replaced(element), element.begins, max(self._position(), element.begins + 1))
        elif element.style != self._current_style or name in {"p", "s"}:
            self._end_run()
            self._note_lines(name)

    def _text(self, text: str) -> None:
        element = self._open[-1]
        if element.name in REPLACING:
            if not element.text:
                element.begins = self._position()
            element.text += text
            if len(element.text) > MAX_REPLACED_CHARS:
                raise self._error(f"<{element.name}> holds more than {MAX_REPLACED_CHARS} characters")
            return
        start = self._position()
        width = 1
        at = self._parser.CurrentByteIndex
        if len(text) == 1 and self._document[at : at + 1] == b"&":
            raw = self._document[at:].split(b";")[0]
            width = len(raw.decode("utf-8", "replace")) + 1
        plain = re.sub(r"\s", " ", text)  # line breaks are the document's, not the speaker's
        if element.name == "break" and plain.strip():
            raise self._error("<break> holds text; it must be empty")
        self._feed(plain, [(start + index, start + index + width) for index in range(len(plain))])

    def _say(self, text: str, start: int, end: int) -> None:
        self._feed(text, [(start, end)] * len(text))

    def _feed(self, text: str, places: list[tuple[int, int]]) -> None:
        run = self._run
        if not run.starts:
            run.style = self._current_style
        run.starts += [start for start, _ in places]
        run.ends += [end for _, end in places]
        self._emit(run.segmenter.push(text))

    def _end_run(self) -> None:
        self._emit(self._run.segmenter.flush())
        self._run = _Run(Segmenter(self._policy, goes_on=self._index > 0), self._current_style)

    def _emit(self, segments: list[Segment]) -> None:
        for segment in segments:
            span = slice(segment.char_start, segment.char_end)
            source = AlignedText(segment.text, tuple(self._run.starts[span]), tuple(self._run.ends[span]))
            start, end = source.origin(0, len(source.text))
            said = Segment(self._index, segment.text, start, end)
            self._pieces.append(Said(said, source, self._run.style, self._lines))
            self._lines = 0
            self._index += 1

    def _note_lines(self, name: str) -> None:
        self._lines = max(self._lines, LINES_OF.get(name, 0))

    @property
    def _current_style(self) -> Style:
        return self._open[-1].style if self._open else self._style

    def _check_place(self, name: str) -> None:
        parent = self._open[-1].name if self._open else ""
        if not parent and name != "speak":
            raise self._error(f"the document begins with <{name}>; it must begin with <speak>")
        if parent and name == "speak":
            raise self._error("<speak> stands inside another element; it must be the outermost")
        if name not in ATTRIBUTES:
            raise self._error(f"<{name}> is not known; allowed: {', '.join(ATTRIBUTES)}")
        if parent in REPLACING or parent == "break":
            raise self._error(f"<{name}> stands in <{parent}>, which holds no other elements")
        if len(self._open) >= MAX_DEPTH:
            raise self._error(f"more than {MAX_DEPTH} elements inside each other")

    def _changed(self, name: str, given: Mapping[str, str]) -> Style:
        style = self._current_style
        if "rate" in given:
            style = replace(style, speed=style.speed * self._factor(name, "rate", given["rate"], RATES))
        if "pitch" in given:
            style = replace(style, pitch=style.pitch * self._factor(name, "pitch", given["pitch"], PITCHES))
        if "volume" in given:
            style = replace(style, volume=self._volume(name, given["volume"], style.volume))
        if name == "emotion":
            if "category" not in given:
                raise self._error("<emotion> lacks its attribute category")
            intensity = given.get("intensity", "1")
            if not _NUMBER.fullmatch(intensity):
                raise self._error(f"intensity: found {intensity!r}; allowed is a number")
            style = replace(style, emotion=given["category"], emotion_intensity=float(intensity))
        if style != self._current_style:
            try:
                self._check(style)
            except RequestError as error:
                raise self._error(str(error)) from None
        return style

    def _factor(self, name: str, key: str, text: str, names: Mapping[str, float]) -> float:
        if text in names:
            return names[text]
        if match := _PERCENT.fullmatch(text):
            share = float(match[2]) / 100.0
            return {"+": 1.0 + share, "-": 1.0 - share, "": share}[match[1]]
        if key == "pitch" and (match := _SEMITONES.fullmatch(text)):
            return float(2.0 ** (float(match[1]) / 12.0))
        if _NUMBER.fullmatch(text):
            return float(text)
        units = ", semitones like +2st" if key == "pitch" else ""
        raise self._error(
            f"{key} of <{name}>: found {text!r}; allowed: a factor like 1.2, +20%{units}, "
            f"or {', '.join(names)}"
        )

    def _volume(self, name: str, text: str, now: float) -> float:
        if text in VOLUMES:
            return VOLUMES[text]
        if match := _DECIBELS.fullmatch(text):
            return float(min(now * 10.0 ** (float(match[1]) / 20.0), 100.0))
        if _NUMBER.fullmatch(text):
            return float(text)
        raise self._error(
            f"volume of <{name}>: found {text!r}; allowed: 0 to 100, +6dB, or {', '.join(VOLUMES)}"
        )

    def _pause_ms(self, given: Mapping[str, str]) -> int:
        if "time" in given:
            match = _TIME.fullmatch(given["time"].strip())
            ms = round(float(match[1]) * (1000 if match[2] == "s" else 1)) if match else -1
            if not 0 <= ms <= MAX_PAUSE_MS:
                raise self._error(
                    f"time of <break>: found {given['time']!r}; allowed: 0s to {MAX_PAUSE_MS // 1000}s, or ms"
                )
            return ms
        strength = given.get("strength", "medium")
        if strength not in STRENGTHS_MS:
            raise self._error(f"strength of <break>: found {strength!r}; allowed: {', '.join(STRENGTHS_MS)}")
        return STRENGTHS_MS[strength]

    def _replaced(self, element: _Element) -> str:
        text = " ".join(element.text.split())
        if element.name == "sub":
            if "alias" not in element.attributes:
                raise self._error("<sub> lacks its attribute alias")
            return element.attributes["alias"]
        if element.name == "say-as":
            return self._said_as(element.attributes.get("interpret-as", ""), text)
        reading = element.attributes.get("ph", "")
        alphabet = element.attributes.get("alphabet", ALPHABETS[0])
        if alphabet not in ALPHABETS:
            raise self._error(f"alphabet: found {alphabet!r}; allowed: {', '.join(ALPHABETS)}")
        try:
            read_reading(reading)
        except UnspeakableTextError as error:
            raise self._error(f"<phoneme>: {error}") from None
        return f"[[{text}|{reading}]]" if text and not set(text) & set("[]|") else text

    def _said_as(self, kind: str, text: str) -> str:
        rewrite = SAY_AS.get(kind)
        if rewrite is None:
            raise self._error(f"interpret-as: found {kind!r}; allowed: {', '.join(SAY_AS)}")
        return rewrite(text)

    def _refuse_doctype(self, *_: object) -> None:
        raise self._error("a document type declaration is not allowed")

    def _refuse_instruction(self, target: str, _: str) -> None:
        raise self._error(f"the processing instruction {target!r} is not allowed")

    def _position(self) -> int:
        """Return where the parser stands, in characters of the document."""
        return len(self._document[: self._parser.CurrentByteIndex].decode("utf-8", "replace"))

    def _error(self, reason: str, line: int = 0, column: int = -1) -> SsmlError:
        line = line or self._parser.CurrentLineNumber
        column = self._parser.CurrentColumnNumber if column < 0 else column
        return SsmlError(reason, line, column + 1)


def _numbers(read: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: _DIGITS.sub(lambda match: read(match[0]), text)


SAY_AS: Mapping[str, Callable[[str], str]] = {
    "cardinal": _numbers(cardinal),
    "number": _numbers(cardinal),
    "ordinal": _numbers(lambda digits: f"第{cardinal(digits)}"),
    "digits": _numbers(spell),
    "telephone": lambda text: phone(re.sub(r"[\s\-()]", "", text)),
    "id": lambda text: phone(text),
    "characters": lambda text: " ".join(spell(text)),
    "spell-out": lambda text: " ".join(spell(text)),
    "name": lambda text: text,
    "address": lambda text: text,
    "date": lambda text: text,
    "time": lambda text: text,
    "currency": lambda text: text,
    "measure": lambda text: text,
    "fraction": lambda text: text,
    "score": lambda text: text.replace(":", "比"),
}
