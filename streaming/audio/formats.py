"""The forms in which audio leaves the server: a codec, a rate and, where it has one, a bit rate.

Input   names and numbers of a request
Output  Encoding, or UnsupportedFormatError naming what was found and what is allowed
State   none
It does not encode (`encoders`) and knows no protocol's spelling of a format.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.util import find_spec

from streaming.errors import UnsupportedFormatError

PCM_RATES = (8000, 16000, 22050, 24000, 32000, 44100, 48000)
OPUS_RATES = (8000, 12000, 16000, 24000, 48000)  # RFC 6716, 2


class Codec(StrEnum):
    """What audio is coded as, container included."""

    PCM_S16LE = "pcm_s16le"
    PCM_F32LE = "pcm_f32le"
    WAV = "wav"  # s16le behind a header of unknown length
    MP3 = "mp3"
    OPUS = "opus"  # in Ogg (RFC 7845), a page per packet
    FLAC = "flac"
    AAC = "aac"  # in ADTS
    ULAW = "ulaw"  # G.711
    ALAW = "alaw"

    @property
    def content_type(self) -> str:
        """The media type, as players and SDKs know it."""
        return _CONTENT_TYPES[self]

    @property
    def is_available(self) -> bool:
        """Whether it can be coded here: all but plain samples needs FFmpeg, which is an extra."""
        return self.is_plain or _has_library()

    @property
    def is_plain(self) -> bool:
        """Whether it is samples as they are: coding them costs nothing worth a thread."""
        return self in (Codec.PCM_S16LE, Codec.PCM_F32LE, Codec.WAV)


DEFAULT_KBPS = {Codec.MP3: 64, Codec.OPUS: 32, Codec.AAC: 64}  # of speech, mono
KBPS = {Codec.MP3: (8, 320), Codec.OPUS: (6, 510), Codec.AAC: (16, 320)}
_CONTENT_TYPES = {
    Codec.PCM_S16LE: "audio/pcm",
    Codec.PCM_F32LE: "audio/pcm",
    Codec.WAV: "audio/wav",
    Codec.MP3: "audio/mpeg",
    Codec.OPUS: "audio/ogg",
    Codec.FLAC: "audio/flac",
    Codec.AAC: "audio/aac",
    Codec.ULAW: "audio/basic",
    Codec.ALAW: "audio/x-alaw-basic",
}


@dataclass(frozen=True, slots=True)
class Encoding:
    """What a client asked for.

    Attributes:
        codec: How samples become bytes.
        rate: Samples per second of the coded audio.
        kbps: Bit rate of a lossy codec; None takes the codec's usual one for speech.
    """

    codec: Codec
    rate: int
    kbps: int | None = None

    def __post_init__(self) -> None:
        """Check that the codec has the rate and the bit rate.

        Raises:
            UnsupportedFormatError: It has not, or it cannot be coded here.
        """
        if not self.codec.is_available:
            text = f"{self.codec} cannot be coded here: it needs pip install 'zhiyin[codecs]'"
            raise UnsupportedFormatError(f"{text}; allowed: {', '.join(available_codecs())}")
        allowed = rates_of(self.codec)
        if self.rate not in allowed:
            known = ", ".join(map(str, allowed))
            raise UnsupportedFormatError(f"sample rate of {self.codec}: found {self.rate}; allowed: {known}")
        if self.kbps is None:
            return
        low, high = KBPS.get(self.codec, (0, 0))
        if not high:
            raise UnsupportedFormatError(f"bit rate: found {self.kbps}; {self.codec} has none to choose")
        if not low <= self.kbps <= high:
            text = f"bit rate of {self.codec}: found {self.kbps}; allowed: {low} to {high} kbit/s"
            raise UnsupportedFormatError(text)

    @property
    def bits_per_second(self) -> int | None:
        """Bit rate for the encoder; None where the codec has none."""
        kbps = self.kbps or DEFAULT_KBPS.get(self.codec)
        return None if kbps is None else kbps * 1000


def available_codecs() -> tuple[Codec, ...]:
    """Return what can be coded here."""
    return tuple(codec for codec in Codec if codec.is_available)


@cache
def _has_library() -> bool:
    return find_spec("av") is not None


def rates_of(codec: Codec) -> tuple[int, ...]:
    """Return the sample rates that a codec has here."""
    return OPUS_RATES if codec is Codec.OPUS else PCM_RATES


def nearest_rate(codec: Codec, rate: int) -> int:
    """Return the lowest rate of a codec that keeps the band of `rate`, or its highest."""
    return next((allowed for allowed in rates_of(codec) if allowed >= rate), rates_of(codec)[-1])
