"""The audio of an utterance as Wyoming events: where it starts and stops, in pieces of moderate size.

Input   Sound: PCM s16le at the voice's own rate
Output  audio-start, audio-chunk, audio-stop
State   whether a start is open; samples so far
"""

from __future__ import annotations

from server.rendering import Sound
from server.wyoming.framing import WyomingEvent

WIDTH = 2  # bytes per sample
CHUNK_BYTES = 8192  # a quarter of a second at 16 kHz: 2 % of it are headers


class WholeAudio:
    """One start, one stop: clients of `synthesize` listen no further than to the first stop."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._n_samples = 0
        self._is_open = False

    def push(self, sound: Sound) -> list[WyomingEvent]:
        """Return the events of more audio."""
        return [*self._start(), *self._chunks(sound.data)]

    def flush(self) -> list[WyomingEvent]:
        """Return the events of the end; where nothing was heard, a start is among them."""
        return [*self._start(), *self._stop()]

    def _start(self) -> list[WyomingEvent]:
        if self._is_open:
            return []
        self._is_open = True
        return [WyomingEvent("audio-start", self._format())]

    def _stop(self) -> list[WyomingEvent]:
        if not self._is_open:
            return []
        self._is_open = False
        return [WyomingEvent("audio-stop", {"timestamp": self._ms()})]

    def _chunks(self, data: bytes) -> list[WyomingEvent]:
        events = []
        for begin in range(0, len(data), CHUNK_BYTES):
            payload = data[begin : begin + CHUNK_BYTES]
            events.append(WyomingEvent("audio-chunk", self._format(), payload))
            self._n_samples += len(payload) // WIDTH
        return events

    def _format(self) -> dict[str, int]:
        return {"rate": self._rate, "width": WIDTH, "channels": 1, "timestamp": self._ms()}

    def _ms(self) -> int:
        return self._n_samples * 1000 // self._rate


class SentenceAudio(WholeAudio):
    """Start and stop around every segment, and an event that says that no further segment comes."""

    def push(self, sound: Sound) -> list[WyomingEvent]:
        """Return the events of more audio."""
        events = super().push(sound)
        return [*events, *self._stop()] if sound.ends_segment else events

    def flush(self) -> list[WyomingEvent]:
        """Return the events of the end."""
        return [*self._stop(), WyomingEvent("synthesize-stopped")]
