"""Open a WebSocket as a load generator wants it: uncompressed, read only as far as it is listened to.

Input   a URL, headers
Output  an open socket, or what the generator counts: a refusal, a failure
State   none
"""

from __future__ import annotations

import socket as sockets
from collections.abc import Mapping
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from clients.bench.adapters.adapter import FailedError, RefusedError
from clients.python.client import LOOPBACK, MAX_FRAME_BYTES

LIBRARY_FRAMES = 2  # frames that the WebSocket library reads ahead
# Kernel buffer of slow readers; the default holds minutes of speech. Below the 64 KiB segments of a
# loopback device TCP would wait for its timers, and the reader would be slower than it means to be.
SLOW_RECEIVE_BYTES = 65536
CLOSE_S = 1.0
BUSY_STATUS = (429, 503)


async def open_socket(
    url: str, headers: Mapping[str, str], timeout_s: float, *, is_slow: bool, subprotocol: str | None = None
) -> ClientConnection:
    """Connect.

    Raises:
        RefusedError: The server is full.
        FailedError: Anything else.
    """
    try:
        socket = await connect(
            url,
            subprotocols=[Subprotocol(subprotocol)] if subprotocol else None,
            compression=None,
            additional_headers=headers,
            max_size=MAX_FRAME_BYTES,
            max_queue=LIBRARY_FRAMES,
            open_timeout=timeout_s,
            close_timeout=CLOSE_S,
            proxy=None if urlsplit(url).hostname in LOOPBACK else True,
        )
    except InvalidStatus as error:
        status = error.response.status_code
        if status in BUSY_STATUS:
            raise RefusedError(f"http_{status}", None) from error
        raise FailedError(f"http_{status}", str(error)) from error
    except (OSError, InvalidURI, InvalidHandshake, TimeoutError) as error:
        raise FailedError("connect", connect_words(error)) from error
    if is_slow:
        narrow(socket.transport.get_extra_info("socket"))
    return socket


def narrow(socket: sockets.socket) -> None:
    """Make the kernel's buffer of a slow reader small."""
    socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, SLOW_RECEIVE_BYTES)


def connect_words(error: Exception) -> str:
    """Return why nobody could be reached."""
    cause = error if isinstance(error, OSError) else error.__cause__
    if isinstance(cause, ConnectionRefusedError):
        return "no server answers"
    return str(error) or type(error).__name__
