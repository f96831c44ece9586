from __future__ import annotations

import pytest

from streaming.audio.encoders import load_library
from streaming.audio.formats import Codec, Encoding, available_codecs, nearest_rate, rates_of
from streaming.errors import UnsupportedFormatError


@pytest.mark.parametrize("codec", Codec)
def test_every_codec_has_a_media_type_and_can_be_asked_for_at_each_of_its_rates(codec: Codec) -> None:
    assert codec.content_type.startswith("audio/")
    for rate in rates_of(codec):
        assert Encoding(codec, rate).rate == rate


def test_a_rate_that_a_codec_lacks_is_refused_with_those_it_has() -> None:
    with pytest.raises(
        UnsupportedFormatError, match="found 22050; allowed: 8000, 12000, 16000, 24000, 48000"
    ):
        Encoding(Codec.OPUS, 22050)


@pytest.mark.parametrize(("codec", "kbps"), [(Codec.MP3, 4), (Codec.OPUS, 511), (Codec.AAC, 0)])
def test_a_bit_rate_out_of_range_is_refused(codec: Codec, kbps: int) -> None:
    with pytest.raises(UnsupportedFormatError, match=f"found {kbps}; allowed: "):
        Encoding(codec, 24000, kbps)


@pytest.mark.parametrize("codec", [Codec.PCM_S16LE, Codec.WAV, Codec.FLAC, Codec.ULAW])
def test_a_lossless_codec_has_no_bit_rate_to_choose(codec: Codec) -> None:
    with pytest.raises(UnsupportedFormatError, match="none to choose"):
        Encoding(codec, 8000, 64)
    assert Encoding(codec, 8000).bits_per_second is None


def test_the_usual_bit_rate_is_taken_where_none_is_given() -> None:
    assert Encoding(Codec.OPUS, 24000).bits_per_second == 32_000
    assert Encoding(Codec.MP3, 24000, 128).bits_per_second == 128_000


@pytest.mark.parametrize(
    ("codec", "wanted", "found"),
    [
        (Codec.OPUS, 22050, 24000),
        (Codec.OPUS, 44100, 48000),
        (Codec.MP3, 22050, 22050),
        (Codec.WAV, 96000, 48000),
    ],
)
def test_the_nearest_rate_keeps_the_band(codec: Codec, wanted: int, found: int) -> None:
    assert nearest_rate(codec, wanted) == found


def test_without_the_library_plain_samples_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streaming.audio.formats._has_library", lambda: False)
    assert available_codecs() == (Codec.PCM_S16LE, Codec.PCM_F32LE, Codec.WAV)
    with pytest.raises(
        UnsupportedFormatError, match=r"zhiyin\[codecs\]'; allowed: pcm_s16le, pcm_f32le, wav"
    ):
        Encoding(Codec.MP3, 24000)
    assert Encoding(Codec.WAV, 24000).rate == 24000
    load_library()
