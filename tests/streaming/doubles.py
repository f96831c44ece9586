"""Stand-ins that several tests of the core share: a frontend without dictionaries, tokens by hand."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from streaming.engines.choice import EnginePlan
from streaming.engines.fake import FakeEngine, fake_manifest
from streaming.errors import UnspeakableTextError
from streaming.events import AudioReady, Event
from streaming.loaded_voice import LoadedVoice
from streaming.scheduling.schedule import Tenant
from streaming.scheduling.scheduler import Block, Scheduler
from streaming.synthesis.engine import Engine, NetworkName
from streaming.synthesis.segment import SegmentSynthesis
from streaming.synthesis.steps import HostCall, Steps
from streaming.types import AudioChunk, FloatArray, Phonemes, WordSpan
from streaming.utterance import Utterance
from streaming.voice import MANIFEST_NAME, dump_manifest, load_manifest

VOICES = Path(__file__).parents[1] / "data" / "voices"
EVERYBODY = Tenant("")
SENTENCE_END = 143  # id of the pause token #4


def phonemes(*sy_ids: int) -> Phonemes:
    """Tokens with these phone ids and otherwise plain features."""
    ids = np.array([[sy, sy % 3, 0, 3] for sy in sy_ids], np.int64).reshape(-1, 4)
    return Phonemes(tuple(f"token{sy}" for sy in sy_ids), ids)


class CharFrontend:
    """Two tokens per letter and a pause at the end; refuses あ, and has nothing to say about punctuation."""

    def phonemes(self, text: str) -> Phonemes | None:
        if "あ" in text:
            raise UnspeakableTextError("the voice has no reading for 'あ'")
        letters = [(offset, char) for offset, char in enumerate(text) if char.isalnum()]
        if not letters:
            return None
        sy_ids = [sy for _, char in letters for sy in (ord(char) % 60, ord(char) // 7 % 60)]
        words = tuple(
            WordSpan(char, offset, offset + 1, 2 * index, 2 * index + 2)
            for index, (offset, char) in enumerate(letters)
        )
        tokens = phonemes(*sy_ids, SENTENCE_END)
        return Phonemes(tokens.tokens, tokens.ids, words)


def fake_voice(engine: Engine | None = None) -> LoadedVoice:
    return LoadedVoice(fake_manifest(), FakeEngine() if engine is None else engine, CharFrontend())


def write_bundle(parent: Path, name: str, **fields: object) -> Path:
    """A folder that is listed as a voice; it has no networks, and `load_fake` loads it."""
    folder = parent / name
    folder.mkdir(parents=True, exist_ok=True)
    manifest = fake_manifest(name).model_copy(update=fields)
    (folder / MANIFEST_NAME).write_text(dump_manifest(manifest), encoding="utf-8")
    return folder


def load_fake(folder: Path, plan: EnginePlan | None = None) -> LoadedVoice:
    return LoadedVoice(load_manifest(folder), FakeEngine(), CharFrontend())


@dataclass
class GatedLoad:
    """Loads fake voices; the one called `gated` only when the test opens the gate."""

    gated: str = "slow"
    opened: threading.Event = field(default_factory=threading.Event)
    reached: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None
    loads: list[str] = field(default_factory=list)

    def __call__(self, folder: Path, plan: EnginePlan) -> LoadedVoice:
        self.loads.append(folder.name)
        if folder.name == self.gated:
            self.reached.set()
            assert self.opened.wait(30)
            if self.error is not None:
                raise self.error
        return load_fake(folder)


@dataclass
class NetworkGate:
    """Holds an engine at the n-th call of a network, in its worker thread, until it is opened."""

    network: NetworkName
    number: int = 1
    opened: threading.Event = field(default_factory=threading.Event)
    reached: threading.Event = field(default_factory=threading.Event)

    def __call__(self, network: NetworkName) -> None:
        if network == self.network:
            self.number -= 1
            if self.number == 0:
                self.reached.set()
                assert self.opened.wait(30)


def drain(synthesis: SegmentSynthesis) -> list[AudioChunk]:
    chunks = []
    while (chunk := synthesis.advance()) is not None:
        chunks.append(chunk)
    return chunks


def joined(chunks: Iterable[AudioChunk | Event]) -> FloatArray:
    """The audio among chunks or events, checked to be without gap or overlap within each segment."""
    audio = [chunk for chunk in chunks if isinstance(chunk, AudioChunk | AudioReady)]
    position = 0
    for chunk in audio:
        assert chunk.start_sample == position
        position += chunk.samples.size
    return np.concatenate([np.zeros(0, np.float32), *(chunk.samples for chunk in audio)])


async def collect(utterance: Utterance) -> list[Event]:
    return [event async for event in utterance.events()]


async def until(events: AsyncIterator[Event], kind: type[Event]) -> Event:
    """The next event of this kind."""
    async for event in events:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"the utterance ended without {kind}")


def calling(function: Callable[[], Any], deadline_s: float = 0.0, **fields: Any) -> Block:
    """A block that consists of one call of `function`, whose result is the block's."""

    def steps() -> Steps[Any]:
        return (yield HostCall(function, "frontend_ms"))

    values: dict[str, Any] = {"tenant": EVERYBODY, "engine": FakeEngine(), "steps": steps(), **fields}
    return Block(deadline_s=deadline_s, **values)


async def called(scheduler: Scheduler, function: Callable[[], Any]) -> Any:
    """Wait until the scheduler has come round to calling `function`, which is due, but after all else."""
    return await scheduler.submit(calling(function, deadline_s=1.0))


async def at_rest(scheduler: Scheduler) -> None:
    """Wait until no call runs: results are told a moment before the books are closed."""
    while scheduler.statistics().running:  # noqa: ASYNC110 -- nothing tells
        await asyncio.sleep(0)


async def settle(turns: int = 20) -> None:
    """Let everything that can run on the event loop run."""
    for _ in range(turns):
        await asyncio.sleep(0)
