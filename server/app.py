"""The aiohttp application: routes, and what happens at shutdown.

Input   a running backend
Output  an application to run
State   the endpoints
It does not know how the process starts, listens or stops (`serving`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from typing import Any

from aiohttp import web

from server.backend import Backend
from server.bodies import BODY_S
from server.cache_endpoint import CACHE_PATH, CLEAR_PATH, CacheEndpoint
from server.dashscope.routes import dashscope_routes
from server.dashscope.socket import INFERENCE_PATH
from server.elevenlabs.routes import SPEECH_PATH as ELEVENLABS_PATH
from server.elevenlabs.routes import add_elevenlabs
from server.load_endpoint import LOAD_PATH, LoadEndpoint
from server.loop_lag import LoopLagMeter
from server.native import PATH, NativeEndpoint
from server.openai_endpoint import SPEECH_PATH, OpenAiEndpoint
from server.openai_endpoint import VOICES_PATH as SPEECH_VOICES_PATH
from server.openapi import OPENAPI_PATH, openapi
from server.page import FILES_PATH, PageEndpoint
from server.text_endpoint import TEXT_PATH, TextEndpoint
from server.tts_endpoint import TTS_PATH, TtsEndpoint
from server.version import zhiyin_version
from server.voices_endpoint import RELOAD_PATH, VOICES_PATH, VoicesEndpoint
from server.warm_up import keep_warm
from server.wyoming.server import WyomingServer

NATIVE = web.AppKey("native", NativeEndpoint)
BACKEND = web.AppKey("backend", Backend)
WYOMING = web.AppKey("wyoming", WyomingServer)

_WELCOME = """\
Zhiyin {version}: streaming text-to-speech.

Try   zhiyin say "你好，欢迎使用语音合成服务。" --play --url ws://{host}{path}
      echo "一边写，一边说。" | zhiyin say -o speech.wav --stats --url ws://{host}{path}
      curl "http://{host}{tts}" -d text="你好，世界。" -o hello.mp3

GET /             in a browser: a page to type, listen and measure
GET {path}    WebSocket; the protocol is in docs/protocol.md
GET, POST {tts}    speech for curl and <audio> tags: text, voice, format, ...
GET {dashscope}    DashScope's, a WebSocket
POST {speech}    OpenAI's; docs/protocols.md has all protocols
POST {elevenlabs}    ElevenLabs', with its WebSockets
GET {voices}    voices, speakers, emotions
POST {reload}    look for new voices
POST {text}    what will be spoken of a text, and why
GET {load}    how much there is to do
GET {cache}    what the cache of spoken segments holds
POST {clear}    forget them
GET {openapi}      all this for machines
GET /healthz      alive and well
GET /readyz       ready for requests
"""


def build_app(backend: Backend) -> web.Application:
    """Return the application; it owns `backend` and closes it in its cleanup."""
    app = web.Application()
    native = NativeEndpoint(backend, zhiyin_version())
    voices = VoicesEndpoint(backend)
    cache = CacheEndpoint(backend)
    lag = LoopLagMeter()
    app[BACKEND] = backend
    app[BODY_S] = backend.config.limits.body_s
    app[NATIVE] = native
    app[WYOMING] = WyomingServer(backend)
    page = PageEndpoint(welcome)
    app.router.add_get("/", page.index)
    app.router.add_get(FILES_PATH, page.file)
    app.router.add_get(OPENAPI_PATH, openapi)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_post(RELOAD_PATH, voices.reload)
    app.router.add_post(TEXT_PATH, TextEndpoint(backend).explain)
    app.router.add_get(LOAD_PATH, LoadEndpoint(backend, native, lag).tell)
    app.router.add_get(CACHE_PATH, cache.tell)
    app.router.add_post(CLEAR_PATH, cache.clear)
    app.router.add_get(PATH, native.handle)
    tts, openai = TtsEndpoint(backend), OpenAiEndpoint(backend)
    app.router.add_get(TTS_PATH, tts.speak, allow_head=False)  # a HEAD would compute it all
    app.router.add_post(TTS_PATH, tts.speak)
    app.router.add_post(SPEECH_PATH, openai.speech)
    add_elevenlabs(app.router, backend, our_voices=voices.list_voices, our_models=openai.models)
    app.router.add_get(SPEECH_VOICES_PATH, openai.voices)
    app.router.add_routes(dashscope_routes(backend))
    app.cleanup_ctx.append(partial(_while_running, "loop lag", lag.run))
    app.cleanup_ctx.append(partial(_while_running, "warm-up", partial(keep_warm, backend)))
    app.on_shutdown.append(_cut_connections)
    app.on_cleanup.append(_close_backend)
    return app


def welcome(request: web.Request) -> str:
    """Say what this is and what to try."""
    return _WELCOME.format(
        version=zhiyin_version(),
        host=request.host,
        path=PATH,
        openapi=OPENAPI_PATH,
        tts=TTS_PATH,
        speech=SPEECH_PATH,
        dashscope=INFERENCE_PATH,
        elevenlabs=ELEVENLABS_PATH,
        voices=VOICES_PATH,
        reload=RELOAD_PATH,
        text=TEXT_PATH,
        load=LOAD_PATH,
        cache=CACHE_PATH,
        clear=CLEAR_PATH,
    )


async def healthz(request: web.Request) -> web.Response:
    """Tell that the process lives, and what it holds."""
    backend = request.app[BACKEND]
    return web.json_response(
        {
            "status": "ok",
            "version": zhiyin_version(),
            "voices": list(backend.library.names),
            "broken_voices": sorted(backend.library.broken),
            "connections": request.app[NATIVE].n_connections,
            "requests": backend.door.n_inside,
            "uptime_s": round(backend.uptime_s, 1),
        }
    )


async def readyz(request: web.Request) -> web.Response:
    """Answer 200 while new connections are welcome, 503 while all are taken or at shutdown."""
    if request.app[NATIVE].is_accepting and request.app[BACKEND].door.is_open:
        return web.json_response({"status": "ready"})
    return web.json_response({"status": "full"}, status=503)


async def _while_running(
    name: str, run: Callable[[], Coroutine[Any, Any, None]], app: web.Application
) -> AsyncIterator[None]:
    """Run a task for as long as the application runs."""
    task = asyncio.create_task(run(), name=name)
    yield
    task.cancel()
    await asyncio.wait([task])


async def _cut_connections(app: web.Application) -> None:
    """End what is left: `serving.shut_down` drains before, while clients can still be heard."""
    await app[NATIVE].close(0)
    await app[WYOMING].close()


async def _close_backend(app: web.Application) -> None:
    await app[BACKEND].close()
