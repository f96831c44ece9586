from __future__ import annotations

import pytest

from server.elevenlabs.formats import encoding_of
from streaming.audio.formats import Codec, Encoding
from streaming.errors import UnsupportedFormatError

PCM_RATES = (8000, 16000, 22050, 24000, 32000, 44100, 48000)
NAMES = (
    ["mp3_22050_32", "mp3_24000_48", *(f"mp3_44100_{kbps}" for kbps in (32, 64, 96, 128, 192))]
    + [f"{codec}_{rate}" for codec in ("pcm", "wav") for rate in PCM_RATES]
    + [f"opus_48000_{kbps}" for kbps in (32, 64, 96, 128, 192)]
    + ["ulaw_8000", "alaw_8000"]
)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_of_elevenlabs_is_an_encoding(name: str) -> None:
    encoding = encoding_of(name)
    _, rate, *kbps = name.split("_")
    assert encoding.rate == int(rate)
    assert encoding.kbps == (int(kbps[0]) if kbps else None)


def test_pcm_is_sixteen_bits() -> None:
    assert encoding_of("pcm_24000") == Encoding(Codec.PCM_S16LE, 24000)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "mp3",
        "pcm_",
        "pcm_24000_32",
        "pcm_11025",
        "opus_44100_64",
        "flac_24000",
        "mp3_44100_9999",
        "PCM_24000",
        "pcm_２４０００",
        "pcm_24000\n",
        "../pcm_24000",
        "mp3_44100_128_1",
    ],
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UnsupportedFormatError):
        encoding_of(name)
