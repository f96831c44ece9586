from __future__ import annotations

import io
import struct
import wave

import pytest

from streaming.audio.pcm import PcmFormat
from streaming.audio.wav import UNKNOWN_LENGTH, wav_header


def test_standard_library_reads_what_the_header_says() -> None:
    data = struct.pack("<4h", 0, 1, -1, 32767)
    with wave.open(io.BytesIO(wav_header(PcmFormat.S16LE, 24000, len(data)) + data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 24000)
        assert file.getnframes() == 4
        assert file.readframes(4) == data


def test_unknown_length_is_said_in_both_sizes() -> None:
    header = wav_header(PcmFormat.S16LE, 16000)
    assert len(header) == 44
    assert struct.unpack("<I", header[4:8]) == struct.unpack("<I", header[-4:]) == (UNKNOWN_LENGTH,)


def test_float_header_has_format_tag_and_fact_chunk() -> None:
    header = wav_header(PcmFormat.F32LE, 48000, 40)
    assert struct.unpack("<H", header[20:22]) == (3,)
    assert header[38:42] == b"fact"
    assert struct.unpack("<I", header[46:50]) == (10,)
    assert struct.unpack("<I", header[4:8])[0] == len(header) - 8 + 40


@pytest.mark.parametrize(("pcm_format", "n_bytes"), [(PcmFormat.S16LE, 3), (PcmFormat.F32LE, 6)])
def test_half_samples_are_refused(pcm_format: PcmFormat, n_bytes: int) -> None:
    with pytest.raises(ValueError, match="whole number"):
        wav_header(pcm_format, 16000, n_bytes)


def test_more_than_four_gib_is_refused() -> None:
    with pytest.raises(ValueError, match="4 GiB"):
        wav_header(PcmFormat.S16LE, 16000, 2**32)
