"""The rules of the native protocol's conversation: what is legal when, and what follows.

Input   client messages; news that an utterance finished or failed
Output  actions, in order, for the shell to perform
State   one small state per context number; whether the connection is closing
It does not know sockets, tasks, time, voices or audio: a message is judged by its place only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

from server.messages import Append, Bye, Cancel, ClientMessage, Credit, End, Flush, Open
from streaming.errors import (
    OverloadedError,
    RequestError,
    StreamError,
    TextTooLongError,
    UnexpectedMessageError,
)


class State(Enum):
    """What a context number stands for at the moment."""

    FREE = auto()  # nothing, and the client knows it
    RECEIVING = auto()  # an utterance that takes text
    DRAINING = auto()  # an utterance whose text has ended
    FAILED = auto()  # nothing, but messages sent before the client saw `error` may still come


# Legal messages and where they lead; `finished` and `failed` are our own news. What is absent is
# refused with `unexpected_message`, which ends the context: every `error` with a ctx does.
TRANSITIONS: dict[State, dict[str, State]] = {
    State.FREE: {"open": State.RECEIVING, "cancel": State.FREE, "credit": State.FREE},
    State.RECEIVING: {
        "append": State.RECEIVING,
        "flush": State.RECEIVING,
        "credit": State.RECEIVING,
        "end": State.DRAINING,
        "cancel": State.FREE,
        "failed": State.FAILED,
    },
    State.DRAINING: {
        "credit": State.DRAINING,
        "end": State.DRAINING,
        "cancel": State.FREE,
        "finished": State.FREE,
        "failed": State.FAILED,
    },
    State.FAILED: {
        "open": State.RECEIVING,
        "append": State.FAILED,
        "flush": State.FAILED,
        "end": State.FAILED,
        "cancel": State.FAILED,
        "credit": State.FAILED,
    },
}
LIVE = frozenset({State.RECEIVING, State.DRAINING})


@dataclass(frozen=True, slots=True)
class Start:
    """Begin an utterance with the settings of `request`; its text follows as `Speak`."""

    request: Open


@dataclass(frozen=True, slots=True)
class Speak:
    """Give the utterance more text."""

    ctx: int
    text: str


@dataclass(frozen=True, slots=True)
class SpeakNow:
    """Speak what is buffered, then acknowledge `flush_id`."""

    ctx: int
    flush_id: int | str


@dataclass(frozen=True, slots=True)
class Finish:
    """The text of the utterance has ended."""

    ctx: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Drop the utterance and acknowledge with `cancelled`; `played` is what the user heard."""

    ctx: int
    played: int | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """Allow `ms` more audio."""

    ctx: int
    ms: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """Say `error` and drop the utterance of its context, if there is one."""

    ctx: int
    error: StreamError


@dataclass(frozen=True, slots=True)
class CloseWhenIdle:
    """Close the connection as soon as no utterance is live."""


Action = Start | Speak | SpeakNow | Finish | Stop | Grant | Refuse | CloseWhenIdle


@dataclass(frozen=True, slots=True)
class ConversationLimits:
    """What one connection may ask for."""

    contexts: int
    chars_per_append: int
    retry_after_ms: int


