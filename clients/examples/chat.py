"""Ask any OpenAI-compatible chat endpoint, and get the reply token by token.

Input   messages
Output  pieces of the reply; ChatError with words for people
State   the HTTP session
It does not know speech.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp

from clients.examples.history import Message
from clients.examples.sse import SseError, SseReader
from clients.python.client import LOOPBACK

CONNECT_S = 10.0
SHOWN_CHARS = 200


class ChatError(Exception):
    """The model did not reply, or not to the end."""


class ChatClient:
    """One endpoint and model. Belongs to one event loop."""

    def __init__(self, base_url: str, model: str, key: str | None, *, silence_s: float = 60.0) -> None:
        """Prepare; `async with` opens. `silence_s` is how long it may say nothing."""
        self._url = f"{base_url.rstrip('/')}/chat/completions"
        self._model = model
        self._key = key
        self._silence_s = silence_s
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=self._silence_s)
        uses_proxy = urlsplit(self._url).hostname not in LOOPBACK
        self._session = aiohttp.ClientSession(headers=headers, timeout=timeout, trust_env=uses_proxy)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def reply(self, messages: Sequence[Message]) -> AsyncGenerator[str, None]:
        """Yield the reply as it is written. Cancelling who waits ends the request.

        Raises:
            ChatError: Nobody answers, the request is refused, or the reply breaks off.
        """
        assert self._session is not None, "use `async with ChatClient(...)`"
        body = {"model": self._model, "messages": list(messages), "stream": True}
        try:
            async with self._session.post(self._url, json=body) as response:
                if response.status != 200:
                    raise ChatError(_refusal(self._url, response.status, await response.text()))
                reader, is_over = SseReader(), False
                async for data in response.content.iter_any():
                    for event in reader.push(data):
                        if event == "[DONE]":
                            return
                        piece, ends = _delta(event)
                        is_over = is_over or ends
                        if piece:
                            yield piece
                if not is_over:  # not everybody says [DONE], but then there is a reason to stop
                    raise ChatError("the reply broke off")
        except aiohttp.ClientConnectorError as error:
            raise ChatError(f"no model answers at {self._url}") from error
        except TimeoutError as error:
            raise ChatError(f"the model has said nothing for {self._silence_s:g} s") from error
        except aiohttp.InvalidURL as error:
            raise ChatError(f"not a URL: {self._url}") from error
        except (aiohttp.ClientError, UnicodeDecodeError, SseError) as error:
            raise ChatError(f"the reply broke off: {error}") from error


def _delta(event: str) -> tuple[str, bool]:
    """Return the text of an event, and whether it is the last with text.

    Raises:
        ChatError: It is an error, or nothing that is known.
    """
    try:
        fields = json.loads(event)
        if fields.get("error"):
            raise ChatError(f"the model failed: {_words(fields['error'])}")
        if not fields["choices"]:  # such as the bill
            return "", False
        choice = fields["choices"][0]
        return choice.get("delta", {}).get("content") or "", choice.get("finish_reason") is not None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ChatError(f"not an event of a chat: {event[:SHOWN_CHARS]}") from error


def _refusal(url: str, status: int, body: str) -> str:
    try:
        words = _words(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        words = body[:SHOWN_CHARS].strip()
    hint = "; is the key right? --api-key, or OPENAI_API_KEY" if status == 401 else ""
    return f"{url} answers {status}: {words or 'nothing more'}{hint}"


def _words(error: object) -> str:
    message = error.get("message") if isinstance(error, dict) else error
    return str(message)[:SHOWN_CHARS]
