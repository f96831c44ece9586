"""Events of the Wyoming protocol as bytes: a line of JSON, a block of JSON, a payload.

Input   bytes as they come, cut anywhere; events to send
Output  WyomingEvent, or BadRequestError; bytes
State   the unfinished event
It does not know which events there are. After an error the reader cannot find the next event any more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from server.messages import shown
from streaming.errors import BadRequestError

VERSION = "1.10.2"  # of the library whose events these are
MAX_LINE_BYTES = 65536  # what that library reads, being asyncio's limit
MAX_PAYLOAD_BYTES = 65536  # clients of a synthesiser have nothing to say in it


@dataclass(frozen=True, slots=True)
class WyomingEvent:
    """One event of either side."""

    type: str
    data: Mapping[str, Any] = field(default_factory=dict)
    payload: bytes = b""


def encode(event: WyomingEvent) -> bytes:
    """Return an event as the library writes it: data in a block of its own, no length of what is empty."""
    data = _json(event.data) if event.data else b""
    header: dict[str, object] = {"type": event.type, "version": VERSION}
    if data:
        header["data_length"] = len(data)
    if event.payload:
        header["payload_length"] = len(event.payload)
    return b"%b\n%b%b" % (_json(header), data, event.payload)


@dataclass(frozen=True, slots=True)
class _Header:
    type: str
    data: dict[str, Any]
    n_data: int
    n_payload: int


class EventReader:
    """Reads one side of a connection: `feed` bytes, then take events until there is none."""

    def __init__(self, max_data_bytes: int) -> None:
        """Refuse data blocks above `max_data_bytes`; at most that and a payload are kept."""
        self._max_data_bytes = max_data_bytes
        self._buffer = bytearray()
        self._searched = 0  # bytes without a line end
        self._header: _Header | None = None

    def feed(self, data: bytes) -> None:
        """Take what was received."""
        self._buffer += data

    def next_event(self) -> WyomingEvent | None:
        """Return the next event; None when more bytes are needed.

        Raises:
            BadRequestError: It is no event, or too long.
        """
        if self._header is None and (line := self._line()) is not None:
            self._header = self._parsed(line)
        header = self._header
        if header is None or len(self._buffer) < header.n_data + header.n_payload:
            return None
        self._header = None
        block, payload = self._taken(header.n_data), self._taken(header.n_payload)
        data = header.data | _object(block, "the data") if block else header.data
        return WyomingEvent(header.type, data, payload)

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\n", self._searched)
        if max(end, len(self._buffer) if end < 0 else 0) > MAX_LINE_BYTES:
            raise BadRequestError(f"the header has no end within {MAX_LINE_BYTES} bytes")
        if end < 0:
            self._searched = len(self._buffer)
            return None
        self._searched = 0
        return self._taken(end + 1)

    def _taken(self, n_bytes: int) -> bytes:
        taken = bytes(self._buffer[:n_bytes])
        del self._buffer[:n_bytes]
        return taken

    def _parsed(self, line: bytes) -> _Header:
        fields = _object(line, "the header")
        kind, data = fields.get("type"), fields.get("data") or {}
        if not isinstance(kind, str) or not kind:
            raise BadRequestError(f"type: found {shown(kind)}; allowed: the name of an event")
        if not isinstance(data, dict):
            raise BadRequestError(f"data: found {shown(data)}; allowed: an object")
        n_data = _length(fields, "data_length", self._max_data_bytes)
        return _Header(kind, data, n_data, _length(fields, "payload_length", MAX_PAYLOAD_BYTES))


def _length(fields: Mapping[str, Any], name: str, most: int) -> int:
    length = fields.get(name)
    if length is None:
        return 0
    if type(length) is not int or not 0 <= length <= most:  # true and false are integers, too
        raise BadRequestError(f"{name}: found {shown(length)}; allowed: 0 to {most}")
    return length


def _object(text: bytes, what: str) -> dict[str, Any]:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRequestError(f"{what} is not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise BadRequestError(f"{what} is no JSON object")
    return fields


def _json(fields: object) -> bytes:
    """Return JSON; lone surrogates of a client's text come back as `?`."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
