from __future__ import annotations

import itertools
import struct

import numpy as np
import pytest

from server.framing import AUDIO_HEADER_BYTES, MAX_FRAME_BYTES, AudioFlags, Frame
from server.messages import SAMPLE_RATES
from server.packing import OutputFormat, Packer, Piece
from streaming.audio.formats import Codec, Encoding
from streaming.audio.resample import resampled_position
from streaming.events import AudioReady


def frame_of(packer: Packer, piece: Piece, *, is_last: bool = False) -> Frame:
    return packer.frame([piece], packer.code(piece), is_last=is_last)


def output(rate: int = 16000, codec: Codec = Codec.PCM_S16LE) -> OutputFormat:
    return OutputFormat(Encoding(codec, rate), first_frame_ms=40, frame_ms=200)


def audio(
    n_samples: int, start: int = 0, segment: int = 0, *, last: bool = False, cached: bool = False
) -> AudioReady:
    samples = np.linspace(-0.5, 0.5, n_samples).astype(np.float32)
    return AudioReady(samples, start, segment, last, cached)


def test_first_frame_is_short_and_later_ones_are_longer() -> None:
    packer = Packer(1, 16000, output())
    pieces = packer.push(audio(16000))
    assert [len(piece.samples) for piece in pieces] == [640, 3200, 3200, 3200, 3200, 2560]


def test_pieces_are_never_held_back_to_fill_a_frame() -> None:
    packer = Packer(1, 16000, output())
    assert [len(piece.samples) for piece in packer.push(audio(100))] == [100]
    assert [len(piece.samples) for piece in packer.push(audio(100, 100))] == [100]


def test_positions_are_consecutive_across_segments_at_any_rate() -> None:
    for rate in SAMPLE_RATES:
        packer = Packer(1, 16000, output(rate))
        pieces: list[Piece] = []
        start = 0
        for segment, sizes in enumerate([(800, 1601), (333,)]):
            for index, size in enumerate(sizes):
                pieces += packer.push(audio(size, start, segment, last=index == len(sizes) - 1))
                start += size
        for before, after in itertools.pairwise(pieces):
            assert after.start == before.start + len(before.samples)
        assert pieces[-1].start + len(pieces[-1].samples) == resampled_position(start, 16000, rate)


def test_exactly_the_last_piece_of_a_segment_ends_it() -> None:
    packer = Packer(1, 16000, output(24000))
    assert not any(piece.ends_segment for piece in packer.push(audio(5000)))
    pieces = packer.push(audio(5000, 5000, last=True))
    assert [piece.ends_segment for piece in pieces].count(True) == 1
    assert pieces[-1].ends_segment


def test_header_is_the_documented_24_bytes() -> None:
    packer = Packer(0x0102, 16000, output())
    piece = Piece(np.array([0.0, 1.0], np.float32), 0x0A0B0C0D0E, 3, ends_segment=True, cached=True)
    frame = frame_of(packer, piece, is_last=True)
    assert not frame.is_text
    expected = struct.pack("<BBHIQIHH", 1, 1 | 2 | 4 | 16, 0x0102, 0, 0x0A0B0C0D0E, 2, 3, 0)
    assert frame.payload == expected + b"\x00\x00\xff\x7f"
    assert len(expected) == AUDIO_HEADER_BYTES == 24


def test_only_the_first_frame_is_marked_first_and_numbers_count_up() -> None:
    packer = Packer(1, 16000, output())
    frames = [frame_of(packer, piece) for piece in packer.push(audio(16000))]
    flags = [AudioFlags(frame.payload[1]) for frame in frames]
    assert flags == [AudioFlags.FIRST] + [AudioFlags(0)] * (len(frames) - 1)
    assert [struct.unpack_from("<I", frame.payload, 4)[0] for frame in frames] == list(range(len(frames)))


@pytest.mark.parametrize("codec", [Codec.PCM_S16LE, Codec.PCM_F32LE, Codec.FLAC])
def test_frames_fit_the_limit_at_the_largest_setting(codec: Codec) -> None:
    packer = Packer(1, 16000, OutputFormat(Encoding(codec, 48000), first_frame_ms=200, frame_ms=300))
    frames = [frame_of(packer, piece) for piece in packer.push(audio(32000))]
    assert max(len(frame.payload) for frame in frames) <= MAX_FRAME_BYTES


def test_split_keeps_positions_and_the_end_on_the_tail() -> None:
    piece = Piece(np.arange(10, dtype=np.float32), 100, 2, ends_segment=True, cached=True)
    head, tail = piece.split(4)
    assert (head.start, len(head.samples), head.ends_segment) == (100, 4, False)
    assert (tail.start, len(tail.samples), tail.ends_segment) == (104, 6, True)
    assert (head.cached, tail.segment_index) == (True, 2)


def test_encoding_time_is_measured() -> None:
    ticks = itertools.count()
    packer = Packer(1, 16000, output(), clock=lambda: float(next(ticks)))
    (piece,) = packer.push(audio(100))
    frame_of(packer, piece, is_last=True)
    assert packer.encode_s == 2.0
