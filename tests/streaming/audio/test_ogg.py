from __future__ import annotations

import io
import struct

import av
import numpy as np
import pytest

from streaming.audio.encoders import open_encoder
from streaming.audio.formats import OPUS_RATES, Codec, Encoding
from streaming.audio.ogg import TAGS, OpusPages

HEADER = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 312, 24000, 0, 0)


def pages(data: bytes) -> list[tuple[int, int, int, bytes]]:
    """Type, granule, number and content of each page."""
    found, place = [], 0
    while place < len(data):
        magic, kind, granule, number = *struct.unpack_from("<4sxBq", data, place), data[place + 18]
        assert magic == b"OggS"
        table = data[place + 27 :][: data[place + 26]]
        place += 27 + len(table)
        found.append((kind, granule, number, data[place : place + sum(table)]))
        place += sum(table)
    return found


def noise(n_samples: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(-0.3, 0.3, n_samples).astype(np.float32)


def of_the_library() -> bytes:
    """What FFmpeg's own muxer writes of a second of noise."""
    written = io.BytesIO()
    with av.open(written, "w", format="ogg", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libopus", rate=24000, layout="mono")
        frame = av.AudioFrame.from_ndarray(noise(24000)[None], format="flt", layout="mono")
        frame.sample_rate = 24000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return written.getvalue()


def test_a_page_is_that_of_the_library_to_the_last_byte() -> None:
    theirs = of_the_library()
    size = 27 + 1 + len(HEADER)
    header = pages(theirs)[0][3]
    assert OpusPages(header, 24000).packet(b"x")[:size] == theirs[:size]


def test_each_packet_is_a_page_behind_two_of_headers() -> None:
    writer = OpusPages(HEADER, 24000)
    data = writer.packet(b"a") + writer.packet(b"b" * 300) + writer.end(b"c" * 255, 1000)
    assert pages(data) == [
        (2, 0, 0, HEADER),
        (0, 0, 1, TAGS),
        (0, 960, 2, b"a"),
        (0, 1920, 3, b"b" * 300),
        (4, 312 + 2000, 4, b"c" * 255),
    ]


def test_a_stream_without_packets_has_headers_and_an_end() -> None:
    assert [kind for kind, *_ in pages(OpusPages(HEADER, 24000).end(b"", 0))] == [2, 0, 4]


@pytest.mark.parametrize("rate", OPUS_RATES)
@pytest.mark.parametrize("n_ms", [1, 20, 60, 333])
def test_players_hear_as_much_as_was_said(rate: int, n_ms: int) -> None:
    n_samples = rate * n_ms // 1000
    encoder = open_encoder(Encoding(Codec.OPUS, rate))
    data = encoder.encode(noise(n_samples)) + encoder.finish()
    with av.open(io.BytesIO(data)) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) == n_samples * 48000 // rate


def test_the_first_audio_leaves_after_20_ms() -> None:
    encoder = open_encoder(Encoding(Codec.OPUS, 24000))
    assert encoder.encode(noise(479)) == b""
    assert len(pages(encoder.encode(noise(1)))) == 3
    assert len(pages(encoder.encode(noise(480)))) == 1
