"""Segments kept and shared, on work that a test scripts; with real synthesis it is in test_speech.py."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from streaming.engines.fake import FakeEngine
from streaming.errors import SynthesisError, UnspeakableTextError
from streaming.scheduling.cache import SegmentCache, SegmentReader
from streaming.scheduling.segments import CHUNK_BYTES, ENTRY_BYTES, SegmentKey, Spoken
from streaming.synthesis.steps import HostCall, Steps, run_steps
from streaming.types import AudioChunk, FloatArray, IntArray, Style, WordSpan

N_CHUNKS = 5
CHUNK = 100  # samples
STARTS = 16  # bytes of token_start_samples
SEGMENT_BYTES = ENTRY_BYTES + STARTS + N_CHUNKS * (CHUNK_BYTES + 4 * CHUNK)


class Scripted:
    """Five chunks of a ramp; each is one call."""

    def __init__(self, n_chunks: int = N_CHUNKS, fails: Exception | None = None) -> None:
        self.words: tuple[WordSpan, ...] = ()
        self.token_start_samples: IntArray = np.array([0, n_chunks * CHUNK], np.int64)
        self.calls = 0
        self.inside = threading.Lock()
        self._n_chunks = n_chunks
        self._fails = fails

    def steps(self) -> Steps[AudioChunk | None]:
        assert self.inside.acquire(blocking=False), "two readers in one synthesis"
        try:
            return (yield HostCall(self.advance, "decoder_ms"))
        finally:
            self.inside.release()

    def advance(self) -> AudioChunk | None:
        start = self.calls * CHUNK
        self.calls += 1
        if self._fails is not None and self.calls == 2:
            raise self._fails
        if self.calls > self._n_chunks:
            return None
        samples = np.arange(start, start + CHUNK, dtype=np.float32)
        return AudioChunk(samples, start, last=self.calls == self._n_chunks)


class Studio:
    """Makes work and remembers it."""

    def __init__(self, n_chunks: int = N_CHUNKS, fails: Exception | None = None) -> None:
        self.made: list[Scripted] = []
        self._n_chunks, self._fails = n_chunks, fails

    def __call__(self) -> Scripted:
        self.made.append(Scripted(self._n_chunks, self._fails))
        return self.made[-1]

    @property
    def calls(self) -> int:
        return sum(work.calls for work in self.made)


def key(text: str = "你好", voice: str = "a", content: str = "1", **style: object) -> SegmentKey:
    return SegmentKey(voice, content, text, replace(Style(), **style))  # type: ignore[arg-type]


def compute(reader: SegmentReader, hurry: Callable[[float], None] | None = None) -> Future[None] | None:
    """Drive the reader's steps on this thread."""
    return run_steps(FakeEngine(), reader.steps(hurry))


def step(reader: SegmentReader) -> AudioChunk | None:
    """The next chunk, computed if need be."""
    assert compute(reader) is None
    assert reader.ready
    return reader.next()


def drain(reader: SegmentReader) -> FloatArray:
    chunks = []
    while (chunk := step(reader)) is not None:
        chunks.append(chunk.samples)
    reader.close()
    return np.concatenate([np.zeros(0, np.float32), *chunks])


RAMP = np.arange(N_CHUNKS * CHUNK, dtype=np.float32)


@pytest.fixture
def cache() -> SegmentCache:
    return SegmentCache(10 * SEGMENT_BYTES)


# -- what is kept ----------------------------------------------------------------------------


def test_a_finished_segment_is_computed_once_and_heard_again(cache: SegmentCache):
    studio = Studio()
    for _ in range(3):
        np.testing.assert_array_equal(drain(cache.open(key(), studio)), RAMP)
    assert (len(studio.made), studio.calls) == (1, N_CHUNKS)
    found = cache.statistics()
    assert (found.misses, found.hits, found.shared) == (1, 2, 0)
    assert (found.entries, found.filling, found.used_bytes) == (1, 0, SEGMENT_BYTES)


def test_a_kept_segment_is_ready_without_a_call(cache: SegmentCache):
    drain(cache.open(key(), Studio()))
    reader = cache.open(key(), Studio())
    assert reader.ready
    assert reader.join(0.0) is None
    assert reader.n_computed == 0
    np.testing.assert_array_equal(reader.token_start_samples, [0, N_CHUNKS * CHUNK])


