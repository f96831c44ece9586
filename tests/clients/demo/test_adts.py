"""Cutting ADTS: frames of known sizes, cut everywhere."""

from __future__ import annotations

import pytest

from clients.demo.adts import AdtsError, Segment, SegmentCutter, frame_ends

RATE = 24000


def frame(size: int) -> bytes:
    header = bytes([0xFF, 0xF1, 0x58, 0x40 | size >> 11, size >> 3 & 0xFF, (size & 7) << 5 | 0x1F, 0xFC])
    return header + bytes(size - len(header))


STREAM = b"".join(frame(size) for size in (9, 300, 2100, 7, 8, 90, 91, 92))


def cut(*pieces: bytes, n_frames: int = 3) -> list[Segment]:
    cutter = SegmentCutter(RATE, n_frames * 1024 / RATE)
    return [segment for piece in pieces for segment in cutter.push(piece)] + cutter.flush()


def test_frames_are_found() -> None:
    assert frame_ends(STREAM) == [9, 309, 2409, 2416, 2424, 2514, 2605, 2697]
    assert frame_ends(STREAM[:-1])[-1] == 2605
    assert frame_ends(b"") == frame_ends(STREAM[:6]) == []


def test_the_first_segment_is_one_frame_and_nothing_is_lost() -> None:
    segments = cut(STREAM)
    assert [len(frame_ends(segment.data)) for segment in segments] == [1, 3, 3, 1]
    assert b"".join(segment.data for segment in segments) == STREAM
    assert sum(segment.duration_s for segment in segments) == pytest.approx(8 * 1024 / RATE)


def test_every_cut_gives_the_same_segments() -> None:
    whole = cut(STREAM)
    for index in range(len(STREAM) + 1):
        assert cut(STREAM[:index], STREAM[index:]) == whole


@pytest.mark.parametrize("stream", [b"ID3 and more", STREAM[:9] + b"\xff\x00" + bytes(20), STREAM[:-1]])
def test_what_is_not_adts_is_an_error(stream: bytes) -> None:
    with pytest.raises(AdtsError):
        cut(stream)


def test_silence_is_no_error() -> None:
    assert cut(b"") == []
