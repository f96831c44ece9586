from __future__ import annotations

import numpy as np
import pytest

from benchmarks.containers import audio_began, framing_ms, header_end
from streaming.audio.encoders import open_encoder
from streaming.audio.formats import Codec, Encoding

NOISE = np.random.default_rng(1).uniform(-0.3, 0.3, 24000).astype(np.float32)


def coded(codec: Codec, n_samples: int = len(NOISE)) -> bytes:
    encoder = open_encoder(Encoding(codec, 24000))
    return encoder.encode(NOISE[:n_samples]) + encoder.finish()


@pytest.mark.parametrize(("codec", "size"), [(Codec.WAV, 44), (Codec.PCM_S16LE, 0), (Codec.MP3, 0)])
def test_headers_have_the_length_that_their_format_gives(codec: Codec, size: int) -> None:
    assert header_end(codec, coded(codec)) == size


@pytest.mark.parametrize(("codec", "magic"), [(Codec.OPUS, b"OggS"), (Codec.FLAC, b"\xff\xf8")])
def test_behind_the_header_the_first_frame_begins(codec: Codec, magic: bytes) -> None:
    data = coded(codec)
    end = header_end(codec, data)
    assert end is not None
    assert data[end:].startswith(magic)
    assert b"OpusTags" not in data[end:]


@pytest.mark.parametrize("codec", [Codec.WAV, Codec.OPUS, Codec.FLAC])
def test_a_header_that_is_cut_is_waited_for(codec: Codec) -> None:
    data = coded(codec)
    end = header_end(codec, data)
    assert end is not None
    assert not any(audio_began(codec, data[:place]) for place in range(end + 1))
    assert audio_began(codec, data[: end + 1])


@pytest.mark.parametrize(
    ("codec", "least_ms", "most_ms"),
    [(Codec.MP3, 24, 72), (Codec.OPUS, 20, 60), (Codec.FLAC, 20, 30), (Codec.AAC, 40, 130)],
)
def test_codecs_want_some_audio_before_they_speak(codec: Codec, least_ms: int, most_ms: int) -> None:
    found = framing_ms(Encoding(codec, 24000), NOISE)
    assert found is not None
    assert least_ms <= found <= most_ms


def test_too_little_audio_is_not_enough() -> None:
    assert framing_ms(Encoding(Codec.MP3, 24000), NOISE[:240]) is None
