"""Replies and failures of a model, over real sockets."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import ClientSession, web

from clients.examples.chat import ChatClient, ChatError
from clients.examples.fake_llm import FakeModel
from clients.examples.history import Message
from tests.clients.examples.doubles import fast, serving

ASK: list[Message] = [{"role": "user", "content": "你好"}]


async def tokens(url: str, key: str | None = None, silence_s: float = 20.0) -> list[str]:
    async with ChatClient(url, "fake", key, silence_s=silence_s) as chat:
        return [token async for token in chat.reply(ASK)]


async def test_a_reply_comes_token_by_token() -> None:
    model = fast("好的，I'm listening.")
    async with serving(model) as url:
        assert await tokens(url + "/") == ["好", "的", "，", "I'm", " listening", "."]
    assert model.asked == [ASK]


async def test_without_a_script_it_is_an_echo() -> None:
    async with serving(fast()) as url:
        assert "".join(await tokens(url)).startswith("你说的是：你好。")


async def test_the_key_is_sent_and_a_wrong_one_is_told() -> None:
    async with serving(fast("好", key="right")) as url:
        assert await tokens(url, "right") == ["好"]
        with pytest.raises(ChatError, match=r"answers 401: Incorrect API key provided.*OPENAI_API_KEY"):
            await tokens(url, "wrong")


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        ({"breaks_after": 2}, "broke off"),
        ({"fails_after": 2}, "the model failed: out of memory"),
        ({"hangs_after": 2}, r"said nothing for 0\.2 s"),
    ],
)
async def test_a_failure_in_the_middle_is_told(failure: dict[str, int], expected: str) -> None:
    async with serving(fast("一二三四", **failure)) as url, ChatClient(url, "f", None, silence_s=0.2) as chat:
        reply = chat.reply(ASK)
        assert [await anext(reply), await anext(reply)] == ["一", "二"]
        with pytest.raises(ChatError, match=expected):
            await anext(reply)


async def test_nobody_there_and_no_url_are_told(unused_tcp_port: int) -> None:
    with pytest.raises(ChatError, match="no model answers at"):
        await tokens(f"http://127.0.0.1:{unused_tcp_port}/v1")
    with pytest.raises(ChatError, match="not a URL"):
        await tokens("nonsense")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"data: {}\n\n", "not an event of a chat"),
        (b"data: 7\n\n", "not an event of a chat"),
        (b"<html>hello</html>", "broke off"),
    ],
)
async def test_what_is_no_chat_is_told(body: bytes, expected: str) -> None:
    with pytest.raises(ChatError, match=expected):
        await answered(body)


async def test_a_stop_without_done_is_an_end_and_a_bill_is_no_text() -> None:
    body = (
        b'data: {"choices": [{"delta": {"content": null, "reasoning": "hm"}}]}\n\n'
        b'data: {"choices": [{"delta": {"content": "hi"}, "finish_reason": "stop"}]}\n\n'
        b'data: {"choices": [], "usage": {}}\n\n'
    )
    assert await answered(body) == ["hi"]


async def answered(body: bytes) -> list[str]:
    """Ask a server that always says `body`."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=body)

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        return await tokens(f"http://127.0.0.1:{runner.addresses[0][1]}/v1")
    finally:
        await runner.cleanup()


async def test_cancelling_hangs_up() -> None:
    model = fast("一二三四", hangs_after=1)
    async with serving(model) as url, ChatClient(url, "fake", None) as chat:
        began = asyncio.Event()

        async def listen() -> None:
            async for _ in chat.reply(ASK):
                began.set()

        task = asyncio.create_task(listen())
        await began.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        await model.left.wait()


async def test_the_fake_answers_whole_too_and_lists_itself() -> None:
    model = FakeModel(["好的"])
    async with serving(model) as url, ClientSession() as session:
        async with session.post(f"{url}/chat/completions", json={"messages": ASK}) as response:
            assert (await response.json())["choices"][0]["message"]["content"] == "好的"
        async with session.post(f"{url}/chat/completions", json={"messages": []}) as response:
            assert response.status == 400
        async with session.get(f"{url}/models") as response:
            assert (await response.json())["data"][0]["id"] == "fake"
