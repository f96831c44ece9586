from __future__ import annotations

import asyncio
import io

import pytest

from clients.bench import progress
from clients.bench.progress import Progress
from clients.bench.tally import Tally
from tests.clients.bench.doubles import record, refused


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def tally() -> Tally:
    counts = Tally()
    for utterance in (record(0, gaps_ms=(9.0,)), record(1, "cancelled"), refused(2)):
        counts.begin()
        counts.end(utterance)
    counts.begin()
    return counts


def test_the_line_has_what_one_watches() -> None:
    line = tally().line()
    assert line == "streams 1, sent 4, done 2, refused 1, errors 0, TTFC p50 100 p99 100 ms, underruns 1"


async def shown(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(progress, "TERMINAL_S", 0.0)
    monkeypatch.setattr(progress, "FILE_S", 0.0)
    showing = asyncio.create_task(Progress(stream, lambda: 7.0).show("level", tally()))
    for _ in range(4):
        await asyncio.sleep(0)
    showing.cancel()
    await asyncio.wait([showing])
    return stream.getvalue()


async def test_a_terminal_has_one_line_that_changes_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    text = await shown(Terminal(), monkeypatch)
    assert text.startswith("\r\x1b[Klevel: 0 s, streams 1")
    assert text.endswith("\r\x1b[K")
    assert "\n" not in text


async def test_a_file_has_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    text = await shown(io.StringIO(), monkeypatch)
    assert text.startswith("level: 0 s, streams 1")
    assert text.endswith("\n")
    assert "\x1b" not in text
