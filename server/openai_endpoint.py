"""OpenAI's `POST /v1/audio/speech`, with the lists of models and voices that its clients ask for.

Input   HTTP requests as the openai SDK, pipecat, LiveKit and Open WebUI send them
Output  chunked audio or server-sent events; errors in OpenAI's shape
State   none
docs/protocols.md says which clients need what.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import uuid4

from aiohttp import hdrs, web
from pydantic import Field

from server.auth import check_token
from server.backend import Backend
from server.bodies import BadFieldError, Body, read_body
from server.http_audio import audio_bytes, described, respond
from server.messages import shown
from server.rendering import Rendering
from server.speaking import Wish, begin, possible_speed, speak_whole
from streaming.audio.formats import Codec, Encoding, nearest_rate
from streaming.errors import (
    OverloadedError,
    RequestError,
    StreamError,
    TextTooLongError,
    UnauthorizedError,
    UnknownModelError,
    UnknownVoiceError,
    UnsupportedFormatError,
)
from streaming.types import Style

SPEECH_PATH = "/v1/audio/speech"
MODELS_PATH = "/v1/models"
VOICES_PATH = "/v1/audio/voices"

RATE = 24000  # of pcm, which has no header: pipecat and LiveKit take it for granted
CODECS = {
    "mp3": Codec.MP3,
    "opus": Codec.OPUS,
    "aac": Codec.AAC,
    "flac": Codec.FLAC,
    "wav": Codec.WAV,
    "pcm": Codec.PCM_S16LE,
}
MAX_NAME_CHARS = 256
MAX_INSTRUCTIONS_CHARS = 4096
CHARS_PER_TOKEN = 4  # no tokens are counted here: the fields must be there, so they are estimates
AUDIO_TOKENS_PER_S = 20


class VoiceId(Body):
    """A voice as an object."""

    id: Annotated[str, Field(max_length=MAX_NAME_CHARS)]


class SpeechRequest(Body):
    """The body of a request."""

    model: Annotated[str, Field(max_length=MAX_NAME_CHARS)] = ""
    input: str
    voice: Annotated[str, Field(max_length=MAX_NAME_CHARS)] | VoiceId = ""
    instructions: Annotated[str, Field(max_length=MAX_INSTRUCTIONS_CHARS)] = ""
    response_format: Annotated[str, Field(json_schema_extra={"enum": list(CODECS)})] = "mp3"
    speed: Annotated[float, Field(ge=0.25, le=4.0)] = 1.0
    stream_format: Literal["audio", "sse"] = "audio"
    sample_rate: int | None = None

    @property
    def voice_name(self) -> str:
        """The voice, however it was written."""
        return self.voice if isinstance(self.voice, str) else self.voice.id


class OpenAiEndpoint:
    """Answers OpenAI's clients. Belongs to one event loop."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def speech(self, request: web.Request) -> web.StreamResponse:
        """Speak a text."""
        headers = {"x-request-id": f"req_{uuid4().hex}"}
        limits = self._backend.config.limits
        try:
            key = check_token(request, self._backend.config.auth)
            with self._backend.door.entered():
                asked = await read_body(request, SpeechRequest)
                rendering = self._begin(asked, key)
                if asked.stream_format == "sse":
                    headers[hdrs.CONTENT_TYPE] = "text/event-stream"
                    body = _events(rendering, len(asked.input))
                    return await respond(request, body, headers, limits.slow_reader_s, _last_event)
                headers[hdrs.CONTENT_TYPE] = rendering.encoding.codec.content_type
                return await respond(request, audio_bytes(rendering), headers, limits.slow_reader_s)
        except StreamError as error:
            return _refused(error, headers)

    async def models(self, request: web.Request) -> web.Response:
        """List what may be asked for as `model`."""
        try:
            check_token(request, self._backend.config.auth)
        except UnauthorizedError as error:
            return _refused(error, {})
        names = (*self._backend.names.models, *self._backend.library.names)
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "zhiyin"} for name in names]
        return web.json_response({"object": "list", "data": data})

    async def voices(self, request: web.Request) -> web.Response:
        """List what may be asked for as `voice`."""
        try:
            check_token(request, self._backend.config.auth)
        except UnauthorizedError as error:
            return _refused(error, {})
        return web.json_response({"voices": [*self._backend.library.names, *self._backend.names.aliases]})

    def _begin(self, asked: SpeechRequest, key: str) -> Rendering:
        if len(asked.input) > (allowed := self._backend.config.limits.chars_per_context):
            raise TextTooLongError(len(asked.input), allowed)
        if not asked.input.strip():
            raise BadFieldError("input", "input: found no text; allowed: at least one character")
        rendering = begin(
            self._backend,
            Wish(
                encoding=_encoding(asked),
                voice=asked.voice_name,
                model=asked.model,
                instruction=asked.instructions,
                style=Style(speed=possible_speed(asked.speed)),
                key=key,
            ),
        )
        speak_whole(rendering, asked.input)
        return rendering


