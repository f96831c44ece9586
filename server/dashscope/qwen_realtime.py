"""Qwen-TTS's realtime socket: `/api-ws/v1/realtime`.

Input   handshakes with `?model=`; messages
Output  events, audio as base64 among them
State   the settings, the responses that wait and the one that is spoken
It does not know when text becomes a response (`qwen_session`), nor how one is spoken (`qwen_response`).
A message that is not understood is answered with `error`, and the session goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any, assert_never
from uuid import uuid4

from aiohttp import web

from server.auth import check_token
from server.backend import Backend
from server.dashscope.errors import refused
from server.dashscope.qwen_messages import (
    SessionUpdate,
    Settings,
    changed,
    parse_realtime_message,
    realtime_wish,
)
from server.dashscope.qwen_response import Response, error_event, realtime_event
from server.dashscope.qwen_session import (
    Action,
    Begin,
    CloseWhenSpoken,
    Configure,
    DropAll,
    EndText,
    QwenSession,
    Speak,
    TellCleared,
    TellCommitted,
)
from server.dashscope.refusals import Refusals
from server.json_socket import JsonSocket, accepted
from server.rendering import Rendering
from server.speaking import begin
from streaming.errors import (
    BadRequestError,
    IdleTimeoutError,
    OverloadedError,
    RequestError,
    SynthesisError,
    UnauthorizedError,
)

logger = logging.getLogger(__name__)

REALTIME_PATH = "/api-ws/v1/realtime"


class RealtimeEndpoint:
    """Answers handshakes. Belongs to one event loop."""

    def __init__(self, backend: Backend, refusals: Refusals) -> None:
        self._backend = backend
        self._refusals = refusals

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection; returns when it has ended.

        Raises:
            HTTPException: It is no WebSocket request.
        """
        backend = self._backend
        model = request.query.get("model", "")
        try:
            key = check_token(request, backend.config.auth)
        except UnauthorizedError as error:
            return refused(error)
        try:
            with backend.door.entered():
                async with accepted(request, backend) as socket:
                    await RealtimeConnection(socket, backend, key, model).serve()
        except OverloadedError as error:
            return await self._refusals.tell(request, error, _say_error)
        return socket.response


