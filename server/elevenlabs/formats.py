"""ElevenLabs' spelling of audio formats: `codec_rate` or `codec_rate_kbps`.

Input   `output_format` of a request
Output  an Encoding, or UnsupportedFormatError
State   none
More combinations are taken than ElevenLabs has: whatever the codec can.
"""

from __future__ import annotations

import re

from server.messages import shown
from streaming.audio.formats import Codec, Encoding
from streaming.errors import UnsupportedFormatError

DEFAULT_FORMAT = "mp3_44100_128"
CODECS = {
    "mp3": Codec.MP3,
    "pcm": Codec.PCM_S16LE,
    "wav": Codec.WAV,
    "opus": Codec.OPUS,
    "ulaw": Codec.ULAW,
    "alaw": Codec.ALAW,
}
_FORMAT = re.compile(r"([a-z0-9]+)_(\d{4,6})(?:_(\d{1,4}))?", re.ASCII)


def encoding_of(name: str) -> Encoding:
    """Return what a name means.

    Raises:
        UnsupportedFormatError: No such codec, rate or bit rate.
    """
    match = _FORMAT.fullmatch(name)
    codec = CODECS.get(match[1]) if match else None
    if match is None or codec is None:
        codecs = ", ".join(CODECS)
        raise UnsupportedFormatError(
            f"output_format: found {shown(name)}; allowed: CODEC_RATE or CODEC_RATE_KBPS, of {codecs}"
        )
    return Encoding(codec, int(match[2]), int(match[3]) if match[3] else None)
