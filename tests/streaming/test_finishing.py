"""Cancelled segments that are finished in idle time, and segments that lie on a disk: on the fake voice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from streaming.engines.fake import FakeEngine
from streaming.events import AudioReady, Event, Finished, TextPolicy
from streaming.loaded_voice import LoadedVoice
from streaming.scheduling.admission import Admission, AdmissionRules
from streaming.scheduling.cache import SegmentCache
from streaming.scheduling.capacity import Capacity
from streaming.scheduling.finisher import Finisher
from streaming.scheduling.scheduler import Scheduler
from streaming.scheduling.segments import SegmentKey, Spoken
from streaming.scheduling.store import DiskStore
from streaming.types import Style
from streaming.utterance import Utterance
from tests.streaming.doubles import NetworkGate, collect, fake_voice, joined, until

TEXT = "今天天气很好我们去公园走走吧。"


@pytest.fixture
def pool() -> Iterator[Scheduler]:
    scheduler = Scheduler(2)
    yield scheduler
    scheduler.close()


@pytest.fixture
def cache() -> SegmentCache:
    return SegmentCache(10_000_000)


@pytest.fixture
async def finisher(pool: Scheduler) -> AsyncIterator[Finisher]:
    finisher = Finisher(pool, 2)
    yield finisher
    await finisher.close()


def speak(
    voice: LoadedVoice,
    pool: Scheduler,
    cache: SegmentCache,
    finisher: Finisher | None = None,
    text: str = TEXT,
    admission: Admission | None = None,
) -> Utterance:
    utterance = Utterance(
        voice,
        pool,
        style=Style(),
        policy=TextPolicy(),
        cache=cache,
        finisher=finisher,
        admission=admission,
    )
    utterance.append(text)
    utterance.end()
    return utterance


def cached_segments(events: list[Event]) -> int:
    assert isinstance(events[-1], Finished)
    return events[-1].receipt.cached_segments


async def finished(finisher: Finisher) -> None:
    while finisher.n_segments:  # noqa: ASYNC110 -- nothing tells
        await asyncio.sleep(0)


# -- finishing what was cancelled ------------------------------------------------------------


async def test_a_cancelled_segment_is_finished_and_costs_the_next_nothing(
    pool: Scheduler, cache: SegmentCache, finisher: Finisher
):
    expected = joined(await collect(speak(fake_voice(), pool, SegmentCache(0))))
    engine = FakeEngine()
    voice = fake_voice(engine)
    utterance = speak(voice, pool, cache, finisher)
    await until(utterance.events(), AudioReady)
    utterance.cancel()
    await finished(finisher)
    n_calls = len(engine.calls)
    events = await collect(speak(voice, pool, cache, finisher))
    np.testing.assert_array_equal(joined(events), expected)
    assert (cached_segments(events), len(engine.calls)) == (1, n_calls)


async def test_without_a_finisher_it_is_dropped(pool: Scheduler, cache: SegmentCache):
    utterance = speak(fake_voice(), pool, cache)
    await until(utterance.events(), AudioReady)
    utterance.cancel()
    assert (cache.statistics().filling, cache.statistics().entries) == (0, 0)


async def test_a_block_that_runs_while_it_is_cancelled_is_not_lost(cache: SegmentCache):
    gate = NetworkGate("decoder", number=2)
    engine = FakeEngine(before_call=gate)
    pool = Scheduler(1)
    finisher = Finisher(pool, 1)
    utterance = speak(fake_voice(engine), pool, cache, finisher)
    listening = asyncio.create_task(collect(utterance))
    await asyncio.to_thread(gate.reached.wait, 30)
    utterance.cancel()
    await listening
    assert finisher.n_segments == 1
    gate.opened.set()
    await finished(finisher)
    assert engine.calls.count("encoder") == 1
    assert cache.statistics().entries == 1
    pool.close()


async def test_what_was_never_begun_is_not_begun_for_nobody(pool: Scheduler, cache: SegmentCache):
    finisher = Finisher(pool, 8)
    utterance = speak(fake_voice(), pool, cache, finisher)
    utterance.cancel()
    assert await collect(utterance) == []
    assert finisher.n_segments == 0


async def test_a_segment_that_another_listens_to_is_left_to_the_other(
    pool: Scheduler, cache: SegmentCache, finisher: Finisher
):
    voice = fake_voice()
    one, two = (speak(voice, pool, cache, finisher) for _ in range(2))
    await until(one.events(), AudioReady)
    events = two.events()
    await until(events, AudioReady)
    one.cancel()
    assert finisher.n_segments == 0
    two.cancel()
    assert finisher.n_segments == 1
    await finished(finisher)
    assert cache.statistics().entries == 1


async def test_who_asks_for_a_segment_that_is_being_finished_joins_it(cache: SegmentCache):
    gate = NetworkGate("vocoder", number=2)
    engine = FakeEngine(before_call=gate)
    voice, pool = fake_voice(engine), Scheduler(1)
    finisher = Finisher(pool, 1)
    utterance = speak(voice, pool, cache, finisher)
    await until(utterance.events(), AudioReady)
    utterance.cancel()
    await asyncio.to_thread(gate.reached.wait, 30)
    again = asyncio.create_task(collect(speak(voice, pool, cache, finisher)))
    while cache.statistics().shared == 0:  # noqa: ASYNC110 -- nothing tells
        await asyncio.sleep(0)
    gate.opened.set()
    expected = joined(await collect(speak(fake_voice(), pool, SegmentCache(0))))
    np.testing.assert_array_equal(joined(await again), expected)
    assert engine.calls.count("encoder") == 1
    await finisher.close()
    pool.close()


async def test_more_than_the_limit_is_dropped(pool: Scheduler, cache: SegmentCache):
    gate, finisher = NetworkGate("vocoder", number=2), Finisher(pool, 1)
    one = speak(fake_voice(FakeEngine(before_call=gate)), pool, cache, finisher)
    await until(one.events(), AudioReady)
    one.cancel()
    await asyncio.to_thread(gate.reached.wait, 30)
    two = speak(fake_voice(), pool, cache, finisher, text="我们明天再去别的地方看看。")
    await until(two.events(), AudioReady)
    assert cache.statistics().filling == 2
    two.cancel()
    assert (finisher.n_segments, cache.statistics().filling) == (1, 1)
    gate.opened.set()
    await finished(finisher)
    assert cache.statistics().entries == 1


async def test_a_failure_ends_the_finishing_and_the_next_request_begins_anew(
    pool: Scheduler, cache: SegmentCache, finisher: Finisher
):
    voice = fake_voice(FakeEngine(fail_at={"vocoder": 2}))
    utterance = speak(voice, pool, cache, finisher)
    await until(utterance.events(), AudioReady)
    utterance.cancel()
    await finished(finisher)
    assert (cache.statistics().entries, cache.statistics().filling) == (0, 0)
    assert cached_segments(await collect(speak(voice, pool, cache, finisher))) == 0


async def test_closing_gives_up_and_leaves_nothing_behind(cache: SegmentCache):
    gate = NetworkGate("vocoder", number=2)
    pool = Scheduler(1)
    finisher = Finisher(pool, 1)
    utterance = speak(fake_voice(FakeEngine(before_call=gate)), pool, cache, finisher)
    await until(utterance.events(), AudioReady)
    utterance.cancel()
    await asyncio.to_thread(gate.reached.wait, 30)
    await finisher.close()
    gate.opened.set()
    assert (finisher.n_segments, cache.statistics().filling) == (0, 0)
    pool.close()


# -- segments on a disk ----------------------------------------------------------------------


async def test_an_utterance_from_the_disk_is_the_same_and_costs_no_call(pool: Scheduler, tmp_path: Path):
    store = DiskStore(tmp_path, 10_000_000, "1")
    first = await collect(speak(fake_voice(), pool, SegmentCache(10_000_000, store)))
    store.close()
    store, engine = DiskStore(tmp_path, 10_000_000, "1"), FakeEngine()
    second = await collect(speak(fake_voice(engine), pool, SegmentCache(10_000_000, store)))
    np.testing.assert_array_equal(joined(second), joined(first))
    assert [e for e in second[:-1] if not isinstance(e, AudioReady)] == [
        e for e in first[:-1] if not isinstance(e, AudioReady)
    ]
    assert (cached_segments(second), engine.calls) == (1, [])
    store.close()


class Stuck:
    """A disk that never answers."""

    def load(self, key: SegmentKey) -> Future[Spoken | None]:
        return Future()

    def save(self, key: SegmentKey, spoken: Spoken) -> None:
        pass


async def test_a_disk_that_does_not_answer_is_not_waited_for(pool: Scheduler):
    cache = SegmentCache(10_000_000, Stuck())
    events = await asyncio.gather(*(collect(speak(fake_voice(), pool, cache)) for _ in range(2)))
    np.testing.assert_array_equal(joined(events[0]), joined(events[1]))
    assert joined(events[0]).size
    assert cache.statistics().misses == 1


async def test_a_cancel_while_the_disk_is_read_ends_the_utterance(pool: Scheduler):
    cache = SegmentCache(10_000_000, Stuck())
    utterance = speak(fake_voice(), pool, cache, Finisher(pool, 1))
    listening = asyncio.create_task(collect(utterance))
    while cache.statistics().filling == 0:  # noqa: ASYNC110 -- nothing tells
        await asyncio.sleep(0)
    utterance.cancel()
    assert await listening == []
    assert cache.statistics().filling == 0


async def test_what_lies_on_the_disk_needs_no_leave(pool: Scheduler, tmp_path: Path):
    store = DiskStore(tmp_path, 10_000_000, "1")
    await collect(speak(fake_voice(), pool, SegmentCache(10_000_000, store)))
    store.close()
    store = DiskStore(tmp_path, 10_000_000, "1")
    capacity = Capacity(1)
    capacity.note_block("fake", 1000.0, 1.0, first=True)  # no stream can be computed
    admission = Admission(capacity, AdmissionRules())
    cache = SegmentCache(10_000_000, store)
    assert cached_segments(await collect(speak(fake_voice(), pool, cache, admission=admission))) == 1
    assert admission.statistics().refused == 0
    store.close()


# -- what speech cost ------------------------------------------------------------------------


async def test_what_another_paid_for_is_not_counted_as_free_speech(pool: Scheduler, cache: SegmentCache):
    capacity = Capacity(2)
    admission = Admission(capacity, AdmissionRules(policy="off"))
    voice = fake_voice()
    await asyncio.gather(*(collect(speak(voice, pool, cache, admission=admission)) for _ in range(8)))
    alone = joined(await collect(speak(voice, pool, SegmentCache(0)))).size / voice.manifest.sample_rate
    assert 0.0 < capacity.voice("fake").audio_s <= alone + 1e-6
    assert capacity.voice("fake").cpu_s > 0.0
