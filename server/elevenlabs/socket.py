"""ElevenLabs' WebSockets: `stream-input`, of one context, and `multi-stream-input`, of many.

Input   WebSocket requests as the SDK, pipecat and LiveKit make them
Output  messages of the contexts; the end of the socket
State   per socket the conversation, its contexts, when the client was last heard
What a context says is `context`; what follows from a message is `conversation`.
"""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

from server.auth import check_credentials
from server.backend import Backend
from server.bodies import validate
from server.connection import CLOSE_NORMAL, SHORTEST_WAIT_S
from server.elevenlabs.access import bare, credentials_of
from server.elevenlabs.contexts import Contexts
from server.elevenlabs.conversation import CloseWhenOver, Conversation, ManyContexts, OneContext
from server.elevenlabs.errors import close_code, error_map, refused
from server.elevenlabs.formats import encoding_of
from server.elevenlabs.messages import MAX_INACTIVITY_S, ClientMessage, SocketQuery, VoiceSettings
from server.http_audio import described
from server.json_socket import JsonSocket, accepted
from server.rendering import Rendering
from server.speaking import Wish, begin
from streaming.errors import BadRequestError, IdleTimeoutError, OverloadedError, StreamError
from streaming.types import Style

logger = logging.getLogger(__name__)


class ElevenLabsSockets:
    """Answers WebSocket requests. Belongs to one event loop."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def one_context(self, request: web.Request) -> web.StreamResponse:
        """Serve `stream-input`. What cannot be spoken is said over the socket, where the SDK looks for it."""
        try:
            key = self._key(request)
            with self._backend.door.entered():
                async with accepted(request, self._backend) as socket:
                    try:
                        plan = _Plan(self._backend, request, key)
                    except StreamError as error:
                        socket.say(error_map(error))
                        socket.close_with(close_code(error), described(error))
                    else:
                        limits = self._backend.config.limits
                        talk = OneContext(limits.retry_after_ms, auto_mode=plan.query.auto_mode)
                        await Session(socket, talk, plan).serve()
                return socket.response
        except StreamError as error:
            return refused(error, {})

    async def many_contexts(self, request: web.Request) -> web.StreamResponse:
        """Serve `multi-stream-input`. What cannot be spoken fails the handshake.

        LiveKit waits for ever where a socket is closed between the handshake and its own first message.
        """
        try:
            plan = _Plan(self._backend, request, self._key(request))
            limits = self._backend.config.limits
            talk = ManyContexts(
                limits.contexts_per_connection, limits.retry_after_ms, auto_mode=plan.query.auto_mode
            )
            with self._backend.door.entered():
                async with accepted(request, self._backend) as socket:
                    await Session(socket, talk, plan).serve()
                return socket.response
        except StreamError as error:
            return refused(error, {})

    def _key(self, request: web.Request) -> str | None:
        """Return on whose account it is; None if that is for the first message to show.

        Raises:
            UnauthorizedError: A key is shown, and it is not valid.
        """
        found = credentials_of(request)
        return check_credentials(found, self._backend.config.auth) if found else None


class _Plan:
    """What all utterances of a socket have in common."""

    def __init__(self, backend: Backend, request: web.Request, key: str | None) -> None:
        """Take the query; without a key the first message must show it.

        Raises:
            StreamError: No utterance could be spoken so.
        """
        self.backend = backend
        self.key = key
        self.query = query = validate(dict(request.query), SocketQuery)
        self.idle_s = min(query.inactivity_timeout, MAX_INACTIVITY_S, backend.config.limits.idle_s)
        self._voice = request.match_info["voice_id"]
        self._encoding = encoding_of(query.output_format)
        self.rendering(VoiceSettings()).utterance.cancel()

    def rendering(self, settings: VoiceSettings) -> Rendering:
        """Begin an utterance.

        Raises:
            StreamError: It cannot be spoken so, or the server is shutting down.
        """
        if self.backend.door.closing.is_set():
            retry_after_ms = self.backend.config.limits.retry_after_ms
            raise OverloadedError("the server is shutting down", retry_after_ms)
        wish = Wish(
            encoding=self._encoding,
            voice=self._voice,
            model=self.query.model_id,
            style=Style(speed=settings.possible_speed, seed=self.query.seed),
            ssml=self.query.enable_ssml_parsing,
            key=self.key or "",
        )
        return begin(self.backend, wish)


class Session:
    """Serves one client. Belongs to one event loop."""

    def __init__(self, socket: JsonSocket, conversation: Conversation, plan: _Plan) -> None:
        self._socket = socket
        self._conversation = conversation
        self._plan = plan
        self._contexts = Contexts(
            socket, conversation, plan.rendering, idle_s=plan.idle_s, on_over=self._note_over
        )
        loop = asyncio.get_running_loop()
        self._clock = loop.time
        self._ended: asyncio.Future[None] = loop.create_future()
        self._heard_s = self._clock()
        self._closes_when_over = False
        self._bad_messages = 0

    async def serve(self) -> None:
        """Talk to the client until either side ends it. Cancelling it cuts the connection."""
        async with asyncio.TaskGroup() as tasks:
            reader = tasks.create_task(self._read(tasks), name=f"{self._socket.label} reader")
            await self._ended
            self._contexts.drop_all()
            reader.cancel()

    async def _read(self, tasks: asyncio.TaskGroup) -> None:
        """Receive until the socket ends; pings are answered inside `receive`."""
        while True:
            try:
                fields = await self._socket.receive(self._patience_s())
                if fields is None:
                    self._end()
                    return
                self._heard_s = self._clock()
                self._receive(validate(fields, ClientMessage), tasks)
                self._bad_messages = 0
            except IdleTimeoutError:
                self._check_silence()
            except BadRequestError as error:
                self._heard_s = self._clock()
                self._refuse_malformed(error)
            except StreamError as error:
                self._end_with(error)

    def _patience_s(self) -> float:
        """Return how long to wait for a message; live contexts have timers of their own."""
        if self._contexts or self._ended.done():
            return self._plan.idle_s
        return max(SHORTEST_WAIT_S, self._heard_s + self._plan.idle_s - self._clock())

    def _check_silence(self) -> None:
        if not self._contexts and self._clock() >= self._heard_s + self._plan.idle_s:
            self._end_with(IdleTimeoutError(f"no message for {self._plan.idle_s:g} s"))

    def _receive(self, message: ClientMessage, tasks: asyncio.TaskGroup) -> None:
        """Act on a message; never waits.

        Raises:
            UnauthorizedError: No valid key was shown, neither before nor in this message.
        """
        if self._ended.done():
            return
        plan = self._plan
        if plan.key is None:
            shown = message.xi_api_key or bare(message.authorization)
            plan.key = check_credentials(shown, plan.backend.config.auth)
        self._contexts.note_alive(message.context)
        actions = self._conversation.receive(message)
        self._contexts.perform(actions, tasks)
        if any(isinstance(action, CloseWhenOver) for action in actions):
            self._closes_when_over = True
        self._end_if_over()

    def _refuse_malformed(self, error: BadRequestError) -> None:
        self._bad_messages += 1
        if (
            not self._conversation.is_multi
            or self._bad_messages >= self._plan.backend.config.limits.bad_messages
        ):
            self._end_with(error)
        else:
            self._socket.say(error_map(error))

    def _note_over(self, error: StreamError | None) -> None:
        self._heard_s = self._clock()
        if error is not None and not self._conversation.is_multi:
            self._end(close_code(error), described(error))
        self._end_if_over()

    def _end_if_over(self) -> None:
        if self._closes_when_over and not self._contexts:
            self._end()

    def _end_with(self, error: StreamError) -> None:
        """End the socket with a last message."""
        if not self._ended.done():
            self._contexts.drop_all()
            self._socket.say(error_map(error))
            self._end(close_code(error), described(error))

    def _end(self, code: int = CLOSE_NORMAL, reason: str = "") -> None:
        """Decide the end; the first decision counts."""
        if not self._ended.done():
            self._socket.close_with(code, reason)
            self._ended.set_result(None)
