"""The live contexts of one of ElevenLabs' WebSockets: performs what the conversation decides.

Input   actions of the conversation
Output  contexts and their tasks; control messages to the socket; news to the conversation
State   the live contexts by name
It does not know how messages are read. Everything here is immediate: no method waits, so that the reader can
call it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from server.elevenlabs.context import Context, ContextSettings, final_map, named
from server.elevenlabs.conversation import (
    Action,
    Begin,
    CloseWhenOver,
    Conversation,
    Finish,
    FinishFlush,
    Refuse,
    SayOver,
    Settle,
    Speak,
    SpeakNow,
    Stop,
)
from server.elevenlabs.errors import error_map
from server.elevenlabs.messages import VoiceSettings
from server.json_socket import JsonSocket
from server.rendering import Rendering
from streaming.errors import StreamError, SynthesisError

logger = logging.getLogger(__name__)

BeginRendering = Callable[[VoiceSettings], Rendering]


@dataclass(frozen=True, slots=True)
class _Live:
    context: Context
    task: asyncio.Task[None]


class Contexts:
    """Starts, feeds and stops utterances. Belongs to one event loop."""

    def __init__(
        self,
        socket: JsonSocket,
        conversation: Conversation,
        begin_rendering: BeginRendering,
        *,
        idle_s: float,
        on_over: Callable[[StreamError | None], None],
    ) -> None:
        """Prepare.

        Args:
            socket: Where to.
            conversation: What is told of news.
            begin_rendering: Begins an utterance; may raise StreamError.
            idle_s: How long a context may wait for a message.
            on_over: Called whenever a context is over, with its error.
        """
        self._socket = socket
        self._conversation = conversation
        self._begin_rendering = begin_rendering
        self._idle_s = idle_s
        self._on_over = on_over
        self._live: dict[str, _Live] = {}

    def __len__(self) -> int:
        return len(self._live)

    def perform(self, actions: Iterable[Action], tasks: asyncio.TaskGroup) -> None:
        """Do what the conversation decided, in order; new utterances become tasks of `tasks`."""
        for action in actions:
            match action:
                case CloseWhenOver():
                    continue  # the session's
                case Stop():
                    self._drop(action.context)
                    self._say_over(action.context)
                    self._on_over(None)
                case SayOver():
                    self._say_over(action.context)
                case Refuse():
                    self._refuse(action.context, action.error)
                case _:
                    self._try(action, tasks)

    def note_alive(self, name: str) -> None:
        """Note that the client has not forgotten a context."""
        if name in self._live:
            self._live[name].context.note_alive()

    def drop_all(self) -> None:
        """Stop every utterance without a word to the client."""
        for name in list(self._live):
            self._drop(name)

    def flushed(self, name: str, flush_id: int) -> None:
        """Pass on that everything before a flush was written."""
        self._conversation.flushed(name, flush_id)

    def over(self, name: str, error: StreamError | None) -> None:
        """Forget a context whose last message is being written."""
        del self._live[name]
        self._conversation.over(name)
        self._rest_if_silent()
        self._on_over(error)

    def _try(
        self, action: Begin | Speak | Settle | SpeakNow | Finish | FinishFlush, tasks: asyncio.TaskGroup
    ) -> None:
        name = action.context
        try:
            if isinstance(action, Begin):
                self._begin(action, tasks)
            elif name in self._live:  # not if its beginning was refused a moment ago
                _continue(self._live[name].context, action)
        except StreamError as error:
            self._refuse(name, error)
        except Exception:  # the outer edge of an utterance, on its text side
            logger.exception("%s/%s failed on a message", self._socket.label, name)
            self._refuse(name, SynthesisError("failed"))

    def _begin(self, begin: Begin, tasks: asyncio.TaskGroup) -> None:
        label = f"{self._socket.label}/{begin.context}"
        settings = ContextSettings(begin.context, label, self._idle_s, self._conversation.is_multi)
        rendering = self._begin_rendering(begin.settings)
        context = Context(settings, rendering, self._socket.lane(), self)
        self._live[begin.context] = _Live(context, tasks.create_task(context.run(), name=label))
        self._socket.quiet.clear()

    def _refuse(self, name: str, error: StreamError) -> None:
        """Say that a context ends with an error, or never began. A socket of one context closes with it."""
        self._drop(name)
        self._conversation.over(name)
        if self._conversation.is_multi:
            self._socket.say({**error_map(error), **named(name)})
            self._say_over(name)
        else:
            self._socket.say(error_map(error))
        self._on_over(error)

    def _say_over(self, name: str) -> None:
        self._socket.say(final_map(named(name) if self._conversation.is_multi else {}))

    def _drop(self, name: str) -> None:
        """Stop an utterance now: no frame of it leaves after this."""
        live = self._live.pop(name, None)
        if live is not None:
            live.context.lane.close()
            live.context.drop()
            live.task.cancel()
            self._rest_if_silent()

    def _rest_if_silent(self) -> None:
        if not self._live:
            self._socket.quiet.set()


def _continue(context: Context, action: Speak | Settle | SpeakNow | Finish | FinishFlush) -> None:
    match action:
        case Speak():
            context.append(action.text)
        case Settle():
            context.flush()
        case SpeakNow():
            context.flush(action.flush_id)
        case Finish():
            context.finish()
        case FinishFlush():
            context.finish_flush(action.flush_id)
