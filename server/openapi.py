"""`GET /openapi.json`: the HTTP endpoints for machines (OpenAPI 3.1); people read docs/protocols.md.

Input   the models of the requests
Output  one JSON document
State   none
WebSockets and TCP are beyond what OpenAPI can say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from server.cache_endpoint import CACHE_PATH, CLEAR_PATH
from server.dashscope.http import AUDIO_PATH, GENERATION_PATH, SynthesisRequest
from server.dashscope.http import SPEECH_PATH as DASHSCOPE_PATH
from server.elevenlabs.messages import SpeechRequest as ElevenLabsRequest
from server.elevenlabs.routes import PREFIX
from server.elevenlabs.routes import SPEECH_PATH as ELEVENLABS_PATH
from server.load_endpoint import LOAD_PATH
from server.openai_endpoint import MODELS_PATH, SPEECH_PATH, SpeechRequest
from server.openai_endpoint import VOICES_PATH as SPEECH_VOICES_PATH
from server.page import TYPES
from server.text_endpoint import TEXT_PATH, TextRequest
from server.tts_endpoint import FORMS, TTS_PATH, TtsRequest
from server.version import zhiyin_version
from server.voices_endpoint import RELOAD_PATH, VOICES_PATH
from streaming.audio.formats import Codec

OPENAPI_PATH = "/openapi.json"
_SCHEMAS = "#/components/schemas/"
_JSON = "application/json"
_EVENTS = "text/event-stream"
_AUDIO = tuple(sorted({codec.content_type for codec in Codec}))

Document = dict[str, Any]


def describe_http() -> Document:
    """Return the document."""
    schemas: dict[str, Any] = {}
    speech = _body(SpeechRequest, schemas)
    elevenlabs = _body(ElevenLabsRequest, schemas, name="ElevenLabsRequest")
    dashscope = _body(SynthesisRequest, schemas, name="DashScopeRequest")
    tts = _body(TtsRequest, schemas, _JSON, *FORMS)
    paths = {
        TTS_PATH: {
            "get": _operation("Speak a text", _AUDIO, parameters=_parameters(TtsRequest)),
            "post": _operation("Speak a text", _AUDIO, body=tts),
        },
        SPEECH_PATH: {"post": _operation("Speak a text (OpenAI)", (*_AUDIO, _EVENTS), body=speech)},
        MODELS_PATH: {"get": _operation("List the models (OpenAI)", (_JSON,))},
        SPEECH_VOICES_PATH: {"get": _operation("List names of voices", (_JSON,))},
        DASHSCOPE_PATH: {"post": _operation("Speak a text (CosyVoice)", (_JSON, _EVENTS), body=dashscope)},
        GENERATION_PATH: {"post": _operation("Speak a text (Qwen-TTS)", (_JSON, _EVENTS), body=dashscope)},
        f"{AUDIO_PATH}{{name}}": {
            "get": _operation("Audio that was spoken (DashScope)", _AUDIO, parameters=[_in_path("name")])
        },
        TEXT_PATH: {
            "post": _operation("What will be spoken, and why", (_JSON,), body=_body(TextRequest, schemas))
        },
        VOICES_PATH: {"get": _operation("List the voices", (_JSON,))},
        RELOAD_PATH: {"post": _operation("Look for new voices", (_JSON,))},
        LOAD_PATH: {"get": _operation("How much there is to do", (_JSON,))},
        CACHE_PATH: {"get": _operation("What the cache holds", (_JSON,))},
        CLEAR_PATH: {"post": _operation("Forget cached segments", (_JSON,))},
        "/healthz": {"get": _operation("Alive and well", (_JSON,))},
        "/readyz": {"get": _operation("Ready for requests", (_JSON,))},
        OPENAPI_PATH: {"get": _operation("This document", (_JSON,))},
        "/": {"get": _operation("A page for browsers; for others, what to try", ("text/html", "text/plain"))},
        "/browser/{name}": {
            "get": _operation(
                "A file of the browser client", tuple(TYPES.values()), parameters=[_in_path("name")]
            )
        },
    }
    for prefix in ("", PREFIX):
        paths.update(_elevenlabs_paths(prefix, elevenlabs))
    return {
        "openapi": "3.1.0",
        "info": {"title": "Zhiyin", "version": zhiyin_version()},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _elevenlabs_paths(prefix: str, body: Document) -> dict[str, Document]:
    voice, output = _in_path("voice_id"), _in_query("output_format")
    speech = f"{prefix}{ELEVENLABS_PATH}"
    operations = {
        speech: ("Speak a text (ElevenLabs)", _AUDIO),
        f"{speech}/stream": ("Speak a text (ElevenLabs)", _AUDIO),
        f"{speech}/with-timestamps": (
            "Speak a text, with when each character is heard (ElevenLabs)",
            (_JSON,),
        ),
        f"{speech}/stream/with-timestamps": ("The same, line by line (ElevenLabs)", (_JSON,)),
    }
    lists = {
        f"{prefix}/v1/voices/{{voice_id}}": ("Tell about a voice (ElevenLabs)", [voice]),
        f"{prefix}/v2/voices": ("Search voices (ElevenLabs)", [_in_query("search")]),
        f"{prefix}/v1/user/subscription": ("Nothing is counted (ElevenLabs)", []),
    }
    if prefix:  # without it these paths are ours and OpenAI's, too
        lists[f"{prefix}{VOICES_PATH}"] = ("List the voices (ElevenLabs)", [])
        lists[f"{prefix}{MODELS_PATH}"] = ("List the models (ElevenLabs)", [])
    spoken = {
        path: {"post": _operation(summary, answers, body=body, parameters=[voice, output])}
        for path, (summary, answers) in operations.items()
    }
    listed = {
        path: {"get": _operation(summary, (_JSON,), parameters=parameters)}
        for path, (summary, parameters) in lists.items()
    }
    return {**spoken, **listed}


def _in_path(name: str) -> Document:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _in_query(name: str) -> Document:
    return {"name": name, "in": "query", "required": False, "schema": {"type": "string"}}


async def openapi(request: web.Request) -> web.Response:
    """Answer with the document."""
    return web.json_response(describe_http())


def _operation(
    summary: str,
    answers: tuple[str, ...],
    *,
    body: Document | None = None,
    parameters: list[Document] | None = None,
) -> Document:
    content: Mapping[str, Document] = {media: {} for media in answers}
    operation: Document = {
        "summary": summary,
        "responses": {
            "200": {"description": "done", "content": content},
            "4XX": {"description": "refused; the body says what was found and what is allowed"},
            "503": {"description": "not now"},
        },
    }
    if body is not None:
        operation["requestBody"] = body
    if parameters is not None:
        operation["parameters"] = parameters
    return operation


def _body(model: type[BaseModel], schemas: dict[str, Any], *media: str, name: str = "") -> Document:
    schema = model.model_json_schema(ref_template=_SCHEMAS + "{model}")
    schemas.update(schema.pop("$defs", {}))
    name = name or model.__name__
    schemas[name] = schema
    reference = {"$ref": f"{_SCHEMAS}{name}"}
    return {"required": True, "content": {kind: {"schema": reference} for kind in media or (_JSON,)}}


def _parameters(model: type[BaseModel]) -> list[Document]:
    """Return the fields of a model that a query can carry: those that are no maps."""
    schema = model.model_json_schema()
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": field}
        for name, field in schema["properties"].items()
        if field.get("type") != "object"
    ]
