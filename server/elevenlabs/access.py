"""Whose request it is: ElevenLabs' ways to show a key, and which clients expect ElevenLabs' answers.

Input   HTTP requests
Output  credentials; one of two handlers
State   none
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

from server.auth import SCHEME

KEY_HEADER = "xi-api-key"
SDK_HEADER = "X-Fern-SDK-Name"
SDK_NAME = "elevenlabs"
QUERY_NAMES = (KEY_HEADER, "authorization", "single_use_token", "token")  # browsers can send no headers

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def credentials_of(request: web.Request) -> str:
    """Return the key that a request shows; "" where there is none."""
    if key := request.headers.get(KEY_HEADER):
        return key
    if header := request.headers.get(hdrs.AUTHORIZATION):
        return bare(header)
    return next((bare(request.query[name]) for name in QUERY_NAMES if request.query.get(name)), "")


def bare(authorization: str) -> str:
    """Return a token without its scheme."""
    scheme, _, token = authorization.partition(" ")
    return token if scheme.lower() == SCHEME else authorization


def by_client(theirs: Handler, ours: Handler) -> Handler:
    """Return a handler for a path that ElevenLabs has, too: their clients get `theirs`."""

    async def choose(request: web.Request) -> web.StreamResponse:
        is_theirs = KEY_HEADER in request.headers or request.headers.get(SDK_HEADER) == SDK_NAME
        return await (theirs if is_theirs else ours)(request)

    return choose
