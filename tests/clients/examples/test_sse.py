"""Server-sent events, cut everywhere."""

from __future__ import annotations

import pytest

from clients.examples import sse
from clients.examples.sse import SseError, SseReader

STREAM = (
    b": a comment\r\n\r\ndata: one\r\n\r\nevent: x\nid: 7\ndata: two\ndata:three\n\n\n\n"
    + "data: 知音\n\n".encode()
    + b"data: never finished"
)


def read(*pieces: bytes) -> list[str]:
    reader = SseReader()
    return [event for piece in pieces for event in reader.push(piece)]


def test_events_are_read() -> None:
    assert read(STREAM) == ["one", "two\nthree", "知音"]


def test_every_cut_gives_the_same_events() -> None:
    for index in range(len(STREAM) + 1):
        assert read(STREAM[:index], STREAM[index:]) == read(STREAM)


def test_a_line_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_LINE_BYTES", 10)
    with pytest.raises(SseError):
        read(b"data: 12345678")
