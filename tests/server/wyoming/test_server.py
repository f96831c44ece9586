"""The Wyoming server over real sockets, with the fake voice."""

from __future__ import annotations

import asyncio
import socket as sockets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from server.serving import shut_down
from server.wyoming.connection import WyomingConnection
from server.wyoming.framing import EventReader, WyomingEvent, encode
from streaming.engines.fake import FakeEngine
from tests.server.harness import LONG_TEXT, Gate, Server, limits, running

TEXT = "你好欢迎光临。再见朋友。"
DESCRIBE = WyomingEvent("describe")
START, STOP = WyomingEvent("synthesize-start"), WyomingEvent("synthesize-stop")


def whole(text: str, **fields: Any) -> WyomingEvent:
    return WyomingEvent("synthesize", {"text": text, **fields})


def piece(text: str) -> WyomingEvent:
    return WyomingEvent("synthesize-chunk", {"text": text})


class Client:
    """A socket that speaks events."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._events = EventReader(1 << 20)

    def send(self, *events: WyomingEvent) -> None:
        self.writer.write(b"".join(map(encode, events)))

    async def receive(self) -> WyomingEvent | None:
        """Return the next event; None at the end."""
        while (event := self._events.next_event()) is None:
            data = await self.reader.read(65536)
            if not data:
                return None
            self._events.feed(data)
        return event

    async def until(self, kind: str) -> list[WyomingEvent]:
        events: list[WyomingEvent] = []
        while not events or events[-1].type != kind:
            event = await self.receive()
            assert event is not None, f"the connection ended before {kind}: {[e.type for e in events]}"
            events.append(event)
        return events

    async def rest(self) -> list[WyomingEvent]:
        events = []
        while (event := await self.receive()) is not None:
            events.append(event)
        return events

    async def error(self) -> str:
        """Return the code of the error, which must be the last event before the end; then leave."""
        last = (await self.rest())[-1]
        self.writer.close()
        assert last.type == "error"
        assert last.data["text"]
        return str(last.data["code"])


@asynccontextmanager
async def connected(server: Server, receive_bytes: int | None = None) -> AsyncIterator[Client]:
    sock = sockets.socket()
    if receive_bytes is not None:
        sock.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, receive_bytes)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", server.wyoming_port))
    reader, writer = await asyncio.open_connection(sock=sock)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


@asynccontextmanager
async def talking(engine: FakeEngine | None = None, **values: Any) -> AsyncIterator[tuple[Server, Client]]:
    async with running(limits(wyoming=True, **values), engine) as server, connected(server) as client:
        yield server, client


def runs(events: list[WyomingEvent]) -> list[str]:
    """The kinds of events, with chunks in a row as one."""
    kinds = [event.type for event in events]
    return [kind for kind, before in zip(kinds, ["", *kinds], strict=False) if kind != before]


def pcm(events: list[WyomingEvent]) -> bytes:
    return b"".join(event.payload for event in events)


async def native_pcm(server: Server, text: str) -> bytes:
    async with server.client() as client:
        rate = server.backend.voice("").manifest.sample_rate
        await client.send("open", ctx=1, text=text, end=True, rate=rate)
        return b"".join(m["pcm"] for m in await client.until("done") if m["type"] == "audio")


async def gone(server: Server) -> None:
    """Wait until nobody is inside any more."""
    async with asyncio.timeout(10):
        await server.backend.door._empty.wait()


async def test_describe_and_ping_are_answered() -> None:
    async with talking() as (server, client):
        client.send(DESCRIBE, WyomingEvent("ping", {"text": "x"}), WyomingEvent("ping"))
        info, pong, bare = [await client.receive() for _ in range(3)]
        assert info is not None
        assert info.data["tts"][0]["voices"][0]["name"] == server.backend.library.default_name
        assert (pong, bare) == (WyomingEvent("pong", {"text": "x"}), WyomingEvent("pong"))


async def test_a_whole_text_has_one_start_and_one_stop_and_the_native_samples() -> None:
    async with talking() as (server, client):
        client.send(whole(TEXT))
        events = await client.until("audio-stop")
        assert runs(events) == ["audio-start", "audio-chunk", "audio-stop"]
        assert events[0].data["rate"] == server.backend.voice("").manifest.sample_rate
        assert pcm(events) == await native_pcm(server, TEXT)


async def test_a_stream_cut_within_words_has_the_native_samples() -> None:
    async with talking() as (server, client):
        client.send(START, *map(piece, TEXT), STOP)
        events = await client.until("synthesize-stopped")
        assert runs(events) == [
            *("audio-start", "audio-chunk", "audio-stop", "audio-start", "audio-chunk", "audio-stop"),
            "synthesize-stopped",
        ]
        assert len({(e.data["rate"], e.data["width"], e.data["channels"]) for e in events if e.payload}) == 1
        assert pcm(events) == await native_pcm(server, TEXT)


async def test_audio_comes_while_text_is_still_written() -> None:
    async with talking() as (_, client):
        client.send(START, piece("你好欢迎光临。再见"))
        assert pcm(await client.until("audio-stop"))
        client.send(piece("朋友。"), STOP)
        assert pcm(await client.until("synthesize-stopped"))


async def test_the_whole_text_within_a_stream_is_not_spoken_again() -> None:
    async with talking() as (_, client):
        client.send(START, piece(TEXT), whole(TEXT), STOP)
        once = pcm(await client.until("synthesize-stopped"))
        client.send(whole(TEXT))  # after the stop it counts again
        assert len(pcm(await client.until("audio-stop"))) == len(once)


async def test_texts_are_spoken_in_their_order() -> None:
    async with talking() as (_, client):
        client.send(whole("你好。"), START, piece("再见朋友。"), STOP, whole("你好。"))
        first = await client.until("audio-stop")
        await client.until("synthesize-stopped")
        assert pcm(await client.until("audio-stop")) == pcm(first)


async def test_what_is_unknown_is_ignored_with_its_payload() -> None:
    async with talking() as (_, client):
        client.send(WyomingEvent("audio-chunk", {"rate": 1}, bytes(500)), WyomingEvent("select-program"))
        client.send(whole("你好。", context={"a": 1}, voice=None, text_format=None, more=1))
        assert pcm(await client.until("audio-stop"))


async def test_nothing_to_say_is_answered_all_the_same() -> None:
    async with talking() as (_, client):
        client.send(whole(" "), START, STOP)
        kinds = [event.type for event in await client.until("synthesize-stopped")]
        assert kinds == ["audio-start", "audio-stop", "synthesize-stopped"]


async def test_voices_go_by_name_alias_speaker_and_language() -> None:
    async with talking() as (server, client):
        manifest = server.backend.voice("").manifest
        speaker, language = manifest.speakers[-1], manifest.languages[0]
        for voice in (
            *({"name": manifest.name, "speaker": speaker}, {"name": "alloy"}, {"language": language}),
            {"name": f"{manifest.name}:{speaker}", "speaker": None, "language": None},
        ):
            client.send(whole("你好。", voice=voice))
            assert pcm(await client.until("audio-stop"))


async def test_ssml_is_spoken_as_such() -> None:
    async with talking() as (_, client):
        client.send(whole("<speak>你好。<break time='500ms'/>再见。</speak>", text_format="ssml"))
        with_break = len(pcm(await client.until("audio-stop")))
        client.send(whole("<speak>你好。再见。</speak>", text_format="ssml"))
        assert with_break > len(pcm(await client.until("audio-stop")))


@pytest.mark.parametrize(
    ("events", "code"),
    [
        ([whole("好。", voice={"name": "nobody"})], "voice-not-found"),
        ([whole("好。", voice={"speaker": "nobody"})], "voice-not-found"),
        ([whole("好。", voice={"language": "tlh"})], "voice-not-found"),
        ([WyomingEvent("synthesize-start", {"voice": {"name": "nobody"}})], "voice-not-found"),
        ([WyomingEvent("synthesize")], "bad-request"),
        ([whole("好。", voice="a")], "bad-request"),
        ([whole("好。", text_format="midi")], "bad-request"),
        ([WyomingEvent("synthesize", {"text": 7})], "bad-request"),
        ([whole("长" * 101)], "text-too-long"),
        ([START, piece("长" * 60), piece("长" * 60)], "text-too-long"),
        ([whole("<speak><no></speak>", text_format="ssml")], "bad-ssml"),
        ([piece("好。")], "unexpected-message"),
        ([STOP], "unexpected-message"),
        ([START, START], "unexpected-message"),
        ([whole("好。")] * 20, "overloaded"),
    ],
)
async def test_errors_have_stable_codes_and_end_the_connection(events: list[WyomingEvent], code: str) -> None:
    async with talking(chars_per_context=100) as (server, client):
        client.send(*events)
        assert await client.error() == code
        await gone(server)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"x" * 70_000,
        b'{"type":"describe","data_length":100000000}\n',
        b'{"type":"describe","payload_length":100000000}\n',
        b"\x16\x03\x01\x02\x00\n",
    ],
)
async def test_what_is_no_event_ends_the_connection_with_an_error(data: bytes) -> None:
    async with talking() as (server, client):
        client.writer.write(data)
        assert await client.error() == "bad-request"
        await gone(server)


async def test_a_failing_voice_is_said_without_details() -> None:
    async with talking(FakeEngine(fail_at={"vocoder": 1})) as (_, client):
        client.send(whole(TEXT))
        (error,) = await client.rest()
        assert error.data == {"text": "synthesis failed", "code": "internal"}


@pytest.mark.parametrize("start", [[whole(LONG_TEXT)], [START, piece(LONG_TEXT)]])
async def test_closing_stops_the_model(start: list[WyomingEvent]) -> None:
    gate = Gate(at_call=8)  # encoder, memory, and the last of the six decoder steps that are one call
    async with talking(FakeEngine(before_call=gate), chars_per_context=20_000) as (server, client):
        client.send(*start)
        await asyncio.to_thread(gate.reached.wait, 10)
        client.writer.close()
        await gone(server)  # while the model is still in its call
        gate.opened.set()
    assert gate.n_calls == 8


async def test_audio_stops_when_the_client_has_half_closed() -> None:
    async with talking() as (server, client):
        client.send(whole(LONG_TEXT))
        client.writer.write_eof()
        await client.rest()
        await gone(server)


async def test_a_client_that_reads_nothing_is_cut_and_little_is_computed_for_it() -> None:
    async with (
        running(limits(wyoming=True, slow_reader_s=0.2, send_buffer_bytes=4096)) as server,
        connected(server, receive_bytes=4096) as client,
    ):
        client.send(whole(LONG_TEXT))
        await gone(server)
        n_calls = len(server.engine.calls)
        with pytest.raises((ConnectionError, AssertionError)):
            await client.until("audio-stop")
        await native_pcm(server, LONG_TEXT)
        assert n_calls < (len(server.engine.calls) - n_calls) / 2


async def test_many_questions_without_reading_the_answers_end_the_connection() -> None:
    async with (
        running(limits(wyoming=True, slow_reader_s=0.2, send_buffer_bytes=4096)) as server,
        connected(server, receive_bytes=4096) as client,
    ):
        client.writer.write(encode(DESCRIBE) * 50_000)
        await gone(server)


async def test_who_says_nothing_has_to_leave() -> None:
    async with talking(idle_s=0.1) as (_, client):
        client.send(DESCRIBE)
        assert await client.error() == "timeout"


async def test_a_text_that_is_not_continued_ends_the_connection() -> None:
    async with talking(context_idle_s=0.1) as (_, client):
        client.send(START, piece("你好。"))
        assert await client.error() == "timeout"


async def test_one_too_many_is_turned_away() -> None:
    async with talking(requests=1) as (server, client):
        client.send(DESCRIBE)
        assert await client.receive() is not None
        async with connected(server) as other:
            other.send(DESCRIBE)
            assert await other.error() == "overloaded"
        client.writer.close()
        await gone(server)
        async with connected(server) as third:
            third.send(DESCRIBE)
            assert await third.receive() is not None


async def test_at_shutdown_the_idle_leave_at_once_and_nobody_comes() -> None:
    async with talking(drain_s=30) as (server, client):
        client.send(DESCRIBE)
        assert await client.receive() is not None
        await shut_down(server.runner)
        assert await client.rest() == []
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", server.wyoming_port)


async def test_at_shutdown_who_speaks_may_finish() -> None:
    gate = Gate(at_call=4)
    async with talking(FakeEngine(before_call=gate), drain_s=30) as (server, client):
        client.send(whole(TEXT))
        await asyncio.to_thread(gate.reached.wait, 10)
        leaving = asyncio.create_task(shut_down(server.runner))
        await server.backend.door.closing.wait()
        gate.opened.set()
        assert (await client.rest())[-1].type == "audio-stop"
        await leaving


async def test_at_shutdown_who_takes_too_long_is_told() -> None:
    async with talking(drain_s=0.05) as (server, client):
        client.send(START, piece("你好欢迎光临。再见"))
        await client.until("audio-stop")
        leaving = asyncio.create_task(shut_down(server.runner))
        assert await client.error() == "overloaded"
        await leaving


async def test_a_client_that_left_is_no_failure_on_uvloop() -> None:
    """Only there does a transport that is closed refuse to be written to with an error that is no OSError."""

    class Closed:
        def is_closing(self) -> bool:
            return True

        def write(self, data: bytes) -> None:
            raise RuntimeError("the handler is closed")

    async with talking() as (server, _):
        reader = asyncio.StreamReader()
        writer = cast(asyncio.StreamWriter, cast(Any, Closed()))
        connection = WyomingConnection(reader, writer, server.backend, lambda: b"", "w1")
        with pytest.raises(ConnectionError):
            await connection._write(b"x")


async def test_half_a_character_in_a_ping_comes_back_as_a_question_mark() -> None:
    async with talking() as (_, client):
        client.writer.write(b'{"type": "ping", "data": {"text": "a\\ud83d"}}\n')
        answer = await client.receive()
        assert answer is not None
        assert (answer.type, answer.data["text"]) == ("pong", "a?")
