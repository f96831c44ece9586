"""Read server-sent events, as far as chat endpoints use them.

Input   bytes as they come
Output  the data of each event
State   a line that is not there to its end, the data lines of the event that is being gathered
"""

from __future__ import annotations

MAX_LINE_BYTES = 1 << 20


class SseError(Exception):
    """The bytes are no stream of events."""


class SseReader:
    """Any cut of the input gives the same events. Names, ids and comments are dropped."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[str] = []

    def push(self, data: bytes) -> list[str]:
        """Take bytes; return the events that are complete.

        Raises:
            SseError: A line does not end.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            raise SseError(f"a line of more than {MAX_LINE_BYTES} bytes")
        events = []
        for line in (line.removesuffix(b"\r").decode("utf-8", "replace") for line in lines):
            name, _, value = line.partition(":")
            if name == "data":
                self._data.append(value.removeprefix(" "))
            elif not line and self._data:
                events.append("\n".join(self._data))
                self._data = []
        return events