def test_a_segment_of_which_nothing_is_heard_is_kept_too(cache: SegmentCache):
    studio = Studio(n_chunks=0)
    for _ in range(2):
        assert drain(cache.open(key(), studio)).size == 0
    assert studio.calls == 1


@pytest.mark.parametrize(
    "other",
    [
        key("再见"), key(voice="b"), key(content="2"), key(speaker="x"), key(emotion="x"),
        key(emotion_intensity=0.5), key(speed=1.1), key(pitch=1.1), key(volume=51.0), key(seed=1),
    ],
    ids=str,
)  # fmt: skip
def test_whatever_changes_the_sound_is_another_segment(cache: SegmentCache, other: SegmentKey):
    drain(cache.open(key(), Studio()))
    studio = Studio()
    drain(cache.open(other, studio))
    assert len(studio.made) == 1


def test_the_segment_that_was_not_asked_for_the_longest_time_makes_room():
    cache = SegmentCache(2 * SEGMENT_BYTES)
    for text in ("one", "two", "one", "three"):
        drain(cache.open(key(text), Studio()))
    found = cache.statistics()
    assert (found.entries, found.evictions, found.used_bytes) == (2, 1, 2 * SEGMENT_BYTES)
    studio = Studio()
    for text in ("one", "three", "two"):
        drain(cache.open(key(text), studio))
    assert len(studio.made) == 1  # two


def test_a_segment_beyond_the_limit_is_not_kept_and_evicts_nothing():
    cache = SegmentCache(SEGMENT_BYTES)
    drain(cache.open(key("small"), Studio()))
    drain(cache.open(key("large"), Studio(n_chunks=N_CHUNKS + 1)))
    assert (cache.statistics().entries, cache.statistics().evictions) == (1, 0)


def test_an_evicted_segment_is_heard_to_its_end():
    cache = SegmentCache(SEGMENT_BYTES)
    drain(cache.open(key("one"), Studio()))
    reader = cache.open(key("one"), Studio())
    drain(cache.open(key("two"), Studio()))
    assert cache.statistics().evictions == 1
    np.testing.assert_array_equal(drain(reader), RAMP)


def test_without_a_limit_nothing_is_kept_or_shared():
    cache, studio = SegmentCache(0), Studio()
    readers = [cache.open(key(), studio) for _ in range(2)]
    for reader in readers:
        np.testing.assert_array_equal(drain(reader), RAMP)
    assert len(studio.made) == 2
    assert (cache.statistics().entries, cache.statistics().filling) == (0, 0)


def test_a_negative_limit_is_refused():
    with pytest.raises(ValueError, match="found -1"):
        SegmentCache(-1)


def test_who_hears_the_samples_cannot_change_them(cache: SegmentCache):
    chunk = step(cache.open(key(), Studio()))
    assert chunk is not None
    with pytest.raises(ValueError, match="read-only"):
        chunk.samples[0] = 1.0


# -- what is shared --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "order", ["0101010101", "0001111100", "012012012012012", "001122001122", "000002222211111"]
)
def test_readers_in_any_order_hear_the_same_of_one_synthesis(cache: SegmentCache, order: str):
    studio = Studio()
    readers = [cache.open(key(), studio) for _ in range(3)]
    heard: list[list[FloatArray]] = [[], [], []]
    for number in map(int, order):
        if (chunk := step(readers[number])) is not None:
            heard[number].append(chunk.samples)
    for reader, chunks in zip(readers, heard, strict=True):
        np.testing.assert_array_equal(np.concatenate([*chunks, drain(reader)]), RAMP)
    assert studio.calls == N_CHUNKS
    assert cache.statistics().shared == 2


def test_a_late_comer_hears_at_once_what_is_there(cache: SegmentCache):
    studio = Studio()
    first = cache.open(key(), studio)
    step(first)
    step(first)
    late = cache.open(key(), studio)
    for _ in range(2):
        assert late.ready
        late.next()
    assert not late.ready
    assert late.n_computed == 0
    step(late)
    assert late.n_computed == 1
    assert first.ready


