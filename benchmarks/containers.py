"""Where audio begins in a coded stream: behind the container's header, which costs nothing to compute.

Input   the first bytes of a stream
Output  where its header ends, if it has come
State   none
"""

from __future__ import annotations

from streaming.audio.encoders import open_encoder
from streaming.audio.formats import Codec, Encoding
from streaming.types import FloatArray

OGG_PAGE_HEADER = 27  # bytes, then the segment table (RFC 3533, 6)
OPUS_HEADER_PAGES = 2  # RFC 7845, 3


def audio_began(codec: Codec, data: bytes) -> bool:
    """Tell whether `data`, the beginning of a stream, reaches into its audio."""
    end = header_end(codec, data)
    return end is not None and len(data) > end


def header_end(codec: Codec, data: bytes) -> int | None:
    """Return the length of the container's header; None when more of it has to come."""
    match codec:
        case Codec.WAV:
            place = data.find(b"data")
            return None if place < 0 else place + 8
        case Codec.OPUS:
            return _ogg_header_end(data)
        case Codec.FLAC:
            return _flac_header_end(data)
        case _:
            return 0  # samples, or frames without a container


def framing_ms(encoding: Encoding, noise: FloatArray) -> int | None:
    """Return how much audio a codec wants before it says anything, in whole milliseconds.

    Args:
        encoding: What is coded.
        noise: Audio [n] float32 at the encoding's rate.

    Returns:
        None if all of it was not enough.
    """
    encoder, coded, step = open_encoder(encoding), b"", encoding.rate // 1000
    for begin in range(0, len(noise), step):
        coded += encoder.encode(noise[begin : begin + step])
        if audio_began(encoding.codec, coded):
            return -(-(begin + step) * 1000 // encoding.rate)
    return None


def _ogg_header_end(data: bytes) -> int | None:
    place = 0
    for _ in range(OPUS_HEADER_PAGES):
        if len(data) < place + OGG_PAGE_HEADER:
            return None
        table = data[place + OGG_PAGE_HEADER :][: data[place + OGG_PAGE_HEADER - 1]]
        place += OGG_PAGE_HEADER + data[place + OGG_PAGE_HEADER - 1] + sum(table)
    return place


def _flac_header_end(data: bytes) -> int | None:
    """Skip `fLaC` and the metadata blocks: a byte whose first bit marks the last one, three of length."""
    place, is_last = 4, False
    while not is_last:
        if len(data) < place + 4:
            return None
        is_last = bool(data[place] & 0x80)
        place += 4 + int.from_bytes(data[place + 1 : place + 4], "big")
    return place
