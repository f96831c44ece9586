"""DashScope's speech over HTTP: CosyVoice's `SpeechSynthesizer` and Qwen-TTS's `generation`.

Input   JSON requests; `X-DashScope-SSE: enable` asks for events
Output  events with audio as it is spoken, or the URL of all of it; that audio
State   the shelf of finished audio
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Annotated, Any, cast
from uuid import uuid4

from aiohttp import hdrs, web
from pydantic import Field

from server.audio_shelf import AudioShelf, KeptAudio, Recording
from server.auth import check_token
from server.backend import Backend
from server.bodies import Body, read_body, validate
from server.dashscope.errors import error_fields, refused, status_of
from server.dashscope.parameters import COSYVOICE, MAX_NAME_CHARS, Defaults, Parameters, is_ssml, wish_of
from server.dashscope.script import CosyVoiceScript, Map, Meter
from server.http_audio import respond
from server.rendering import Rendered, Rendering, Sound
from server.speaking import begin, speak_whole
from streaming.audio.formats import Codec
from streaming.audio.pcm import PcmFormat
from streaming.audio.wav import wav_header
from streaming.errors import BadRequestError, OverloadedError, RequestError, StreamError, TextTooLongError
from streaming.text.replacements import Replacer

logger = logging.getLogger(__name__)

SPEECH_PATH = "/api/v1/services/audio/tts/SpeechSynthesizer"
GENERATION_PATH = "/api/v1/services/aigc/multimodal-generation/generation"
AUDIO_PATH = "/api/v1/audio/"
FILE_PIECE_BYTES = 64 * 1024
QWEN_EVENTS = Defaults(Codec.PCM_S16LE, 24000)  # clients play the audio of its events as samples
QWEN_FILE = Defaults(Codec.WAV, 24000)


class SynthesisRequest(Body):
    """The body of a request; the SDK puts further parameters into `input`."""

    model: Annotated[str, Field(max_length=MAX_NAME_CHARS)]
    input: dict[str, Any]
    parameters: dict[str, Any] = Field(default_factory=dict)


class SynthesisInput(Body):
    """What of `input` is no parameter."""

    text: str
    instructions: str = ""


@dataclass(frozen=True, slots=True)
class Speech:
    """One request on its way to be answered."""

    id: str
    rendering: Rendering
    meter: Meter
    script: CosyVoiceScript | None
    """None: Qwen's events tell no sentences."""


