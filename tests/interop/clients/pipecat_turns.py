"""Drive pipecat's TTS services in a pipeline: a turn, a long one that is interrupted, the turn after it."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from importlib.metadata import version

import aiohttp
from loguru import logger
from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    Frame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.elevenlabs.tts import ElevenLabsHttpTTSService, ElevenLabsTTSService
from pipecat.services.openai.tts import OpenAITTSService
from pipecat.services.tts_service import TextAggregationMode
from pipecat.workers.runner import WorkerRunner

RATE = 24000
LONG_TEXT = "今天天气很好，我们去公园散步吧。" * 30
WAIT_S = 20


class Sink(FrameProcessor):
    """Keeps what comes down the pipeline, and wakes who waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[Frame] = []
        self.errors: list[str] = []
        self.news = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, (TTSAudioRawFrame, TTSStoppedFrame, TTSTextFrame, InterruptionFrame)):
            self.frames.append(frame)
            self.news.set()
        await self.push_frame(frame, direction)

    async def until(self, kind: type[Frame], start: int) -> None:
        """Wait for a frame of this kind after the first `start` frames."""
        async with asyncio.timeout(WAIT_S):
            while not any(isinstance(frame, kind) for frame in self.frames[start:]):
                self.news.clear()
                await self.news.wait()


class Source(FrameProcessor):
    """Keeps the errors that go up the pipeline."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__()
        self._errors = errors

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, ErrorFrame):
            self._errors.append(frame.error)
        await self.push_frame(frame, direction)


async def say(worker: PipelineWorker, text: str) -> None:
    """Send a turn as a language model writes it."""
    await worker.queue_frame(LLMFullResponseStartFrame())
    for start in range(0, len(text), 4):
        await worker.queue_frame(LLMTextFrame(text[start : start + 4]))
    await worker.queue_frame(LLMFullResponseEndFrame())


async def turns(service: FrameProcessor, text: str) -> dict[str, object]:
    sink = Sink()
    pipeline = Pipeline([Source(sink.errors), service, sink])
    params = PipelineParams(audio_out_sample_rate=RATE)
    worker = PipelineWorker(pipeline, cancel_on_idle_timeout=False, enable_rtvi=False, params=params)
    started = asyncio.Event()

    @worker.event_handler("on_pipeline_started")
    async def _on_started(worker: PipelineWorker, frame: Frame) -> None:
        started.set()

    async def play() -> dict[str, object]:
        await started.wait()
        began_s = time.monotonic()
        await say(worker, text)
        await sink.until(TTSAudioRawFrame, 0)
        first_s = time.monotonic() - began_s
        await sink.until(TTSStoppedFrame, 0)
        whole_s = time.monotonic() - began_s
        n_first = len(sink.frames)
        await say(worker, LONG_TEXT)
        await sink.until(TTSAudioRawFrame, n_first)
        await worker.queue_frame(InterruptionFrame())
        await sink.until(InterruptionFrame, n_first)
        n_second = next(
            i for i, f in enumerate(sink.frames) if i >= n_first and isinstance(f, InterruptionFrame)
        )
        await say(worker, text)
        await sink.until(TTSStoppedFrame, n_second)
        first, second, third = (
            audio(sink.frames[:n_first]),
            audio(sink.frames[n_first:n_second]),
            sink.frames[n_second:],
        )
        await worker.queue_frame(EndFrame())
        return {
            "first": base64.b64encode(first).decode(),
            "interrupted_bytes": len(second),
            "third": base64.b64encode(audio(third)).decode(),
            "third_contexts": len({f.context_id for f in third if isinstance(f, TTSAudioRawFrame)}),
            "words": [[f.text, f.pts] for f in sink.frames[:n_first] if isinstance(f, TTSTextFrame)],
            "first_ms": round(first_s * 1000),
            "whole_ms": round(whole_s * 1000),
            "errors": sink.errors,
        }

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    _, report = await asyncio.gather(runner.run(), play())
    return report


def audio(frames: list[Frame]) -> bytes:
    return b"".join(frame.audio for frame in frames if isinstance(frame, TTSAudioRawFrame))


async def main(port: int, text: str) -> None:
    websocket = {"api_key": "test-key", "url": f"ws://127.0.0.1:{port}", "sample_rate": RATE}
    report: dict[str, object] = {"version": version("pipecat-ai")}
    report["elevenlabs"] = await turns(
        ElevenLabsTTSService(**websocket, settings=ElevenLabsTTSService.Settings(voice="shanquan")), text
    )
    report["elevenlabs_tokens"] = await turns(
        ElevenLabsTTSService(
            **websocket,
            settings=ElevenLabsTTSService.Settings(voice="shanquan", speed=1.0),
            text_aggregation_mode=TextAggregationMode.TOKEN,
        ),
        text,
    )
    async with aiohttp.ClientSession() as session:
        report["elevenlabs_http"] = await turns(
            ElevenLabsHttpTTSService(
                api_key="test-key",
                aiohttp_session=session,
                base_url=f"http://127.0.0.1:{port}",
                sample_rate=RATE,
                settings=ElevenLabsHttpTTSService.Settings(voice="shanquan"),
            ),
            text,
        )
    report["openai"] = await turns(
        OpenAITTSService(api_key="test-key", base_url=f"http://127.0.0.1:{port}/v1"), text
    )
    print(json.dumps(report))


if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
