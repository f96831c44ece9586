"""ElevenLabs' WebSockets frame by frame, with the fake voice."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import av
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from server.config import AuthConfig, LimitConfig, ServerConfig
from streaming.engines.fake import SAMPLE_RATE, FakeEngine
from tests.server.harness import LONG_TEXT, Gate, Server, limits, running
from tests.server.test_connection import small_receiver

ONE, MANY = "stream-input", "multi-stream-input"
both = pytest.mark.parametrize("path", [ONE, MANY])
TEXT = "你好，世界。 Hello there. "
TOKENS = ServerConfig(auth=AuthConfig(tokens=("right",)))  # type: ignore[arg-type]
Message = dict[str, Any]


@dataclass
class Peer:
    """A client that sees every message."""

    socket: ClientConnection

    async def send(self, *messages: Any) -> None:
        for message in messages:
            await self.socket.send(message if isinstance(message, (str, bytes)) else json.dumps(message))

    async def receive(self) -> Message:
        frame = await self.socket.recv()
        assert isinstance(frame, str)
        assert len(frame) <= 65536
        message: Message = json.loads(frame)
        if message.get("isFinal"):
            assert message["isFinal"] is message["is_final"] is True
            assert message["audio"] is None
        assert message.get("contextId") == message.get("context_id")
        return message

    async def until_final(self, context: str | None = None) -> list[Message]:
        """Receive up to and including the end of a context."""
        received = []
        while True:
            received.append(await self.receive())
            if received[-1].get("isFinal") and received[-1].get("contextId") == context:
                return received

    async def rest(self) -> tuple[list[Message], int | None, str]:
        """Receive to the end; return the messages, the close code and the reason."""
        received = []
        try:
            while True:
                received.append(await self.receive())
        except ConnectionClosed:
            return received, self.socket.close_code, self.socket.close_reason or ""


@asynccontextmanager
async def peer(
    server: Server, path: str, query: str = "", voice: str = "fake", **options: Any
) -> AsyncIterator[Peer]:
    url = f"ws://127.0.0.1:{server.port}/v1/text-to-speech/{voice}/{path}?output_format=pcm_16000{query}"
    async with connect(url, compression=None, proxy=None, **options) as socket:
        yield Peer(socket)


def audio(messages: list[Message], context: str | None = None) -> bytes:
    mine = [m for m in messages if m.get("contextId") == context and m.get("audio")]
    return b"".join(base64.b64decode(m["audio"], validate=True) for m in mine)


async def reference(server: Server, text: str) -> bytes:
    """The same text over HTTP."""
    url = f"http://127.0.0.1:{server.port}/v1/text-to-speech/fake?output_format=pcm_16000"
    async with aiohttp.ClientSession() as session, session.post(url, json={"text": text}) as response:
        assert response.status == 200
        return await response.read()


def said(context: str, text: str = TEXT) -> list[Message]:
    """A whole turn, as pipecat and LiveKit send it."""
    return [
        {"text": " ", "context_id": context, "voice_settings": {"speed": 1.0}},
        {"text": text, "context_id": context},
        {"context_id": context, "flush": True},
        {"context_id": context, "close_context": True},
    ]


# -- one context -----------------------------------------------------------------------------


async def test_audio_then_final_then_the_close() -> None:
    async with running() as server, peer(server, ONE) as client:
        init = {"text": " ", "voice_settings": None, "generation_config": {"chunk_length_schedule": [50]}}
        await client.send(
            init, {"text": "你好，世界。 ", "try_trigger_generation": True}, {"text": "Hello there. "}
        )
        await client.send({"text": ""})
        messages, code, _ = await client.rest()
        assert code == 1000
        assert [bool(m["isFinal"]) for m in messages] == [False] * (len(messages) - 1) + [True]
        assert not any("contextId" in m for m in messages)
        assert audio(messages) == await reference(server, TEXT)


async def test_the_first_sentence_is_spoken_before_the_text_ends() -> None:
    async with running() as server, peer(server, ONE) as client:
        await client.send({"text": " "}, {"text": "你好。"}, {"text": "再"})
        assert (await client.receive())["audio"]


@pytest.mark.parametrize("messages", [[{"text": ""}], [{"text": " "}, {"text": ""}]])
async def test_no_text_is_answered_with_final_and_the_close(messages: list[Message]) -> None:
    async with running() as server, peer(server, ONE) as client:
        await client.send(*messages)
        received, code, _ = await client.rest()
        assert [m["isFinal"] for m in received] == [True]
        assert code == 1000


async def test_a_flush_is_spoken_and_the_socket_stays_open() -> None:
    async with running() as server, peer(server, ONE) as client:
        await client.send({"text": " "}, {"text": "半句", "flush": True})
        assert (await client.receive())["audio"]
        await client.send({"text": "下半句"}, {"text": ""})
        assert (await client.rest())[1] == 1000


async def test_alignment_has_every_character_once_and_fits_the_audio() -> None:
    async with running() as server, peer(server, ONE) as client:
        await client.send({"text": " "}, *({"text": char} for char in TEXT), {"text": ""})
        messages, _, _ = await client.rest()
    pieces = [m["alignment"] for m in messages if m["alignment"]]
    assert "".join(char for piece in pieces for char in piece["chars"]) == TEXT
    assert len(pieces) > 1
    total_ms = 0
    for piece in pieces:
        starts, durations = piece["charStartTimesMs"], piece["charDurationsMs"]
        assert len(piece["chars"]) == len(starts) == len(durations)
        assert starts == sorted(starts)
        total_ms += starts[-1] + durations[-1]  # as pipecat adds them up
    assert total_ms == pytest.approx(len(audio(messages)) / 2 / SAMPLE_RATE * 1000, abs=10)


async def test_speed_is_that_of_the_first_message() -> None:
    async with running() as server:
        sizes = []
        for settings in ({"speed": None}, {"speed": 2, "stability": 0.3}):
            async with peer(server, ONE) as client:
                await client.send({"text": " ", "voice_settings": settings}, {"text": TEXT}, {"text": ""})
                sizes.append(len(audio((await client.rest())[0])))
    assert sizes[0] / sizes[1] == pytest.approx(2, rel=0.2)


@pytest.mark.parametrize(
    "message",
    ["{", "[]", b"\x00", {"text": 5}, {"text": "a", "flush": "yes"}, {"text": "a", "voice_settings": []}],
)
async def test_a_malformed_message_ends_a_socket_of_one_context(message: Any) -> None:
    async with running() as server, peer(server, ONE) as client:
        await client.send(message)
        (error,), code, reason = await client.rest()
        assert (error["error"], error["code"], code) == ("invalid_input_message", 1008, 1008)
        assert reason
        assert error["message"].startswith(reason[:20])


async def test_ssml_is_read_where_it_is_asked_for() -> None:
    text = '<speak>你好。<break time="2s"/></speak>'
    async with running() as server:
        async with peer(server, ONE, "&enable_ssml_parsing=true") as client:
            await client.send({"text": " "}, {"text": text}, {"text": ""})
            messages, code, _ = await client.rest()
        assert code == 1000
        assert len(audio(messages)) == len(await reference(server, "你好。")) + 2 * 2 * SAMPLE_RATE


# -- both ------------------------------------------------------------------------------------


IMPOSSIBLE = pytest.mark.parametrize(
    ("voice", "query", "error", "status"),
    [
        ("nobody", "", "voice_not_found", 404),
        ("fake", "&model_id=gpt", "model_not_found", 400),
        ("fake", "&inactivity_timeout=soon", "invalid_input_message", 422),
    ],
)


@IMPOSSIBLE
async def test_what_cannot_be_spoken_is_said_over_a_socket_of_one_context(
    voice: str, query: str, error: str, status: int
) -> None:
    async with running() as server, peer(server, ONE, query, voice) as client:
        (found,), code, reason = await client.rest()
        assert (found["error"], code) == (error, 1008)
        assert reason


@IMPOSSIBLE
async def test_what_cannot_be_spoken_fails_the_handshake_of_a_socket_of_many(
    voice: str, query: str, error: str, status: int
) -> None:
    async with running() as server:
        with pytest.raises(InvalidStatus) as refused:
            async with peer(server, MANY, query, voice):
                raise AssertionError
        assert refused.value.response.status_code == status


async def test_an_unknown_format_is_no_handshake() -> None:
    async with running() as server:
        url = f"ws://127.0.0.1:{server.port}/v1/text-to-speech/fake/{MANY}?output_format=midi"
        with pytest.raises(InvalidStatus) as refused:
            async with connect(url, compression=None, proxy=None):
                raise AssertionError
        assert refused.value.response.status_code == 422


@both
async def test_every_query_that_clients_send_is_taken(path: str) -> None:
    query = (
        "&model_id=eleven_turbo_v2_5&language_code=zh&enable_ssml_parsing=false&enable_logging=true&seed=4"
        "&inactivity_timeout=180&apply_text_normalization=auto&sync_alignment=true&auto_mode=true&other=1"
    )
    async with running() as server, peer(server, path, query) as client:
        await client.send({"text": "你好。", "context_id": "c"})
        assert (await client.receive())["audio"]


@both
@pytest.mark.parametrize(
    ("headers", "query", "first"),
    [
        ({"xi-api-key": "right"}, "", {}),
        ({"Authorization": "Bearer right"}, "", {}),
        ({}, "&authorization=right", {}),
        ({}, "&single_use_token=right", {}),
        ({}, "", {"xi_api_key": "right"}),
        ({}, "", {"xi-api-key": "right"}),
        ({}, "", {"authorization": "Bearer right"}),
    ],
)
async def test_every_way_to_show_a_key(path: str, headers: Any, query: str, first: Message) -> None:
    async with running(TOKENS) as server, peer(server, path, query, additional_headers=headers) as client:
        await client.send({"text": " ", **first}, {"text": "你好。", "flush": True})
        assert (await client.receive())["audio"]


@both
@pytest.mark.parametrize("first", [{}, {"xi_api_key": "wrong"}])
async def test_a_first_message_without_a_valid_key_ends_the_socket(path: str, first: Message) -> None:
    async with running(TOKENS) as server, peer(server, path) as client:
        await client.send(
            {"text": "你好。", "flush": True, **first}, {"text": "你好。", "xi_api_key": "right"}
        )
        (error,), code, _ = await client.rest()
        assert (error["error"], code) == ("invalid_api_key", 1008)


async def test_a_wrong_key_fails_the_handshake() -> None:
    async with running(TOKENS) as server:
        with pytest.raises(InvalidStatus) as refused:
            async with peer(server, MANY, additional_headers={"xi-api-key": "wrong"}):
                raise AssertionError
        assert refused.value.response.status_code == 401
        assert json.loads(refused.value.response.body or b"")["detail"]["status"] == "invalid_api_key"


async def test_no_room_fails_the_handshake() -> None:
    async with running(limits(requests=1)) as server, peer(server, MANY):
        with pytest.raises(InvalidStatus) as refused:
            async with peer(server, ONE):
                raise AssertionError
        assert refused.value.response.status_code == 429


@both
async def test_silence_ends_the_socket(path: str) -> None:
    async with running(limits(idle_s=0.05)) as server, peer(server, path) as client:
        (error,), code, _ = await client.rest()
        assert (error["error"], error["code"], code) == ("input_timeout_exceeded", 1008, 1008)


async def test_silence_of_a_client_that_began_ends_the_socket_with_the_error_last() -> None:
    async with running() as server, peer(server, ONE, "&inactivity_timeout=0.1") as client:
        await client.send({"text": " "}, {"text": "没有说完"})
        (error,), code, _ = await client.rest()
        assert (error["error"], code) == ("input_timeout_exceeded", 1008)


async def test_a_context_that_is_forgotten_ends_while_the_socket_is_kept_alive() -> None:
    async with running() as server, peer(server, MANY, "&inactivity_timeout=0.2") as client:
        await client.send({"text": "没有说完", "context_id": "c"})
        final = asyncio.create_task(client.until_final("c"))
        while not final.done():
            await client.send({"text": ""})
            await asyncio.wait([final], timeout=0.05)
        assert len(final.result()) == 1
        await client.send(*said("d"))
        assert audio(await client.until_final("d"), "d")


@both
async def test_what_is_being_spoken_is_no_silence(path: str) -> None:
    gate = Gate(at_call=8)
    async with (
        running(engine=FakeEngine(before_call=gate)) as server,
        peer(server, path, "&inactivity_timeout=0.15") as client,
    ):
        await client.send(*(said("c") if path == MANY else [{"text": TEXT}, {"text": ""}]))
        final = asyncio.create_task(client.until_final("c" if path == MANY else None))
        assert await asyncio.to_thread(gate.reached.wait, 30)
        await asyncio.wait([final], timeout=0.4)
        gate.opened.set()
        assert audio(await final, "c" if path == MANY else None) == await reference(server, TEXT)


@both
async def test_too_much_text_is_refused_by_name(path: str) -> None:
    async with running(limits(chars_per_context=100)) as server, peer(server, path) as client:
        await client.send({"text": " "}, {"text": "长" * 101})
        error = await client.receive()
        assert error["error"] == "max_character_limit_exceeded"
        if path == MANY:
            assert error["contextId"] == "default"
            assert (await client.receive())["isFinal"]
        else:
            assert (await client.rest())[1] == 1008


@both
async def test_a_message_beyond_all_limits_is_cut_off(path: str) -> None:
    async with running(limits(chars_per_context=100)) as server, peer(server, path) as client:
        await client.send({"text": "长" * 100_000})
        assert (await client.rest())[1] == 1009


@both
async def test_a_failure_of_ours_is_said_without_details(path: str) -> None:
    async with running(engine=FakeEngine(fail_at={"vocoder": 1})) as server, peer(server, path) as client:
        await client.send({"text": "你好。", "flush": True})
        error = await client.receive()
        assert (error["error"], error["code"]) == ("internal_error", 1011)
        assert "vocoder" not in json.dumps(error)
        if path == MANY:
            assert (await client.receive())["isFinal"]
            await client.send(*said("d"))
            assert audio(await client.until_final("d"), "d")
        else:
            assert (await client.rest())[1] == 1011


@both
async def test_a_client_that_reads_nothing_is_cut(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.json_socket.CLOSE_S", 0.05)
    config = limits(slow_reader_s=0.3, chars_per_context=10**6)
    async with running(config) as server, peer(server, path, sock=small_receiver(server.port)) as client:
        await client.send({"text": LONG_TEXT * 20}, {"text": "", "flush": True})
        await client.receive()
        client.socket.transport.pause_reading()
        async with asyncio.timeout(10):
            await server.backend.door._empty.wait()
        assert server.engine.calls.count("encoder") < 100  # of 800 sentences
        client.socket.transport.abort()


@both
async def test_a_client_that_leaves_stops_the_model(path: str) -> None:
    gate = Gate(at_call=12)
    async with running(engine=FakeEngine(before_call=gate)) as server:
        async with peer(server, path) as client:
            await client.send({"text": LONG_TEXT, "flush": True})
            assert await asyncio.to_thread(gate.reached.wait, 30)
            client.socket.transport.abort()
        await server.backend.door._empty.wait()
        gate.opened.set()
        n_calls = len(server.engine.calls)
        assert n_calls < 20


async def test_at_shutdown_who_speaks_finishes_and_who_waits_leaves() -> None:
    gate = Gate(at_call=4)
    async with (
        running(limits(drain_s=30), FakeEngine(before_call=gate)) as server,
        peer(server, MANY) as idle,
        peer(server, MANY) as speaking,
    ):
        await speaking.send(*said("c"))
        assert await asyncio.to_thread(gate.reached.wait, 30)
        closing = asyncio.create_task(server.backend.door.close(30))
        assert (await idle.rest())[1] == 1001
        await speaking.send({"text": "晚了", "context_id": "late"})
        refused = [await speaking.receive(), await speaking.receive()]
        assert [m.get("error") or m["isFinal"] for m in refused] == ["system_busy", True]
        gate.opened.set()
        messages, code, _ = await speaking.rest()
        assert (messages[-1]["isFinal"], messages[-1]["contextId"], code) == (True, "c", 1001)
        await closing
    async with running() as server:
        assert audio(messages, "c") == await reference(server, TEXT)


@both
async def test_at_shutdown_nobody_waits_longer_than_the_limit(path: str) -> None:
    gate = Gate(at_call=4)
    async with (
        running(limits(drain_s=0), FakeEngine(before_call=gate)) as server,
        peer(server, path) as client,
    ):
        await client.send({"text": LONG_TEXT, "flush": True})
        assert await asyncio.to_thread(gate.reached.wait, 30)
        closing = asyncio.create_task(server.backend.door.close(0))
        assert (await client.rest())[1] == 1001
        gate.opened.set()
        await closing


# -- many contexts ---------------------------------------------------------------------------


async def test_contexts_interleave_and_each_is_whole() -> None:
    texts = {"c1": "今天天气很好。" * 6, "c2": "我们去公园散步。" * 6, "c3": TEXT}
    async with running() as server, peer(server, MANY) as client:
        for name, text in texts.items():
            await client.send(*said(name, text))
        messages, over = [], set()
        while over != set(texts):
            messages.append(await client.receive())
            assert messages[-1]["contextId"] not in over  # nothing follows a context's end
            if messages[-1]["isFinal"]:
                over.add(messages[-1]["contextId"])
        for name, text in texts.items():
            assert audio(messages, name) == await reference(server, text)
    order = [m["contextId"] for m in messages if m["audio"]]
    assert order.index("c2") < len(order) - 1 - order[::-1].index("c1")


async def test_both_spellings_of_the_name_are_understood() -> None:
    async with running() as server, peer(server, MANY) as client:
        await client.send(
            {"text": "你好。", "contextId": "c", "flush": True}, {"close_context": True, "contextId": "c"}
        )
        assert audio(await client.until_final("c"), "c")


async def test_without_a_name_it_is_the_default_context() -> None:
    async with running() as server, peer(server, MANY) as client:
        await client.send({"text": "你好。", "flush": True}, {"close_context": True})
        assert audio(await client.until_final("default"), "default")


async def test_a_keepalive_neither_opens_nor_ends_anything() -> None:
    async with running() as server, peer(server, MANY) as client:
        await client.send({"text": ""}, {"text": "", "context_id": "c"}, *said("c")[:2], {"text": ""})
        await client.send({"text": "", "context_id": "c"}, *said("c")[2:])
        messages = await client.until_final("c")
        assert audio(messages, "c") == await reference(server, TEXT)
        assert {m["contextId"] for m in messages} == {"c"}


async def test_to_close_an_unknown_context_is_answered() -> None:
    async with running() as server, peer(server, MANY) as client:
        await client.send({"context_id": "x", "close_context": True})
        assert len(await client.until_final("x")) == 1


async def test_a_close_without_a_flush_drops_everything_at_once() -> None:
    gate = Gate(at_call=1)
    async with running(engine=FakeEngine(before_call=gate)) as server, peer(server, MANY) as client:
        await client.send({"text": TEXT, "context_id": "c"})
        assert await asyncio.to_thread(gate.reached.wait, 30)
        await client.send({"context_id": "c", "close_context": True})
        assert len(await client.until_final("c")) == 1
        gate.opened.set()
        await client.send(*said("d"))
        assert {m["contextId"] for m in await client.until_final("d")} == {"d"}


async def test_a_second_close_drops_what_was_flushed() -> None:
    gate = Gate(at_call=1)
    async with running(engine=FakeEngine(before_call=gate)) as server, peer(server, MANY) as client:
        await client.send(*said("c", LONG_TEXT))
        assert await asyncio.to_thread(gate.reached.wait, 30)
        await client.send({"context_id": "c", "close_context": True})
        assert len(await client.until_final("c")) == 1
        gate.opened.set()
        await client.send({"context_id": "c", "close_context": True})
        assert len(await client.until_final("c")) == 1


async def test_a_close_after_a_flush_finishes_it_and_drops_the_text_after_it() -> None:
    gate = Gate(at_call=1)
    async with running(engine=FakeEngine(before_call=gate)) as server, peer(server, MANY) as client:
        await client.send({"text": "你好，世界。 ", "context_id": "c", "flush": True})
        assert await asyncio.to_thread(gate.reached.wait, 30)
        await client.send({"text": LONG_TEXT, "context_id": "c"}, {"context_id": "c", "close_context": True})
        await client.send({"context_id": "x", "close_context": True})
        await client.until_final("x")  # all of it was read
        gate.opened.set()
        messages = await client.until_final("c")
        assert audio(messages, "c") == await reference(server, "你好，世界。 ")


async def test_after_an_interruption_no_old_audio_precedes_the_new() -> None:
    async with running() as server, peer(server, MANY) as client:
        await client.send(*said("old", LONG_TEXT))
        before = [await client.receive() for _ in range(3)]
        await client.send({"context_id": "old", "close_context": True}, *said("new"))
        messages = await client.until_final("new")
        kinds = [(m["contextId"], bool(m["isFinal"])) for m in messages]
        ended = kinds.index(("old", True))
        assert all(name == "new" for name, _ in kinds[ended + 1 :])
        assert ("new", False) not in kinds[:ended]
        assert audio(messages, "new") == await reference(server, TEXT)
        old = [*before, *messages[:ended]]
        assert len(audio(old, "old")) < 20 * SAMPLE_RATE * 2  # of minutes


async def test_a_name_that_is_used_again_while_it_closes_is_a_new_context() -> None:
    gate = Gate(at_call=1)
    async with running(engine=FakeEngine(before_call=gate)) as server, peer(server, MANY) as client:
        await client.send(*said("c", LONG_TEXT))
        assert await asyncio.to_thread(gate.reached.wait, 30)
        await client.send(*said("c"))
        assert len(await client.until_final("c")) == 1
        gate.opened.set()
        assert audio(await client.until_final("c"), "c") == await reference(server, TEXT)


async def test_close_socket_finishes_flushes_then_closes() -> None:
    async with running() as server, peer(server, MANY) as client:
        await client.send(*said("c")[:3], {"text": "没有说完", "context_id": "d"}, {"close_socket": True})
        messages, code, _ = await client.rest()
        assert code == 1000
        assert {m["contextId"] for m in messages if m["isFinal"]} == {"c", "d"}
        assert audio(messages, "c") == await reference(server, TEXT)
        assert not audio(messages, "d")


async def test_in_auto_mode_a_sentence_waits_for_nothing() -> None:
    async with running() as server, peer(server, MANY, "&auto_mode=true") as client:
        await client.send({"text": "你好。", "context_id": "c"})
        assert (await client.receive())["audio"]


async def test_malformed_messages_are_answered_and_too_many_end_the_socket() -> None:
    async with running(limits(bad_messages=3)) as server, peer(server, MANY) as client:
        for _ in range(2):
            await client.send("{")
            assert (await client.receive())["error"] == "invalid_input_message"
        await client.send(*said("c"))
        await client.until_final("c")
        await client.send("{", b"{", {"context_id": 5})
        messages, code, _ = await client.rest()
        assert [m["error"] for m in messages] == ["invalid_input_message"] * 3
        assert code == 1008


async def test_too_many_contexts_are_refused_and_the_others_go_on() -> None:
    config = ServerConfig(limits=LimitConfig(contexts_per_connection=1, drain_s=0))
    async with running(config) as server, peer(server, MANY) as client:
        await client.send({"text": TEXT, "context_id": "c"}, {"text": TEXT, "context_id": "d"})
        messages = await client.until_final("d")
        assert [m["error"] for m in messages if "error" in m] == ["system_busy"]
        await client.send({"context_id": "c", "flush": True}, {"context_id": "c", "close_context": True})
        await client.until_final("c")
        await client.send(*said("d"))
        assert audio(await client.until_final("d"), "d")


async def test_each_context_is_a_coded_stream_of_its_own() -> None:
    async with running() as server:
        url = f"ws://127.0.0.1:{server.port}/v1/text-to-speech/fake/{MANY}?output_format=mp3_22050_32"
        async with connect(url, compression=None, proxy=None) as socket:
            client = Peer(socket)
            await client.send(*said("c"), *said("d"))
            messages = await client.until_final("c")
            if not any(m["isFinal"] and m["contextId"] == "d" for m in messages):
                messages += await client.until_final("d")
        expected_s = len(await reference(server, TEXT)) / 2 / SAMPLE_RATE
    assert audio(messages, "c") == audio(messages, "d")
    with av.open(io.BytesIO(audio(messages, "c"))) as container:
        decoded_s = sum(frame.samples for frame in container.decode(audio=0)) / 22050
    assert decoded_s == pytest.approx(expected_s, abs=0.15)


@both
async def test_the_prefix_is_another_way_to_the_same(path: str) -> None:
    async with running() as server:
        url = f"ws://127.0.0.1:{server.port}/elevenlabs/v1/text-to-speech/fake/{path}?output_format=pcm_16000"
        async with connect(url, compression=None, proxy=None) as socket:
            await Peer(socket).send({"text": "你好。", "flush": True})
            assert (await Peer(socket).receive())["audio"]
