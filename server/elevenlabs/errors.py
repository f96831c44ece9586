"""How ElevenLabs words errors.

Input   StreamError
Output  HTTP responses; maps for WebSockets, with the code to close with
State   none
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import hdrs, web

from server.bodies import BadFieldError
from server.http_audio import described
from streaming.errors import (
    BadRequestError,
    IdleTimeoutError,
    OverloadedError,
    RequestError,
    StreamError,
    TextTooLongError,
    UnauthorizedError,
    UnknownModelError,
    UnknownVoiceError,
    UnsupportedFormatError,
)

CLOSE_POLICY = 1008  # what ElevenLabs closes with, whatever the client did
CLOSE_INTERNAL = 1011


class EmptyTextError(BadRequestError):
    """There is nothing to speak."""

    code = "input_text_empty"


@dataclass(frozen=True, slots=True)
class _Shape:
    """HTTP status, and the name of the error; of WebSockets, where they have one of their own."""

    status: int
    name: str
    socket_name: str = ""


def _shape(error: StreamError) -> _Shape:
    match error:
        case UnauthorizedError():
            return _Shape(401, "invalid_api_key")
        case OverloadedError():
            return _Shape(429, "system_busy")
        case UnknownModelError():
            return _Shape(400, "model_not_found")
        case UnknownVoiceError():
            return _Shape(404, "voice_not_found")
        case TextTooLongError():
            return _Shape(400, "max_character_limit_exceeded")
        case IdleTimeoutError():
            return _Shape(408, "input_timeout_exceeded")
        case EmptyTextError():
            return _Shape(400, error.code)
        case UnsupportedFormatError():
            return _Shape(422, "invalid_output_format")
        case BadRequestError():
            return _Shape(422, "invalid_input", "invalid_input_message")
        case RequestError():
            return _Shape(400, error.code)
        case _:
            return _Shape(500, "internal_error")


def refused(error: StreamError, headers: Mapping[str, str]) -> web.Response:
    """Return the answer to a request that is not served."""
    shape = _shape(error)
    headers = dict(headers)
    headers.pop(hdrs.CONTENT_TYPE, None)
    if isinstance(error, OverloadedError):
        headers[hdrs.RETRY_AFTER] = str(error.retry_after_s)
    detail: object = {"status": shape.name, "message": described(error)}
    if shape.status == 422:
        detail = [{"loc": _place(error), "msg": described(error), "type": shape.name}]
    return web.json_response({"detail": detail}, status=shape.status, headers=headers)


def error_map(error: StreamError) -> dict[str, object]:
    """Return what a WebSocket says of an error."""
    shape = _shape(error)
    name = shape.socket_name or shape.name
    return {"message": described(error), "error": name, "code": close_code(error)}


def close_code(error: StreamError) -> int:
    """Return what a WebSocket closes with that ends with an error."""
    return CLOSE_POLICY if isinstance(error, RequestError) else CLOSE_INTERNAL


def _place(error: StreamError) -> list[str]:
    if isinstance(error, UnsupportedFormatError):
        return ["query", "output_format"]
    return ["body", error.field] if isinstance(error, BadFieldError) and error.field else ["body"]
