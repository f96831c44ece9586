"""What is refused, over real sockets: handshakes, tokens, limits, and every kind of bad message."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from server.config import AuthConfig, ServerConfig
from tests.server.harness import LONG_TEXT, SUBPROTOCOLS, limits, running

both = pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)

# What is sent for ctx 1, the expected code, and whether the error belongs to ctx 1.
BAD = [
    ({"type": "sing", "ctx": 1}, "bad_request", False),
    ({"ctx": 1}, "bad_request", False),
    ([1, 2], "bad_request", False),
    ({"type": "open"}, "bad_request", False),
    ({"type": "open", "ctx": 0}, "bad_request", False),
    ({"type": "open", "ctx": 70000}, "bad_request", False),
    ({"type": "open", "ctx": "1"}, "bad_request", False),
    ({"type": "open", "ctx": 1, "text": 5}, "bad_request", True),
    ({"type": "open", "ctx": 1, "speed": "fast"}, "bad_request", True),
    ({"type": "open", "ctx": 1, "speed": 5}, "bad_request", True),
    ({"type": "open", "ctx": 1, "volume": -1}, "bad_request", True),
    ({"type": "open", "ctx": 1, "pitch": 3}, "bad_request", True),
    ({"type": "open", "ctx": 1, "emotion_intensity": 2.5}, "bad_request", True),
    ({"type": "open", "ctx": 1, "language": "fr"}, "bad_request", True),
    ({"type": "open", "ctx": 1, "voice": "nobody"}, "unknown_voice", True),
    ({"type": "open", "ctx": 1, "model": "nothing"}, "unknown_voice", True),
    ({"type": "open", "ctx": 1, "speaker": "nobody"}, "unknown_voice", True),
    ({"type": "open", "ctx": 1, "emotion": "bored"}, "unknown_voice", True),
    ({"type": "open", "ctx": 1, "format": "midi"}, "unsupported_format", True),
    ({"type": "open", "ctx": 1, "rate": 11025}, "unsupported_format", True),
    ({"type": "open", "ctx": 1, "text": "x" * 101}, "text_too_long", True),
    ({"type": "append", "ctx": 1, "text": "before open"}, "unexpected_message", True),
    ({"type": "flush", "ctx": 1}, "unexpected_message", True),
    ({"type": "end", "ctx": 1}, "unexpected_message", True),
    ({"type": "credit", "ctx": 1, "ms": "many"}, "bad_request", True),
    ({"type": "cancel", "ctx": "everything"}, "bad_request", False),
]


@both
@pytest.mark.parametrize(
    ("fields", "code", "names_ctx"), BAD, ids=[f"{c}-{i}" for i, (_, c, _) in enumerate(BAD)]
)
async def test_a_bad_message_gets_its_code_and_everything_else_goes_on(
    subprotocol: str, fields: Any, code: str, names_ctx: bool
) -> None:
    async with running(limits(chars_per_append=100)) as server, server.client(subprotocol) as client:
        await client.send("open", ctx=2, text="你好")
        await client.send_map(fields)
        error = await client.expect("error")
        assert error["code"] == code
        assert error.get("ctx") == (1 if names_ctx else None)
        assert error["message"]
        await client.send("end", ctx=2)
        assert (await client.expect("done", 2))["samples"] > 0
        await client.speaks(1)


@both
async def test_binary_garbage_gets_an_error_and_everything_else_goes_on(subprotocol: str) -> None:
    async with running() as server, server.client(subprotocol) as client:
        for garbage in (b"\xff\x00garbage", b"\x00\xc1", b"\x01" + bytes(40), "{not json", ""):
            await client.socket.send(garbage)
            assert (await client.expect("error"))["code"] == "bad_request"
        await client.speaks()


@both
async def test_opening_an_open_number_ends_it_and_only_it(subprotocol: str) -> None:
    async with running() as server, server.client(subprotocol) as client:
        await client.send("open", ctx=1, text=LONG_TEXT, end=True)
        await client.send("open", ctx=2, text="你好")
        await client.send("open", ctx=1, text="again")
        error = await client.expect("error")
        assert (error["ctx"], error["code"]) == (1, "unexpected_message")
        await client.send("append", ctx=1, text="was on its way")
        await client.send("end", ctx=2)
        await client.expect("done", 2)
        await client.speaks(1)


async def test_append_after_end_ends_the_utterance() -> None:
    async with running() as server, server.client() as client:
        await client.send("open", ctx=1, text=LONG_TEXT, end=True)
        await client.send("append", ctx=1, text="more")
        error = await client.expect("error")
        assert (error["ctx"], error["code"]) == (1, "unexpected_message")
        await client.speaks(1)


async def test_too_much_text_in_all_is_refused() -> None:
    async with running(limits(chars_per_context=20)) as server, server.client() as client:
        await client.send("open", ctx=1, text="一" * 15)
        await client.send("append", ctx=1, text="二" * 6)
        error = await client.expect("error")
        assert error["code"] == "text_too_long"
        assert "21" in error["message"]
        assert "20" in error["message"]
        await client.speaks(1)


async def test_too_many_utterances_are_refused_with_a_time_to_retry() -> None:
    async with (
        running(limits(contexts_per_connection=2, retry_after_ms=70)) as server,
        server.client() as client,
    ):
        for ctx in (1, 2, 3):
            await client.send("open", ctx=ctx)
        error = await client.expect("error")
        assert (error["ctx"], error["code"], error["retry_after_ms"]) == (3, "overloaded", 70)
        await client.send("cancel", ctx=1)
        await client.speaks(3)


async def test_unknown_fields_and_nulls_do_no_harm() -> None:
    async with running() as server, server.client() as client:
        await client.send(
            "open", ctx=1, text="好。", end=True, voice=None, speed=None, later={"a": [1]}, seed=None
        )
        assert (await client.expect("done"))["samples"] > 0


async def test_a_model_that_names_a_voice_is_accepted() -> None:
    async with running() as server, server.client() as client:
        await client.send(
            "open",
            ctx=1,
            text="好。",
            end=True,
            model="fake",
            language="zh",
            speaker="low-sine",
            emotion="sad",
        )
        assert (await client.expect("done"))["samples"] > 0


async def test_a_flood_of_malformed_messages_ends_the_connection() -> None:
    async with running(limits(bad_messages=3)) as server, server.client() as client:
        for _ in range(2):
            await client.socket.send("nonsense")
        await client.speaks()  # a good message starts the count anew
        for _ in range(3):
            await client.socket.send("nonsense")
        assert await client.closed() == 4400


async def test_a_message_over_the_size_limit_closes_with_1009() -> None:
    async with running(limits(message_bytes=1024)) as server, server.client() as client:
        await client.send("open", ctx=1, text="x" * 2000)
        assert await client.closed() == 1009


# -- handshake -------------------------------------------------------------------------------


async def test_without_an_offer_the_server_speaks_json() -> None:
    async with running() as server, server.client(None) as client:
        assert client.socket.subprotocol is None
        assert (await client.receive())["type"] == "ready"
        await client.speaks()


async def test_the_first_known_offer_is_taken() -> None:
    async with running() as server:
        offers: Any = ["chat", "tts.v1.msgpack", "tts.v1.json"]
        async with connect(server.url, subprotocols=offers, proxy=None) as socket:
            assert socket.subprotocol == "tts.v1.msgpack"
            assert socket.protocol.extensions == []  # deflate was offered and must not be taken
            first = await socket.recv()
            assert isinstance(first, bytes)
            assert msgpack.unpackb(first[1:])["type"] == "ready"


async def test_only_unknown_offers_are_refused_with_400() -> None:
    async with running() as server:
        offers: Any = ["chat", "tts.v9"]
        with pytest.raises(InvalidStatus) as caught:
            await connect(server.url, subprotocols=offers, proxy=None)
        assert caught.value.response.status_code == 400
        assert b"tts.v1.json" in caught.value.response.body


@both
async def test_too_many_connections_are_told_so_and_closed_with_4429(subprotocol: str) -> None:
    async with running(limits(connections=1)) as server, server.client(subprotocol) as first:
        await first.receive()
        async with server.client(subprotocol) as second:
            error = await second.receive()
            assert (error["type"], error["code"]) == ("error", "overloaded")
            assert error["retry_after_ms"] > 0
            assert await second.closed() == 4429
        await first.speaks()
        await first.send("bye")
        await first.closed()
        await server.no_connections()
        async with server.client(subprotocol) as third:
            await third.speaks()


def with_tokens() -> ServerConfig:
    return ServerConfig(auth=AuthConfig(tokens=("right", "also-right")))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "header"),
    [
        ("", None),
        ("?token=wrong", None),
        ("", "Bearer wrong"),
        ("", "Basic right"),
        ("?token=right", "Bearer wrong"),
    ],
)
async def test_without_a_valid_token_the_connection_is_closed_with_4401(
    query: str, header: str | None
) -> None:
    headers = {"Authorization": header} if header else None
    async with (
        running(with_tokens()) as server,
        server.client(None, query, additional_headers=headers) as client,
    ):
        error = await client.receive()
        assert (error["type"], error["code"]) == ("error", "unauthorized")
        assert "right" not in error["message"]
        assert await client.closed() == 4401


@pytest.mark.parametrize(("query", "header"), [("?token=right", None), ("", "Bearer also-right")])
async def test_a_valid_token_is_let_in(query: str, header: str | None) -> None:
    headers = {"Authorization": header} if header else None
    async with (
        running(with_tokens()) as server,
        server.client(None, query, additional_headers=headers) as client,
    ):
        await client.speaks()
