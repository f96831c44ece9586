"""`POST /v1/text`: what will be spoken of a text, and why.

Input   HTTP requests: JSON with `text` and, if wanted, `voice` and `lexicon`
Output  JSON; docs/protocol.md has its shape
State   none
"""

from __future__ import annotations

import asyncio
import json

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from server.auth import refusal
from server.backend import Backend, text_policy
from streaming.errors import BadRequestError, StreamError, TextTooLongError
from streaming.loaded_voice import LoadedVoice
from streaming.text.explanation import explain

TEXT_PATH = "/v1/text"


class TextRequest(BaseModel):
    """The body of a request."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str
    voice: str = ""
    lexicon: dict[str, str] = {}


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
        except StreamError as error:
            document = {"error": {"code": error.code, "message": str(error)}}
            return web.json_response(document, status=503 if error.retryable else 400)
        policy = text_policy(backend.config.text, backend.config.limits.chars_per_context, None)
        segments = await asyncio.to_thread(explain, asked.text, loaded.frontend, policy.segments, lexicon)
        return web.json_response({"segments": segments})

    async def _asked(self, request: web.Request) -> TextRequest:
        """Read the body.

        Raises:
            BadRequestError: It is no such request.
            TextTooLongError: The text is longer than is allowed.
        """
        try:
            asked = TextRequest.model_validate(await request.json())
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise BadRequestError(f"the body is not JSON: {error}") from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the body"
            raise BadRequestError(f"{where}: {first['msg']}; allowed are text, voice and lexicon") from None
        limit = self._backend.config.limits.chars_per_append
        if len(asked.text) > limit:
            raise TextTooLongError(len(asked.text), limit)
        return asked
