"""Cancelled segments, computed to their end in idle time, so that the next who asks finds them.

Input   readers of segments that nobody listens to any more
Output  none: the cache keeps what is complete
State   one task per segment that is being finished
It does not know why they were cancelled. Whoever asks for such a segment meanwhile joins it, and hurries it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from streaming.errors import StreamError
from streaming.scheduling.cache import SegmentReader
from streaming.scheduling.schedule import NEVER, Tenant
from streaming.scheduling.scheduler import Block, Scheduler
from streaming.synthesis.engine import Engine, NetworkName

logger = logging.getLogger(__name__)


class Finisher:
    """Finishes at most `max_segments` at a time and drops the others. Belongs to one event loop."""

    def __init__(self, scheduler: Scheduler, max_segments: int) -> None:
        self._scheduler = scheduler
        self._max_segments = max_segments
        self._tenant = Tenant("")
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def n_segments(self) -> int:
        """Segments that are being finished."""
        return len(self._tasks)

    def take(self, reader: SegmentReader, engine: Engine, max_rows: Mapping[NetworkName, int]) -> None:
        """Take a reader over and close it at the end, or at once if that is not to be finished.

        Args:
            reader: Its segment is finished if it has been begun and nobody else listens.
            engine: What runs the segment's networks.
            max_rows: See `Block`.
        """
        if self._closed or not reader.is_orphaned or len(self._tasks) >= self._max_segments:
            reader.close()
            return
        task = asyncio.get_running_loop().create_task(self._finish(reader, engine, max_rows))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give up what is not finished."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _finish(
        self, reader: SegmentReader, engine: Engine, max_rows: Mapping[NetworkName, int]
    ) -> None:
        try:
            while not _heard_out(reader):
                under_way = reader.join(NEVER)
                if under_way is None:
                    under_way = await self._scheduler.submit(self._block(reader, engine, max_rows))
                if under_way is not None:
                    await asyncio.wrap_future(under_way)
        except StreamError as error:
            logger.info("a cancelled segment is not finished: %s", error)
        finally:
            reader.close()

    def _block(self, reader: SegmentReader, engine: Engine, max_rows: Mapping[NetworkName, int]) -> Block:
        def hurry(needed_s: float) -> None:
            self._scheduler.hurry(block, needed_s)

        block = Block(
            deadline_s=NEVER,
            tenant=self._tenant,
            idle=True,
            engine=engine,
            max_rows=max_rows,
            steps=reader.steps(hurry),
            abandoned=lambda: reader.abandoned,
        )
        return block


def _heard_out(reader: SegmentReader) -> bool:
    """Pass over what is there; return whether that was all."""
    while reader.ready:
        chunk = reader.next()
        if chunk is None or chunk.last:
            return True
    return False
