"""An utterance as pieces of audio with the alignment that belongs to each.

Input   a Rendering, and the Aligner that has its text
Output  Chunk, with Flushed and Finished between
State   an alignment that waits for audio: a codec may hold back what a segment begins with
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import cast

from server.elevenlabs.alignment import Aligner, Alignment, joined
from server.rendering import Rendered, Rendering, Sound, pieces
from streaming.events import Finished, Flushed, SegmentStarted, WordsTimed

# Base64 and the alignment of a segment make 64 KiB of it; even, so that no sample is cut.
MAX_CHUNK_BYTES = 32_768


@dataclass(frozen=True, slots=True)
class Chunk:
    """Audio, and the alignment of the segment that begins with it. Only the last may be without audio."""

    data: bytes
    alignment: Alignment | None = None


async def chunks(rendering: Rendering, aligner: Aligner) -> AsyncIterator[Chunk | Flushed | Finished]:
    """Yield what there is to send, in order. Cancel-safe.

    Raises:
        StreamError: See `Rendering.parts`.
    """
    waiting: Alignment | None = None
    parts = cast("AsyncGenerator[Rendered, None]", rendering.parts())
    async with aclosing(parts):
        async for part in parts:
            match part:
                case SegmentStarted():
                    aligner.segment(part)
                case WordsTimed():
                    waiting = joined(waiting, aligner.words(part))
                case Sound():
                    for data in pieces(part.data, MAX_CHUNK_BYTES):
                        yield Chunk(data, waiting)
                        waiting = None
                case Flushed():
                    yield part
                case Finished():
                    rest = joined(waiting, aligner.rest(part.receipt.samples))
                    if rest is not None:
                        yield Chunk(b"", rest)
                    yield part
