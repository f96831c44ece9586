"""Audio as the body of an HTTP response, sent while it is computed.

Input   a Rendering whose text has ended
Output  a chunked response; or the error, while there is still a status to say it with
State   none
It does not know which protocol's request it was, nor how that one words its errors.

The status waits for the first audio, so that whatever goes wrong before is an error of the usual shape. After
that a failure can only be told by cutting the connection: the client sees an incomplete body. A client that
leaves is noticed while the first audio is waited for, and with every write, which ends the utterance; at most
one block was computed for nobody.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import aclosing
from typing import Any, cast

from aiohttp import hdrs, web

from server.rendering import Rendered, Rendering, Sound
from streaming.errors import RequestError, StreamError, SynthesisError

logger = logging.getLogger(__name__)

CHECK_S = 0.25  # between two looks whether a client is still there, before anything is sent


async def audio_bytes(rendering: Rendering) -> AsyncIterator[bytes]:
    """Yield the bytes of the stream as they become known. Cancel-safe.

    Raises:
        StreamError: See `Rendering.parts`.
    """
    parts = cast("AsyncGenerator[Rendered, None]", rendering.parts())
    async with aclosing(parts):
        async for part in parts:
            if isinstance(part, Sound):
                yield part.data


async def respond(
    request: web.Request,
    body: AsyncIterator[bytes],
    headers: Mapping[str, str],
    slow_reader_s: float,
    last_words: Callable[[StreamError], bytes] = lambda error: b"",
) -> web.StreamResponse:
    """Send a body as it comes.

    Args:
        request: Who asked.
        body: An async generator; it is closed whatever happens.
        headers: Of the response; `Content-Type` among them.
        slow_reader_s: How long the client may take nothing.
        last_words: What to write when the body fails after its beginning; b"" cuts the connection.

    Raises:
        StreamError: Nothing was sent yet.
    """
    async with aclosing(_guarded(cast("AsyncGenerator[bytes, None]", body))) as pieces:
        try:
            first = await _while_there(request, anext(pieces, b""))
        except ConnectionError:
            logger.info("%s left before the first audio", request.path)
            return web.Response(status=web.HTTPRequestTimeout.status_code)  # which nobody reads
        response = web.StreamResponse(headers={hdrs.CACHE_CONTROL: "no-store", **headers})
        try:
            await response.prepare(request)
            if request.method == hdrs.METH_HEAD:
                return response
            await _in_time(response.write(first), slow_reader_s)
            async for piece in pieces:
                await _in_time(response.write(piece), slow_reader_s)
            await _in_time(response.write_eof(), slow_reader_s)
        except ConnectionError:
            logger.info("%s left before the end", request.path)
        except TimeoutError:
            logger.info("%s read nothing for %g s", request.path, slow_reader_s)
            cut(request)
        except StreamError as error:
            _log(request, error)
            await _say_and_cut(request, response, last_words(error), slow_reader_s)
    return response


async def _guarded(body: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Yield what the body does; the outer edge of a request: whatever fails is a StreamError from here on."""
    async with aclosing(body):
        try:
            async for piece in body:
                yield piece
        except StreamError:
            raise
        except Exception as error:
            logger.exception("a response failed")
            raise SynthesisError("synthesis failed") from error


async def _while_there(request: web.Request, first: Coroutine[Any, Any, bytes]) -> bytes:
    """Wait for the first audio as long as the client does.

    Raises:
        ConnectionResetError: It has left.
    """
    waiting = asyncio.ensure_future(first)
    try:
        while not (await asyncio.wait({waiting}, timeout=CHECK_S))[0]:
            if request.transport is None or request.transport.is_closing():
                raise ConnectionResetError("the client has left")
        return waiting.result()
    finally:
        if not waiting.done():
            waiting.cancel()
            await asyncio.wait({waiting})


def cut(request: web.Request) -> None:
    """Close the connection without the end of the body."""
    if request.transport is not None:
        request.transport.abort()


def described(error: StreamError) -> str:
    """Return what a client may know of an error; faults of ours go without details."""
    return str(error) if isinstance(error, RequestError) else str(SynthesisError("synthesis failed"))


async def _say_and_cut(
    request: web.Request, response: web.StreamResponse, words: bytes, slow_reader_s: float
) -> None:
    if not words:
        cut(request)
        return
    try:
        await _in_time(response.write(words), slow_reader_s)
        await _in_time(response.write_eof(), slow_reader_s)
    except (ConnectionError, TimeoutError):
        cut(request)


async def _in_time(writing: Awaitable[None], slow_reader_s: float) -> None:
    async with asyncio.timeout(slow_reader_s):
        await writing


def _log(request: web.Request, error: StreamError) -> None:
    if isinstance(error, RequestError):
        logger.info("%s failed after its beginning: %s", request.path, error.code)
    else:
        logger.error("%s failed after its beginning", request.path, exc_info=error)
