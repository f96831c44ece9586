"""Text for `say`: standard input as it is written, cut into utterances the server accepts.

Input   a file descriptor; pieces of text
Output  pieces of text; utterances, each an async iterator of pieces
State   an incomplete character, the piece that starts the next utterance
It does not know the server; the limit is given to it.
"""

from __future__ import annotations

import asyncio
import codecs
import os
import threading
from collections.abc import AsyncIterator

READ_BYTES = 65536
WAITING_PIECES = 16  # then the writer of the pipe has to wait
SENTENCE_ENDS = "。！？!?\n…"
SOFT_SHARE = 0.75  # of the limit: from here on, the next sentence end also ends the utterance


async def read_text(descriptor: int) -> AsyncIterator[str]:
    """Yield what is written to `descriptor`, UTF-8, as soon as it is there; bad bytes become U+FFFD.

    A daemon thread reads, because files, pipes and terminals are only alike for blocking reads, and
    because nothing can interrupt such a read: at Ctrl-C it is left behind.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[bytes] = asyncio.Queue(WAITING_PIECES)

    def pump() -> None:
        data = b"-"
        while data:
            try:
                data = os.read(descriptor, READ_BYTES)
            except OSError:
                data = b""
            try:
                asyncio.run_coroutine_threadsafe(queue.put(data), loop).result()
            except (RuntimeError, asyncio.CancelledError):
                return  # the loop has ended: nobody listens any more

    threading.Thread(target=pump, name="stdin", daemon=True).start()
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while data := await queue.get():
        if text := decoder.decode(data):
            yield text
    if text := decoder.decode(b"", final=True):
        yield text


async def whole(text: str) -> AsyncIterator[str]:
    """Yield one text."""
    yield text


class UtteranceFeed:
    """Cuts a stream of text into utterances of at most `max_chars`, at sentence ends if possible."""

    def __init__(self, pieces: AsyncIterator[str], max_chars: int) -> None:
        self._pieces = pieces
        self._max_chars = max_chars
        self._soft_chars = int(max_chars * SOFT_SHARE)
        self._rest = ""

    async def utterances(self) -> AsyncIterator[AsyncIterator[str]]:
        """Yield utterances; consume each to its end before asking for the next."""
        while (first := await self._next_piece()) is not None:
            yield self._utterance(first)

    async def _next_piece(self) -> str | None:
        if self._rest:
            piece, self._rest = self._rest, ""
            return piece
        return await anext(self._pieces, None)

    async def _utterance(self, first: str) -> AsyncIterator[str]:
        n_chars = 0
        piece: str | None = first
        while piece is not None:
            cut = self._cut(piece, n_chars)
            if cut is not None:
                self._rest = piece[cut:]
                yield piece[:cut]
                return
            n_chars += len(piece)
            yield piece
            piece = await self._next_piece()

    def _cut(self, piece: str, n_chars: int) -> int | None:
        """Return where in `piece` the utterance ends, or None if it goes on after it."""
        earliest = max(0, self._soft_chars - n_chars)
        latest = self._max_chars - n_chars
        for index in range(earliest, min(len(piece), latest)):
            if piece[index] in SENTENCE_ENDS:
                return index + 1
        return latest if len(piece) > latest else None
