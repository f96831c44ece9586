"""ElevenLabs' `POST /v1/text-to-speech/{voice_id}` and its three variants.

Input   HTTP requests as the SDK, pipecat and LiveKit make them
Output  chunked audio; or JSON, whole or by lines, with the time of every character
State   none
Also the JSON that is one document is written while it is computed: an hour of audio needs no memory.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import cast
from uuid import uuid4

from aiohttp import hdrs, web

from server.auth import check_credentials
from server.backend import Backend
from server.bodies import read_body
from server.elevenlabs.access import credentials_of
from server.elevenlabs.alignment import Aligner, Alignment, joined
from server.elevenlabs.chunks import Chunk, chunks
from server.elevenlabs.errors import EmptyTextError, refused
from server.elevenlabs.formats import DEFAULT_FORMAT, encoding_of
from server.elevenlabs.messages import SpeechRequest
from server.http_audio import audio_bytes, respond
from server.rendering import Rendering
from server.speaking import Wish, begin
from streaming.errors import StreamError, TextTooLongError
from streaming.events import Finished, Flushed
from streaming.types import Style

JSON = "application/json"
BASE64_BYTES = 3  # that many bytes become four characters, without filling

Body = Callable[[Rendering, str], AsyncIterator[bytes]]


class ElevenLabsEndpoint:
    """Answers requests for speech. Belongs to one event loop."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def audio(self, request: web.Request) -> web.StreamResponse:
        """Speak a text."""
        return await self._speak(request, lambda rendering, text: audio_bytes(rendering), "")

    async def document(self, request: web.Request) -> web.StreamResponse:
        """Speak a text, as one JSON document with the alignment."""
        return await self._speak(request, json_document, JSON)

    async def lines(self, request: web.Request) -> web.StreamResponse:
        """Speak a text, as JSON by lines: the alignment of a segment comes with its first audio."""
        return await self._speak(request, json_lines, JSON)

    async def _speak(self, request: web.Request, body: Body, content_type: str) -> web.StreamResponse:
        headers = {"request-id": uuid4().hex}
        limits = self._backend.config.limits
        try:
            key = check_credentials(credentials_of(request), self._backend.config.auth)
            with self._backend.door.entered():
                asked = await read_body(request, SpeechRequest)
                rendering = self._begin(request, asked, key)
                headers[hdrs.CONTENT_TYPE] = content_type or rendering.encoding.codec.content_type
                return await respond(request, body(rendering, asked.text), headers, limits.slow_reader_s)
        except StreamError as error:
            return refused(error, headers)

    def _begin(self, request: web.Request, asked: SpeechRequest, key: str) -> Rendering:
        if len(asked.text) > (allowed := self._backend.config.limits.chars_per_context):
            raise TextTooLongError(len(asked.text), allowed)
        if not asked.text.strip():
            raise EmptyTextError("text: found none; allowed: at least one character")
        wish = Wish(
            encoding=encoding_of(request.query.get("output_format", DEFAULT_FORMAT)),
            voice=request.match_info["voice_id"],
            model=asked.model_id,
            style=Style(speed=asked.voice_settings.possible_speed, seed=asked.seed),
            key=key,
        )
        rendering = begin(self._backend, wish)
        rendering.utterance.append(asked.text)
        rendering.utterance.end()
        return rendering


async def json_lines(rendering: Rendering, text: str) -> AsyncIterator[bytes]:
    """Yield a line for each piece of audio. Cancel-safe.

    Raises:
        StreamError: See `Rendering.parts`.
    """
    async with aclosing(_chunks(rendering, text)) as parts:
        async for chunk in parts:
            fields = {"audio_base64": base64.b64encode(chunk.data).decode()}
            yield _json({**fields, **_alignments(chunk.alignment, rendering.voice_rate)}) + b"\n"


async def json_document(rendering: Rendering, text: str) -> AsyncIterator[bytes]:
    """Yield one JSON document. Cancel-safe.

    Raises:
        StreamError: See `Rendering.parts`.
    """
    head, rest, alignment = b'{"audio_base64":"', b"", None
    async with aclosing(_chunks(rendering, text)) as parts:
        async for chunk in parts:
            alignment = joined(alignment, chunk.alignment)
            data = rest + chunk.data
            n_whole = len(data) // BASE64_BYTES * BASE64_BYTES
            rest = data[n_whole:]
            if n_whole:
                yield head + base64.b64encode(data[:n_whole])
                head = b""
    tail = _json(_alignments(alignment, rendering.voice_rate))
    yield head + base64.b64encode(rest) + b'",' + tail.removeprefix(b"{")


async def _chunks(rendering: Rendering, text: str) -> AsyncGenerator[Chunk, None]:
    aligner = Aligner()
    aligner.append(text)
    parts = cast("AsyncGenerator[Chunk | Flushed | Finished, None]", chunks(rendering, aligner))
    async with aclosing(parts):
        async for part in parts:
            if isinstance(part, Chunk):
                yield part


def _alignments(alignment: Alignment | None, rate: int) -> dict[str, object]:
    """Return both alignments: what is spoken is not told apart from what was written."""
    told = None if alignment is None else alignment.in_seconds(rate)
    return {"alignment": told, "normalized_alignment": told}


def _json(fields: object) -> bytes:
    """Return JSON; lone surrogates of a client's text come back as `?`, one for each."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
