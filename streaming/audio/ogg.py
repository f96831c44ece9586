"""Opus in Ogg (RFC 3533, RFC 7845), a page per packet, each written as soon as it is known.

Input   the codec's own header; packets of 20 ms
Output  pages
State   pages and samples so far
Of our own because FFmpeg's muxer keeps every page until the next one comes, in case it was the last: 20 ms.
"""

from __future__ import annotations

import struct

CLOCK_HZ = 48000  # of granule positions, whatever the rate of the input (RFC 7845, 4)
PACKET_TICKS = 960  # 20 ms
BEGIN, END = 2, 4  # header types
SERIAL = 0  # one stream, and the same bytes each time
TAGS = b"OpusTags" + struct.pack("<I", 6) + b"zhiyin" + struct.pack("<I", 0)

_PAGE = struct.Struct("<4sBBqIII")  # magic, version, type, granule, serial, number, checksum
_FULL_SEGMENT = 255
_PRE_SKIP_PLACE = 10  # in the codec's header: samples at 48 kHz that the decoder drops


def _checksums() -> tuple[int, ...]:
    """Return the table of the polynomial 0x04c11db7, which Ogg uses unreflected."""
    table = []
    for value in range(256):
        value <<= 24
        for _ in range(8):
            value = value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)
        table.append(value & 0xFFFFFFFF)
    return tuple(table)


_CHECKSUMS = _checksums()


class OpusPages:
    """Writes one stream."""

    def __init__(self, header: bytes, rate: int) -> None:
        """Take the codec's header (`OpusHead`) and the rate of what goes into it."""
        self._header = header
        self._rate = rate
        self._pre_skip: int = struct.unpack_from("<H", header, _PRE_SKIP_PLACE)[0]
        self._n_pages = 0
        self._n_packets = 0

    def packet(self, data: bytes) -> bytes:
        """Return the page of a packet; before the first one, those of the headers."""
        head = self._head()
        self._n_packets += 1
        return head + self._page(data, self._n_packets * PACKET_TICKS)

    def end(self, data: bytes, n_samples: int) -> bytes:
        """Return the last page: of the last packet, or b"" if there is none any more.

        Args:
            data: The packet.
            n_samples: Of the input, in all: what the last packet has beyond them is padding.
        """
        head = self._head()
        self._n_packets += bool(data)
        total = self._pre_skip + n_samples * CLOCK_HZ // self._rate
        return head + self._page(data, min(self._n_packets * PACKET_TICKS, total), END)

    def _head(self) -> bytes:
        if self._n_pages:
            return b""
        return self._page(self._header, 0, BEGIN) + self._page(TAGS, 0)

    def _page(self, data: bytes, granule: int, kind: int = 0) -> bytes:
        full, rest = divmod(len(data), _FULL_SEGMENT)
        table = bytes([_FULL_SEGMENT] * full + [rest]) if data else b""
        lengths = bytes([len(table)]) + table
        page = _PAGE.pack(b"OggS", 0, kind, granule, SERIAL, self._n_pages, 0) + lengths + data
        self._n_pages += 1
        return page[: _PAGE.size - 4] + struct.pack("<I", _checksum(page)) + page[_PAGE.size :]


def _checksum(page: bytes) -> int:
    value = 0
    for byte in page:
        value = (value << 8 & 0xFFFFFFFF) ^ _CHECKSUMS[value >> 24 ^ byte]
    return value