def _encoding(asked: SpeechRequest) -> Encoding:
    codec = CODECS.get(asked.response_format)
    if codec is None:
        found, allowed = shown(asked.response_format), ", ".join(CODECS)
        raise UnsupportedFormatError(f"response_format: found {found}; allowed: {allowed}")
    return Encoding(codec, asked.sample_rate or nearest_rate(codec, RATE))


async def _events(rendering: Rendering, n_chars: int) -> AsyncIterator[bytes]:
    """Yield the server-sent events; the bytes in them are those of the plain response."""
    async for data in audio_bytes(rendering):
        yield _event({"type": "speech.audio.delta", "audio": base64.b64encode(data).decode()})
    n_in = -(-n_chars // CHARS_PER_TOKEN)
    n_out = round(rendering.audio_s * AUDIO_TOKENS_PER_S)
    usage = {"input_tokens": n_in, "output_tokens": n_out, "total_tokens": n_in + n_out}
    yield _event({"type": "speech.audio.done", "usage": usage})


def _event(fields: object) -> bytes:
    return f"data: {json.dumps(fields, separators=(',', ':'))}\n\n".encode()


def _last_event(error: StreamError) -> bytes:
    return _event(_document(error))


@dataclass(frozen=True, slots=True)
class _Shape:
    """How OpenAI words an error: HTTP status, type, code, the parameter it is about."""

    status: int
    type: str = "invalid_request_error"
    code: str | None = None
    param: str | None = None


def _shape(error: StreamError) -> _Shape:
    match error:
        case UnauthorizedError():
            return _Shape(401, "authentication_error", "invalid_api_key")
        case OverloadedError():
            return _Shape(429, "rate_limit_error", "rate_limit_exceeded")
        case UnknownModelError():
            return _Shape(404, code="model_not_found", param="model")
        case UnknownVoiceError():
            return _Shape(400, code="voice_not_found", param="voice")
        case TextTooLongError():
            return _Shape(400, code="string_above_max_length", param="input")
        case UnsupportedFormatError():
            return _Shape(400, code=error.code, param="response_format")
        case BadFieldError():
            return _Shape(400, code="invalid_value", param=error.field or None)
        case RequestError():
            return _Shape(400, code=error.code)
        case _:
            return _Shape(500, "server_error", "internal_error")


def _document(error: StreamError) -> dict[str, dict[str, str | None]]:
    shape = _shape(error)
    message = described(error)
    return {"error": {"message": message, "type": shape.type, "param": shape.param, "code": shape.code}}


def _refused(error: StreamError, headers: dict[str, str]) -> web.Response:
    shape = _shape(error)
    if isinstance(error, OverloadedError):
        headers = headers | {"retry-after-ms": str(error.retry_after_ms)}
        headers |= {hdrs.RETRY_AFTER: str(error.retry_after_s)}
    if shape.status >= 500:
        headers = headers | {"x-should-retry": "false"}  # the same text would fail again
    headers.pop(hdrs.CONTENT_TYPE, None)
    return web.json_response(_document(error), status=shape.status, headers=headers)
