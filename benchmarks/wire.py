"""The least client that can time the native protocol: one connection, one request at a time.

Input   texts, over a warm WebSocket connection (subprotocol tts.v1.json, docs/protocol.md)
Output  Reception: every audio frame with the time of its arrival, and the server's receipt
State   the connection and the last context number

Deliberately apart from clients/: a figure must not depend on what our own client buffers.
"""

from __future__ import annotations

import json
import struct
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

AUDIO_HEADER = struct.Struct("<BBHIQIHH")  # kind, flags, ctx, seq, sample, samples, sentence, meta length
AUDIO_KIND = 0x01
MAX_CTX = 65_535
AUDIBLE_DBFS = -40.0
AUDIBLE_WINDOW_MS = 10


@dataclass(frozen=True, slots=True)
class Reception:
    """One utterance as it arrived.

    Attributes:
        samples: [n_samples] float32 in [-1, 1].
        rate: Samples per second.
        frames: Per audio frame: (milliseconds from sending the request to its arrival, its samples).
        receipt: The fields of the server's `done` message.
    """

    samples: NDArray[np.float32]
    rate: int
    frames: tuple[tuple[float, int], ...]
    receipt: dict[str, Any]

    @property
    def ttfc_ms(self) -> float:
        """Request sent to first audio frame received."""
        return self.frames[0][0]

    @property
    def audible_ttfc_ms(self) -> float:
        """TTFC plus the leading silence: up to the first 10 ms window above -40 dBFS (RMS)."""
        window = self.rate * AUDIBLE_WINDOW_MS // 1000
        n_windows = len(self.samples) // window
        power = np.square(self.samples[: n_windows * window].reshape(n_windows, window)).mean(axis=1)
        loud = np.flatnonzero(power > 10 ** (AUDIBLE_DBFS / 10))
        silent_windows = int(loud[0]) if loud.size else n_windows
        return self.ttfc_ms + silent_windows * AUDIBLE_WINDOW_MS

    @property
    def audio_ms(self) -> float:
        """Duration of the audio."""
        return 1000 * len(self.samples) / self.rate

    def underruns_ms(self) -> list[float]:
        """Return the gaps heard by a player that starts at the first frame and buffers nothing more."""
        gaps = []
        plays_until = self.ttfc_ms
        for arrival_ms, n_samples in self.frames:
            if arrival_ms > plays_until:
                gaps.append(arrival_ms - plays_until)
                plays_until = arrival_ms
            plays_until += 1000 * n_samples / self.rate
        return gaps


class _RefusedError(Exception):
    """The server's answer is an error, or is not what the protocol promises."""


class StreamTimer:
    """A connection that times utterances; not for concurrent use."""

    def __init__(self, url: str) -> None:
        """Take the server's address, as `ws://host:port`; `async with` connects."""
        self._url = f"{url}/v1/stream"
        self._connection: ClientConnection | None = None
        self._ctx = 0

    async def __aenter__(self) -> Self:
        self._connection = await connect(
            self._url, subprotocols=[Subprotocol("tts.v1.json")], compression=None, max_size=None
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def speak(self, text: str, voice: str, rate: int) -> Reception:
        """Send `text` as one request on a new context and wait for all of its audio.

        Cancelling leaves the connection with a half-read utterance: close it then.

        Raises:
            RuntimeError: The server answered with an error or with no audio, or closed the connection.
        """
        if self._connection is None:
            raise RuntimeError("not connected; use `async with`")
        self._ctx = self._ctx % MAX_CTX + 1
        request = {"type": "open", "ctx": self._ctx, "voice": voice, "rate": rate, "text": text, "end": True}
        message = json.dumps(request, ensure_ascii=False)
        sent = time.perf_counter()
        try:
            await self._connection.send(message)
            return await self._receive(self._connection, sent, rate)
        except (ConnectionClosed, _RefusedError) as error:
            raise RuntimeError(f"{text!r} was not spoken: {error}") from error

    async def _receive(self, connection: ClientConnection, sent: float, rate: int) -> Reception:
        pieces: list[bytes] = []
        frames: list[tuple[float, int]] = []
        while True:
            received = await connection.recv()
            arrival_ms = 1000 * (time.perf_counter() - sent)
            if isinstance(received, bytes):
                n_samples, payload = self._audio(received)
                frames.append((arrival_ms, n_samples))
                pieces.append(payload)
                continue
            event = json.loads(received)
            if event["type"] == "error":
                raise _RefusedError(f"{event['code']}: {event['message']}")
            if event["type"] == "done" and event["ctx"] == self._ctx:
                break
        if not frames:
            raise _RefusedError("no audio came")
        samples = np.frombuffer(b"".join(pieces), dtype="<i2").astype(np.float32) / np.float32(32768)
        return Reception(samples, rate, tuple(frames), event)

    def _audio(self, frame: bytes) -> tuple[int, bytes]:
        kind, _, ctx, _, _, n_samples, _, meta_bytes = AUDIO_HEADER.unpack_from(frame)
        if kind != AUDIO_KIND or ctx != self._ctx:
            raise _RefusedError(f"unexpected binary frame: kind {kind}, ctx {ctx}; expected ctx {self._ctx}")
        return n_samples, frame[AUDIO_HEADER.size + meta_bytes :]