class Held:
    """A reader's block that a second thread is in, until it is let go."""

    def __init__(self, reader: SegmentReader, work: Scripted) -> None:
        self.reached, self._let_go = threading.Event(), threading.Event()
        self.hurried: list[float] = []
        advance = work.advance

        def held() -> AudioChunk | None:
            self.reached.set()
            assert self._let_go.wait(30)
            return advance()

        work.advance = held  # type: ignore[method-assign]
        self.thread = threading.Thread(target=compute, args=(reader, self.hurried.append))
        self.thread.start()
        assert self.reached.wait(30)

    def let_go(self) -> None:
        self._let_go.set()
        self.thread.join(30)


def test_while_one_reader_computes_the_others_are_told_what_to_wait_for(cache: SegmentCache):
    studio = Studio()
    one, two = (cache.open(key(), studio) for _ in range(2))
    held = Held(one, studio.made[0])
    progress = two.join(0.0)
    assert progress is not None
    assert compute(two) is progress
    assert not progress.cancel()  # it belongs to all
    told: list[bool] = []
    progress.add_done_callback(lambda _: told.append(two.ready))
    held.let_go()
    assert told == [True]
    assert two.n_computed == 0
    assert two.join(0.0) is None


def test_who_joins_a_block_makes_it_hurry(cache: SegmentCache):
    studio = Studio()
    one, two = (cache.open(key(), studio) for _ in range(2))
    assert two.join(7.0) is None  # nothing is under way that could
    held = Held(one, studio.made[0])
    two.join(7.5)
    held.let_go()
    two.join(8.0)
    assert held.hurried == [7.5]


def test_steps_that_are_given_up_end_the_segment_for_those_who_share_it(cache: SegmentCache):
    studio = Studio()
    one, two = (cache.open(key(), studio) for _ in range(2))
    steps = one.steps()
    next(steps)
    progress = two.join(0.0)
    assert progress is not None
    steps.close()
    assert progress.done()
    with pytest.raises(SynthesisError):
        two.next()
    assert cache.statistics().filling == 0


def test_the_first_reader_leaves_and_the_second_goes_on(cache: SegmentCache):
    studio = Studio()
    one, two = (cache.open(key(), studio) for _ in range(2))
    step(one)
    one.close()
    one.close()
    assert not two.abandoned
    np.testing.assert_array_equal(drain(two), RAMP)
    assert cache.statistics().entries == 1


def test_a_segment_that_all_have_left_is_dropped_and_begun_anew(cache: SegmentCache):
    studio = Studio()
    readers = [cache.open(key(), studio) for _ in range(2)]
    step(readers[0])
    for reader in readers:
        reader.close()
    assert all(reader.abandoned for reader in readers)
    assert (cache.statistics().filling, cache.statistics().entries) == (0, 0)
    np.testing.assert_array_equal(drain(cache.open(key(), studio)), RAMP)
    assert len(studio.made) == 2


def test_what_was_computed_for_nobody_is_not_kept(cache: SegmentCache):
    studio = Studio(n_chunks=1)
    reader = cache.open(key(), studio)
    held = Held(reader, studio.made[0])
    reader.close()
    held.let_go()
    assert (cache.statistics().filling, cache.statistics().entries) == (0, 0)
    assert compute(reader) is None  # a call that was queued before it left


def test_an_abandoned_segment_leaves_nothing_behind(cache: SegmentCache):
    studio = Studio()
    reader = cache.open(key(), studio)
    step(reader)
    observer = weakref.ref(studio.made.pop())
    reader.close()
    gc.disable()
    try:
        assert observer() is None  # by its references alone: the state of the networks is large
    finally:
        gc.enable()


# -- failures --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (SynthesisError("vocoder failed"), SynthesisError),
        (UnspeakableTextError("no reading for 'x'"), UnspeakableTextError),
        (ZeroDivisionError("a bug"), SynthesisError),
    ],
    ids=str,
)
def test_a_failure_is_told_to_all_who_share_it_and_not_kept(
    cache: SegmentCache, error: Exception, told: type[Exception]
):
    studio = Studio(fails=error)
    one, two = (cache.open(key(), studio) for _ in range(2))
    step(one)
    with pytest.raises(type(error), match=str(error)):
        compute(one)
    assert two.next() is not None  # what was there is heard
    assert two.ready
    with pytest.raises(told, match=str(error)):
        two.next()
    assert (cache.statistics().entries, cache.statistics().filling) == (0, 0)
    np.testing.assert_array_equal(drain(cache.open(key(), Studio())), RAMP)


