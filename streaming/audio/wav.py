"""Build RIFF/WAVE headers for PCM data whose length may not be known yet.

Input   format, rate and, if known, the number of data bytes
Output  the 44 or 58 header bytes that go before the samples
State   none; it knows no files and no sockets
"""

from __future__ import annotations

import struct

from streaming.audio.pcm import PcmFormat

UNKNOWN_LENGTH = 0xFFFFFFFF  # what players accept for a stream: "until the data ends"
_FORMAT_TAGS = {PcmFormat.S16LE: 1, PcmFormat.F32LE: 3}  # WAVE_FORMAT_PCM, WAVE_FORMAT_IEEE_FLOAT


def wav_header(pcm_format: PcmFormat, sample_rate: int, data_bytes: int | None = None) -> bytes:
    """Return the header of a mono file; `data_bytes` None marks a stream of unknown length.

    Float files carry the `fact` chunk and the extension size that the format asks of anything
    that is not integer PCM.

    Raises:
        ValueError: The data is not a whole number of samples, or does not fit 32-bit sizes.
    """
    width = pcm_format.sample_bytes
    if data_bytes is not None and data_bytes % width:
        raise ValueError(f"{data_bytes} bytes are not a whole number of {width}-byte samples")
    is_float = pcm_format is PcmFormat.F32LE
    tag = _FORMAT_TAGS[pcm_format]
    fmt = struct.pack("<HHIIHH", tag, 1, sample_rate, sample_rate * width, width, width * 8)
    if is_float:
        fmt += struct.pack("<H", 0)
    chunks = b"fmt " + struct.pack("<I", len(fmt)) + fmt
    if is_float:
        n_samples = UNKNOWN_LENGTH if data_bytes is None else data_bytes // width
        chunks += b"fact" + struct.pack("<II", 4, n_samples)
    length, riff_length = _sizes(len(chunks), data_bytes)
    return b"RIFF" + struct.pack("<I", riff_length) + b"WAVE" + chunks + b"data" + struct.pack("<I", length)


def _sizes(chunks_bytes: int, data_bytes: int | None) -> tuple[int, int]:
    """Return the data size and the RIFF size that the header states."""
    if data_bytes is None:
        return UNKNOWN_LENGTH, UNKNOWN_LENGTH
    riff = 4 + chunks_bytes + 8 + data_bytes
    if riff > UNKNOWN_LENGTH:
        raise ValueError(f"{data_bytes} bytes do not fit a wav file; the limit is 4 GiB")
    return data_bytes, riff