class RealtimeConnection:
    """Serves one client from the handshake to the end."""

    def __init__(self, socket: JsonSocket, backend: Backend, key: str, model: str) -> None:
        self._socket = socket
        self._backend = backend
        self._limits = backend.config.limits
        self._key = key
        self._model = model
        self._id = f"sess_{uuid4().hex}"
        self._settings = Settings()
        self._session = QwenSession(self._limits.chars_per_context)
        self._responses: deque[Response] = deque()  # the first one is being spoken
        self._news = asyncio.Event()
        self._closes_when_spoken = False
        self._over = asyncio.Event()
        self._n_errors = 0  # in a row
        socket.last_words = self._leave

    async def serve(self) -> None:
        """Talk to the client until either side ends it. Cancel-safe: what is spoken is dropped."""
        try:
            self._check(self._settings)
        except RequestError as error:
            self._socket.say(error_event(error))
            return
        except Exception:  # the outer edge of a session: said, details to the log
            logger.exception("%s failed at its beginning", self._socket.label)
            self._socket.say(error_event(SynthesisError("synthesis failed")))
            return
        self._socket.say(realtime_event("session.created", session=self._told()))
        async with asyncio.TaskGroup() as group:
            reader = group.create_task(self._read(), name=f"{self._socket.label} reader")
            speaker = group.create_task(self._speak(), name=f"{self._socket.label} speaker")
            await self._over.wait()
            reader.cancel()
            speaker.cancel()
            self._drop_all("cancelled")

    async def _read(self) -> None:
        while not self._over.is_set():
            try:
                if (fields := await self._socket.receive(self._limits.idle_s)) is None:
                    break
                for action in self._session.receive(parse_realtime_message(fields)):
                    self._act(action)
                self._n_errors = 0
            except IdleTimeoutError as error:
                if not self._responses or self._session.takes_text:
                    self._socket.say(error_event(error))
                    break
            except RequestError as error:
                self._refuse(error)
            except Exception:  # the outer edge of a session, as above: what it holds now is not known
                logger.exception("%s failed on a message", self._socket.label)
                self._socket.say(error_event(SynthesisError("synthesis failed")))
                break
        self._over.set()

    def _refuse(self, error: RequestError) -> None:
        """Answer with an error; a client that is never understood is sent away."""
        self._socket.say(error_event(error))
        self._n_errors += 1
        if self._n_errors >= self._limits.bad_messages:
            self._over.set()

    def _act(self, action: Action) -> None:
        match action:
            case Configure():
                self._configure(action.update)
            case Begin():
                self._begin()
            case Speak():
                self._give(action.text)
            case EndText():
                self._newest.end()
            case TellCommitted():
                self._socket.say(realtime_event("input_text_buffer.committed", item_id=f"item_{uuid4().hex}"))
            case TellCleared():
                self._socket.say(realtime_event("input_text_buffer.cleared"))
            case DropAll():
                self._drop_all("cancelled")
            case CloseWhenSpoken():
                self._closes_when_spoken = True
                self._news.set()
            case _:
                assert_never(action)

    @property
    def _newest(self) -> Response:
        assert self._responses, "the rules let text through without a response"
        return self._responses[-1]

    def _configure(self, update: SessionUpdate) -> None:
        settings = changed(self._settings, update.changes)
        self._check(settings)
        self._settings = settings
        self._session.configured(settings.mode)
        self._socket.say(realtime_event("session.updated", session=self._told()))

    def _check(self, settings: Settings) -> None:
        """Find out whether one could speak like this.

        Raises:
            RequestError: One could not.
        """
        if not self._model:
            raise BadRequestError("model: missing in the query")
        self._rendering(settings).utterance.cancel()

    def _rendering(self, settings: Settings) -> Rendering:
        max_delay_ms = self._backend.config.text.max_delay_ms
        return begin(self._backend, realtime_wish(settings, self._model, self._key, max_delay_ms))

    def _begin(self) -> None:
        try:
            if len(self._responses) >= (allowed := self._limits.contexts_per_connection):
                text = f"{allowed} responses wait to be spoken, which is the limit"
                raise OverloadedError(text, self._limits.retry_after_ms)
            rendering = self._rendering(self._settings)
        except RequestError:
            self._session.lost()
            raise
        self._responses.append(Response(rendering, self._socket, self._settings.voice))
        self._socket.quiet.clear()
        self._news.set()

    def _give(self, text: str) -> None:
        try:
            self._newest.append(text)
        except RequestError:
            self._session.lost()
            self._newest.drop("failed")
            raise

    async def _speak(self) -> None:
        """Speak one response after another."""
        while True:
            while self._responses:
                await self._responses[0].speak()
                if len(self._responses) == 1:
                    self._session.lost()  # without effect, unless it failed before its text had ended
                self._responses.popleft()
            self._socket.quiet.set()
            if self._closes_when_spoken:
                self._socket.say(realtime_event("session.finished"))
                self._over.set()
                return
            self._news.clear()
            await self._news.wait()

    def _drop_all(self, status: str) -> None:
        for response in self._responses:
            response.drop(status)

    def _leave(self) -> None:
        """End what is being spoken: the server shuts down."""
        if self._responses:
            text = "the server is shutting down"
            self._socket.say(error_event(OverloadedError(text, self._limits.retry_after_ms)))
            self._drop_all("failed")

    def _told(self) -> dict[str, Any]:
        """Return the session, as its events have it."""
        fields = {"id": self._id, "object": "realtime.session", "model": self._model}
        return {**fields, **self._settings.model_dump(exclude_none=True)}


async def _say_error(socket: JsonSocket, error: OverloadedError) -> None:
    socket.say(error_event(error))
