"""The rules of DashScope's inference socket: tasks one after another, and what ends them.

Input   messages of the client; news that the task finished or failed
Output  actions, in order, for the shell to perform
State   the task that runs; those that ended lately; whether the socket is about to close
It does not know sockets, time, voices or audio.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto

from server.dashscope.messages import ContinueTask, FinishTask, RunTask, TaskMessage
from streaming.errors import RequestError, StreamError, UnexpectedMessageError

N_REMEMBERED = 16  # ended tasks whose late messages are no error


class State(Enum):
    """What the socket is doing."""

    IDLE = auto()  # no task
    RECEIVING = auto()  # a task that takes text
    DRAINING = auto()  # a task whose text has ended
    CLOSED = auto()  # a task failed: nothing counts any more


# Legal events and where they lead; `finished` and `failed` are our own news. A `run` drops what runs.
TRANSITIONS: dict[State, dict[str, State]] = {
    State.IDLE: {"run": State.RECEIVING, "failed": State.CLOSED},
    State.RECEIVING: {
        "run": State.RECEIVING,
        "continue": State.RECEIVING,
        "finish": State.DRAINING,
        "cancel": State.IDLE,
        "failed": State.CLOSED,
    },
    State.DRAINING: {
        "run": State.RECEIVING,
        "finish": State.DRAINING,
        "cancel": State.IDLE,
        "finished": State.IDLE,
        "failed": State.CLOSED,
    },
    State.CLOSED: {},
}
LIVE = frozenset({State.RECEIVING, State.DRAINING})


@dataclass(frozen=True, slots=True)
class Drop:
    """Forget the running task without a word."""


@dataclass(frozen=True, slots=True)
class Start:
    """Begin a task and say `task-started`."""

    run: RunTask


@dataclass(frozen=True, slots=True)
class Speak:
    """Give the task more text."""

    text: str


@dataclass(frozen=True, slots=True)
class SpeakNow:
    """Speak what the task has of text, finished or not."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The text of the task has ended."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Drop the running task and say `task-finished` for it."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Drop the running task, say `task-failed`, and close; `task_id` may be "": nobody's."""

    task_id: str
    error: StreamError


Action = Drop | Start | Speak | SpeakNow | Finish | Stop | Refuse


class Tasks:
    """The tasks of one socket."""

    def __init__(self) -> None:
        self.state = State.IDLE
        self.task_id = ""
        """Of the task that runs, or ran last."""
        self._ended: deque[str] = deque(maxlen=N_REMEMBERED)

    def receive(self, message: TaskMessage) -> list[Action]:
        """Take one valid message and return what follows from it."""
        if self.state is State.CLOSED:
            return []
        if isinstance(message, RunTask):
            return self._run(message)
        if message.task_id in self._ended and message.task_id != self._live_id:
            return []  # late: sent before the client knew that the task had ended
        try:
            return self._continue(message)
        except RequestError as error:
            return list(self.fail(error, message.task_id))

    def fail(self, error: StreamError, task_id: str = "") -> list[Refuse]:
        """End the socket with `error`, for a reason found here or by the shell; say so only once.

        Args:
            error: The reason.
            task_id: Whose message it was; "": of the task that runs, if there is one.
        """
        if self.state is State.CLOSED:
            return []
        task_id = task_id or self._live_id
        self._move("failed")
        return [Refuse(task_id, error)]

    def finished(self) -> None:
        """Note that `task-finished` is being written."""
        self._move("finished")

    def failed(self) -> None:
        """Note that `task-failed` is being written."""
        self._move("failed")

    @property
    def _live_id(self) -> str:
        return self.task_id if self.state in LIVE else ""

    def _run(self, message: RunTask) -> list[Action]:
        actions: list[Action] = [Drop()] if self.state in LIVE else []
        self._move("run")
        self._ended.append(self.task_id)
        self.task_id = message.task_id
        actions.append(Start(message))
        if message.text:
            actions.append(Speak(message.text))
        if not message.is_duplex:
            self._move("finish")
            actions.append(Finish())
        return actions

    def _continue(self, message: ContinueTask | FinishTask) -> list[Action]:
        if message.task_id != self._live_id:
            raise UnexpectedMessageError("no such task: it was not run on this connection")
        if isinstance(message, ContinueTask):
            return self._more(message)
        if message.cancel:
            self._move("cancel")
            return [Stop()]
        was = self.state
        self._move("finish")
        return [Finish()] if was is State.RECEIVING else []

    def _more(self, message: ContinueTask) -> list[Action]:
        if self.state is not State.RECEIVING:
            raise UnexpectedMessageError("continue-task after finish-task")
        actions: list[Action] = [Speak(message.text)] if message.text else []
        return [*actions, SpeakNow()] if message.flush else actions

    def _move(self, event: str) -> None:
        """Follow the table. An illegal event here is our own bug: clients' were checked before."""
        assert event in TRANSITIONS[self.state], f"{event} in {self.state}"
        self.state = TRANSITIONS[self.state][event]
        if self.state is State.IDLE:
            self._ended.append(self.task_id)