class DashScopeHttpEndpoint:
    """Answers DashScope's HTTP clients. Belongs to one event loop."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        config = backend.config
        self._shelf = AudioShelf(
            config.dashscope.kept_mb, config.dashscope.kept_s, config.limits.retry_after_ms
        )

    async def speech(self, request: web.Request) -> web.StreamResponse:
        """Speak as CosyVoice."""
        return await self._answer(request, COSYVOICE, COSYVOICE, tells_sentences=True)

    async def generation(self, request: web.Request) -> web.StreamResponse:
        """Speak as Qwen-TTS."""
        return await self._answer(request, QWEN_EVENTS, QWEN_FILE, tells_sentences=False)

    async def audio(self, request: web.Request) -> web.StreamResponse:
        """Return audio by the name in its URL; to know that is to have the right."""
        try:
            with self._backend.door.entered():
                kept = self._shelf.get(request.match_info["name"])
                if kept is None:
                    fields = {"code": "NotFound", "message": "no such audio, or no longer", "request_id": ""}
                    return web.json_response(fields, status=404)
                headers: dict[str, str] = {
                    hdrs.CONTENT_TYPE: kept.codec.content_type,
                    hdrs.CONTENT_LENGTH: str(len(kept.data)),
                }
                return await respond(
                    request, _file_pieces(kept.data), headers, self._backend.config.limits.slow_reader_s
                )
        except OverloadedError as error:
            return refused(error)

    async def _answer(
        self, request: web.Request, of_events: Defaults, of_file: Defaults, *, tells_sentences: bool
    ) -> web.StreamResponse:
        request_id = str(uuid4())
        is_stream = request.headers.get("X-DashScope-SSE", "").lower() == "enable"
        try:
            key = check_token(request, self._backend.config.auth)
            with self._backend.door.entered():
                asked = await read_body(request, SynthesisRequest)
                defaults = of_events if is_stream else of_file
                speech = self._begin(asked, key, request_id, defaults, tells_sentences=tells_sentences)
                if is_stream:
                    return await self._stream(request, speech)
                return await self._whole(request, speech)
        except StreamError as error:
            return refused(error, request_id)

    def _begin(
        self, asked: SynthesisRequest, key: str, request_id: str, defaults: Defaults, *, tells_sentences: bool
    ) -> Speech:
        said = validate(asked.input, SynthesisInput)
        parameters = validate({**asked.parameters, **asked.input}, Parameters)
        if not said.text.strip():
            raise BadRequestError("text: found none; allowed: at least one character")
        if len(said.text) > (allowed := self._backend.config.limits.chars_per_context):
            raise TextTooLongError(len(said.text), allowed)
        ssml = is_ssml(parameters, said.text)
        wish = replace(wish_of(parameters, asked.model, key, defaults), ssml=ssml)
        if said.instructions:
            wish = replace(wish, instruction=said.instructions)
        replacer = Replacer({} if ssml else parameters.replaced_words, allowed)
        text = replacer.push(said.text) + replacer.flush()
        meter = Meter(hanzi_weight=2, ssml=ssml)
        meter.note(text)
        rendering = begin(self._backend, wish)
        speak_whole(rendering, text)
        script = None
        if tells_sentences:
            sound_is_whole = wish.encoding.codec.is_plain and not ssml
            words = parameters.word_timestamp_enabled
            script = CosyVoiceScript(meter, rendering.ms, words=words, sound_is_whole=sound_is_whole)
        return Speech(request_id, rendering, meter, script)

    async def _whole(self, request: web.Request, speech: Speech) -> web.Response:
        """Speak all, then tell where it is."""
        parts = cast("AsyncGenerator[Rendered, None]", speech.rendering.parts())
        with self._shelf.record(speech.rendering.encoding.codec) as recording:
            async with aclosing(parts):
                async for part in parts:
                    if request.transport is None or request.transport.is_closing():
                        logger.info("%s left before the end", request.path)
                        return web.Response()
                    if isinstance(part, Sound):
                        recording.write(part.data)
            kept = recording.keep()
        return web.json_response(_last(speech, _told(request, kept)))

    async def _stream(self, request: web.Request, speech: Speech) -> web.StreamResponse:
        headers = {hdrs.CONTENT_TYPE: "text/event-stream", "X-Request-Id": speech.id}

        def last_words(error: StreamError) -> bytes:
            data = _json(error_fields(error, speech.id))
            return f"event:error\nstatus:{status_of(error)}\ndata:{data}\n\n".encode("utf-8", "replace")

        slow_reader_s = self._backend.config.limits.slow_reader_s
        return await respond(request, self._events(request, speech), headers, slow_reader_s, last_words)

    async def _events(self, request: web.Request, speech: Speech) -> AsyncIterator[bytes]:
        """Yield the events, and record their audio as long as there is room."""
        encoding = speech.rendering.encoding
        is_wav = speech.script is None and encoding.codec is Codec.PCM_S16LE  # Qwen's URLs lead to files
        parts = cast("AsyncGenerator[Rendered, None]", speech.rendering.parts())
        with self._shelf.record(Codec.WAV if is_wav else encoding.codec) as recording:
            room = not is_wav or _write(recording, wav_header(PcmFormat.S16LE, encoding.rate))
            async with aclosing(parts):
                async for part in parts:
                    if isinstance(part, Sound):
                        room = room and _write(recording, part.data)
                    for output in _outputs(speech, part):
                        yield _event(_envelope(speech, output))
            audio = _told(request, recording.keep()) if room else {}
        yield _event(_last(speech, audio))


async def _file_pieces(data: memoryview) -> AsyncIterator[bytes]:
    """Yield a file; its client is waited for in between."""
    for start in range(0, len(data), FILE_PIECE_BYTES):
        yield bytes(data[start : start + FILE_PIECE_BYTES])


def _write(recording: Recording, data: bytes) -> bool:
    """Record, if there is room: the client has the audio of events already."""
    try:
        recording.write(data)
    except RequestError:
        return False
    return True


def _outputs(speech: Speech, part: Rendered) -> list[Map]:
    """Return what a part of the speech gives to say."""
    if speech.script is None:
        if not isinstance(part, Sound):
            return []
        return [{"finish_reason": "null", "audio": _encoded(part.data)}]
    return [
        line.output | ({"audio": _encoded(line.data)} if line.data else {})
        for line in speech.script.lines(part)
        if line.output is not None
    ]


def _last(speech: Speech, audio: Map) -> Map:
    speech.meter.all_spoken()
    return _envelope(speech, {"finish_reason": "stop", "audio": audio})


def _envelope(speech: Speech, output: Map) -> Map:
    usage = {"characters": speech.meter.n_characters}
    return {"request_id": speech.id, "output": output, "usage": usage}


def _told(request: web.Request, kept: KeptAudio) -> Map:
    """Return where audio is; behind a proxy that speaks TLS, it says so."""
    scheme = "https" if request.headers.get("X-Forwarded-Proto") == "https" else request.scheme
    url = f"{scheme}://{request.host}{AUDIO_PATH}{kept.name}"
    return {"url": url, "id": f"audio_{kept.name}", "expires_at": int(kept.expires_s)}


def _encoded(data: bytes) -> Map:
    return {"data": base64.b64encode(data).decode()}


def _event(fields: Map) -> bytes:
    # No space after the colons: the SDK compares literally.
    return f"event:result\ndata:{_json(fields)}\n\n".encode("utf-8", "replace")


def _json(fields: Map | dict[str, str]) -> str:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
