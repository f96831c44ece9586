"""`POST /v1/text`: what will be spoken of a text, and why.

Input   HTTP requests: JSON with `text` and, if wanted, `voice`, `lexicon`, `ssml`
Output  JSON; docs/protocol.md has its shape
State   none
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from server.auth import refusal
from server.backend import Backend, text_policy
from server.bodies import read_body
from streaming.errors import StreamError, TextTooLongError
from streaming.loaded_voice import LoadedVoice
from streaming.text.explanation import explain
from streaming.text.lexicon import Lexicon

TEXT_PATH = "/v1/text"


class TextRequest(BaseModel):
    """The body of a request."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str
    voice: str = ""
    lexicon: dict[str, str] = {}
    ssml: bool = False


class TextEndpoint:
    """Answers requests about texts. Belongs to one event loop."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def explain(self, request: web.Request) -> web.Response:
        """Explain a text of at most `limits.chars_per_append` characters."""
        backend = self._backend
        if (refused := refusal(request, backend.config.auth)) is not None:
            return refused
        try:
            asked = await self._asked(request)
            voice = backend.voice(asked.voice)
            lexicon = backend.lexicon.with_more(asked.lexicon)
            loaded = voice if isinstance(voice, LoadedVoice) else await voice.loaded()
            segments = await asyncio.to_thread(self._explained, asked, loaded, lexicon)
        except StreamError as error:
            document = {"error": {"code": error.code, "message": str(error)}}
            return web.json_response(document, status=503 if error.retryable else 400)
        return web.json_response({"segments": segments})

    def _explained(self, asked: TextRequest, voice: LoadedVoice, lexicon: Lexicon) -> list[dict[str, Any]]:
        config = self._backend.config
        policy = text_policy(config.text, config.limits.chars_per_context, None)
        return explain(asked.text, voice.frontend, policy.segments, lexicon, ssml=asked.ssml)

    async def _asked(self, request: web.Request) -> TextRequest:
        """Read the body.

        Raises:
            BadRequestError: It is no such request.
            TextTooLongError: The text is longer than is allowed.
        """
        asked = await read_body(request, TextRequest)
        limit = self._backend.config.limits.chars_per_append
        if len(asked.text) > limit:
            raise TextTooLongError(len(asked.text), limit)
        return asked
