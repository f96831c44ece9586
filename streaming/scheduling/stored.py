"""A spoken segment as bytes, and back.

Input   SegmentKey, Spoken
Output  a digest of the key; bytes that hold exactly the samples, on any machine
State   none
It does not know where the bytes are kept. Reading trusts nothing: whatever is not a segment is an error.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, astuple
from typing import Any
from zlib import crc32

import msgpack
import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from streaming.scheduling.segments import SegmentKey, Spoken
from streaming.types import AudioChunk, FloatArray, IntArray, WordSpan

CHECKSUM_BYTES = 4
FORMAT = 2  # to be raised when older bytes can no longer be read
SAMPLES = np.dtype("<f4")
STARTS = np.dtype("<i8")


class _Layout(BaseModel):
    """What a segment's map holds; samples and starts are little-endian bytes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    format: int
    chunks: list[bytes]
    words: list[list[str | int]]
    starts: bytes


def digest_of(key: SegmentKey, release: str) -> str:
    """Return the name of a segment, of hexadecimal digits, which tells nothing of its text.

    Args:
        key: What it is asked for by. The voice's name is left out: equal contents sound alike.
        release: Version of the code that turns text into sound.
    """
    parts = [FORMAT, release, key.content, key.text, asdict(key.style)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def pack_spoken(spoken: Spoken) -> bytes:
    """Return a segment as bytes: a checksum and a map."""
    fields = {
        "format": FORMAT,
        "chunks": [chunk.samples.astype(SAMPLES, copy=False).tobytes() for chunk in spoken.chunks],
        "words": [astuple(word) for word in spoken.words],
        "starts": spoken.token_start_samples.astype(STARTS, copy=False).tobytes(),
    }
    packed: bytes = msgpack.packb(fields)
    return crc32(packed).to_bytes(CHECKSUM_BYTES) + packed


def unpack_spoken(packed: bytes) -> Spoken:
    """Return the segment that `packed` holds; its arrays are views of the bytes.

    Raises:
        ValueError: It holds none, or one of another format.
    """
    try:
        layout = _Layout.model_validate(msgpack.unpackb(_checked(packed)))
        words = tuple(WordSpan(*_word_fields(word)) for word in layout.words)
        starts: IntArray = np.frombuffer(layout.starts, STARTS)
        chunks = _chunks([np.frombuffer(samples, SAMPLES) for samples in layout.chunks])
    except (ValidationError, ValueError, TypeError, msgpack.UnpackException) as error:
        msg = f"not a stored segment: {error}"
        raise ValueError(msg) from error
    if layout.format != FORMAT:
        msg = f"a stored segment of format {layout.format}; this version reads {FORMAT}"
        raise ValueError(msg)
    n_tokens = starts.size - 1
    if any(not 0 <= word.token_start <= word.token_end <= n_tokens for word in words):
        msg = f"a stored segment with words beyond its {n_tokens} tokens"
        raise ValueError(msg)
    return Spoken(chunks, words, starts)


def _checked(packed: bytes) -> memoryview:
    checksum, rest = packed[:CHECKSUM_BYTES], memoryview(packed)[CHECKSUM_BYTES:]
    if crc32(rest).to_bytes(CHECKSUM_BYTES) != checksum:
        msg = "its checksum does not match"
        raise ValueError(msg)
    return rest


def _word_fields(word: list[str | int]) -> tuple[Any, ...]:
    if [type(field) for field in word] != [str, int, int, int, int, str]:
        msg = f"a word is a text, four numbers and its phones, found {word!r}"
        raise ValueError(msg)
    return tuple(word)


def _chunks(samples: list[FloatArray]) -> tuple[AudioChunk, ...]:
    """Number the samples through and mark the last chunk."""
    chunks, start = [], 0
    for index, array in enumerate(samples):
        chunks.append(AudioChunk(array, start, last=index == len(samples) - 1))
        start += array.size
    return tuple(chunks)
