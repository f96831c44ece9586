"""Finished audio that is kept for a while, for answers that hold a URL instead of sound.

Input   audio, as it is spoken
Output  a name that cannot be guessed; the audio for whoever knows it
State   the audio, oldest first; its bytes are bounded, with those of recordings that are not finished yet
It does not know requests or URLs. What is expired is dropped when the shelf is next used.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from streaming.audio.formats import Codec
from streaming.errors import BadRequestError, OverloadedError, RequestError

NAME_BYTES = 24  # 192 bits of chance
BYTES_PER_MB = 1_000_000
RIFF_SIZE_AT, DATA_SIZE_AT, WAV_HEADER_BYTES = 4, 40, 44
_ENDINGS = {Codec.PCM_S16LE: "pcm", Codec.OPUS: "ogg"}  # others are called as their codec


@dataclass(frozen=True, slots=True)
class KeptAudio:
    """Audio on the shelf; `expires_s` counts from 1970, as in `time.time`."""

    name: str
    codec: Codec
    data: memoryview
    expires_s: float


class AudioShelf:
    """Keeps audio. Belongs to one event loop."""

    def __init__(
        self, max_mb: int, keep_s: float, retry_after_ms: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._max_bytes = max_mb * BYTES_PER_MB
        self._keep_s = keep_s
        self._retry_after_ms = retry_after_ms
        self._clock = clock
        self._kept: dict[str, KeptAudio] = {}
        self._n_kept_bytes = 0
        self._n_recorded_bytes = 0

    @property
    def n_bytes(self) -> int:
        """Of all that is kept or being recorded."""
        return self._n_kept_bytes + self._n_recorded_bytes

    def record(self, codec: Codec) -> Recording:
        """Return a new recording; leave its context to give up what was not kept."""
        return Recording(self, codec)

    def get(self, name: str) -> KeptAudio | None:
        """Return the audio of a name, if it is still there."""
        self._drop_expired()
        return self._kept.get(name)

    def take_room(self, n_bytes: int, in_all: int) -> None:
        """Make room for more of a recording that will have `in_all` bytes; for recordings only.

        Raises:
            BadRequestError: So long a recording is never kept.
            OverloadedError: Other recordings take the room; what is kept stays.
        """
        if in_all > self._max_bytes:
            raise BadRequestError(
                f"the audio is longer than {self._max_bytes} bytes, which is the limit: ask for a stream"
            )
        if self._n_recorded_bytes + n_bytes > self._max_bytes:
            raise OverloadedError("too much audio is being recorded", self._retry_after_ms)
        self._drop_expired()
        while self.n_bytes + n_bytes > self._max_bytes:
            self._drop(next(iter(self._kept)))
        self._n_recorded_bytes += n_bytes

    def give_room(self, n_bytes: int) -> None:
        """Give back room that was taken; for recordings only."""
        self._n_recorded_bytes -= n_bytes

    def keep(self, codec: Codec, data: memoryview) -> KeptAudio:
        """Put audio, whose room was taken, on the shelf; for recordings only."""
        self.give_room(len(data))
        self._n_kept_bytes += len(data)
        name = f"{secrets.token_urlsafe(NAME_BYTES)}.{_ENDINGS.get(codec, codec.value)}"
        audio = KeptAudio(name, codec, data, self._clock() + self._keep_s)
        self._kept[name] = audio
        return audio

    def _drop_expired(self) -> None:
        now_s = self._clock()
        for name in [name for name, audio in self._kept.items() if audio.expires_s <= now_s]:
            self._drop(name)

    def _drop(self, name: str) -> None:
        self._n_kept_bytes -= len(self._kept.pop(name).data)


class Recording:
    """Audio that is being spoken."""

    def __init__(self, shelf: AudioShelf, codec: Codec) -> None:
        self._shelf = shelf
        self._codec = codec
        self._data = bytearray()
        self._is_given_up = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._give_up()

    def write(self, data: bytes) -> None:
        """Add audio.

        Raises:
            RequestError: There is no room, see `AudioShelf.take_room`; the recording is given up.
        """
        assert not self._is_given_up, "a recording with a hole"
        try:
            self._shelf.take_room(len(data), len(self._data) + len(data))
        except RequestError:
            self._give_up()
            raise
        self._data += data

    def keep(self) -> KeptAudio:
        """Put it on the shelf: it is complete."""
        assert not self._is_given_up, "a recording with a hole"
        data, self._data = self._data, bytearray()  # handed over: it may be large
        if self._codec is Codec.WAV:
            fill_in_sizes(data)
        return self._shelf.keep(self._codec, memoryview(data).toreadonly())

    def _give_up(self) -> None:
        self._is_given_up = True
        self._shelf.give_room(len(self._data))
        self._data = bytearray()


def fill_in_sizes(wav: bytearray) -> None:
    """Write its length into the header of a WAV file of open length."""
    n_bytes = len(wav)
    if n_bytes >= WAV_HEADER_BYTES:
        wav[RIFF_SIZE_AT : RIFF_SIZE_AT + 4] = (n_bytes - 8).to_bytes(4, "little")
        wav[DATA_SIZE_AT : DATA_SIZE_AT + 4] = (n_bytes - WAV_HEADER_BYTES).to_bytes(4, "little")
