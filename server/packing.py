"""Cut an utterance's audio into frames for the wire.

Input   AudioReady events at the voice's rate
Output  pieces at the output rate, then audio frames with header and coded samples
State   the resampler, the encoder, the frame counter, time spent
It does not know sockets, credit or text. Nothing is held back to fill a frame: pieces are cut, and merged
only where a codec says nothing of the first, so that packing adds no delay beyond that of the codec and the
resampler's 2 ms.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from server.framing import AudioFlags, AudioHeader, Frame, audio_frame
from streaming.audio.encoders import Encoder, open_encoder
from streaming.audio.formats import Encoding
from streaming.audio.resample import UtteranceResampler
from streaming.events import AudioReady
from streaming.types import FloatArray


@dataclass(frozen=True, slots=True)
class Piece:
    """Audio that travels in one frame: `samples` [n] float32 at the output rate, from `start`."""

    samples: FloatArray
    start: int
    segment_index: int
    ends_segment: bool
    cached: bool

    def split(self, n_samples: int) -> tuple[Piece, Piece]:
        """Return the first `n_samples` and the rest; both must be non-empty."""
        assert 0 < n_samples < len(self.samples)
        head = replace(self, samples=self.samples[:n_samples], ends_segment=False)
        tail = replace(self, samples=self.samples[n_samples:], start=self.start + n_samples)
        return head, tail


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """What the client asked for, and how large frames may be."""

    encoding: Encoding
    first_frame_ms: int
    frame_ms: int

    @property
    def rate(self) -> int:
        """Samples per second."""
        return self.encoding.rate


class Packer:
    """Packs one utterance."""

    def __init__(
        self,
        ctx: int,
        voice_rate: int,
        output: OutputFormat,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._ctx = ctx
        self._encoder: Encoder | None = None
        self._output = output
        self._clock = clock
        self._resampler = UtteranceResampler(voice_rate, output.rate)
        self._limit = max(1, output.first_frame_ms * output.rate // 1000)
        self._seq = 0
        self._next = 0
        self._segment_index = 0
        self.encode_s = 0.0

    @property
    def is_untouched(self) -> bool:
        """Whether nothing was coded."""
        return self._encoder is None

    def position(self, sample: int) -> int:
        """Return the output-rate position of a sample of the voice."""
        return self._resampler.position(sample)

    def push(self, audio: AudioReady) -> list[Piece]:
        """Return the pieces that `audio` completes, in order; possibly none."""
        started_s = self._clock()
        outputs = self._resampler.push(audio.samples, audio.start_sample, ends_segment=audio.last_of_segment)
        pieces = [piece for start, samples in outputs for piece in self._cut(audio, start, samples)]
        if audio.last_of_segment and pieces:
            pieces[-1] = replace(pieces[-1], ends_segment=True)
        self.encode_s += self._clock() - started_s
        return pieces

    def code(self, piece: Piece | None) -> bytes:
        """Return what the stream's coded form gains by `piece`, maybe nothing; None ends it.

        A lossy codec takes milliseconds. Blocking; may be called from any one thread at a time.
        """
        started_s = self._clock()
        if self._encoder is None:
            self._encoder = open_encoder(self._output.encoding)
        data = self._encoder.finish() if piece is None else self._encoder.encode(piece.samples)
        self.encode_s += self._clock() - started_s
        return data

    def frame(self, pieces: Sequence[Piece], data: bytes, *, is_last: bool) -> Frame:
        """Return the next frame, with what `pieces` became; `is_last` marks the end of the utterance.

        Without pieces it holds the end of a stream whose samples were all sent before.
        """
        flags = AudioFlags(0)
        if self._seq == 0:
            flags |= AudioFlags.FIRST
        if any(piece.ends_segment for piece in pieces):
            flags |= AudioFlags.LAST_OF_SENTENCE
        if is_last:
            flags |= AudioFlags.LAST
        if pieces and all(piece.cached for piece in pieces):
            flags |= AudioFlags.CACHED
        if pieces:
            self._next = pieces[0].start
            self._segment_index = pieces[-1].segment_index
        n_samples = sum(len(piece.samples) for piece in pieces)
        header = AudioHeader(self._ctx, self._seq, self._next, n_samples, self._segment_index, flags)
        self._next += n_samples
        self._seq += 1
        return audio_frame(header, data)

    def _cut(self, audio: AudioReady, start: int, samples: FloatArray) -> list[Piece]:
        pieces = []
        while len(samples):
            head, samples = samples[: self._limit], samples[self._limit :]
            pieces.append(Piece(head, start, audio.segment_index, ends_segment=False, cached=audio.cached))
            start += len(head)
            self._limit = max(1, self._output.frame_ms * self._output.rate // 1000)
        return pieces
