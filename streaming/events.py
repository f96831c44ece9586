"""What an utterance says while it is spoken, and the policy it is spoken by.

All sample offsets count from the start of the utterance at the voice's sample rate; all character
offsets are Python code points of the text as the client wrote it; ends are exclusive.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from streaming.text.lexicon import Lexicon
from streaming.text.pauses import Pauses
from streaming.text.segmenter import SegmentPolicy
from streaming.types import FloatArray, Receipt, Segment

DEFAULT_MAX_CHARS = 20_000  # about an hour of Mandarin speech; longer input is several utterances


@dataclass(frozen=True, slots=True)
class TextPolicy:
    """How text becomes segments.

    Attributes:
        segments: Where the segmenter cuts.
        max_chars: Most characters of one utterance.
        lexicon: Words with readings of their own.
        ssml: Whether it is SSML that is appended.
        pauses: Silence between segments.
        max_delay_ms: Speak an unfinished sentence when nothing came for this long after the last
            append; 0 never does.
    """

    segments: SegmentPolicy = field(default_factory=SegmentPolicy)
    max_chars: int = DEFAULT_MAX_CHARS
    max_delay_ms: int = 0
    lexicon: Lexicon = field(default_factory=Lexicon)
    ssml: bool = False
    pauses: Pauses = field(default_factory=Pauses)


@dataclass(frozen=True, slots=True)
class SegmentStarted:
    """The next audio belongs to this segment. Segments without speech are never started."""

    segment: Segment
    start_sample: int


@dataclass(frozen=True, slots=True)
class WordTime:
    """When a word is heard, and where it stands in the text."""

    text: str
    start_sample: int
    end_sample: int
    char_start: int
    char_end: int
    phones: tuple[tuple[str, int, int], ...] = ()
    """Phone, first sample and end of each; () where the voice's tokens are no phones."""


@dataclass(frozen=True, slots=True)
class WordsTimed:
    """The words of a segment, in order; comes before the segment's first audio."""

    segment_index: int
    words: tuple[WordTime, ...]
    end_sample: int
    """Where the segment ends, with the silence after its last word."""


@dataclass(frozen=True, slots=True)
class AudioReady:
    """Consecutive audio: `samples` [n] float32 in [-1, 1], never empty.

    `cached` says that up to here nothing of the segment was computed for this utterance.
    """

    samples: FloatArray
    start_sample: int
    segment_index: int
    last_of_segment: bool
    cached: bool


@dataclass(frozen=True, slots=True)
class Flushed:
    """All text before this flush has been spoken; `sample` is where the utterance stands."""

    flush_id: int | str
    sample: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The utterance is complete; always the last event."""

    receipt: Receipt


Event = SegmentStarted | WordsTimed | AudioReady | Flushed | Finished
