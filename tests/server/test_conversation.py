from __future__ import annotations

import pytest

from server.conversation import (
    TRANSITIONS,
    Action,
    CloseWhenIdle,
    Conversation,
    ConversationLimits,
    Finish,
    Grant,
    Refuse,
    Speak,
    SpeakNow,
    Start,
    State,
    Stop,
)
from server.messages import Append, Bye, Cancel, ClientMessage, Credit, End, Flush, Open

LIMITS = ConversationLimits(contexts=3, chars_per_append=10, retry_after_ms=250)
MESSAGES: dict[str, ClientMessage] = {
    "open": Open(ctx=1, text="hi"),
    "append": Append(ctx=1, text="hi"),
    "flush": Flush(ctx=1, id=7),
    "end": End(ctx=1),
    "cancel": Cancel(ctx=1),
    "credit": Credit(ctx=1, ms=5),
}
# Every cell of the table, written out: what the client hears or we do.
EXPECTED: dict[tuple[State, str], tuple[State, list[Action] | str]] = {
    (State.FREE, "open"): (State.RECEIVING, [Start(MESSAGES["open"]), Speak(1, "hi")]),  # type: ignore[arg-type]
    (State.FREE, "append"): (State.FREE, "unexpected_message"),
    (State.FREE, "flush"): (State.FREE, "unexpected_message"),
    (State.FREE, "end"): (State.FREE, "unexpected_message"),
    (State.FREE, "cancel"): (State.FREE, []),
    (State.FREE, "credit"): (State.FREE, []),
    (State.RECEIVING, "open"): (State.FAILED, "unexpected_message"),
    (State.RECEIVING, "append"): (State.RECEIVING, [Speak(1, "hi")]),
    (State.RECEIVING, "flush"): (State.RECEIVING, [SpeakNow(1, 7)]),
    (State.RECEIVING, "end"): (State.DRAINING, [Finish(1)]),
    (State.RECEIVING, "cancel"): (State.FREE, [Stop(1)]),
    (State.RECEIVING, "credit"): (State.RECEIVING, [Grant(1, 5)]),
    (State.DRAINING, "open"): (State.FAILED, "unexpected_message"),
    (State.DRAINING, "append"): (State.FAILED, "unexpected_message"),
    (State.DRAINING, "flush"): (State.FAILED, "unexpected_message"),
    (State.DRAINING, "end"): (State.DRAINING, []),
    (State.DRAINING, "cancel"): (State.FREE, [Stop(1)]),
    (State.DRAINING, "credit"): (State.DRAINING, [Grant(1, 5)]),
    (State.FAILED, "open"): (State.RECEIVING, [Start(MESSAGES["open"]), Speak(1, "hi")]),  # type: ignore[arg-type]
    (State.FAILED, "append"): (State.FAILED, []),
    (State.FAILED, "flush"): (State.FAILED, []),
    (State.FAILED, "end"): (State.FAILED, []),
    (State.FAILED, "cancel"): (State.FAILED, []),
    (State.FAILED, "credit"): (State.FAILED, []),
}


def conversation_in(state: State) -> Conversation:
    conversation = Conversation(LIMITS)
    if state is not State.FREE:
        conversation.receive(Open(ctx=1, end=state is State.DRAINING))
    if state is State.FAILED:
        conversation.failed(1)
    assert conversation.state(1) is state
    return conversation


def codes(actions: list[Action]) -> list[str]:
    return [action.error.code for action in actions if isinstance(action, Refuse)]


def test_the_expectations_cover_every_cell() -> None:
    assert set(EXPECTED) == {(state, name) for state in State for name in MESSAGES}
    assert set(TRANSITIONS) == set(State)


@pytest.mark.parametrize(("state", "name"), list(EXPECTED), ids=lambda value: getattr(value, "name", value))
def test_every_message_in_every_state(state: State, name: str) -> None:
    conversation = conversation_in(state)
    after, expected = EXPECTED[state, name]
    actions = conversation.receive(MESSAGES[name])
    if isinstance(expected, str):
        assert codes(actions) == [expected]
        assert len(actions) == 1
    else:
        assert actions == expected
    assert conversation.state(1) is after


