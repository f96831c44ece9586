from __future__ import annotations

from collections.abc import Callable

import pytest

from server.dashscope.messages import ContinueTask, FinishTask, RunTask, TaskMessage
from server.dashscope.tasks import (
    TRANSITIONS,
    Action,
    Drop,
    Finish,
    Refuse,
    Speak,
    SpeakNow,
    Start,
    State,
    Stop,
    Tasks,
)
from streaming.errors import SynthesisError

RUN = RunTask("new")
MESSAGES: dict[str, Callable[[str], TaskMessage]] = {
    "run": lambda task_id: RUN,
    "continue": lambda task_id: ContinueTask(task_id, "hi"),
    "flush": lambda task_id: ContinueTask(task_id, flush=True),
    "finish": FinishTask,
    "cancel": lambda task_id: FinishTask(task_id, cancel=True),
}
# Every cell of the table, written out, for the task that ran last.
EXPECTED: dict[tuple[State, str], tuple[State, list[Action] | str]] = {
    (State.IDLE, "run"): (State.RECEIVING, [Start(RUN)]),
    (State.IDLE, "continue"): (State.IDLE, []),
    (State.IDLE, "flush"): (State.IDLE, []),
    (State.IDLE, "finish"): (State.IDLE, []),
    (State.IDLE, "cancel"): (State.IDLE, []),
    (State.RECEIVING, "run"): (State.RECEIVING, [Drop(), Start(RUN)]),
    (State.RECEIVING, "continue"): (State.RECEIVING, [Speak("hi")]),
    (State.RECEIVING, "flush"): (State.RECEIVING, [SpeakNow()]),
    (State.RECEIVING, "finish"): (State.DRAINING, [Finish()]),
    (State.RECEIVING, "cancel"): (State.IDLE, [Stop()]),
    (State.DRAINING, "run"): (State.RECEIVING, [Drop(), Start(RUN)]),
    (State.DRAINING, "continue"): (State.CLOSED, "unexpected_message"),
    (State.DRAINING, "flush"): (State.CLOSED, "unexpected_message"),
    (State.DRAINING, "finish"): (State.DRAINING, []),
    (State.DRAINING, "cancel"): (State.IDLE, [Stop()]),
    (State.CLOSED, "run"): (State.CLOSED, []),
    (State.CLOSED, "continue"): (State.CLOSED, []),
    (State.CLOSED, "flush"): (State.CLOSED, []),
    (State.CLOSED, "finish"): (State.CLOSED, []),
    (State.CLOSED, "cancel"): (State.CLOSED, []),
}


def tasks_in(state: State) -> Tasks:
    tasks = Tasks()
    tasks.receive(RunTask("old"))
    if state in (State.IDLE, State.DRAINING):
        tasks.receive(FinishTask("old"))
    if state is State.IDLE:
        tasks.finished()
    if state is State.CLOSED:
        tasks.failed()
    assert tasks.state is state
    return tasks


def test_the_expectations_cover_every_cell() -> None:
    assert set(EXPECTED) == {(state, name) for state in State for name in MESSAGES}
    assert set(TRANSITIONS) == set(State)


@pytest.mark.parametrize(("state", "name"), list(EXPECTED), ids=lambda value: getattr(value, "name", value))
def test_every_message_in_every_state(state: State, name: str) -> None:
    tasks = tasks_in(state)
    following, expected = EXPECTED[state, name]
    actions = tasks.receive(MESSAGES[name]("old"))
    if isinstance(expected, str):
        (refusal,) = actions
        assert isinstance(refusal, Refuse)
        assert (refusal.error.code, refusal.task_id) == (expected, "old")
    else:
        assert actions == expected
    assert tasks.state is following


def test_a_whole_text_needs_no_other_message() -> None:
    tasks = Tasks()
    run = RunTask("a", text="hi", is_duplex=False)
    assert tasks.receive(run) == [Start(run), Speak("hi"), Finish()]
    assert tasks.state is State.DRAINING


def test_a_duplex_task_may_begin_with_text() -> None:
    tasks = Tasks()
    run = RunTask("a", text="hi")
    assert tasks.receive(run) == [Start(run), Speak("hi")]
    assert tasks.receive(ContinueTask("a", "more")) == [Speak("more")]


def test_late_messages_of_a_dropped_task_do_not_touch_the_new_one() -> None:
    tasks = tasks_in(State.RECEIVING)
    tasks.receive(RUN)
    assert tasks.receive(ContinueTask("old", "late")) == []
    assert tasks.receive(FinishTask("old", cancel=True)) == []
    assert tasks.state is State.RECEIVING
    assert tasks.receive(ContinueTask("new", "hi")) == [Speak("hi")]


def test_an_id_may_be_used_again() -> None:
    tasks = tasks_in(State.IDLE)
    tasks.receive(RunTask("old"))
    assert tasks.receive(ContinueTask("old", "hi")) == [Speak("hi")]


@pytest.mark.parametrize("state", [State.IDLE, State.RECEIVING, State.DRAINING])
def test_a_task_that_was_never_run_is_refused_by_its_own_id(state: State) -> None:
    (refusal,) = tasks_in(state).receive(ContinueTask("other", "hi"))
    assert isinstance(refusal, Refuse)
    assert refusal.task_id == "other"


def test_a_failure_found_elsewhere_belongs_to_the_task_that_runs() -> None:
    tasks = tasks_in(State.RECEIVING)
    error = SynthesisError("broken")
    assert tasks.fail(error) == [Refuse("old", error)]
    assert tasks.receive(RUN) == []


def test_a_failure_is_said_once() -> None:
    tasks = tasks_in(State.RECEIVING)
    assert len(tasks.fail(SynthesisError("broken"))) == 1
    assert tasks.fail(SynthesisError("again"), "old") == []
    assert tasks_in(State.CLOSED).fail(SynthesisError("late")) == []


def test_a_failure_between_tasks_is_not_that_of_the_one_that_has_finished() -> None:
    error = SynthesisError("broken")
    assert tasks_in(State.IDLE).fail(error) == [Refuse("", error)]


def test_text_and_flush_may_come_together_and_nothing_is_nothing() -> None:
    tasks = tasks_in(State.RECEIVING)
    assert tasks.receive(ContinueTask("old", "hi", flush=True)) == [Speak("hi"), SpeakNow()]
    assert tasks.receive(ContinueTask("old")) == []
