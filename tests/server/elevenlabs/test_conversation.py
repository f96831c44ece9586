from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.elevenlabs.conversation import (
    TRANSITIONS,
    Action,
    Begin,
    CloseWhenOver,
    Finish,
    FinishFlush,
    ManyContexts,
    OneContext,
    Refuse,
    SayOver,
    Settle,
    Speak,
    SpeakNow,
    State,
    Stop,
)
from server.elevenlabs.messages import DEFAULT_CONTEXT, ClientMessage, VoiceSettings

BEGIN = Begin("c", VoiceSettings())
TEXT = ClientMessage(text="hi ", context_id="c")
FLUSH = ClientMessage(flush=True, context_id="c")
CLOSE = ClientMessage(close_context=True, context_id="c")
MESSAGES = {"text": TEXT, "flush": FLUSH, "close": CLOSE}

# Every cell of what a client can do, written out. Flushes are numbered from 1; each state is reached below.
EXPECTED: dict[tuple[State, str], tuple[State, list[Action]]] = {
    (State.FREE, "text"): (State.OPEN, [BEGIN, Speak("c", "hi ")]),
    (State.FREE, "flush"): (State.FREE, []),
    (State.FREE, "close"): (State.FREE, [SayOver("c")]),
    (State.OPEN, "text"): (State.OPEN, [Speak("c", "hi ")]),
    (State.OPEN, "flush"): (State.FLUSHING, [SpeakNow("c", 1)]),
    (State.OPEN, "close"): (State.FREE, [Stop("c")]),
    (State.FLUSHING, "text"): (State.BEHIND, [Speak("c", "hi ")]),
    (State.FLUSHING, "flush"): (State.FLUSHING, []),
    (State.FLUSHING, "close"): (State.CLOSING, [Finish("c")]),
    (State.BEHIND, "text"): (State.BEHIND, [Speak("c", "hi ")]),
    (State.BEHIND, "flush"): (State.FLUSHING, [SpeakNow("c", 2)]),
    (State.BEHIND, "close"): (State.CLOSING, [FinishFlush("c", 1)]),
    (State.SPOKEN, "text"): (State.OPEN, [Speak("c", "hi ")]),
    (State.SPOKEN, "flush"): (State.SPOKEN, []),
    (State.SPOKEN, "close"): (State.CLOSING, [Finish("c")]),
    (State.CLOSING, "text"): (State.OPEN, [Stop("c"), BEGIN, Speak("c", "hi ")]),
    (State.CLOSING, "flush"): (State.CLOSING, []),
    (State.CLOSING, "close"): (State.FREE, [Stop("c")]),
}
WAY_TO = {
    State.FREE: [],
    State.OPEN: [TEXT],
    State.FLUSHING: [TEXT, FLUSH],
    State.BEHIND: [TEXT, FLUSH, TEXT],
    State.SPOKEN: [TEXT, FLUSH],
    State.CLOSING: [TEXT, FLUSH, CLOSE],
}


def many(max_contexts: int = 3, *, auto_mode: bool = False) -> ManyContexts:
    return ManyContexts(max_contexts, 250, auto_mode=auto_mode)


def conversation_in(state: State) -> ManyContexts:
    conversation = many()
    for message in WAY_TO[state]:
        conversation.receive(message)
    if state is State.SPOKEN:
        conversation.flushed("c", 1)
    assert conversation.state("c") is state
    return conversation


def test_the_expectations_cover_every_cell() -> None:
    assert set(EXPECTED) == {(state, event) for state in State for event in MESSAGES}
    assert set(TRANSITIONS) == set(State)


@pytest.mark.parametrize(("state", "event"), list(EXPECTED), ids=lambda value: getattr(value, "name", value))
def test_every_message_in_every_state(state: State, event: str) -> None:
    conversation = conversation_in(state)
    following, actions = EXPECTED[state, event]
    assert conversation.receive(MESSAGES[event]) == actions
    assert conversation.state("c") is following


@pytest.mark.parametrize("state", list(State))
def test_a_context_that_is_over_is_free_and_its_name_may_be_used_again(state: State) -> None:
    conversation = conversation_in(state)
    conversation.over("c")
    assert conversation.state("c") is State.FREE
    assert conversation.receive(TEXT) == [BEGIN, Speak("c", "hi ")]


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize(
    "message",
    [
        ClientMessage(text="", context_id="c"),
        ClientMessage(text=""),
        ClientMessage(context_id="c"),
        ClientMessage(text="", context_id="other", flush=True),
    ],
)
def test_a_sign_of_life_changes_nothing(state: State, message: ClientMessage) -> None:
    conversation = conversation_in(state)
    assert conversation.receive(message) == []
    assert conversation.state("c") is state


def test_one_space_opens_a_context_and_is_not_spoken() -> None:
    settings = VoiceSettings(speed=1.1)
    first = ClientMessage(text=" ", context_id="c", voice_settings=settings)
    assert many().receive(first) == [Begin("c", settings)]


@pytest.mark.parametrize("state", [State.FLUSHING, State.SPOKEN])
def test_white_space_after_a_flush_does_not_undo_it(state: State) -> None:
    conversation = conversation_in(state)
    assert conversation.receive(ClientMessage(text=" ", context_id="c")) == [Speak("c", " ")]
    assert conversation.receive(CLOSE) == [Finish("c")]