def test_open_with_text_and_end_is_a_complete_request() -> None:
    conversation = Conversation(LIMITS)
    request = Open(ctx=1, text="hi", end=True)
    assert conversation.receive(request) == [Start(request), Speak(1, "hi"), Finish(1)]
    assert conversation.state(1) is State.DRAINING


def test_done_frees_the_number() -> None:
    conversation = conversation_in(State.DRAINING)
    conversation.finished(1)
    assert codes(conversation.receive(Open(ctx=1))) == []


def test_cancel_star_stops_all_and_only_live_ones_in_order() -> None:
    conversation = Conversation(LIMITS)
    for ctx in (5, 2, 9):
        conversation.receive(Open(ctx=ctx))
    conversation.failed(2)
    assert conversation.receive(Cancel(ctx="*", played=3)) == [Stop(5, 3), Stop(9, 3)]
    assert conversation.receive(Cancel(ctx="*")) == []


def test_replaces_stops_the_old_ones_before_the_new_one_starts() -> None:
    conversation = Conversation(LIMITS)
    conversation.receive(Open(ctx=1))
    conversation.receive(Open(ctx=2))
    request = Open(ctx=3, replaces=[1, 2, 77])
    assert conversation.receive(request) == [Stop(1), Stop(2), Start(request)]


def test_an_utterance_may_replace_itself() -> None:
    conversation = conversation_in(State.RECEIVING)
    request = Open(ctx=1, replaces=[1])
    assert conversation.receive(request) == [Stop(1), Start(request)]


def test_a_refused_open_still_stops_what_it_replaces() -> None:
    conversation = conversation_in(State.RECEIVING)
    actions = conversation.receive(Open(ctx=2, text="x" * 11, replaces=[1]))
    assert actions[0] == Stop(1)
    assert codes(actions) == ["text_too_long"]
    assert conversation.state(2) is State.FREE


def test_replaced_ones_do_not_count_against_the_limit() -> None:
    conversation = Conversation(LIMITS)
    for ctx in (1, 2, 3):
        conversation.receive(Open(ctx=ctx))
    assert codes(conversation.receive(Open(ctx=4))) == ["overloaded"]
    assert codes(conversation.receive(Open(ctx=4, replaces=[2]))) == []


def test_text_over_the_limit_of_one_message_ends_the_utterance() -> None:
    conversation = conversation_in(State.RECEIVING)
    assert codes(conversation.receive(Append(ctx=1, text="x" * 10))) == []
    assert codes(conversation.receive(Append(ctx=1, text="x" * 11))) == ["text_too_long"]
    assert conversation.state(1) is State.FAILED


def test_an_error_of_one_utterance_leaves_the_others() -> None:
    conversation = conversation_in(State.RECEIVING)
    conversation.receive(Open(ctx=2))
    conversation.receive(Open(ctx=1))
    assert conversation.live == [2]


def test_bye_ends_the_receiving_ones_and_refuses_new_ones() -> None:
    conversation = Conversation(LIMITS)
    conversation.receive(Open(ctx=1))
    conversation.receive(Open(ctx=2, end=True))
    assert conversation.receive(Bye()) == [Finish(1), CloseWhenIdle()]
    assert codes(conversation.receive(Open(ctx=3))) == ["unexpected_message"]
    assert conversation.receive(Cancel(ctx=1)) == [Stop(1)]


def test_shutdown_refuses_new_ones_but_takes_text_for_the_live() -> None:
    conversation = conversation_in(State.RECEIVING)
    conversation.close_soon()
    (refusal,) = conversation.receive(Open(ctx=2))
    assert isinstance(refusal, Refuse)
    assert (refusal.error.code, refusal.error.retryable) == ("overloaded", True)
    assert conversation.receive(Append(ctx=1, text="x")) == [Speak(1, "x")]


def test_news_that_cannot_be_is_our_own_bug() -> None:
    with pytest.raises(AssertionError):
        Conversation(LIMITS).finished(1)
