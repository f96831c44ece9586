"""One utterance as a coded stream: what every protocol but the native one sends.

Input   the events of an Utterance
Output  the same events, with audio as bytes of the encoding
State   resampler, encoder; whether something was sent
It does not know protocols or sockets. Lossy codecs run in threads: a block of audio takes them milliseconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np

from streaming.audio.encoders import Encoder, open_encoder
from streaming.audio.formats import Encoding
from streaming.audio.resample import UtteranceResampler
from streaming.events import AudioReady, Event, Finished, Flushed, SegmentStarted, WordsTimed
from streaming.types import FloatArray
from streaming.utterance import Utterance

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Sound:
    """Coded audio, never empty.

    Attributes:
        data: The next bytes of the stream.
        segment_index: Of the audio that completed them; a codec may hold audio of the one before.
        ends_segment: Whether no more audio of that segment goes into the encoder.
    """

    data: bytes
    segment_index: int
    ends_segment: bool


Rendered = Sound | SegmentStarted | WordsTimed | Flushed | Finished


class Rendering:
    """Speaks an utterance in an encoding. Single consumer, once."""

    def __init__(self, utterance: Utterance, encoding: Encoding, encoders: Executor) -> None:
        self.utterance = utterance
        self.encoding = encoding
        self.voice_rate = utterance.sample_rate
        self._encoders = encoders
        self._resampler = UtteranceResampler(self.voice_rate, encoding.rate)
        self._encoder: Encoder | None = None
        self._last_index = 0
        self._n_samples = 0

    @property
    def audio_s(self) -> float:
        """Seconds of audio that were spoken so far."""
        return self._n_samples / self.voice_rate

    def ms(self, sample: int) -> int:
        """Return the time of a sample of the voice in whole milliseconds."""
        return sample * 1000 // self.voice_rate

    async def parts(self) -> AsyncIterator[Rendered]:
        """Yield what there is to send, in order; ends after `Finished`, or without it after a cancel.

        When the consumer asks for the next part, the one before counts as sent. Cancel-safe: closing the
        iterator, or cancelling its consumer, cancels the utterance.

        Raises:
            StreamError: See `Utterance.events`.
        """
        events = cast("AsyncGenerator[Event, None]", self.utterance.events())
        async with aclosing(events):
            async for event in events:
                match event:
                    case AudioReady():
                        data = await self._coded(event)
                    case Finished():
                        data = await self._rest()
                    case _:
                        data = b""
                if data:
                    ends = not isinstance(event, AudioReady) or event.last_of_segment
                    yield Sound(data, self._last_index, ends)
                    self.utterance.note_first_audio_sent()
                if not isinstance(event, AudioReady):
                    yield event

    async def _coded(self, audio: AudioReady) -> bytes:
        self._last_index = audio.segment_index
        self._n_samples += len(audio.samples)
        outputs = self._resampler.push(audio.samples, audio.start_sample, ends_segment=audio.last_of_segment)
        samples = np.concatenate([samples for _, samples in outputs])
        return await self._run(self._encode, samples)

    async def _rest(self) -> bytes:
        return await self._run(self._finish)

    def _encode(self, samples: FloatArray) -> bytes:
        if self._encoder is None:
            self._encoder = open_encoder(self.encoding)
        return self._encoder.encode(samples)

    def _finish(self) -> bytes:
        if self._encoder is None:
            self._encoder = open_encoder(self.encoding)
        return self._encoder.finish()

    async def _run(self, function: Callable[..., Result], *arguments: FloatArray) -> Result:
        if self.encoding.codec.is_plain:
            return function(*arguments)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._encoders, function, *arguments)


def pieces(data: bytes, max_bytes: int) -> Iterator[bytes]:
    """Cut audio into what fits a message; never an empty one."""
    for start in range(0, len(data), max_bytes):
        yield data[start : start + max_bytes]
