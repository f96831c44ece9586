"""The rules of ElevenLabs' WebSockets: which context is spoken, stopped or over when.

Input   client messages; news that a flush was spoken or that a context is over
Output  actions, in order, for the shell to perform
State   one small state per context; whether the socket is to close
It does not know sockets, tasks, time or audio.

A context that is closed after a flush finishes what was flushed; one that is closed without is dropped with
all its text and audio. A second close drops it in any case. pipecat relies on all three: it flushes and
closes at the end of a turn, and closes, perhaps again, when it is interrupted. Every close is answered with
`isFinal`, of an unknown context, too.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from server.elevenlabs.messages import DEFAULT_CONTEXT, ClientMessage, VoiceSettings
from streaming.errors import OverloadedError, StreamError


class State(Enum):
    """What a context's name stands for at the moment."""

    FREE = auto()  # nothing
    OPEN = (
        auto()
    )  # takes text; what came since it opened, or since the last flush was spoken, may be unspoken
    FLUSHING = auto()  # a flush is being spoken, and no text came after it
    BEHIND = auto()  # a flush is being spoken, and text came after it
    SPOKEN = auto()  # the last flush was spoken, and no text came after it
    CLOSING = auto()  # speaks the rest, then is over


# Where each event leads. `end` is of a socket of one context, and never comes where there is none; `flushed`
# (the last flush was spoken) and `over` are our own news. White space is no text once a context is open.
TRANSITIONS: dict[State, dict[str, State]] = {
    State.FREE: {"text": State.OPEN, "flush": State.FREE, "close": State.FREE},
    State.OPEN: {
        "text": State.OPEN,
        "flush": State.FLUSHING,
        "close": State.FREE,
        "end": State.CLOSING,
        "over": State.FREE,
    },
    State.FLUSHING: {
        "text": State.BEHIND,
        "flush": State.FLUSHING,
        "close": State.CLOSING,
        "end": State.CLOSING,
        "flushed": State.SPOKEN,
        "over": State.FREE,
    },
    State.BEHIND: {
        "text": State.BEHIND,
        "flush": State.FLUSHING,
        "close": State.CLOSING,
        "end": State.CLOSING,
        "flushed": State.OPEN,
        "over": State.FREE,
    },
    State.SPOKEN: {
        "text": State.OPEN,
        "flush": State.SPOKEN,
        "close": State.CLOSING,
        "end": State.CLOSING,
        "over": State.FREE,
    },
    State.CLOSING: {
        "text": State.OPEN,  # of a new context of the same name
        "flush": State.CLOSING,
        "close": State.FREE,
        "end": State.CLOSING,
        "flushed": State.CLOSING,
        "over": State.FREE,
    },
}

# A text that ends so is a sentence: `3.` and `e.g.` may go on, and where white space follows it is certain.
_SENTENCE = re.compile(r"""(?:[。！？!?…]|[^\W\d_]{2}\.)["'”’」』）)\]]*\Z""")


@dataclass(frozen=True, slots=True)
class Begin:
    """Begin an utterance; its text follows as `Speak`."""

    context: str
    settings: VoiceSettings


@dataclass(frozen=True, slots=True)
class Speak:
    """Give the utterance more text."""

    context: str
    text: str


@dataclass(frozen=True, slots=True)
class Settle:
    """Speak what is buffered: it is a whole sentence. Nobody waits to hear of it."""

    context: str


@dataclass(frozen=True, slots=True)
class SpeakNow:
    """Speak what is buffered, then tell that `flush_id` was spoken."""

    context: str
    flush_id: int


@dataclass(frozen=True, slots=True)
class Finish:
    """The text of the utterance has ended: speak the rest."""

    context: str


