from __future__ import annotations

import pytest

from server.dashscope.qwen_messages import (
    SERVER_COMMIT_MS,
    TYPES,
    AppendText,
    CancelResponse,
    Clear,
    Commit,
    FinishSession,
    Message,
    SessionUpdate,
    Settings,
    changed,
    parse_realtime_message,
    realtime_wish,
)
from server.dashscope.qwen_session import (
    Action,
    Begin,
    CloseWhenSpoken,
    Configure,
    DropAll,
    EndText,
    QwenSession,
    Speak,
    TellCleared,
    TellCommitted,
)
from streaming.audio.formats import Codec, Encoding
from streaming.errors import BadRequestError, TextTooLongError, UnexpectedMessageError, UnsupportedFormatError
from streaming.types import Style


def session(mode: str = "server_commit") -> QwenSession:
    new = QwenSession(max_chars=10)
    new.configured(changed(Settings(), {"mode": mode}).mode)
    return new


def told(to: QwenSession, *messages: Message) -> list[Action]:
    return [action for message in messages for action in to.receive(message)]


def test_with_server_commit_text_is_spoken_as_it_comes() -> None:
    new = session()
    assert told(new, AppendText("a"), AppendText(""), AppendText("b")) == [Begin(), Speak("a"), Speak("b")]
    assert told(new, Commit(), AppendText("c")) == [TellCommitted(), EndText(), Begin(), Speak("c")]
    assert told(new, FinishSession()) == [EndText(), CloseWhenSpoken()]


def test_with_commit_text_waits() -> None:
    new = session("commit")
    assert told(new, AppendText("a"), AppendText("b")) == []
    assert told(new, Commit()) == [TellCommitted(), Begin(), Speak("ab"), EndText()]
    assert told(new, AppendText("c"), Clear(), AppendText("d")) == [TellCleared()]
    assert told(new, FinishSession()) == [Begin(), Speak("d"), EndText(), CloseWhenSpoken()]


def test_text_that_waited_when_the_mode_was_changed_comes_first() -> None:
    new = session("commit")
    told(new, AppendText("one "))
    new.configured("server_commit")
    assert told(new, AppendText("two"), FinishSession()) == [
        Begin(),
        Speak("one two"),
        EndText(),
        CloseWhenSpoken(),
    ]


@pytest.mark.parametrize("last", [Commit(), FinishSession()])
def test_text_that_waited_is_spoken_in_the_other_mode_without_more(last: Message) -> None:
    new = session("commit")
    told(new, AppendText("one"))
    new.configured("server_commit")
    assert [action for action in told(new, last) if isinstance(action, Speak)] == [Speak("one")]


def test_text_goes_on_in_the_response_that_took_it_when_the_mode_is_changed() -> None:
    new = session()
    told(new, AppendText("one "))
    new.configured("commit")
    assert told(new, AppendText("two"), Commit()) == [Speak("two"), TellCommitted(), EndText()]


def test_what_is_white_space_only_is_not_spoken_at_the_end() -> None:
    assert told(session("commit"), AppendText(" "), FinishSession()) == [CloseWhenSpoken()]


@pytest.mark.parametrize("mode", ["server_commit", "commit"])
def test_a_commit_of_nothing_is_refused(mode: str) -> None:
    with pytest.raises(BadRequestError):
        session(mode).receive(Commit())


def test_a_cancel_drops_what_is_spoken_and_ends_its_text() -> None:
    new = session()
    assert told(new, AppendText("a"), CancelResponse()) == [Begin(), Speak("a"), DropAll()]
    assert told(new, AppendText("b")) == [Begin(), Speak("b")]
    assert told(session(), CancelResponse()) == [DropAll()]


def test_text_begins_anew_after_a_response_was_lost() -> None:
    new = session()
    told(new, AppendText("a"))
    assert new.takes_text
    new.lost()
    assert told(new, AppendText("b")) == [Begin(), Speak("b")]


def test_after_the_finish_only_a_cancel_is_allowed() -> None:
    new = session()
    told(new, FinishSession())
    for message in (AppendText("a"), Commit(), Clear(), FinishSession(), SessionUpdate({})):
        with pytest.raises(UnexpectedMessageError):
            new.receive(message)
    assert told(new, CancelResponse()) == [DropAll()]


def test_what_waits_is_bounded() -> None:
    new = session("commit")
    told(new, AppendText("123456"))
    with pytest.raises(TextTooLongError):
        new.receive(AppendText("12345"))
    new.configured("server_commit")
    with pytest.raises(TextTooLongError):
        new.receive(AppendText("12345"))
    assert told(new, Commit())[2] == Speak("123456")


def test_settings_are_for_the_shell_to_check() -> None:
    update = SessionUpdate({"voice": "v"})
    assert told(session(), update) == [Configure(update)]


def test_every_type_is_understood() -> None:
    fields = {"session": {"voice": "v"}, "text": "hi", "event_id": "e"}
    messages = [parse_realtime_message({"type": kind, **fields}) for kind in TYPES]
    assert messages[:2] == [SessionUpdate({"voice": "v"}), AppendText("hi")]
    assert len({type(message) for message in messages}) == len(TYPES) == 6
    for broken in ({}, {"type": "dance"}, {"type": ["x"]}, {"type": "session.update"}):
        with pytest.raises(BadRequestError):
            parse_realtime_message(broken)


def test_changes_keep_what_they_do_not_name() -> None:
    settings = changed(changed(Settings(), {"voice": "v", "volume": 10}), {"volume": None, "speech_rate": 2})
    assert (settings.voice, settings.volume, settings.speech_rate) == ("v", 10.0, 2.0)
    with pytest.raises(BadRequestError, match="mode"):
        changed(settings, {"mode": "other"})


def test_settings_become_a_wish() -> None:
    changes = {
        "response_format": "opus",
        "bit_rate": 32,
        "pitch_rate": 0.5,
        "instructions": "sadly",
        "enable_tn": True,
    }
    wish = realtime_wish(changed(Settings(), changes), "m", "key")
    assert wish.encoding == Encoding(Codec.OPUS, 24000, 32)
    assert wish.style == Style(pitch=0.5)
    assert (wish.model, wish.key, wish.instruction) == ("m", "key", "sadly")
    assert wish.max_delay_ms == SERVER_COMMIT_MS
    assert realtime_wish(changed(Settings(), {"mode": "commit"}), "m", "").max_delay_ms == 0
    assert realtime_wish(Settings(), "m", "", 70).max_delay_ms == 70
    with pytest.raises(UnsupportedFormatError):
        realtime_wish(changed(Settings(), {"response_format": "midi"}), "m", "")
