"""Segments that were spoken, kept while memory lasts, and those being spoken, shared while they are filled.

Input   keys of segments, and for a segment that nobody has spoken yet, what says how to compute it
Output  SegmentReader: the segment's audio block by block, whoever had it computed
State   finished segments, least recently used first; segments under way; counters
Not here: text, voices, event loops. Which thread computes and who is notified is the callers' matter.

A segment that memory lacks may lie in a store (a disk). It is read while its readers wait, as they would wait
for the block of another reader; if reading takes too long for one of them, it is computed after all.

Readers of one segment share one synthesis. Nobody drives it: a reader that has heard all there is has
the next block computed, for all, and the others wait for that block without taking a thread. So a shared
segment is never computed ahead of its fastest reader, and ends with its last one.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from streaming.errors import SynthesisError, UnspeakableTextError
from streaming.scheduling.segments import SegmentKey, Spoken, Store, Work
from streaming.synthesis.steps import Steps
from streaming.types import AudioChunk, IntArray, WordSpan

Hurry = Callable[[float], None]
"""Tells whoever computes a block that somebody needs it by a time."""


@dataclass(frozen=True, slots=True)
class CacheStatistics:
    """Counters since the start, and what is held now.

    Attributes:
        hits: Segments that were there from beginning to end when they were asked for.
        store_hits: Segments that came from the store.
        shared: Segments that were joined while another request had them computed.
        misses: Segments that were computed from their beginning.
        evictions: Finished segments that made room for others.
        entries: Finished segments that are held.
        filling: Segments under way.
        used_bytes: What the finished segments take.
        limit_bytes: What they may take.
    """

    hits: int
    store_hits: int
    shared: int
    misses: int
    evictions: int
    entries: int
    filling: int
    used_bytes: int
    limit_bytes: int


@dataclass(slots=True, eq=False)
class _Entry:
    """One segment. The cache's lock guards every change; a chunk is there before `over` is set."""

    key: SegmentKey
    work: Work | None = None  # None once it is over, so that the state of the networks is freed
    chunks: list[AudioChunk] = field(default_factory=list)
    words: tuple[WordSpan, ...] = ()
    token_start_samples: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    progress: Future[None] | None = None  # while a block or a read is under way; done when it ends
    loading: bool = False  # it is a read from the store
    hurry: Hurry | None = None  # that block
    over: bool = False  # no more chunks come
    error: Exception | None = None  # why; itself never raised
    n_readers: int = 0

    @property
    def spoken(self) -> Spoken:
        """All there is of it until now."""
        return Spoken(self.chunks, self.words, self.token_start_samples)


