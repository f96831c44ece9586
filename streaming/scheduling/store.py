"""Spoken segments on a disk, where they survive the process.

Input   segments that were spoken; keys of those that are wanted
Output  futures of what was found
State   a folder (diskcache: an SQLite index and one file per segment); the digests that it holds; counters
Not here: what is kept in memory, and who waits how long (cache.py).

All reading and writing is done by two threads of its own, one for each, so that neither an event loop nor a
worker waits for a disk, nor a read for the writes before it. Several processes may share a folder.

diskcache would unpickle whatever a folder claims to be a pickle; this store neither writes nor reads any.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diskcache

from streaming.scheduling.segments import SegmentKey, Spoken
from streaming.scheduling.stored import digest_of, pack_spoken, unpack_spoken

logger = logging.getLogger(__name__)

MAX_PENDING = 64  # reads, and writes, that may wait for the disk; more are not even tried
BUSY_S = 5.0  # for another process to leave the index
OUTDATED, LEAST_LISTED = 2, 1000  # so many more names than segments, and they are listed again
PICKLED = 4  # diskcache's mode of a value that is a pickle
FAILURES = (OSError, sqlite3.Error, diskcache.Timeout, ValueError)


@dataclass(frozen=True, slots=True)
class StoreStatistics:
    """What lies on the disk, and what went wrong since the start.

    Attributes:
        entries: Segments that this process knows of.
        used_bytes: What they and the index take.
        limit_bytes: What they may take.
        unwritten: Segments that were not written: the disk was too slow, full or broken.
        unread: Segments that were known and could not be read, or had been evicted.
    """

    entries: int
    used_bytes: int
    limit_bytes: int
    unwritten: int
    unread: int


class _BytesOnly(diskcache.Disk):  # type: ignore[misc]  # untyped
    """Refuses pickles: reading one runs whatever program it is."""

    def get(self, key: Any, raw: bool) -> Any:
        if not raw:
            msg = "the store holds a key that is a pickle"
            raise ValueError(msg)
        return super().get(key, raw)

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
        if mode == PICKLED:
            msg = "the store holds a pickle"
            raise ValueError(msg)
        return super().fetch(mode, filename, value, read)


class DiskStore:
    """Segments in a folder, within a limit of bytes; what was not asked for the longest time goes first.

    Thread-safe. `load` and `save` return at once; `clear`, `statistics` and `close` may take a disk's time.
    """

    def __init__(self, folder: Path, limit_bytes: int, release: str) -> None:
        """Open the folder, which is made if need be. Blocking.

        Args:
            folder: For nothing else than this.
            limit_bytes: What the segments may take, a little more for moments.
            release: Version of the code that turns text into sound; segments of others are not found.

        Raises:
            OSError: The folder cannot be made, read or written.
            sqlite3.Error: Its index is broken.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._limit_bytes = limit_bytes
        self._release = release
        self._cache = diskcache.Cache(
            str(folder),
            timeout=BUSY_S,
            disk=_BytesOnly,
            disk_min_file_size=0,  # every segment is a file
            size_limit=limit_bytes,
            eviction_policy="least-recently-used",
            tag_index=True,
        )
        self._known = self._listed()
        self._cache.close()  # of a cache, each thread has its own connections; this one needs none any more
        self._lock = threading.Lock()  # for what follows and for the names
        self._n_reads = self._n_writes = 0  # pending
        self._unwritten = self._unread = 0
        self._failing = self._closed = False
        self._reader = ThreadPoolExecutor(1, "zhiyin-store-read")
        self._writer = ThreadPoolExecutor(1, "zhiyin-store-write")

    def load(self, key: SegmentKey) -> Future[Spoken | None] | None:
        """Have a segment read; None when it is not there or too many others are being read.

        Returns:
            The segment, or None if it could not be read; the future never fails.
        """
        name = digest_of(key, self._release)
        with self._lock:
            if self._closed or name not in self._known or self._n_reads >= MAX_PENDING:
                return None
            self._n_reads += 1
            return self._reader.submit(self._read, name)

    def save(self, key: SegmentKey, spoken: Spoken) -> None:
        """Have a segment written, unless it is there or too many others wait to be written."""
        name = digest_of(key, self._release)
        with self._lock:
            if self._closed or name in self._known:
                return
            if self._n_writes >= MAX_PENDING:
                self._unwritten += 1
                return
            self._n_writes += 1
            self._writer.submit(self._write, name, key.voice, spoken)

    def clear(self, voice: str | None = None) -> int:
        """Forget the segments of a voice, or all; return how many. Blocking, also for writes that wait."""
        return self._writer.submit(self._clear, voice).result()

    def statistics(self) -> StoreStatistics:
        """Return a snapshot of the counters. Blocking for moments."""
        used_bytes = self._reader.submit(self._measure).result()
        with self._lock:
            return StoreStatistics(
                entries=len(self._known),
                used_bytes=used_bytes,
                limit_bytes=self._limit_bytes,
                unwritten=self._unwritten,
                unread=self._unread,
            )

    def close(self) -> None:
        """Write what waits, then let go of the folder. Blocking, idempotent."""
        with self._lock:
            was_closed, self._closed = self._closed, True
        if not was_closed:
            for thread in (self._reader, self._writer):
                thread.submit(self._cache.close)
                thread.shutdown()

    def _read(self, name: str) -> Spoken | None:
        spoken: Spoken | None = None
        try:
            packed = self._cache.get(name)
            if packed is not None:
                spoken = unpack_spoken(packed)
        except FAILURES as error:
            self._note_failure("read", error)
        else:
            self._failing = False
        with self._lock:
            self._n_reads -= 1
            if spoken is None:
                self._unread += 1
                self._known.discard(name)  # it will be computed, and then written anew
        return spoken

    def _write(self, name: str, voice: str, spoken: Spoken) -> None:
        written, n_entries = False, 0
        try:
            self._cache.set(name, pack_spoken(spoken), tag=voice)
            written = True
            n_entries = len(self._cache)
        except FAILURES as error:
            self._note_failure("written", error)
        else:
            self._failing = False
        with self._lock:
            self._n_writes -= 1
            self._unwritten += not written
            if written:
                self._known.add(name)
            is_outdated = written and len(self._known) > OUTDATED * n_entries + LEAST_LISTED
        if is_outdated:
            self._list_again()

    def _clear(self, voice: str | None) -> int:
        try:
            n_cleared: int = self._cache.clear() if voice is None else self._cache.evict(voice)
        except FAILURES as error:
            self._note_failure("cleared", error)
            n_cleared = 0
        self._list_again()
        return n_cleared

    def _list_again(self) -> None:
        """Forget the names of what is gone: evicted here, or by another process."""
        try:
            names = self._listed()
        except FAILURES as error:
            self._note_failure("listed", error)
            return
        with self._lock:
            self._known = names

    def _listed(self) -> set[str]:
        return {name for name in self._cache.iterkeys() if isinstance(name, str)}

    def _measure(self) -> int:
        try:
            used_bytes: int = self._cache.volume()
        except FAILURES as error:
            self._note_failure("measured", error)
            return 0
        return used_bytes

    def _note_failure(self, what: str, error: BaseException) -> None:
        """Log the first of a row of failures: a full disk fails with every segment."""
        if not self._failing:
            logger.warning("a segment on disk cannot be %s: %s", what, error)
        self._failing = True