@dataclass(frozen=True, slots=True)
class FinishFlush:
    """Speak until `flush_id` was spoken, and drop the text after it."""

    context: str
    flush_id: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Drop the utterance, and say that it is over."""

    context: str


@dataclass(frozen=True, slots=True)
class SayOver:
    """Say that a context is over that is not known."""

    context: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """Say that a context is not begun, and why."""

    context: str
    error: StreamError


@dataclass(frozen=True, slots=True)
class CloseWhenOver:
    """Close the socket as soon as no context is live."""


Action = Begin | Speak | Settle | SpeakNow | Finish | FinishFlush | Stop | SayOver | Refuse | CloseWhenOver


class Conversation(Protocol):
    """The conversation on one socket, of one context or of many."""

    @property
    def is_multi(self) -> bool:
        """Whether messages name their context."""
        ...

    def receive(self, message: ClientMessage) -> list[Action]:
        """Take a message and return what follows from it."""
        ...

    def flushed(self, context: str, flush_id: int) -> None:
        """Note that a flush was spoken."""
        ...

    def over(self, context: str) -> None:
        """Note that a context is over: finished or failed."""
        ...


@dataclass(slots=True)
class _Context:
    state: State = State.FREE
    flush_id: int = 0  # of the last flush


class ManyContexts:
    """The conversation of `multi-stream-input`."""

    is_multi = True

    def __init__(self, max_contexts: int, retry_after_ms: int, *, auto_mode: bool = False) -> None:
        """Begin; with `auto_mode` the client sends whole sentences."""
        self._max_contexts = max_contexts
        self._retry_after_ms = retry_after_ms
        self._auto_mode = auto_mode
        self._contexts: dict[str, _Context] = {}
        self._flush_ids = itertools.count(1)
        self._closing = False

    def state(self, context: str) -> State:
        """Return what a context's name stands for."""
        return self._contexts.get(context, _Context()).state

    def receive(self, message: ClientMessage) -> list[Action]:
        """Take a message and return what follows from it. After `close_socket` nothing does."""
        if self._closing:
            return []
        if message.close_socket:
            self._closing = True
            closed = [action for context in list(self._contexts) for action in self.close(context)]
            return [*closed, CloseWhenOver()]
        if message.close_context:
            return self.close(message.context)
        actions: list[Action] = []
        if message.text:
            actions += self._text(message.context, message.text, message.voice_settings)
        if message.flush:
            actions += self._flush(message.context)
        return actions

    def flushed(self, context: str, flush_id: int) -> None:
        """Note that a flush was spoken; of several the last one counts."""
        known = self._contexts.get(context)
        if known is not None and known.flush_id == flush_id and known.state is not State.OPEN:
            self._move(context, "flushed")

    def over(self, context: str) -> None:
        """Note that a context is over: finished or failed."""
        if context in self._contexts:
            self._move(context, "over")

    def finish(self, context: str) -> list[Action]:
        """End the text of a context: all of it is spoken."""
        if self.state(context) is State.FREE:
            return [SayOver(context)]
        self._move(context, "end")
        return [Finish(context)]

    def close(self, context: str) -> list[Action]:
        """Close a context; see the header."""
        state = self.state(context)
        flush_id = self._contexts[context].flush_id if context in self._contexts else 0
        self._move(context, "close")
        match state:
            case State.FREE:
                return [SayOver(context)]
            case State.FLUSHING | State.SPOKEN:
                return [Finish(context)]
            case State.BEHIND:
                return [FinishFlush(context, flush_id)]
            case State.OPEN | State.CLOSING:
                return [Stop(context)]

    def _text(self, context: str, text: str, settings: VoiceSettings) -> list[Action]:
        actions: list[Action] = []
        state = self.state(context)
        if state is State.CLOSING:
            actions.append(Stop(context))
        if state in (State.FREE, State.CLOSING):
            if state is State.FREE and len(self._contexts) >= self._max_contexts:
                message = f"{self._max_contexts} contexts are open, which is the limit"
                return [Refuse(context, OverloadedError(message, self._retry_after_ms))]
            actions.append(Begin(context, settings))
            self._move(context, "text")
            if text.isspace():  # the first message is one space, which is no text
                return actions
        elif not text.isspace():
            self._move(context, "text")
        actions.append(Speak(context, text))
        if self._auto_mode and _SENTENCE.search(text):
            actions.append(Settle(context))
        return actions

    def _flush(self, context: str) -> list[Action]:
        state = self.state(context)
        self._move(context, "flush")
        if state not in (State.OPEN, State.BEHIND):
            return []
        flush_id = self._contexts[context].flush_id = next(self._flush_ids)
        return [SpeakNow(context, flush_id)]

    def _move(self, context: str, event: str) -> None:
        """Follow the table. An illegal event here is our own bug."""
        following = TRANSITIONS[self.state(context)][event]
        if following is State.FREE:
            self._contexts.pop(context, None)
        else:
            self._contexts.setdefault(context, _Context()).state = following


class OneContext:
    """The conversation of `stream-input`: an empty text ends it, and then the socket closes."""

    is_multi = False

    def __init__(self, retry_after_ms: int, *, auto_mode: bool = False) -> None:
        """Begin; with `auto_mode` the client sends whole sentences."""
        self._inner = ManyContexts(1, retry_after_ms, auto_mode=auto_mode)
        self._ended = False

    def receive(self, message: ClientMessage) -> list[Action]:
        """Take a message and return what follows from it. After the end nothing does."""
        if self._ended:
            return []
        if message.text == "" or message.close_socket:
            self._ended = True
            return [*self._inner.finish(DEFAULT_CONTEXT), CloseWhenOver()]
        update = {"context_id": DEFAULT_CONTEXT, "close_context": False}
        return self._inner.receive(message.model_copy(update=update))

    def flushed(self, context: str, flush_id: int) -> None:
        """Note that a flush was spoken."""
        self._inner.flushed(context, flush_id)

    def over(self, context: str) -> None:
        """Note that the context is over."""
        self._inner.over(context)
