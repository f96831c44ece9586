"""A language model that knows nothing, for trying and testing offline: `python -m clients.examples.fake_llm`.

Input   requests of OpenAI-style chats
Output  scripted replies, or an echo, token by token with a delay
State   the requests it got
It can fail as real ones do: refuse a key, break off, fall silent.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

TOKEN = re.compile(r"\s*[A-Za-z0-9']+|.", re.DOTALL)
MAX_BODY_BYTES = 1 << 20


@dataclass
class FakeModel:
    """What it says, how fast, and how it fails."""

    replies: Sequence[str] = ()  # one after the other, over and over; none: an echo
    token_s: float = 0.03
    first_token_s: float = 0.2
    key: str | None = None  # others are refused
    breaks_after: int | None = None  # tokens, then the connection is cut
    hangs_after: int | None = None  # tokens, then silence
    fails_after: int | None = None  # tokens, then an error in the stream
    asked: list[list[dict[str, Any]]] = field(default_factory=list)  # the messages of each request
    left: asyncio.Event = field(default_factory=asyncio.Event)  # somebody hung up before the end

    def app(self) -> web.Application:
        """Return a web application that serves this model under /v1."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_get("/v1/models", self._models)
        return app

    async def _models(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "fake", "object": "model"}]})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        if self.key and request.headers.get("Authorization") != f"Bearer {self.key}":
            return _error(401, "Incorrect API key provided.")
        try:
            body = await request.json()
            messages = list(body["messages"])
            question = str(messages[-1]["content"])
        except (ValueError, KeyError, TypeError, IndexError):
            return _error(400, "no messages with content")
        reply = self._reply(question)
        self.asked.append(messages)
        if not body.get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", "content": reply}, "finish_reason": "stop"}
            return web.json_response({"object": "chat.completion", "choices": [choice]})
        try:
            return await self._stream(request, reply)
        except (ConnectionError, asyncio.CancelledError):
            self.left.set()
            raise

    async def _stream(self, request: web.Request, reply: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(_event({"role": "assistant", "content": ""}))
        for index, token in enumerate(TOKEN.findall(reply)):
            await asyncio.sleep(self.token_s if index else self.first_token_s)
            if index == self.breaks_after:
                assert request.transport is not None
                request.transport.abort()
                return response
            if index == self.hangs_after:
                await asyncio.Event().wait()
            if index == self.fails_after:
                await response.write(b'data: {"error": {"message": "out of memory"}}\n\n')
                return response
            await response.write(_event({"content": token}))
        await response.write(_event({}, "stop") + b"data: [DONE]\n\n")
        return response

    def _reply(self, question: str) -> str:
        if self.replies:
            return self.replies[len(self.asked) % len(self.replies)]
        if re.search(r"[\u4e00-\u9fff]", question):
            return (
                f"你说的是：{question}。我是一个假的语言模型，什么都不知道，但是我很喜欢说话。请你再说一句。"
            )
        return (
            f"You said: {question}. I am no language model at all, but I do like to talk. Say something else."
        )


def _event(delta: dict[str, str], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    chunk = {"object": "chat.completion.chunk", "model": "fake", "choices": [choice]}
    return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode()


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"message": message, "code": str(status)}}, status=status)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m clients.examples.fake_llm", description=main.__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8081)
    parser.add_argument("--token-ms", type=float, default=30.0, help="between two tokens (30)")
    parser.add_argument("--first-token-ms", type=float, default=200.0, help="before the first (200)")
    parser.add_argument("--api-key", help="refuse every other")
    parser.add_argument("--reply", action="append", default=[], help="instead of an echo (repeatable)")
    parsed = parser.parse_args(argv)
    model = FakeModel(
        replies=parsed.reply,
        token_s=parsed.token_ms / 1000,
        first_token_s=parsed.first_token_ms / 1000,
        key=parsed.api_key,
    )
    app = model.app()

    async def announce(_: web.Application) -> None:
        sys.stdout.write(f"ready: http://{parsed.host}:{parsed.port}/v1\n")
        sys.stdout.flush()

    app.on_startup.append(announce)
    web.run_app(app, host=parsed.host, port=parsed.port, print=None, handler_cancellation=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
