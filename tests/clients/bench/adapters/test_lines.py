"""What protocols with an utterance per connection have in common, with connections made of lists."""

from __future__ import annotations

import asyncio
import time

import pytest

from clients.bench.adapters.adapter import FailedError, RefusedError, Request, Token, UnreachableError
from clients.bench.adapters.lines import Introduction, LineAdapter

Heard = list[bytes | Exception]


class FakeLine:
    """Says what it is told to; writes down what it is asked."""

    def __init__(self, heard: Heard, *, is_reusable: bool = True) -> None:
        self.is_free = True
        self.asked: list[str] = []
        self._ended = asyncio.Event()
        self._heard = list(heard)
        self._is_reusable = is_reusable

    async def introduce(self) -> Introduction:
        return Introduction("fake 1", 16000)

    async def begin(self, text: str) -> None:
        self.is_free = False
        self.asked.append(text)

    async def append(self, text: str) -> None:
        self.asked.append(text)

    async def end(self) -> None:
        self.asked.append("END")
        self._ended.set()

    async def next(self) -> bytes | None:
        await self._ended.wait()
        if not self._heard:
            self.is_free = self._is_reusable
            return None
        heard = self._heard.pop(0)
        if isinstance(heard, Exception):
            raise heard
        return heard

    async def cancel(self) -> None:
        self.asked.append("CANCEL")
        self.is_free = self._is_reusable

    def abort(self) -> None:
        self.asked.append("ABORT")
        self.is_free = False

    async def close(self) -> None:
        self.asked.append("CLOSE")
        self.is_free = False


class Lines:
    """Opens lines, up to a number."""

    def __init__(self, *heard: bytes | Exception, most: int = 100, is_reusable: bool = True) -> None:
        self.opened: list[FakeLine] = []
        self._heard, self._most, self._is_reusable = list(heard), most, is_reusable

    async def connect(self, is_slow: bool) -> FakeLine:
        if len(self.opened) >= self._most:
            raise RefusedError("http_429", None)
        self.opened.append(FakeLine(self._heard, is_reusable=self._is_reusable))
        return self.opened[-1]


def adapter(lines: Lines) -> LineAdapter:
    return LineAdapter(lines.connect, 24000, time.perf_counter)


async def audio_of(adapter: LineAdapter, request: Request) -> bytes:
    stream, audio = await adapter.start(request), b""
    while (chunk := await stream.next()) is not None:
        assert len(chunk.pcm) % 2 == 0
        assert chunk.received_s >= stream.sent_s
        audio += chunk.pcm
    assert await stream.next() is None
    return audio


async def test_audio_comes_in_whole_samples_and_the_line_is_used_again() -> None:
    lines = Lines(b"abc", b"d", b"ef")
    fake = adapter(lines)
    assert (await fake.open()).version == "fake 1"
    assert fake.sample_rate == 16000
    assert await audio_of(fake, Request("你好")) == b"abcdef"
    assert lines.opened[0].asked == ["你好", "END"]
    assert lines.opened[0].is_free
    await fake.close()
    assert all(line.asked[-1] == "CLOSE" for line in lines.opened)


async def test_text_in_tokens_is_sent_as_it_falls_due() -> None:
    lines = Lines(b"ab")
    fake = adapter(lines)
    tokens = (Token("a", 0.0), Token("b", 0.01), Token("c", 0.02))
    began_s = time.perf_counter()
    assert await audio_of(fake, Request("abc", tokens, due_s=began_s)) == b"ab"
    assert time.perf_counter() - began_s >= 0.02
    assert lines.opened[0].asked == ["a", "b", "c", "END"]
    await fake.close()


async def test_lines_are_opened_ahead_of_need_and_only_so_many() -> None:
    lines = Lines(b"ab", most=7)
    fake = adapter(lines)
    await fake.warm(3)
    assert len(lines.opened) == 3
    await fake.warm(20)
    assert len(lines.opened) == 7
    stream = await fake.start(Request("你好"))
    assert stream.connect_s == 0.0
    await fake.close()


async def test_a_line_for_one_utterance_only_is_replaced() -> None:
    lines = Lines(b"ab", is_reusable=False)
    fake = adapter(lines)
    for _ in range(2):
        assert await audio_of(fake, Request("你好")) == b"ab"
    await asyncio.wait(fake._openings)
    assert len(lines.opened) > 2
    assert sum("你好" in line.asked for line in lines.opened) == 2
    await fake.close()


async def test_slow_readers_have_a_connection_of_their_own() -> None:
    lines = Lines(b"ab")
    fake = adapter(lines)
    await fake.warm(1)
    assert await audio_of(fake, Request("你好", is_slow=True)) == b"ab"
    assert lines.opened[1].asked == ["你好", "END", "ABORT"]
    await fake.close()


@pytest.mark.parametrize(("end", "word"), [("abort", "ABORT"), ("abandon", "ABORT"), ("cancel", "CANCEL")])
async def test_leaving_early_is_done_once(end: str, word: str) -> None:
    lines = Lines(b"ab", b"cd")
    fake = adapter(lines)
    stream = await fake.start(Request("你好"))
    assert await stream.next() is not None
    if end == "cancel":
        await stream.cancel()
    else:
        getattr(stream, end)()
    stream.abandon()
    stream.abort()
    assert lines.opened[0].asked[2:] == [word]
    assert await stream.next() is None
    await fake.close()


@pytest.mark.parametrize("error", [FailedError("code", "words"), RefusedError("full", 100)])
async def test_a_line_that_fails_is_not_used_again(error: Exception) -> None:
    lines = Lines(b"ab", error)
    fake = adapter(lines)
    with pytest.raises(type(error)):
        await audio_of(fake, Request("你好"))
    assert lines.opened[0].asked[-1] == "ABORT"
    await fake.close()


async def test_nobody_there_is_said() -> None:
    with pytest.raises(UnreachableError, match="turned away"):
        await adapter(Lines(most=0)).open()
