"""`GET` and `POST /v1/tts`: speech for curl, scripts and `<audio>` tags.

Input   HTTP requests: a query, a form or JSON
Output  chunked audio; errors as `{"error": {"code", "message"}}`
State   none
"""

from __future__ import annotations

from typing import Annotated

from aiohttp import hdrs, web
from pydantic import BaseModel, ConfigDict, Field

from server.auth import check_token
from server.backend import Backend
from server.bodies import read_body, received, validate
from server.http_audio import audio_bytes, described, respond
from server.messages import MAX_LEXICON, MAX_NAME_CHARS, shown
from server.rendering import Rendering
from server.speaking import Wish, begin, speak_whole
from streaming.audio.formats import Codec, Encoding, nearest_rate
from streaming.errors import (
    BadRequestError,
    OverloadedError,
    RequestError,
    StreamError,
    TextTooLongError,
    UnauthorizedError,
    UnsupportedFormatError,
)
from streaming.types import Style

TTS_PATH = "/v1/tts"
UTF_8 = ("utf-8", "utf8")
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
CODECS = {
    "mp3": Codec.MP3,
    "wav": Codec.WAV,
    "opus": Codec.OPUS,
    "ogg": Codec.OPUS,
    "flac": Codec.FLAC,
    "aac": Codec.AAC,
    "pcm": Codec.PCM_S16LE,
    "pcm_s16le": Codec.PCM_S16LE,
    "pcm_f32le": Codec.PCM_F32LE,
    "ulaw": Codec.ULAW,
    "alaw": Codec.ALAW,
}
DEFAULT_RATES = {Codec.ULAW: 8000, Codec.ALAW: 8000}
DEFAULT_RATE = 24000

Name = Annotated[str, Field(max_length=MAX_NAME_CHARS)]


class TtsRequest(BaseModel):
    """What a request says. A query holds strings only, so that numbers may be strings here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    voice: Name = ""
    speaker: Name = ""
    emotion: Name = ""
    emotion_intensity: Annotated[float, Field(ge=0, le=2.0)] = 1.0
    speed: Annotated[float, Field(ge=0.5, le=2.0)] = 1.0
    pitch: Annotated[float, Field(ge=0.5, le=2.0)] = 1.0
    volume: Annotated[float, Field(ge=0, le=100)] = 50.0
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    format: Annotated[str, Field(json_schema_extra={"enum": list(CODECS)})] = "mp3"
    rate: int | None = None
    kbps: int | None = None
    ssml: bool = False
    lexicon: Annotated[dict[str, str], Field(max_length=MAX_LEXICON)] = {}
    token: str = ""  # of a query: `check_token` reads it


class TtsEndpoint:
    """Answers plain requests. Belongs to one event loop."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def speak(self, request: web.Request) -> web.StreamResponse:
        """Speak a text."""
        slow_reader_s = self._backend.config.limits.slow_reader_s
        try:
            key = check_token(request, self._backend.config.auth)
            with self._backend.door.entered():
                rendering = self._begin(await _asked(request), key)
                headers: dict[str, str] = {hdrs.CONTENT_TYPE: rendering.encoding.codec.content_type}
                return await respond(request, audio_bytes(rendering), headers, slow_reader_s)
        except StreamError as error:
            return _refused(error)

    def _begin(self, asked: TtsRequest, key: str) -> Rendering:
        if len(asked.text) > (allowed := self._backend.config.limits.chars_per_context):
            raise TextTooLongError(len(asked.text), allowed)
        if not asked.text.strip():
            raise BadRequestError("text: found none; allowed: at least one character")
        style = Style(
            speaker=asked.speaker,
            emotion=asked.emotion,
            emotion_intensity=asked.emotion_intensity,
            speed=asked.speed,
            pitch=asked.pitch,
            volume=asked.volume,
            seed=asked.seed,
        )
        wish = Wish(
            _encoding(asked), asked.voice, style=style, ssml=asked.ssml, lexicon=asked.lexicon, key=key
        )
        rendering = begin(self._backend, wish)
        speak_whole(rendering, asked.text)
        return rendering


async def _asked(request: web.Request) -> TtsRequest:
    """Read a request: the query, and over it the form or the JSON of a `POST`.

    Raises:
        BadRequestError: It is none.
    """
    query = dict(request.query)
    if request.method != hdrs.METH_POST:
        return validate(query, TtsRequest)
    if request.content_type in FORMS:
        if (request.charset or "utf-8").lower() not in UTF_8:  # others may take minutes to decode
            raise BadRequestError(f"charset: found {shown(request.charset)}; allowed: utf-8")
        try:
            form = await received(request.post(), request)
        except (ValueError, LookupError, RuntimeError) as error:
            raise BadRequestError(f"the form cannot be read: {error}") from None
        return validate(query | {name: value for name, value in form.items() if value != ""}, TtsRequest)
    return await read_body(request, TtsRequest, query)


def _encoding(asked: TtsRequest) -> Encoding:
    codec = CODECS.get(asked.format)
    if codec is None:
        raise UnsupportedFormatError(f"format: found {shown(asked.format)}; allowed: {', '.join(CODECS)}")
    rate = asked.rate or nearest_rate(codec, DEFAULT_RATES.get(codec, DEFAULT_RATE))
    return Encoding(codec, rate, asked.kbps)


def _refused(error: StreamError) -> web.Response:
    headers = {}
    match error:
        case UnauthorizedError():
            status = 401
        case OverloadedError():
            status = 429
            headers[hdrs.RETRY_AFTER] = str(error.retry_after_s)
        case RequestError():
            status = 400
        case _:
            status = 500
    document = {"error": {"code": error.code, "message": described(error)}}
    return web.json_response(document, status=status, headers=headers)