class SegmentReader:
    """One listener of a segment. Steps are driven by worker threads; nothing here blocks."""

    def __init__(self, cache: SegmentCache, entry: _Entry) -> None:
        self._cache = cache
        self._entry = entry
        self._position = 0
        self._closed = False
        self.n_computed = 0
        """Blocks of the segment that were computed at this reader's expense."""

    @property
    def ready(self) -> bool:
        """Whether `next` has an answer."""
        return self._position < len(self._entry.chunks) or self._entry.over

    def join(self, deadline_s: float) -> Future[None] | None:
        """Return the block of another reader that computes the next chunk, if one does, and have it hurry.

        It is done when that block ends. Cannot be cancelled.
        """
        with self._cache.lock:
            progress, hurry = self._entry.progress, self._entry.hurry
        if progress is not None and hurry is not None:
            hurry(deadline_s)
        return progress

    @property
    def loading(self) -> Future[None] | None:
        """Return the read from the store that is under way; done when it ends. Cannot be cancelled."""
        with self._cache.lock:
            return self._entry.progress if self._entry.loading else None

    def stop_loading(self) -> None:
        """Have the segment computed instead, if it is still being read: for all who listen."""
        self._cache.note_loaded(self._entry, None)

    @property
    def words(self) -> tuple[WordSpan, ...]:
        """The segment's words; known with the first chunk."""
        return self._entry.words

    @property
    def token_start_samples(self) -> IntArray:
        """First sample of each token and the end, [n_tokens + 1] int64; known with the first chunk."""
        return self._entry.token_start_samples

    def next(self) -> AudioChunk | None:
        """Return the next chunk, None after the last; call it when `ready`.

        Raises:
            UnspeakableTextError: The voice cannot pronounce the segment.
            SynthesisError: The synthesis failed, at whoever's expense.
        """
        entry = self._entry
        if self._position < len(entry.chunks):
            self._position += 1
            return entry.chunks[self._position - 1]
        if entry.error is not None:
            raise _told_again(entry.error)
        return None

    @property
    def abandoned(self) -> bool:
        """Whether nobody listens to the segment any more: what is under way may then stop."""
        return self._entry.n_readers == 0

    @property
    def is_orphaned(self) -> bool:
        """Whether the segment has been begun, is not over, and this reader is its only one."""
        with self._cache.lock:
            entry = self._entry
            begun = bool(entry.chunks) or entry.progress is not None
            return begun and not (entry.over or entry.loading or self._closed) and entry.n_readers == 1

    def steps(self, hurry: Hurry | None = None) -> Steps[Future[None] | None]:
        """Have the next chunk computed, unless it is there or another reader is at it.

        Args:
            hurry: Called from any thread while the steps are under way, when another reader joins.

        Returns:
            The other reader's block, to be waited for; None when this one is `ready`.

        Raises:
            Exception: What the work raised. Readers that share it hear of it from `next`.
        """
        entry, cache = self._entry, self._cache
        with cache.lock:
            if self.ready:
                return None
            if entry.progress is not None:
                return entry.progress
            work, progress = entry.work, _running_future()
            assert work is not None  # it is not over
            entry.progress, entry.hurry = progress, hurry
            self.n_computed += 1
        try:
            cache.note_chunk(entry, work, (yield from work.steps()))
        except BaseException as error:
            cache.note_failure(entry, error)
            raise
        finally:
            progress.set_result(None)
        return None

    def close(self) -> None:
        """Leave. A segment that nobody listens to any more stops, and is kept only if it is complete."""
        if not self._closed:
            self._closed = True
            self._cache.note_left(self._entry)


