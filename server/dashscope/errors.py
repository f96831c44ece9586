"""How DashScope words an error: a code, an HTTP status, a JSON document.

Input   errors of ours
Output  what its clients understand
State   none
"""

from __future__ import annotations

from uuid import uuid4

from aiohttp import hdrs, web

from server.http_audio import described
from streaming.errors import (
    IdleTimeoutError,
    OverloadedError,
    RequestError,
    StreamError,
    UnauthorizedError,
    UnknownModelError,
)


def code_of(error: StreamError) -> str:
    """Return the vendor's word for it."""
    match error:
        case UnauthorizedError():
            return "InvalidApiKey"
        case OverloadedError():
            return "Throttling.RateQuota"
        case UnknownModelError():
            return "ModelNotFound"
        case IdleTimeoutError():
            return "RequestTimeOut"
        case RequestError():
            return "InvalidParameter"
        case _:
            return "InternalError"


def status_of(error: StreamError) -> int:
    """Return the HTTP status."""
    match error:
        case UnauthorizedError():
            return 401
        case OverloadedError():
            return 429
        case UnknownModelError():
            return 404
        case RequestError():
            return 400
        case _:
            return 500


def error_fields(error: StreamError, request_id: str) -> dict[str, str]:
    """Return the body of an error."""
    return {"code": code_of(error), "message": described(error), "request_id": request_id}


def refused(error: StreamError, request_id: str = "") -> web.Response:
    """Return the response that tells an error."""
    headers: dict[str, str] = {}
    if isinstance(error, OverloadedError):
        headers[hdrs.RETRY_AFTER] = str(error.retry_after_s)
    fields = error_fields(error, request_id or str(uuid4()))
    return web.json_response(fields, status=status_of(error), headers=headers)
