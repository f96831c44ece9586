"""What the load generator needs of a protocol: start an utterance, take its audio, stop it.

Input   requests
Output  streams of audio chunks with their arrival times; typed refusals and failures
State   none here; adapters own their connections
It does not know schedules, figures or reports. A new protocol is a new file beside this one, and a
line in `clients.bench.targets`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class RefusedError(Exception):
    """The server said no before it spoke: it is full, for now. Not an error of the server."""

    def __init__(self, code: str, retry_after_ms: int | None) -> None:
        self.code = code
        self.retry_after_ms = retry_after_ms
        super().__init__(code)


class FailedError(Exception):
    """The utterance went wrong; `code` is short and stable, for counting."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(f"{code}: {message}")


class UnreachableError(Exception):
    """The target cannot be measured at all: nobody answers, or not to us."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text that is sent `after_s` seconds after the utterance was due."""

    text: str
    after_s: float


@dataclass(frozen=True, slots=True)
class Request:
    """One utterance to speak.

    Attributes:
        text: The whole text.
        tokens: The same text in pieces, to be sent as they fall due; empty: sent at once.
        due_s: When it was due, on the adapter's clock; the pieces are timed from here.
        is_slow: Its reader is slow: buffers on the way are to be as small as they can be.
    """

    text: str
    tokens: tuple[Token, ...] = ()
    due_s: float = 0.0
    is_slow: bool = False


@dataclass(frozen=True, slots=True)
class Chunk:
    """Audio, mono s16le at the adapter's `sample_rate`, and when it arrived."""

    pcm: bytes
    received_s: float


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the server says that the utterance cost; None where its protocol does not."""

    ttfc_ms: float | None
    audible_ttfc_ms: float | None
    queue_ms: float | None
    rtf: float | None
    cached: bool


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What the server calls itself."""

    version: str


class Stream(Protocol):
    """An utterance that was sent. One consumer; `cancel` or `abort` it, or take chunks until None."""

    sent_s: float
    """When its request was handed to the socket, on the adapter's clock."""
    connect_s: float
    """How long it had to wait for a new connection; 0 if a warm one was there."""
    receipt: Receipt | None

    async def next(self) -> Chunk | None:
        """Return the next audio, or None at the end. Cancel-safe.

        Raises:
            RefusedError: The server is full.
            FailedError: It went wrong.
        """
        ...

    async def cancel(self) -> None:
        """Barge in: stop it politely, and wait until the server has taken note where it says so."""
        ...

    def abort(self) -> None:
        """Drop the TCP connection as a killed client would. Idempotent; harmless at the end."""
        ...

    def abandon(self) -> None:
        """Give up on it without waiting; what else is on the connection goes on. Idempotent."""
        ...


class Adapter(Protocol):
    """A server behind its protocol. Belongs to one event loop; any number of streams at a time."""

    sample_rate: int

    async def open(self) -> ServerInfo:
        """Get in touch, once, first.

        Raises:
            UnreachableError: There is no talking to it.
        """
        ...

    async def warm(self, n_connections: int) -> None:
        """Have so many connections ready, as far as the server lets us."""
        ...

    async def start(self, request: Request) -> Stream:
        """Send a request.

        Raises:
            RefusedError: The server is full.
            FailedError: It could not be sent.
        """
        ...

    async def cool(self) -> None:
        """Close the connections that nobody uses: another target's turn comes, on the same server maybe."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...
