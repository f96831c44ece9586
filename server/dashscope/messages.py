"""What a client of DashScope's inference socket may say, checked.

Input   JSON maps: `header` and `payload`
Output  RunTask, ContinueTask, FinishTask; or BadRequestError
State   none
It does not know which message is legal when (`tasks`). What is unknown is ignored, null is absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

from server.bodies import Body, validate
from server.dashscope.parameters import Parameters
from server.messages import shown
from streaming.errors import BadRequestError

MAX_ID_CHARS = 128
ACTIONS = ("run-task", "continue-task", "finish-task")


class Header(Body):
    """Whose message it is."""

    action: str
    task_id: Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARS)]
    streaming: str = ""


class Payload(Body):
    """What it says; only `run-task` says it all."""

    model: Annotated[str, Field(max_length=256)] = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    input: dict[str, Any]


class Input(Body):
    """The text of a message, or what is to be done with what was sent."""

    text: str | None = None
    flush: bool = False
    directive: str = ""


@dataclass(frozen=True, slots=True)
class RunTask:
    """Begin a task: of Sambert, with all of its text; or duplex, of CosyVoice, to which text may follow."""

    task_id: str
    model: str = ""
    parameters: Parameters = field(default_factory=Parameters)
    text: str = ""
    is_duplex: bool = True


@dataclass(frozen=True, slots=True)
class ContinueTask:
    """More text, or the wish to hear what was sent."""

    task_id: str
    text: str = ""
    flush: bool = False


@dataclass(frozen=True, slots=True)
class FinishTask:
    """No more text; with `cancel`, no more audio either."""

    task_id: str
    cancel: bool = False


TaskMessage = RunTask | ContinueTask | FinishTask


def parse_task_message(fields: Mapping[str, Any]) -> TaskMessage:
    """Validate one message.

    Raises:
        BadRequestError: Something is missing, of the wrong type or out of range.
    """
    header = validate(fields.get("header"), Header)
    payload = validate(fields.get("payload"), Payload)
    said = validate(payload.input, Input)
    match header.action:
        case "run-task":
            return _run(header, payload, said)
        case "continue-task":
            return ContinueTask(header.task_id, said.text or "", said.flush)
        case "finish-task":
            return FinishTask(header.task_id, said.directive == "cancel")
    raise BadRequestError(f"action: found {shown(header.action)}; allowed: {', '.join(ACTIONS)}")


def _run(header: Header, payload: Payload, said: Input) -> RunTask:
    parameters = validate(payload.parameters, Parameters)
    is_duplex = header.streaming == "duplex" or (not header.streaming and said.text is None)
    text = said.text or ""
    if not (is_duplex or text.strip()):
        raise BadRequestError("text: found none; streaming 'out' wants all of it in run-task")
    return RunTask(header.task_id, payload.model, parameters, text, is_duplex)


def claimed_id(fields: Mapping[str, Any]) -> str:
    """Return whose message it claims to be, even if it is none; "" if it does not say."""
    header = fields.get("header")
    task_id = header.get("task_id") if isinstance(header, dict) else None
    return task_id[:MAX_ID_CHARS] if isinstance(task_id, str) else ""
