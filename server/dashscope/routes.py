"""All of DashScope: which path is answered by what.

Input   a running backend
Output  routes
State   none
"""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from server.backend import Backend
from server.dashscope.http import AUDIO_PATH, GENERATION_PATH, SPEECH_PATH, DashScopeHttpEndpoint
from server.dashscope.qwen_realtime import REALTIME_PATH, RealtimeEndpoint
from server.dashscope.refusals import Refusals
from server.dashscope.socket import INFERENCE_PATH, InferenceEndpoint


def dashscope_routes(backend: Backend) -> Iterable[web.RouteDef]:
    """Return the routes of DashScope's protocols."""
    refusals = Refusals(backend)
    inference, realtime, http = (
        InferenceEndpoint(backend, refusals),
        RealtimeEndpoint(backend, refusals),
        DashScopeHttpEndpoint(backend),
    )
    return [
        # The SDK takes the URL verbatim; with and without the slash are both in use.
        web.get(INFERENCE_PATH, inference.handle),
        web.get(f"{INFERENCE_PATH}/", inference.handle),
        web.get(REALTIME_PATH, realtime.handle),
        web.get(f"{REALTIME_PATH}/", realtime.handle),
        web.post(SPEECH_PATH, http.speech),
        web.post(GENERATION_PATH, http.generation),
        web.get(f"{AUDIO_PATH}{{name}}", http.audio),
    ]
