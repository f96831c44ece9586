"""Where ElevenLabs' endpoints are: under its own paths, and all of them once more under `/elevenlabs`.

Input   a router, the backend
Output  routes
State   none
Two of its paths are also ours and OpenAI's; `by_client` shares those out, and under the prefix nobody asks.
"""

from __future__ import annotations

from aiohttp import web

from server.backend import Backend
from server.elevenlabs.access import Handler, by_client
from server.elevenlabs.endpoint import ElevenLabsEndpoint
from server.elevenlabs.lists import ElevenLabsLists
from server.elevenlabs.socket import ElevenLabsSockets

PREFIX = "/elevenlabs"
SPEECH_PATH = "/v1/text-to-speech/{voice_id}"
VOICES_PATH = "/v1/voices"
VOICE_PATH = "/v1/voices/{voice_id:(?!reload$)[^/]+}"  # to reload is ours, by POST only
MODELS_PATH = "/v1/models"


def add_elevenlabs(
    router: web.UrlDispatcher, backend: Backend, *, our_voices: Handler, our_models: Handler
) -> None:
    """Add the routes; `our_voices` and `our_models` answer other clients on the same paths."""
    lists = ElevenLabsLists(backend)
    router.add_get(VOICES_PATH, by_client(lists.voices, our_voices))
    router.add_get(MODELS_PATH, by_client(lists.models, our_models))
    router.add_get(PREFIX + VOICES_PATH, lists.voices)
    router.add_get(PREFIX + MODELS_PATH, lists.models)
    speech, sockets = ElevenLabsEndpoint(backend), ElevenLabsSockets(backend)
    for prefix in ("", PREFIX):
        path = prefix + SPEECH_PATH
        router.add_post(path, speech.audio)
        router.add_post(f"{path}/stream", speech.audio)
        router.add_post(f"{path}/with-timestamps", speech.document)
        router.add_post(f"{path}/stream/with-timestamps", speech.lines)
        router.add_get(f"{path}/stream-input", sockets.one_context)
        router.add_get(f"{path}/multi-stream-input", sockets.many_contexts)
        router.add_get(f"{prefix}/v2/voices", lists.search)
        router.add_get(prefix + VOICE_PATH, lists.voice)
        router.add_get(f"{prefix}/v1/user/subscription", lists.subscription)
