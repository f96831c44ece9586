"""DashScope's inference socket: `/api-ws/v1/inference`, Sambert and CosyVoice.

Input   handshakes; messages
Output  events and audio; an end that is always said
State   the tasks of the connection, the one that is spoken, the timer that ends its silence
It does not know how a task is spoken (`task`), nor which message is legal when (`tasks`).
Nothing follows the terminal event of a task, and no socket is closed before it: the vendor's SDK does not
notice a closed socket and would wait for ever.
"""

from __future__ import annotations

import asyncio
import logging
from typing import assert_never
from uuid import uuid4

from aiohttp import web

from server.auth import check_token
from server.backend import Backend
from server.dashscope.errors import refused
from server.dashscope.messages import claimed_id, parse_task_message
from server.dashscope.refusals import Refusals
from server.dashscope.task import SpokenTask, event, failed_event
from server.dashscope.tasks import Action, Drop, Finish, Refuse, Speak, SpeakNow, Start, State, Stop, Tasks
from server.json_socket import JsonSocket, accepted
from streaming.errors import (
    IdleTimeoutError,
    OverloadedError,
    RequestError,
    StreamError,
    SynthesisError,
    UnauthorizedError,
)

logger = logging.getLogger(__name__)

INFERENCE_PATH = "/api-ws/v1/inference"
MAX_MESSAGE_BYTES = 1_250_000  # the vendor's 200,000 characters, six bytes each: too long a text is answered
REFUSAL_S = 5.0  # for the first message of a client that is refused: only then can it be told


class InferenceEndpoint:
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
        try:
            key = check_token(request, backend.config.auth)
        except UnauthorizedError as error:
            return refused(error)
        try:
            with backend.door.entered():
                async with accepted(request, backend, MAX_MESSAGE_BYTES) as socket:
                    await InferenceConnection(socket, backend, key).serve()
        except OverloadedError as error:
            return await self._refusals.tell(request, error, _refuse_first)
        return socket.response


class InferenceConnection:
    """Serves one client from the handshake to the end."""

    def __init__(self, socket: JsonSocket, backend: Backend, key: str) -> None:
        self._socket = socket
        self._backend = backend
        self._config = backend.config.dashscope
        self._key = key
        self._tasks = Tasks()
        self._current: SpokenTask | None = None
        self._over = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        socket.last_words = self._leave

    async def serve(self) -> None:
        """Talk to the client until either side ends it. Cancel-safe: what is spoken is dropped."""
        try:
            async with asyncio.TaskGroup() as group:
                reader = group.create_task(self._read(group), name=f"{self._socket.label} reader")
                self._rearm()
                await self._over.wait()
                reader.cancel()
                self._drop("connection ended")
        finally:
            self._disarm()

    async def _read(self, group: asyncio.TaskGroup) -> None:
        while (actions := await self._next_actions()) is not None and not self._over.is_set():
            self._perform(actions, group)
        self._over.set()

    async def _next_actions(self) -> list[Action] | None:
        task_id = ""
        try:
            if (fields := await self._socket.receive(None)) is None:
                return None
            task_id = claimed_id(fields)
            return self._tasks.receive(parse_task_message(fields))
        except RequestError as error:
            return list(self._tasks.fail(error, task_id))
        except Exception:  # the outer edge, as below
            logger.exception("%s failed on a message", self._socket.label)
            return list(self._tasks.fail(SynthesisError("synthesis failed"), task_id))

    def _perform(self, actions: list[Action], group: asyncio.TaskGroup) -> None:
        try:
            for action in actions:
                self._act(action, group)
        except RequestError as error:
            self._fail(error)
        except Exception:  # the outer edge of a task, on its text side: said, details to the log
            logger.exception("%s failed on a message", self._socket.label)
            self._fail(SynthesisError("synthesis failed"))
        self._rearm()

    def _act(self, action: Action, group: asyncio.TaskGroup) -> None:
        match action:
            case Start():
                self._current = SpokenTask(
                    action.run, self._backend, self._socket, self._key, self._note_over
                )
                self._socket.quiet.clear()
                self._socket.say(event(action.run.task_id, "task-started"))
            case Drop():
                self._drop("dropped for another")
            case Stop():
                self._stop()
            case Refuse():
                self._refuse(action)
            case Speak():
                self._spoken.append(action.text, group)
            case SpeakNow():
                self._spoken.speak_now(group)
            case Finish():
                self._spoken.end(group)
            case _:
                assert_never(action)

    @property
    def _spoken(self) -> SpokenTask:
        assert self._current is not None, "the rules let text through without a task"
        return self._current

    def _stop(self) -> None:
        finished = self._spoken.finished_event()
        self._drop("cancelled")
        self._socket.say(finished)

    def _drop(self, outcome: str) -> None:
        """Forget the task that is spoken, if there is one."""
        if self._current is not None:
            self._current.drop()
            self._current.log_outcome(outcome)
        self._current = None
        self._socket.quiet.set()

    def _fail(self, error: StreamError) -> None:
        """End the running task with an error, and the socket, unless both have ended."""
        for action in self._tasks.fail(error):
            self._refuse(action)

    def _refuse(self, refusal: Refuse) -> None:
        """Say why, and close."""
        self._drop(refusal.error.code)
        self._socket.say(failed_event(refusal.task_id or uuid4().hex, refusal.error))
        self._over.set()

    def _note_over(self, failed: bool) -> None:
        """Take the news that the last event of the task is being written."""
        self._current = None
        self._socket.quiet.set()
        if failed:
            self._tasks.failed()
            self._over.set()
        else:
            self._tasks.finished()
            self._rearm()

    def _leave(self) -> None:
        """End the task that is being spoken: the server shuts down."""
        if self._current is not None:
            self._fail(
                OverloadedError("the server is shutting down", self._backend.config.limits.retry_after_ms)
            )

    def _rearm(self) -> None:
        """Begin to wait for the client anew: for text, or for a task."""
        self._disarm()
        wait_s = {State.RECEIVING: self._config.text_s, State.IDLE: self._config.idle_s}.get(
            self._tasks.state
        )
        if wait_s is not None and not self._over.is_set():
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._end_silence)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end_silence(self) -> None:
        if self._tasks.state is State.RECEIVING:
            error = IdleTimeoutError(f"request timeout after {self._config.text_s:g} seconds")
            self._fail(error)
        else:
            self._over.set()


async def _refuse_first(socket: JsonSocket, error: OverloadedError) -> None:
    """Answer the first task with an error: of a refused handshake the vendor's SDK tells its user nothing."""
    task_id = ""
    try:
        if (fields := await socket.receive(REFUSAL_S)) is None:
            return
        task_id = claimed_id(fields)
    except RequestError:
        pass
    socket.say(failed_event(task_id or uuid4().hex, error))
