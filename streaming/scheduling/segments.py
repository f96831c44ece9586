"""A spoken segment as a value: what it is asked for by, and what is kept of it.

Input   none
Output  SegmentKey, Spoken; what computes one (Work) and what keeps them beyond this process (Store)
State   none
Not here: who keeps what for how long (cache.py), and how it lies on a disk (store.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from streaming.synthesis.steps import Steps
from streaming.types import AudioChunk, IntArray, Style, WordSpan

# What lies around the samples, by tracemalloc: 2.2 kB for a segment of 8 chunks, and 290 bytes per word.
ENTRY_BYTES = 1000
CHUNK_BYTES = 200
WORD_BYTES = 300


@dataclass(frozen=True, slots=True)
class SegmentKey:
    """Everything that shapes the sound of a segment.

    Attributes:
        voice: Its name, by which entries are cleared.
        content: Digest of what the voice is made of and what runs it.
        text: The segment as the frontend gets it.
        style: With the speaker and the emotion as the voice itself names them.
    """

    voice: str
    content: str
    text: str
    style: Style


@dataclass(frozen=True, slots=True)
class Spoken:
    """A whole segment as it is heard.

    Attributes:
        chunks: Its audio, in order; the last one has `last`, unless there is none to hear.
        words: Its words.
        token_start_samples: First sample of each token and the end: [n_tokens + 1] int64.
    """

    chunks: Sequence[AudioChunk] = ()
    words: tuple[WordSpan, ...] = ()
    token_start_samples: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def n_bytes(self) -> int:
        """What it takes in memory, with all that lies around the samples."""
        audio_bytes = sum(CHUNK_BYTES + chunk.samples.nbytes for chunk in self.chunks)
        words_bytes = WORD_BYTES * len(self.words) + self.token_start_samples.nbytes
        return ENTRY_BYTES + words_bytes + audio_bytes


class Work(Protocol):
    """How one segment is computed, one block at a time; words and starts are known with the first audio."""

    @property
    def words(self) -> tuple[WordSpan, ...]:
        """The segment's words."""
        ...

    @property
    def token_start_samples(self) -> IntArray:
        """First sample of each token and the end: [n_tokens + 1] int64."""
        ...

    def steps(self) -> Steps[AudioChunk | None]:
        """Say what to compute for the next audio; None when nothing (more) is heard."""
        ...


class Store(Protocol):
    """Keeps spoken segments where they survive this process. Nothing here blocks."""

    def load(self, key: SegmentKey) -> Future[Spoken | None] | None:
        """Have a segment read; None when it is not there. The result is None if it cannot be read."""
        ...

    def save(self, key: SegmentKey, spoken: Spoken) -> None:
        """Have a segment written, if that is possible."""
        ...
