"""Who may connect: tokens from the configuration, compared in constant time.

Input   an HTTP request
Output  nothing, or UnauthorizedError, or the answer that tells it
State   none
"""

from __future__ import annotations

import hmac

from aiohttp import hdrs, web

from server.config import AuthConfig
from streaming.errors import UnauthorizedError

SCHEME = "bearer"  # compared without case (RFC 9110, 11.1)


def refusal(request: web.Request, config: AuthConfig) -> web.Response | None:
    """Return the JSON answer to a request without a valid token; None if it may go on."""
    try:
        check_token(request, config)
    except UnauthorizedError as error:
        return web.json_response({"error": {"code": error.code, "message": str(error)}}, status=401)
    return None


def check_token(request: web.Request, config: AuthConfig) -> str:
    """Accept `Authorization: Bearer TOKEN` or, for browsers' WebSockets, `?token=TOKEN`.

    Returns:
        The name of the key; "" where none is needed.

    Raises:
        UnauthorizedError: Tokens are configured, and the request has none or a wrong one.
    """
    scheme, _, credentials = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    found = credentials if scheme.lower() == SCHEME else request.query.get("token", "")
    return check_credentials(found, config)


def check_credentials(found: str, config: AuthConfig) -> str:
    """Accept a token, wherever the protocol has it.

    Returns:
        The name of the key; "" where none is needed.

    Raises:
        UnauthorizedError: Tokens are configured, and this is none of them.
    """
    if not config.tokens:
        return ""
    if not found:
        raise UnauthorizedError("a token is required: Authorization: Bearer TOKEN, or ?token=TOKEN")
    # Every token is compared, so that the time does not tell which one came close.
    keys = config.keys
    # A header may hold bytes that are not UTF-8; aiohttp hands them on as lone surrogates.
    given = found.encode(errors="backslashreplace")
    matches = [key.name for key in keys if hmac.compare_digest(given, key.token.get_secret_value().encode())]
    if not matches:
        raise UnauthorizedError("the token is not valid")
    return matches[0]