def test_a_call_that_fails_is_over_for_those_who_wait(cache: SegmentCache):
    studio = Studio(fails=SynthesisError("failed"))
    one, two = (cache.open(key(), studio) for _ in range(2))
    step(one)
    two.next()
    with pytest.raises(SynthesisError):
        compute(one)
    assert two.join(0.0) is None


def test_audio_whose_words_cannot_be_had_is_a_failure_and_no_gap(cache: SegmentCache):
    studio = Studio()
    one, two = (cache.open(key(), studio) for _ in range(2))
    del studio.made[0].words
    with pytest.raises(AttributeError):
        compute(one)
    with pytest.raises(SynthesisError):
        two.next()


def test_work_that_cannot_be_made_is_not_an_entry(cache: SegmentCache):
    def broken() -> Scripted:
        raise SynthesisError("no work")

    with pytest.raises(SynthesisError, match="no work"):
        cache.open(key(), broken)
    drain(cache.open(key(), Studio()))


# -- forgetting ------------------------------------------------------------------------------


def test_clearing_forgets_a_voice_or_all(cache: SegmentCache):
    for voice, text in (("a", "one"), ("a", "two"), ("b", "one")):
        drain(cache.open(key(text, voice), Studio()))
    assert cache.clear("nobody") == 0
    assert cache.clear("a") == 2
    assert (cache.statistics().entries, cache.statistics().used_bytes) == (1, SEGMENT_BYTES)
    assert cache.clear() == 1
    assert (cache.statistics().entries, cache.statistics().used_bytes) == (0, 0)
    assert cache.statistics().evictions == 0


def test_a_segment_that_is_cleared_under_way_is_heard_but_not_kept(cache: SegmentCache):
    studio = Studio()
    before = cache.open(key(), studio)
    step(before)
    assert cache.clear() == 1
    after = cache.open(key(), studio)
    assert len(studio.made) == 2
    drain(before)
    assert cache.statistics().entries == 0
    drain(after)
    assert cache.statistics().entries == 1


# -- threads ---------------------------------------------------------------------------------


def hear(cache: SegmentCache, studio: Studio, start: Callable[[], object]) -> FloatArray:
    """Listen as an utterance does: compute, or wait for who computes."""
    start()
    reader, chunks = cache.open(key(), studio), []
    while True:
        while not reader.ready:
            if (elsewhere := compute(reader)) is not None:
                elsewhere.result(30)
        if (chunk := reader.next()) is None:
            reader.close()
            return np.concatenate(chunks)
        chunks.append(chunk.samples)


def test_threads_that_start_at_once_share_one_synthesis(cache: SegmentCache):
    n_threads = 8
    with ThreadPoolExecutor(n_threads) as threads:
        for _ in range(30):
            studio, barrier = Studio(), threading.Barrier(n_threads)
            heard = [threads.submit(hear, cache, studio, barrier.wait) for _ in range(n_threads)]
            for future in heard:
                np.testing.assert_array_equal(future.result(30), RAMP)
            assert (len(studio.made), studio.calls) == (1, N_CHUNKS)
            assert cache.clear() == 1
    found = cache.statistics()
    assert found.misses == 30
    assert found.hits + found.shared == 30 * (n_threads - 1)


def test_threads_that_come_leave_and_clear_lose_nothing(cache: SegmentCache):
    """Some leave in the middle, some clear: whoever stays hears everything, and the books balance."""
    n_threads, studio = 6, Studio()

    def churn(number: int) -> None:
        for turn in range(60):
            if (number + turn) % 3 == 0:
                np.testing.assert_array_equal(hear(cache, studio, lambda: None), RAMP)
            elif (number + turn) % 3 == 1:
                reader = cache.open(key(), studio)
                compute(reader)
                reader.close()
            else:
                cache.clear()

    with ThreadPoolExecutor(n_threads) as threads:
        for future in [threads.submit(churn, number) for number in range(n_threads)]:
            future.result(30)
    found = cache.statistics()
    assert found.filling == 0
    assert found.used_bytes == found.entries * SEGMENT_BYTES
    assert found.misses == len(studio.made)


# -- what lies in a store --------------------------------------------------------------------