class Conversation:
    """The conversation on one connection."""

    def __init__(self, limits: ConversationLimits) -> None:
        self._limits = limits
        self._states: dict[int, State] = {}
        self._closing = False
        self._said_bye = False

    @property
    def live(self) -> list[int]:
        """Contexts that have an utterance, oldest first."""
        return [ctx for ctx, state in self._states.items() if state in LIVE]

    @property
    def closing(self) -> bool:
        """Whether new utterances are refused."""
        return self._closing

    def state(self, ctx: int) -> State:
        """Return what `ctx` stands for."""
        return self._states.get(ctx, State.FREE)

    def receive(self, message: ClientMessage) -> list[Action]:
        """Take one valid message and return what follows from it."""
        if isinstance(message, Bye):
            return self._bye()
        if isinstance(message, Cancel):
            return self._cancel(self.live if message.ctx == "*" else [int(message.ctx)], message.played)
        stopped: list[Action] = []
        try:
            if isinstance(message, Open):
                stopped = self._cancel(message.replaces, None)
                return [*stopped, *self._open(message)]
            return self._continue(message)
        except RequestError as error:
            return [*stopped, self.refuse(message.ctx, error)]

    def refuse(self, ctx: int, error: StreamError) -> Refuse:
        """Note that `ctx` ends with `error`, for a reason found here or by the shell."""
        if self.state(ctx) in LIVE:
            self._move(ctx, "failed")
        return Refuse(ctx, error)

    def finished(self, ctx: int) -> None:
        """Note that `done` of `ctx` is being written."""
        self._move(ctx, "finished")

    def failed(self, ctx: int) -> None:
        """Note that `error` of `ctx` is being written."""
        self._move(ctx, "failed")

    def close_soon(self) -> None:
        """Refuse new utterances from now on; live ones go on."""
        self._closing = True

    def _open(self, message: Open) -> list[Action]:
        self._check(message.ctx, "open")
        if self._closing:
            if self._said_bye:
                raise UnexpectedMessageError("open after bye")
            raise OverloadedError("the server is shutting down", self._limits.retry_after_ms)
        if len(self.live) >= self._limits.contexts:
            text = f"{self._limits.contexts} utterances are open, which is the limit"
            raise OverloadedError(text, self._limits.retry_after_ms)
        self._check_length(message.text)
        self._move(message.ctx, "open")
        actions: list[Action] = [Start(message)]
        if message.text:
            actions.append(Speak(message.ctx, message.text))
        if message.end:
            self._move(message.ctx, "end")
            actions.append(Finish(message.ctx))
        return actions

    def _continue(self, message: Append | Flush | End | Credit) -> list[Action]:
        self._check(message.ctx, message.type)
        if isinstance(message, Append):
            self._check_length(message.text)
        was = self.state(message.ctx)
        self._move(message.ctx, message.type)
        if was not in LIVE:
            return []  # late: sent before the client knew that the utterance had ended
        match message:
            case Append():
                return [Speak(message.ctx, message.text)] if message.text else []
            case Flush():
                return [SpeakNow(message.ctx, message.id)]
            case End():
                return [Finish(message.ctx)] if was is State.RECEIVING else []
            case Credit():
                return [Grant(message.ctx, message.ms)]

    def _cancel(self, contexts: Iterable[int], played: int | None) -> list[Action]:
        """Stop the live ones among `contexts`; cancelling what is over is no error."""
        actions: list[Action] = []
        for ctx in contexts:
            if self.state(ctx) in LIVE:
                actions.append(Stop(ctx, played))
            self._move(ctx, "cancel")
        return actions

    def _bye(self) -> list[Action]:
        """End every utterance that still takes text."""
        self._closing = self._said_bye = True
        waiting = [ctx for ctx in self.live if self.state(ctx) is State.RECEIVING]
        for ctx in waiting:
            self._move(ctx, "end")
        return [*(Finish(ctx) for ctx in waiting), CloseWhenIdle()]

    def _check(self, ctx: int, event: str) -> None:
        state = self.state(ctx)
        if event not in TRANSITIONS[state]:
            raise UnexpectedMessageError(f"{event} while ctx {ctx} is {state.name.lower()}")

    def _check_length(self, text: str) -> None:
        if len(text) > self._limits.chars_per_append:
            raise TextTooLongError(len(text), self._limits.chars_per_append)

    def _move(self, ctx: int, event: str) -> None:
        """Follow the table. An illegal event here is our own bug: clients' were checked before."""
        state = self.state(ctx)
        assert event in TRANSITIONS[state], f"{event} in {state}"
        following = TRANSITIONS[state][event]
        if following is State.FREE:
            self._states.pop(ctx, None)
        else:
            self._states[ctx] = following
