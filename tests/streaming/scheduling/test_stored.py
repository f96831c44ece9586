"""Spoken segments as bytes: exactly the samples come back, and nothing else is taken for a segment."""

from __future__ import annotations

import pickle
from dataclasses import fields, replace
from typing import Any
from zlib import crc32

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.scheduling.segments import SegmentKey, Spoken
from streaming.scheduling.stored import CHECKSUM_BYTES, digest_of, pack_spoken, unpack_spoken
from streaming.types import AudioChunk, Style, WordSpan

KEY = SegmentKey("a", "1", "你好", Style())


def spoken(*sizes: int, n_words: int = 2) -> Spoken:
    chunks, start = [], 0
    for size in sizes:
        samples = np.random.default_rng(start).standard_normal(size).astype(np.float32)
        chunks.append(AudioChunk(samples, start, last=start + size == sum(sizes)))
        start += size
    words = tuple(
        WordSpan(f"词{index}", index, index + 1, index, index + 1, "c_c i_c") for index in range(n_words)
    )
    return Spoken(chunks, words, np.linspace(0, start, n_words + 1).astype(np.int64))


def same(one: Spoken, other: Spoken) -> bool:
    return (
        [chunk.samples.tobytes() for chunk in one.chunks]
        == [chunk.samples.tobytes() for chunk in other.chunks]
        and [(c.start_sample, c.last) for c in one.chunks] == [(c.start_sample, c.last) for c in other.chunks]
        and one.words == other.words
        and one.token_start_samples.tolist() == other.token_start_samples.tolist()
    )


@pytest.mark.parametrize("sizes", [(), (1,), (600, 1600, 3200, 3200, 17)])
def test_what_comes_back_is_the_same_to_the_bit(sizes: tuple[int, ...]):
    before = spoken(*sizes)
    after = unpack_spoken(pack_spoken(before))
    assert same(before, after)
    assert all(chunk.samples.dtype == np.float32 for chunk in after.chunks)
    assert after.token_start_samples.dtype == np.int64


def test_what_came_back_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        unpack_spoken(pack_spoken(spoken(8))).chunks[0].samples[0] = 1.0


GOOD: dict[str, Any] = msgpack.unpackb(pack_spoken(spoken(4, 4))[CHECKSUM_BYTES:])


def sealed(fields: object) -> bytes:
    """Bytes with the right checksum."""
    packed: bytes = msgpack.packb(fields)
    return crc32(packed).to_bytes(CHECKSUM_BYTES) + packed


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"\xc1",
        b"RIFF....WAVE",
        pickle.dumps(spoken(4)),
        sealed([1, 2]),
        sealed({}),
        sealed({**GOOD, "format": 99}),
        sealed({**GOOD, "more": 1}),
        sealed({**GOOD, "chunks": [b"123"]}),
        sealed({**GOOD, "chunks": "1234"}),
        sealed({**GOOD, "starts": b"1"}),
        sealed({**GOOD, "starts": b""}),
        sealed({**GOOD, "words": [["a", 1]]}),
        sealed({**GOOD, "words": [[1, 1, 1, 1, 1]]}),
        sealed({**GOOD, "words": [["a", 0, 1, 0, 3]]}),
        sealed({**GOOD, "words": [["a", 0, 1, -1, 1]]}),
        pack_spoken(spoken(4))[:-1],
        pack_spoken(spoken(4)) + b"x",
    ],
)
def test_anything_else_is_refused(packed: bytes):
    with pytest.raises(ValueError, match="stored segment"):
        unpack_spoken(packed)


@given(st.integers(0, len(pack_spoken(spoken(4, 4))) - 1), st.integers(1, 255))
def test_a_flipped_byte_is_noticed(position: int, flip: int):
    packed = bytearray(pack_spoken(spoken(4, 4)))
    packed[position] ^= flip
    with pytest.raises(ValueError, match="checksum"):
        unpack_spoken(bytes(packed))


def test_the_name_changes_with_everything_that_changes_the_sound():
    names = {digest_of(KEY, "1"), digest_of(KEY, "2")}
    names |= {digest_of(replace(KEY, content="2"), "1"), digest_of(replace(KEY, text="您好"), "1")}
    for field in fields(Style):
        other = "x" if field.type == "str" else 1.5 if field.type == "float" else 1
        names.add(digest_of(replace(KEY, style=replace(Style(), **{field.name: other})), "1"))
    assert len(names) == 4 + len(fields(Style))


def test_the_name_does_not_depend_on_what_the_voice_is_called():
    assert digest_of(replace(KEY, voice="b"), "1") == digest_of(KEY, "1")
