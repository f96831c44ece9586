"""One WebSocket connection of the native protocol.

Input   frames from the socket
Output  frames to the socket, and its end
State   the conversation, its utterances, when the client was last heard, why the connection ends
It does not know the handshake (`native`), nor how text becomes audio. The reader never waits for
a model or for the socket's write side, so that a cancel or a ping is answered at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import WSMessage, WSMsgType, web

from server.backend import Backend
from server.context import error_message
from server.contexts import Contexts
from server.conversation import CloseWhenIdle, Conversation, ConversationLimits
from server.framing import Codec, Frame
from server.lanes import Outbox
from server.messages import SAMPLE_RATES, InvalidMessageError, Ready, parse_message
from streaming.audio.formats import available_codecs
from streaming.errors import BadRequestError, IdleTimeoutError, StreamError

logger = logging.getLogger(__name__)

CLOSE_S = 2.0  # for the last messages and the closing handshake; then the socket is cut
CLOSE_NORMAL = 1000
CLOSE_GOING_AWAY = 1001
MAX_CLOSE_REASON_BYTES = 120  # a control frame holds 125, two are the code
SHORTEST_WAIT_S = 0.001  # aiohttp reads a timeout of 0 as "none"


@dataclass(frozen=True, slots=True)
class Ending:
    """Why and how a connection ends; without a code the client is gone already."""

    code: int | None
    reason: str


class Connection:
    """Serves one client from the handshake to the end. All methods belong to one event loop."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        codec: Codec,
        backend: Backend,
        *,
        version: str,
        label: str,
        key: str,
        abort: Callable[[], None],
    ) -> None:
        """Take a prepared socket; `key` is on whose account, `abort` cuts without a closing handshake."""
        self._socket = socket
        self._codec = codec
        self._backend = backend
        self._limits = backend.config.limits
        self._version = version
        self._label = label
        self._abort = abort
        loop = asyncio.get_running_loop()
        self._clock = loop.time
        self._ending: asyncio.Future[Ending] = loop.create_future()
        self._ending_when_idle: Ending | None = None
        self._conversation = Conversation(
            ConversationLimits(
                contexts=self._limits.contexts_per_connection,
                chars_per_append=self._limits.chars_per_append,
                retry_after_ms=self._limits.retry_after_ms,
            )
        )
        self._outbox = Outbox(
            self._write_frame, stall_s=self._limits.slow_reader_s, on_stuck=self._end_slow_reader
        )
        self._contexts = Contexts(
            backend, self._conversation, self._outbox, codec, label=label, key=key, on_over=self._note_over
        )
        self._heard_s = self._clock()
        self._silence_s = self._limits.open_s
        self._bad_messages = 0

    async def serve(self) -> None:
        """Talk to the client until either side ends it. Cancelling it cuts the connection."""
        self._outbox.say(self._codec.encode(self._ready()))
        try:
            async with asyncio.TaskGroup() as tasks:
                reader = tasks.create_task(self._read(tasks), name=f"{self._label} reader")
                writer = tasks.create_task(self._write(), name=f"{self._label} writer")
                ending = await self._ending
                logger.info("%s ends: %s", self._label, ending.reason)
                self._contexts.drop_all("connection ended")
                await self._close_socket(ending, writer)
                writer.cancel()
                reader.cancel()
        finally:
            # What is still in the socket's buffer may be read, but not wait for ever.
            asyncio.get_running_loop().call_later(CLOSE_S, self._abort)

    def close_soon(self) -> None:
        """Refuse new utterances; end with 1001 when the live ones are over, or now if there are none."""
        self._conversation.close_soon()
        self._end_when_idle(Ending(CLOSE_GOING_AWAY, "the server is shutting down"))

    def close_now(self) -> None:
        """End with 1001, whatever is being spoken."""
        self._end(Ending(CLOSE_GOING_AWAY, "the server is shutting down"))

    def _ready(self) -> Ready:
        return Ready(
            version=self._version,
            voices=list(self._backend.library.names),
            rates=list(SAMPLE_RATES),
            formats=[codec.value for codec in available_codecs()],
            max_ctx=self._limits.contexts_per_connection,
            max_chars=self._limits.chars_per_context,
            idle_s=self._limits.idle_s,
        )

    async def _write_frame(self, frame: Frame) -> None:
        await self._socket.send_frame(frame.payload, WSMsgType.TEXT if frame.is_text else WSMsgType.BINARY)

    async def _write(self) -> None:
        try:
            await self._outbox.run()
        except ConnectionError:
            self._end(Ending(None, "the client is gone"))

    async def _read(self, tasks: asyncio.TaskGroup) -> None:
        """Receive until the socket ends; pings are answered inside `receive`."""
        while True:
            try:
                message = await self._socket.receive(timeout=self._patience_s())
            except TimeoutError:
                self._check_silence()
                continue
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                self._end(Ending(None, _why_gone(message)))
                return
            self._heard_s = self._clock()
            self._silence_s = self._limits.idle_s
            if not self._ending.done():
                self._receive(message, tasks)

    def _patience_s(self) -> float:
        """Return how long to wait for a message; live utterances have timers of their own."""
        if self._contexts or self._ending.done():
            return self._silence_s
        return max(SHORTEST_WAIT_S, self._heard_s + self._silence_s - self._clock())

    def _check_silence(self) -> None:
        if not self._contexts and self._clock() >= self._heard_s + self._silence_s:
            self._end_with_error(IdleTimeoutError(f"no message for {self._silence_s:g} s"))

    def _receive(self, message: WSMessage, tasks: asyncio.TaskGroup) -> None:
        """Act on one message, whatever it holds; never waits."""
        try:
            parsed = parse_message(self._codec.decode(_frame_of(message)))
        except InvalidMessageError as error:
            self._refuse_malformed(error, tasks)
            return
        self._bad_messages = 0
        logger.debug("%s %s", self._label, parsed.type)
        actions = self._conversation.receive(parsed)
        self._contexts.perform(actions, tasks)
        if any(isinstance(action, CloseWhenIdle) for action in actions):
            self._end_when_idle(Ending(CLOSE_NORMAL, "bye"))

    def _refuse_malformed(self, error: InvalidMessageError, tasks: asyncio.TaskGroup) -> None:
        self._bad_messages += 1
        if self._bad_messages >= self._limits.bad_messages:
            message = f"{self._bad_messages} malformed messages in a row; {error}"
            self._end_with_error(BadRequestError(message))
        elif error.ctx is None:
            self._outbox.say(self._codec.encode(error_message(error)))
        else:
            self._contexts.perform([self._conversation.refuse(error.ctx, error)], tasks)

    def _end_slow_reader(self, reason: str) -> None:
        self._end(Ending(IdleTimeoutError.close_code, reason))

    def _note_over(self) -> None:
        self._heard_s = self._clock()
        self._end_if_idle()

    def _end_with_error(self, error: StreamError) -> None:
        if not self._ending.done():
            self._outbox.say(self._codec.encode(error_message(error)))
            self._end(Ending(error.close_code, str(error)))

    def _end_when_idle(self, ending: Ending) -> None:
        self._ending_when_idle = self._ending_when_idle or ending
        self._end_if_idle()

    def _end_if_idle(self) -> None:
        if self._ending_when_idle is not None and not self._contexts:
            self._end(self._ending_when_idle)

    def _end(self, ending: Ending) -> None:
        """Decide the end; the first decision counts."""
        if not self._ending.done():
            self._ending.set_result(ending)

    async def _close_socket(self, ending: Ending, writer: asyncio.Task[None]) -> None:
        """Let the last words out and shake hands, within CLOSE_S."""
        if ending.code is None:
            return
        try:
            async with asyncio.timeout(CLOSE_S):
                if not (writer.done() or self._outbox.is_stuck):
                    await self._outbox.flushed()
                await self._socket.close(code=ending.code, message=close_reason(ending.reason))
        except (TimeoutError, ConnectionError):
            logger.debug("%s did not answer the close", self._label)
            self._abort()


def _frame_of(message: WSMessage) -> Frame:
    if message.type is WSMsgType.TEXT:
        return Frame(message.data.encode(), is_text=True)
    return Frame(bytes(message.data))


def close_reason(reason: str) -> bytes:
    """Return a reason as it fits a closing frame."""
    return reason.encode()[:MAX_CLOSE_REASON_BYTES].decode(errors="ignore").encode()


def _why_gone(message: WSMessage) -> str:
    if message.type is WSMsgType.ERROR:
        return f"the socket failed: {message.data}"
    return "closed by the client"
