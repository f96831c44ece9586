"""How DashScope's clients say what is to be spoken with, and what that means here.

Input   `payload.parameters` of the sockets, `input` and `parameters` of HTTP requests
Output  Parameters, checked; a Wish of them
State   none
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from server.bodies import Body, without_nulls
from server.messages import MAX_LEXICON, shown
from server.speaking import Wish
from streaming.audio.formats import KBPS, Codec, Encoding, nearest_rate
from streaming.errors import BadRequestError, UnsupportedFormatError
from streaming.text.lexicon import MAX_WORD_CHARS, Lexicon
from streaming.types import Style

logger = logging.getLogger(__name__)

MAX_NAME_CHARS = 256
MAX_OPUS_KBPS = 510
MAX_INSTRUCTION_CHARS = 4096
MAX_INSTEAD_CHARS = 256  # of a reading, or of what is said in place of a word
CODECS = {"pcm": Codec.PCM_S16LE, "wav": Codec.WAV, "mp3": Codec.MP3, "opus": Codec.OPUS}
UNSAID = ("", "default")  # tts_v2 sends "Default" with a rate of 0 where its user chose no format
_SSML_START = re.compile(r"\s*<speak\b")

Words = list[Annotated[dict[str, str], BeforeValidator(without_nulls)]]
Name = Annotated[str, Field(max_length=MAX_NAME_CHARS)]


class HotFix(Body):
    """Words with readings of their own, and words that are replaced."""

    pronunciation: Words = Field(default_factory=list, max_length=MAX_LEXICON)
    replace: Words = Field(default_factory=list, max_length=MAX_LEXICON)

    @field_validator("pronunciation", "replace")
    @classmethod
    def _few_and_short(cls, entries: Words, info: ValidationInfo) -> Words:
        """Check what is costly: lists are short, but each of their maps may hold any number of words.

        Raises:
            BadRequestError: There are too many words, or one is too long.
        """
        name = f"hot_fix.{info.field_name}"
        if (n_words := sum(map(len, entries))) > MAX_LEXICON:
            raise BadRequestError(f"{name}: found {n_words} words; allowed: at most {MAX_LEXICON}")
        for word, instead in _flat(entries):
            for text, allowed in ((word, MAX_WORD_CHARS), (instead, MAX_INSTEAD_CHARS)):
                if (n_chars := len(text)) > allowed:
                    found = f"{shown(text)} of {n_chars} characters"
                    raise BadRequestError(f"{name}: found {found}; allowed: at most {allowed}")
        return entries


class Parameters(Body):
    """What may be chosen. What only the vendor's models know (`language_hints`, ...) is ignored."""

    text_type: str = "PlainText"
    voice: Name = ""
    format: str = ""
    sample_rate: int = 0
    bit_rate: int | None = None
    volume: Annotated[float, Field(ge=0, le=100)] = 50.0
    rate: Annotated[float, Field(ge=0.5, le=2.0)] = 1.0
    pitch: Annotated[float, Field(ge=0.5, le=2.0)] = 1.0
    word_timestamp_enabled: bool = False
    phoneme_timestamp_enabled: bool = False
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    instruction: Annotated[str, Field(max_length=MAX_INSTRUCTION_CHARS)] = ""
    enable_ssml: bool = False
    hot_fix: HotFix = HotFix()

    @property
    def replaced_words(self) -> dict[str, str]:
        """Words of the text with what is spoken instead."""
        return dict(_flat(self.hot_fix.replace))


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a protocol means where a request says no format."""

    codec: Codec
    rate: int


SAMBERT = Defaults(Codec.WAV, 16000)
COSYVOICE = Defaults(Codec.MP3, 22050)


def is_ssml(parameters: Parameters, text: str) -> bool:
    """Tell whether a text is SSML: the SDK says that it may be for every text, so that the text decides."""
    allowed = parameters.enable_ssml or parameters.text_type.upper() == "SSML"
    return allowed and _SSML_START.match(text) is not None


def wish_of(parameters: Parameters, model: str, key: str, defaults: Defaults) -> Wish:
    """Return the wish that a request means.

    Raises:
        UnsupportedFormatError: No such format, rate or bit rate.
        BadRequestError: No model was named.
    """
    if not model:
        raise BadRequestError("model: missing")
    return Wish(
        encoding=encoding_of(parameters.format, parameters.sample_rate, parameters.bit_rate, defaults),
        # Of Sambert, the model is the voice.
        voice=parameters.voice or (model if model.startswith("sambert") else ""),
        model=model,
        instruction=parameters.instruction,
        style=Style(
            speed=parameters.rate, pitch=parameters.pitch, volume=parameters.volume, seed=parameters.seed
        ),
        lexicon=_readings(parameters.hot_fix),
        key=key,
    )


def encoding_of(name: str, rate: int, kbps: int | None, defaults: Defaults) -> Encoding:
    """Return the encoding that a format's name, a rate (0: usual) and a bit rate (kbit/s) mean.

    Raises:
        UnsupportedFormatError: There is no such encoding.
    """
    codec = defaults.codec if name.lower() in UNSAID else CODECS.get(name.lower())
    if codec is None:
        raise UnsupportedFormatError(f"format: found {shown(name)}; allowed: {', '.join(CODECS)}")
    if codec is Codec.OPUS and kbps is not None and kbps <= MAX_OPUS_KBPS:
        kbps = min(kbps, KBPS[codec][1])  # the vendor's range is that of two channels
    return Encoding(codec, rate or nearest_rate(codec, defaults.rate), kbps if codec in KBPS else None)


def _flat(entries: Words) -> Iterator[tuple[str, str]]:
    return chain.from_iterable(words.items() for words in entries)


def _readings(hot_fix: HotFix) -> dict[str, str]:
    """Return words with their readings; those that are not written as here are left to the voice."""
    asked = dict(_flat(hot_fix.pronunciation))
    readings = {word: reading for word, reading in asked.items() if _can_be_read({word: reading})}
    if n_ignored := len(asked) - len(readings):
        logger.info("readings of a hot fix that are not pinyin or ARPAbet, ignored: %d", n_ignored)
    return readings


def _can_be_read(entry: Mapping[str, str]) -> bool:
    try:
        Lexicon(entry)
    except BadRequestError:
        return False
    return True
