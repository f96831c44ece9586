"""The cache of spoken segments over HTTP: what it holds, and forgetting it.

Input   HTTP requests
Output  JSON; docs/protocol.md has its shape
State   none
It does not know what a segment is.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from aiohttp import web

from server.auth import refusal
from server.backend import Backend

CACHE_PATH = "/v1/cache"
CLEAR_PATH = "/v1/cache/clear"


class CacheEndpoint:
    """Answers requests about the cache. Belongs to one event loop."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def tell(self, request: web.Request) -> web.Response:
        """Tell what the cache holds and how often it had what was asked for."""
        if (refused := refusal(request, self._backend.config.auth)) is not None:
            return refused
        backend = self._backend
        store = None
        if backend.store is not None:
            store = asdict(await asyncio.to_thread(backend.store.statistics))
        held = asdict(backend.cache.statistics())
        return web.json_response({**held, "finishing": backend.finisher.n_segments, "disk": store})

    async def clear(self, request: web.Request) -> web.Response:
        """Forget the segments of `?voice=NAME`, or all."""
        if (refused := refusal(request, self._backend.config.auth)) is not None:
            return refused
        return web.json_response({"cleared": await self._backend.clear_cache(request.query.get("voice"))})
