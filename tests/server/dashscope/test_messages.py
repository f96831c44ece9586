from __future__ import annotations

from typing import Any

import pytest

from server.dashscope.messages import (
    ContinueTask,
    FinishTask,
    RunTask,
    TaskMessage,
    claimed_id,
    parse_task_message,
)
from server.dashscope.parameters import Parameters
from streaming.errors import BadRequestError

HEADER = {"action": "continue-task", "task_id": "a", "streaming": "duplex"}


def message(header: dict[str, Any] | None = None, **payload: Any) -> dict[str, Any]:
    return {"header": {**HEADER, **(header or {})}, "payload": payload, "unknown": 1}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (message({"action": "run-task"}, model="m", input={}), RunTask("a", "m")),
        (
            message(
                {"action": "run-task", "streaming": "out"}, model="m", parameters=None, input={"text": "hi"}
            ),
            RunTask("a", "m", text="hi", is_duplex=False),
        ),
        (
            message(
                {"action": "run-task"},
                parameters={"rate": 2, "language_hints": ["zh"], "seed": None},
                input={},
            ),
            RunTask("a", parameters=Parameters(rate=2.0)),
        ),
        (message({"action": "run-task"}, input={"text": "hi"}), RunTask("a", text="hi")),
        (
            message({"action": "run-task", "streaming": None}, input={"text": "hi"}),
            RunTask("a", text="hi", is_duplex=False),
        ),
        (message({"action": "run-task", "streaming": None}, input={}), RunTask("a")),
        (message(input={"text": "hi", "x": 1}), ContinueTask("a", "hi")),
        (message(input={"flush": True}), ContinueTask("a", flush=True)),
        (message(input={"text": None, "flush": None}), ContinueTask("a")),
        (message({"action": "finish-task"}, input={}), FinishTask("a")),
        (message({"action": "finish-task"}, input={"directive": "cancel"}), FinishTask("a", cancel=True)),
        (message({"action": "finish-task"}, input={"directive": "other"}), FinishTask("a")),
    ],
)
def test_messages_are_understood(fields: dict[str, Any], expected: TaskMessage) -> None:
    assert parse_task_message(fields) == expected


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "object"),
        ({"header": HEADER}, "object"),
        ({"header": {"action": "continue-task"}, "payload": {"input": {}}}, "task_id"),
        (message({"task_id": ""}, input={}), "task_id"),
        (message({"task_id": 7}, input={}), "task_id"),
        (message({"task_id": "x" * 200}, input={}), "task_id"),
        (message({"action": "stop"}, input={}), "action"),
        (message(), "input"),
        (message(input="text"), "input"),
        (message(input={"text": 7}), "text"),
        (message({"action": "run-task", "streaming": "out"}, input={}), "text"),
        (message({"action": "run-task", "streaming": "out"}, input={"text": " "}), "text"),
        (message({"action": "run-task"}, parameters={"volume": 101}, input={}), "volume"),
        (message({"action": "run-task"}, parameters={"rate": "fast"}, input={}), "rate"),
        (message({"action": "run-task"}, parameters=[], input={}), "parameters"),
    ],
)
def test_what_is_none_is_refused_by_name(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(BadRequestError, match=named):
        parse_task_message(fields)


def test_whose_message_it_claims_to_be() -> None:
    assert claimed_id({"header": {"task_id": "a"}}) == "a"
    assert claimed_id({"header": {"task_id": 1}}) == claimed_id({"header": 1}) == claimed_id({}) == ""