class Shelf:
    """A store whose reads the test answers."""

    def __init__(self, **known: Spoken) -> None:
        self.known = known
        self.saved: dict[str, Spoken] = {}
        self.loads: list[Future[Spoken | None]] = []
        self.answers_at_once = False

    def load(self, key: SegmentKey) -> Future[Spoken | None] | None:
        if key.text not in self.known:
            return None
        self.loads.append(Future())
        if self.answers_at_once:
            self.loads[-1].set_result(self.known[key.text])
        return self.loads[-1]

    def save(self, key: SegmentKey, spoken: Spoken) -> None:
        self.saved[key.text] = spoken


def ramp() -> Spoken:
    work = Scripted()
    chunks = [chunk for _ in range(N_CHUNKS) if (chunk := work.advance()) is not None]
    return Spoken(chunks, work.words, work.token_start_samples)


def test_what_is_finished_goes_to_the_store_and_what_is_not_does_not():
    shelf = Shelf()
    cache = SegmentCache(10 * SEGMENT_BYTES, shelf)
    drain(cache.open(key("whole"), Studio()))
    cut = cache.open(key("cut"), Studio())
    step(cut)
    cut.close()
    with pytest.raises(SynthesisError):
        drain(cache.open(key("failed"), Studio(fails=SynthesisError("no"))))
    cleared = cache.open(key("cleared"), Studio())
    cache.clear()
    drain(cleared)
    assert list(shelf.saved) == ["whole"]
    np.testing.assert_array_equal(np.concatenate([c.samples for c in shelf.saved["whole"].chunks]), RAMP)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_stored_segment_is_read_once_for_all_and_nothing_is_computed(at_once: bool):
    shelf, studio = Shelf(old=ramp()), Studio()
    shelf.answers_at_once = at_once
    cache = SegmentCache(10 * SEGMENT_BYTES, shelf)
    readers = [cache.open(key("old"), studio) for _ in range(2)]
    if not at_once:
        loading = [reader.loading for reader in readers]
        assert loading[0] is loading[1] is not None
        assert [reader.ready for reader in readers] == [False, False]
        assert not loading[0].cancel()
        shelf.loads[0].set_result(shelf.known["old"])
        assert loading[0].done()
    for reader in readers:
        assert reader.ready
        np.testing.assert_array_equal(drain(reader), RAMP)
        assert reader.n_computed == 0
    drain(cache.open(key("old"), studio))
    assert (studio.calls, len(shelf.loads), shelf.saved) == (0, 1, {})
    found = cache.statistics()
    assert (found.store_hits, found.misses, found.entries) == (1, 0, 1)
    assert found.hits + found.shared == 2


@pytest.mark.parametrize("why", ["gone", "failed", "cancelled", "too slow"])
def test_a_segment_that_cannot_be_read_is_computed(why: str):
    shelf, studio = Shelf(old=ramp()), Studio()
    cache = SegmentCache(10 * SEGMENT_BYTES, shelf)
    one, two = (cache.open(key("old"), studio) for _ in range(2))
    loading = one.loading
    assert loading is not None
    if why == "gone":
        shelf.loads[0].set_result(None)
    elif why == "failed":
        shelf.loads[0].set_exception(OSError("no"))
    elif why == "cancelled":
        shelf.loads[0].cancel()
    else:
        one.stop_loading()
    assert loading.done()
    assert one.loading is two.loading is None
    step(one)
    if why == "too slow":
        shelf.loads[0].set_result(ramp())  # nobody wants it any more
    np.testing.assert_array_equal(drain(two), RAMP)
    assert (studio.calls, cache.statistics().misses, cache.statistics().store_hits) == (N_CHUNKS, 1, 0)


@pytest.mark.parametrize("how", ["left", "cleared"])
def test_what_is_read_for_nobody_is_not_kept(how: str):
    shelf, studio = Shelf(old=ramp()), Studio()
    cache = SegmentCache(10 * SEGMENT_BYTES, shelf)
    reader = cache.open(key("old"), studio)
    if how == "left":
        reader.close()
    else:
        cache.clear()
    shelf.loads[0].set_result(ramp())
    assert cache.statistics().entries == 0
    if how == "cleared":
        np.testing.assert_array_equal(drain(reader), RAMP)  # who listens already, hears it out
    assert cache.statistics().filling == 0


def test_without_memory_the_store_is_left_alone():
    shelf = Shelf(old=ramp())
    drain(SegmentCache(0, shelf).open(key("old"), Studio()))
    assert (shelf.loads, shelf.saved) == ([], {})
