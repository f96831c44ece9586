"""The seam between families of networks: phonemes in, audio blocks out.

Input   a manifest, an engine that runs its networks, Phonemes and Style
Output  Synthesis: one segment under way, whatever computes it
State   none
A new family is a manifest, a Synthesis and a line here; nothing above this file tells families apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from streaming.manifest import VoiceManifest
from streaming.piper_manifest import PiperManifest
from streaming.sambert_manifest import SambertManifest
from streaming.synthesis.engine import Engine
from streaming.synthesis.piper import PiperSynthesis
from streaming.synthesis.segment import SegmentSynthesis
from streaming.synthesis.steps import Steps
from streaming.types import AudioChunk, IntArray, Phonemes, StageTimes, Style


class Synthesis(Protocol):
    """One segment on its way from phonemes to samples, at most one block per call.

    Not thread-safe, but successive calls may come from different threads. There is nothing to close:
    dropping the last reference frees all state.
    """

    @property
    def token_start_samples(self) -> IntArray:
        """First sample of each token and the end: [n_tokens + 1] int64; known after the first `advance`."""
        ...

    def steps(self) -> Steps[AudioChunk | None]:
        """Say what to compute for the next block, whose samples are the result; None after the last.

        Raises:
            SynthesisError: A result is not a number; the segment cannot go on.
        """
        ...

    def advance(self) -> AudioChunk | None:
        """Compute the next block on this thread; None after the last. Blocking.

        Raises:
            SynthesisError: The runtime failed; the segment cannot go on.
        """
        ...


def new_synthesis(
    engine: Engine,
    voice: VoiceManifest,
    phonemes: Phonemes,
    style: Style,
    *,
    times: StageTimes | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Synthesis:
    """Check the style and return the synthesis of one segment; no network runs yet.

    Raises:
        UnknownVoiceError: The voice has no such speaker or emotion.
        BadRequestError: A factor of the style is out of range.
    """
    if isinstance(voice, SambertManifest):
        return SegmentSynthesis(engine, voice, phonemes, style, times=times, clock=clock)
    if isinstance(voice, PiperManifest):
        return PiperSynthesis(engine, voice, phonemes, style, times=times, clock=clock)
    msg = f"voice {voice.name!r} is of family {voice.family!r}, which nothing here can speak"
    raise TypeError(msg)