class SegmentCache:
    """Finished segments within a limit of bytes, and segments that are shared while they are computed.

    Thread-safe. What readers hold stays theirs when it is evicted or cleared.
    """

    def __init__(self, limit_bytes: int, store: Store | None = None) -> None:
        """Take what the finished segments may take together, and what keeps them beyond that.

        Args:
            limit_bytes: In memory; 0 keeps and shares nothing.
            store: Where finished segments are written, and looked for when memory lacks them.
        """
        if limit_bytes < 0:
            msg = f"limit_bytes must not be negative, found {limit_bytes}"
            raise ValueError(msg)
        self.lock = threading.Lock()
        """Guards all entries; held for moments, never while anything is computed."""
        self._limit_bytes = limit_bytes
        self._store = store if limit_bytes else None
        self._filling: dict[SegmentKey, _Entry] = {}
        self._finished: OrderedDict[SegmentKey, _Entry] = OrderedDict()
        self._used_bytes = 0
        self._hits = self._store_hits = self._shared = self._misses = self._evictions = 0

    def open(self, key: SegmentKey, new_work: Callable[[], Work]) -> SegmentReader:
        """Return a reader of the segment, which starts at its beginning; close it when done.

        Args:
            key: What is spoken, and how.
            new_work: Makes what says how to compute the segment, if nobody has begun to. Must be cheap.
        """
        with self.lock:
            entry = self._known(key)
            is_new = entry is None
            if entry is None:
                entry = self._begun(key, new_work)
            entry.n_readers += 1
            load = self._begin_to_load(entry) if is_new else None
        if load is not None:  # outside of the lock: it may be done already, and note_loaded takes the lock
            load.add_done_callback(partial(self._take_loaded, entry))
        return SegmentReader(self, entry)

    def statistics(self) -> CacheStatistics:
        """Return a snapshot of the counters."""
        with self.lock:
            return CacheStatistics(
                hits=self._hits,
                store_hits=self._store_hits,
                shared=self._shared,
                misses=self._misses,
                evictions=self._evictions,
                entries=len(self._finished),
                filling=len(self._filling),
                used_bytes=self._used_bytes,
                limit_bytes=self._limit_bytes,
            )

    def clear(self, voice: str | None = None) -> int:
        """Forget the segments of a voice, or all; return how many.

        Segments under way are heard to their end by those who listen, but nobody joins them any more.
        """
        with self.lock:
            n_cleared = 0
            for entries in (self._filling, self._finished):
                for key in [key for key in entries if voice in (None, key.voice)]:
                    del entries[key]
                    n_cleared += 1
            self._used_bytes = sum(entry.spoken.n_bytes for entry in self._finished.values())
            return n_cleared

    def note_chunk(self, entry: _Entry, work: Work, chunk: AudioChunk | None) -> None:
        """For readers: take what a block computed, None if there was nothing more."""
        with self.lock:
            entry.progress = entry.hurry = None
            if chunk is not None:
                chunk.samples.setflags(write=False)  # others will hear them
                if not entry.chunks:
                    entry.words, entry.token_start_samples = work.words, work.token_start_samples
                entry.chunks.append(chunk)
            finished = (chunk is None or chunk.last) and self._end(entry)
            if finished:
                self._keep(entry)
        if finished and self._store is not None:
            self._store.save(entry.key, entry.spoken)

    def note_failure(self, entry: _Entry, error: BaseException) -> None:
        """For readers: a block failed, and with it the segment; the next request begins anew."""
        with self.lock:
            entry.progress = entry.hurry = None
            entry.error = _told_again(error)
            self._end(entry)

    def note_loaded(self, entry: _Entry, spoken: Spoken | None) -> None:
        """Take what the store had; with None the readers have the segment computed. Idempotent."""
        with self.lock:
            if not entry.loading:
                return
            entry.loading = False
            progress, entry.progress = entry.progress, None
            if spoken is None:
                self._misses += 1
            elif not entry.over:  # then nobody waits for it any more
                self._store_hits += 1
                entry.chunks = list(spoken.chunks)
                entry.words, entry.token_start_samples = spoken.words, spoken.token_start_samples
                if self._end(entry):
                    self._keep(entry)
        assert progress is not None  # it was loading
        progress.set_result(None)

    def note_left(self, entry: _Entry) -> None:
        """For readers: one has left."""
        with self.lock:
            entry.n_readers -= 1
            if entry.n_readers == 0 and not entry.over:
                self._end(entry)

    def _known(self, key: SegmentKey) -> _Entry | None:
        if key in self._finished:
            self._hits += 1
            self._finished.move_to_end(key)
            return self._finished[key]
        if key in self._filling:
            self._shared += 1
        return self._filling.get(key)

    def _begun(self, key: SegmentKey, new_work: Callable[[], Work]) -> _Entry:
        entry = _Entry(key, new_work())
        if self._limit_bytes:
            self._filling[key] = entry
        return entry

    def _begin_to_load(self, entry: _Entry) -> Future[Spoken | None] | None:
        load = None if self._store is None else self._store.load(entry.key)
        if load is None:
            self._misses += 1
        else:
            entry.progress, entry.loading = _running_future(), True
        return load

    def _take_loaded(self, entry: _Entry, load: Future[Spoken | None]) -> None:
        self.note_loaded(entry, None if load.cancelled() or load.exception() else load.result())

    def _end(self, entry: _Entry) -> bool:
        """Note that nothing more comes; return whether the segment could still be joined until now."""
        entry.over = True
        entry.work = None
        was_open = self._filling.get(entry.key) is entry  # not if it was cleared, or sharing is off
        if was_open:
            del self._filling[entry.key]
        return was_open

    def _keep(self, entry: _Entry) -> None:
        n_bytes = entry.spoken.n_bytes
        if n_bytes > self._limit_bytes:
            return
        self._finished[entry.key] = entry
        self._used_bytes += n_bytes
        while self._used_bytes > self._limit_bytes:
            _, oldest = self._finished.popitem(last=False)
            self._used_bytes -= oldest.spoken.n_bytes
            self._evictions += 1


def _running_future() -> Future[None]:
    """Return a future that nobody who waits for it can cancel for the others."""
    future = Future[None]()
    future.set_running_or_notify_cancel()
    return future


def _told_again(error: BaseException) -> Exception:
    """Return a new error of the same meaning: one that was raised holds the frames that it came through."""
    if isinstance(error, UnspeakableTextError):
        return UnspeakableTextError(*error.args)
    return SynthesisError(str(error))
