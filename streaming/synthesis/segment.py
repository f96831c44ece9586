"""One segment from phonemes to samples: the acoustic and the vocoder stream on one grid.

Input   Phonemes, Style; an Engine that any number of segments share
Output  AudioChunk per block of the grid, in order
State   everything a segment needs; nothing is shared between segments
Not here: threads, deadlines, clients. `steps` says what to compute; `advance` computes it, blocking.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from streaming.sambert_manifest import SambertManifest
from streaming.synthesis.acoustic import AcousticStream
from streaming.synthesis.engine import Engine
from streaming.synthesis.grid import Grid
from streaming.synthesis.steps import Steps, run_steps
from streaming.synthesis.vocoder import VocoderStream
from streaming.synthesis.volume import with_volume
from streaming.types import AudioChunk, IntArray, Phonemes, StageTimes, Style


def grid_of(voice: SambertManifest) -> Grid:
    """Return the grid that a voice's manifest defines."""
    return Grid(
        block_frames=voice.block_frames,
        outputs_per_step=voice.acoustic.outputs_per_step,
        postnet_delay_frames=voice.acoustic.postnet_delay_frames,
        flush_frames=0 if voice.vocoder.takes_edges else voice.vocoder.lookahead_frames,
    )


class SegmentSynthesis:
    """Synthesises one segment, at most one vocoder block per call.

    Not thread-safe, but successive calls may come from different threads. There is nothing to
    close: dropping the last reference frees all state.
    """

    def __init__(
        self,
        engine: Engine,
        voice: SambertManifest,
        phonemes: Phonemes,
        style: Style,
        *,
        times: StageTimes | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Check the style; no network runs yet.

        Raises:
            UnknownVoiceError: The voice has no such speaker or emotion.
            BadRequestError: A factor of the style is out of range.
        """
        voice.check_style(style)
        self.times = StageTimes() if times is None else times  # an utterance sums over its segments
        self._engine = engine
        self._voice = voice
        self._style = style
        self._clock = clock
        self._grid = grid_of(voice)
        self._acoustic = AcousticStream(voice, phonemes, style)
        self._vocoder: VocoderStream | None = None
        self._next_block = 0
        self._n_blocks = 0

    @property
    def encoded(self) -> bool:
        """Whether the durations are known: true after the first `advance`."""
        return self._vocoder is not None

    @property
    def n_samples(self) -> int:
        """Length of the segment in samples; known after the first `advance`."""
        return self._acoustic.plan.n_frames * self._voice.hop_length

    @property
    def token_start_samples(self) -> IntArray:
        """First sample of each token and the end: [n_tokens + 1] int64; known after the first `advance`."""
        return self._acoustic.plan.token_start_frames() * self._voice.hop_length

    def advance(self) -> AudioChunk | None:
        """Compute the next block on this thread: `steps` with one call after the other.

        Raises:
            SynthesisError: The runtime failed; the segment cannot go on.
        """
        return run_steps(self._engine, self.steps(), self.times, self._clock)

    def steps(self) -> Steps[AudioChunk | None]:
        """Say what to compute for the next block.

        The first time that includes the encoder. A segment without any frame yields one empty last
        chunk.

        Returns:
            The next samples of the segment, or None after the last.

        Raises:
            SynthesisError: A result is not a number; the segment cannot go on.
        """
        vocoder = self._vocoder or (yield from self._encode())
        n_frames = self._acoustic.plan.n_frames
        if self._next_block >= self._n_blocks:
            return None
        plan = self._grid.block(self._next_block)
        self._next_block += 1
        if n_frames == 0:
            return AudioChunk(np.zeros(0, np.float32), 0, last=True)
        vocoder.push((yield from self._acoustic.frames(plan)))
        chunk = yield from vocoder.block(plan)
        return AudioChunk(with_volume(chunk.samples, self._style.volume), chunk.start_sample, chunk.last)

    def _encode(self) -> Steps[VocoderStream]:
        plan = yield from self._acoustic.encode()
        self._n_blocks = max(self._grid.n_blocks(plan.n_frames), 1)  # no frames: one empty chunk
        self._vocoder = VocoderStream(self._voice, self._style, plan.n_frames)
        return self._vocoder