def test_of_several_flushes_the_last_one_counts() -> None:
    conversation = conversation_in(State.BEHIND)
    conversation.receive(FLUSH)
    conversation.flushed("c", 1)
    assert conversation.state("c") is State.FLUSHING
    conversation.flushed("c", 2)
    assert conversation.state("c") is State.SPOKEN


def test_a_flush_that_is_spoken_late_is_no_news_of_what_came_after() -> None:
    conversation = conversation_in(State.BEHIND)
    conversation.flushed("c", 1)
    assert conversation.state("c") is State.OPEN
    conversation.flushed("c", 1)
    conversation.flushed("gone", 1)
    assert conversation.state("c") is State.OPEN


def test_a_message_without_a_context_is_for_the_default_one() -> None:
    conversation = many()
    assert conversation.receive(ClientMessage(text="a")) == [
        Begin(DEFAULT_CONTEXT, VoiceSettings()),
        Speak(DEFAULT_CONTEXT, "a"),
    ]


def test_too_many_contexts_are_refused_and_the_others_go_on() -> None:
    conversation = many(max_contexts=1)
    conversation.receive(TEXT)
    (refused,) = conversation.receive(ClientMessage(text="hi", context_id="d", flush=True))
    assert isinstance(refused, Refuse)
    assert refused.context == "d"
    assert conversation.receive(TEXT) == [Speak("c", "hi ")]


def test_close_socket_closes_every_context_by_its_state_and_then_nothing_follows() -> None:
    conversation = conversation_in(State.FLUSHING)
    conversation.receive(ClientMessage(text="hi", context_id="d"))
    actions = conversation.receive(ClientMessage(close_socket=True))
    assert actions == [Finish("c"), Stop("d"), CloseWhenOver()]
    assert conversation.receive(TEXT) == []


@pytest.mark.parametrize(
    ("text", "settles"),
    [
        ("你好。", True),
        ("Hi!", True),
        ("He said “yes.”", True),
        ("you there.", True),
        ("你好。 ", False),
        ("It is 3.", False),
        ("e.g.", False),
        ("Hello,", False),
        ("好", False),
    ],
)
def test_in_auto_mode_a_sentence_is_spoken_without_waiting_for_what_follows(text: str, settles: bool) -> None:
    message = ClientMessage(text=text, context_id="c")
    actions = many(auto_mode=True).receive(message)
    assert (Settle("c") in actions) is settles
    assert Settle("c") not in many().receive(message)


names = st.sampled_from(["c", "d", "e"])
news = st.tuples(st.sampled_from(["flushed", "over"]), names, st.integers(0, 6))
messages = st.builds(
    ClientMessage,
    text=st.sampled_from([None, "", " ", "hi. "]),
    context_id=names,
    flush=st.booleans(),
    close_context=st.sampled_from([False, False, True]),
    close_socket=st.sampled_from([False] * 9 + [True]),
)


@given(st.lists(st.one_of(messages, news), max_size=60))
def test_whatever_is_said_only_a_live_context_is_spoken_to_and_every_close_is_answered(
    said: list[ClientMessage | tuple[str, str, int]],
) -> None:
    conversation, live, finishing, closed = many(max_contexts=2), set[str](), set[str](), False
    for event in said:
        if isinstance(event, tuple):
            kind, name, flush_id = event
            if kind == "flushed":
                conversation.flushed(name, flush_id)
            else:
                conversation.over(name)
                live.discard(name)
                finishing.discard(name)
            continue
        actions = conversation.receive(event)
        assert not (closed and actions)
        for action in actions:
            match action:
                case Begin(name):
                    assert name not in live
                    live.add(name)
                case Stop(name):
                    assert name in live
                    live.remove(name)
                    finishing.discard(name)
                case Finish(name) | FinishFlush(name, _):
                    assert name in live
                    finishing.add(name)
                case Speak(name, _) | SpeakNow(name, _):
                    assert name in live - finishing
                case SayOver(name) | Refuse(name, _):
                    assert name not in live
                case CloseWhenOver():
                    assert live == finishing
                    closed = True
        assert len(live) <= 2
        if event.close_context and not closed:
            assert any(isinstance(action, (SayOver, Stop, Finish, FinishFlush)) for action in actions)


# -- one context -----------------------------------------------------------------------------


def test_an_empty_text_ends_the_only_context_and_the_socket() -> None:
    conversation = OneContext(250)
    assert conversation.receive(ClientMessage(text="hi")) == [
        Begin(DEFAULT_CONTEXT, VoiceSettings()),
        Speak(DEFAULT_CONTEXT, "hi"),
    ]
    assert conversation.receive(ClientMessage(text="")) == [Finish(DEFAULT_CONTEXT), CloseWhenOver()]
    assert conversation.receive(ClientMessage(text="more")) == []
    conversation.over(DEFAULT_CONTEXT)


def test_an_empty_text_at_once_is_answered() -> None:
    assert OneContext(250).receive(ClientMessage(text="")) == [SayOver(DEFAULT_CONTEXT), CloseWhenOver()]


def test_the_only_context_cannot_be_named_or_closed() -> None:
    conversation = OneContext(250)
    conversation.receive(ClientMessage(text="hi", context_id="c"))
    assert conversation.receive(ClientMessage(text="ho", context_id="d", close_context=True)) == [
        Speak(DEFAULT_CONTEXT, "ho")
    ]
    assert conversation.receive(ClientMessage(flush=True)) == [SpeakNow(DEFAULT_CONTEXT, 1)]
    conversation.flushed(DEFAULT_CONTEXT, 1)
