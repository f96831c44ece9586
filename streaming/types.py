"""The values that travel through the pipeline, with their axes, units and dtypes.

    text deltas -> Segment -> Phonemes -> MelChunk -> AudioChunk

Arrays inside these values are never changed after construction.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Segment:
    """A sentence, or the first clause of one: the unit that is synthesised independently.

    `char_start`/`char_end` are offsets (Python code points) into the utterance's text as the
    client wrote it; `text` is exactly that slice. Segments of an utterance joined in order,
    with the skipped white space between them, give back the utterance's text.
    """

    index: int
    text: str
    char_start: int
    char_end: int


@dataclass(frozen=True, slots=True)
class WordSpan:
    """A spoken word: where it stands in the segment's own text, and which tokens it became.

    `char_start`/`char_end` are offsets into `Segment.text`; `token_start`/`token_end` index the
    rows of `Phonemes.ids` (the pause token after the word is not included). `phones` are the names of the
    phones that these tokens stand for, one each, parted by spaces; "" where they have none.
    """

    text: str
    char_start: int
    char_end: int
    token_start: int
    token_end: int
    phones: str = ""


@dataclass(frozen=True, slots=True)
class Phonemes:
    """What the frontend made of one segment.

    Attributes:
        tokens: Symbol names, one per token, `sy$tone$syllable_flag$word_segment`
            (sambert-hifigan spec section 3.2, without emotion and speaker).
        ids: [n_tokens, 4] int64, columns sy, tone, syllable_flag, word_segment; no EOS.
        words: Spans in order.
    """

    tokens: tuple[str, ...]
    ids: IntArray
    words: tuple[WordSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class Style:
    """How an utterance is spoken.

    Attributes:
        speaker: A speaker name of the voice; "" is the voice's first.
        emotion: An emotion name of the voice; "" is the voice's first (neutral).
        emotion_intensity: 0.0 to 2.0: distance from neutral (0) through the emotion as learnt (1); only for
            voices with a neutral emotion.
        speed: Speech rate factor, 0.5 to 2.0; 2.0 halves every duration.
        pitch: F0 factor, 0.5 to 2.0; a voice without F0 of its own approaches it as far as it learnt to.
        volume: 0 to 100, linear in amplitude; 50 leaves it as it is, above 50 peaks are soft-limited.
        seed: Seed of the position-addressed noise: same request, same samples.
    """

    speaker: str = ""
    emotion: str = ""
    emotion_intensity: float = 1.0
    speed: float = 1.0
    pitch: float = 1.0
    volume: float = 50.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class MelChunk:
    """Consecutive mel frames of one segment: `frames` is [n_frames, n_features] float32."""

    frames: FloatArray
    start_frame: int


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """Consecutive samples of one segment: `samples` is [n_samples] float32 in [-1, 1]."""

    samples: FloatArray
    start_sample: int
    last: bool


@dataclass(slots=True)
class StageTimes:
    """Compute time per stage in milliseconds, summed over the calls of an utterance."""

    frontend_ms: float = 0.0
    encoder_ms: float = 0.0
    decoder_ms: float = 0.0
    vocoder_ms: float = 0.0
    encode_ms: float = 0.0

    @property
    def total_ms(self) -> float:
        """Compute time of all stages."""
        return self.frontend_ms + self.encoder_ms + self.decoder_ms + self.vocoder_ms + self.encode_ms


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an utterance cost and when it was heard; the definitions are in docs/metrics.md.

    All times in milliseconds. `ttfc_ms`, `audible_ttfc_ms` and `queue_ms` are None when nothing
    was spoken.
    """

    samples: int
    chars: int
    segments: int
    cached_segments: int
    ttfc_ms: float | None
    audible_ttfc_ms: float | None
    queue_ms: float | None
    total_ms: float
    rtf: float | None
    stages: StageTimes = field(default_factory=StageTimes)
