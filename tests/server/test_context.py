from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any, cast

import numpy as np

from server.context import Context, ContextSettings
from server.framing import CODECS, Frame
from server.lanes import LANE_FRAMES, Outbox
from server.packing import OutputFormat
from streaming.audio.formats import Codec, Encoding
from streaming.errors import OverloadedError
from streaming.events import AudioReady, Event, Finished, SegmentStarted
from streaming.types import Receipt, Segment
from streaming.utterance import Utterance

NO_THREADS = cast(Executor, None)  # PCM needs none
BLOCK = np.zeros(160, np.float32)
RECEIPT = Receipt(
    samples=320,
    chars=2,
    segments=1,
    cached_segments=0,
    ttfc_ms=1.0,
    audible_ttfc_ms=None,
    queue_ms=0.0,
    total_ms=2.0,
    rtf=0.1,
)
SETTINGS = ContextSettings(
    ctx=1,
    label="c1/1",
    voice="fake",
    voice_rate=16_000,
    output=OutputFormat(Encoding(Codec.PCM_S16LE, 16_000), 40, 200),
    words=False,
    phonemes=False,
    visemes=False,
    window_ms=0,
    idle_s=60.0,
)


class TwoBlocks:
    """An utterance of two blocks whose end is known at once."""

    async def prepare(self) -> None: ...

    async def events(self) -> AsyncIterator[Event]:
        yield SegmentStarted(Segment(0, "好。", 0, 2), 0)
        yield AudioReady(BLOCK, 0, 0, last_of_segment=False, cached=False)
        yield AudioReady(BLOCK, BLOCK.size, 0, last_of_segment=True, cached=False)
        yield Finished(RECEIPT)

    def note_first_audio_sent(self) -> None: ...

    def cancel(self) -> None: ...


class SlowSocket:
    """Takes the first audio frame only when the test lets it."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.stuck = asyncio.Event()
        self.go_on = asyncio.Event()

    async def send(self, frame: Frame) -> None:
        self.frames.append(frame)
        if not frame.is_text:
            self.stuck.set()
            await self.go_on.wait()


async def test_frames_that_are_written_after_the_speech_is_over_do_no_harm() -> None:
    socket, ends = SlowSocket(), cast(list[bool], [])
    outbox = Outbox(socket.send, stall_s=60.0, on_stuck=lambda reason: None)
    context = Context(
        SETTINGS,
        cast(Utterance, cast(Any, TwoBlocks())),
        outbox.lane(),
        CODECS["tts.v1.json"],
        ends.append,
        NO_THREADS,
    )
    writer = asyncio.create_task(outbox.run())
    speaking = asyncio.create_task(context.run())
    await socket.stuck.wait()
    for _ in range(20):  # the rest is said meanwhile: the last block and `done` wait in the lane
        await asyncio.sleep(0)
    assert len(context.lane._frames) == LANE_FRAMES
    socket.go_on.set()
    await asyncio.wait([speaking, writer], return_when=asyncio.FIRST_COMPLETED)
    assert speaking.done()
    assert not writer.done()  # the idle timer, which is over, must not end the connection
    assert ends == [False]
    assert [frame.is_text for frame in socket.frames] == [True, False, False, True]
    writer.cancel()


class SlowToLoad(TwoBlocks):
    """An utterance whose voice takes many turns of the event loop to load, in vain."""

    async def prepare(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)
        raise OverloadedError("voice 'slow' is still being loaded", 1000)


async def test_the_idle_timer_does_not_run_while_the_voice_is_loaded() -> None:
    socket = SlowSocket()
    outbox = Outbox(socket.send, stall_s=60.0, on_stuck=lambda reason: None)
    utterance = cast(Utterance, cast(Any, SlowToLoad()))
    settings = replace(SETTINGS, idle_s=0.0)
    context = Context(
        settings, utterance, outbox.lane(), CODECS["tts.v1.json"], lambda failed: None, NO_THREADS
    )
    writer = asyncio.create_task(outbox.run())
    await context.run()
    (frame,) = socket.frames
    assert b'"overloaded"' in frame.payload
    writer.cancel()
