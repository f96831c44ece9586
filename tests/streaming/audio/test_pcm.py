from __future__ import annotations

import numpy as np
import pytest

from streaming.audio.pcm import PcmFormat, encode_pcm, float_to_f32le, float_to_s16le, s16le_to_float


def ints(data: bytes) -> list[int]:
    return [int(value) for value in np.frombuffer(data, dtype="<i2")]


def test_full_scale_does_not_wrap() -> None:
    assert ints(float_to_s16le(np.array([1.0, -1.0], dtype=np.float32))) == [32767, -32767]


def test_values_outside_are_clipped() -> None:
    assert ints(float_to_s16le(np.array([1.5, -7.0], dtype=np.float32))) == [32767, -32767]
    assert np.frombuffer(float_to_f32le(np.array([1.5, -7.0], np.float32)), "<f4").tolist() == [1.0, -1.0]


def test_values_are_rounded_to_nearest_not_cut_off() -> None:
    samples = np.array([0.6, -0.6, 1.4, -1.4], dtype=np.float32) / np.float32(32767)
    assert ints(float_to_s16le(samples)) == [1, -1, 1, -1]


def test_bytes_are_little_endian() -> None:
    one = np.array([1 / 32767], dtype=np.float32)
    assert float_to_s16le(one) == b"\x01\x00"
    assert float_to_f32le(np.array([1.0], dtype=np.float32)) == b"\x00\x00\x80\x3f"


@pytest.mark.parametrize("pcm_format", list(PcmFormat))
def test_length_follows_from_the_format(pcm_format: PcmFormat) -> None:
    data = encode_pcm(np.zeros(7, dtype=np.float32), pcm_format)
    assert len(data) == 7 * pcm_format.sample_bytes


def test_s16_survives_the_round_trip() -> None:
    original = np.arange(-32767, 32768, 257, dtype=np.int16).astype("<i2").tobytes()
    assert float_to_s16le(s16le_to_float(original)) == original


def test_odd_byte_count_is_refused() -> None:
    with pytest.raises(ValueError, match="3 bytes"):
        s16le_to_float(b"abc")
