from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from server.messages import (
    CLIENT_MESSAGES,
    SERVER_MESSAGES,
    Cancel,
    Done,
    Error,
    InvalidMessageError,
    Open,
    Stages,
    check_format,
    dump_message,
    parse_message,
)
from streaming.audio.formats import Codec, Encoding
from streaming.errors import UnsupportedFormatError

PROTOCOL_PAGE = Path(__file__).parents[2] / "docs" / "protocol.md"


def test_defaults_are_those_of_the_protocol() -> None:
    message = parse_message({"type": "open", "ctx": 1})
    assert isinstance(message, Open)
    assert (message.format, message.rate, message.speed, message.volume) == ("pcm_s16le", 24000, 1.0, 50.0)
    assert (message.emotion_intensity, message.pitch) == (1.0, 1.0)
    assert (message.text, message.end, message.words, message.replaces) == ("", False, False, [])
    assert (message.window_ms, message.max_delay_ms) == (None, None)  # the server's own


def test_unknown_fields_are_ignored_and_null_is_absent() -> None:
    fields = {"type": "open", "ctx": 1, "voice": None, "speed": None, "later": {"x": 1}, "text": None}
    assert parse_message(fields) == Open(ctx=1)


def test_whole_numbers_are_fine_where_numbers_are_asked_for() -> None:
    message = parse_message({"type": "open", "ctx": 1, "speed": 2, "volume": 0})
    assert isinstance(message, Open)
    assert (message.speed, message.volume) == (2.0, 0.0)


def test_replaces_takes_one_or_many() -> None:
    assert parse_message({"type": "open", "ctx": 1, "replaces": 4}) == Open(ctx=1, replaces=[4])
    assert parse_message({"type": "open", "ctx": 1, "replaces": [4, 5]}) == Open(ctx=1, replaces=[4, 5])


def test_cancel_takes_a_number_or_a_star() -> None:
    assert parse_message({"type": "cancel", "ctx": 3}) == Cancel(ctx=3)
    assert parse_message({"type": "cancel", "ctx": "*", "played": 9}) == Cancel(ctx="*", played=9)


@pytest.mark.parametrize(
    ("fields", "ctx", "words"),
    [
        (5, None, ["map", "5"]),
        (None, None, ["map"]),
        ([], None, ["map"]),
        ({}, None, ["type", "None", "open"]),
        ({"type": "sing", "ctx": 1}, None, ["type", "'sing'", "append"]),
        ({"type": ["open"]}, None, ["type"]),
        ({"type": "open"}, None, ["ctx", "missing"]),
        ({"type": "open", "ctx": 0}, None, ["ctx", "0", "1"]),
        ({"type": "open", "ctx": 65536}, None, ["ctx", "65536", "65535"]),
        ({"type": "open", "ctx": "1"}, None, ["ctx", "'1'", "integer"]),
        ({"type": "open", "ctx": True}, None, ["ctx", "True", "integer"]),
        ({"type": "open", "ctx": 1, "speed": "fast"}, 1, ["speed", "'fast'", "number"]),
        ({"type": "open", "ctx": 1, "speed": 9}, 1, ["speed", "9", "2"]),
        ({"type": "open", "ctx": 1, "speed": float("nan")}, 1, ["speed", "nan"]),
        ({"type": "open", "ctx": 1, "emotion_intensity": -0.5}, 1, ["emotion_intensity", "-0.5", "0"]),
        ({"type": "open", "ctx": 1, "emotion_intensity": 2.1}, 1, ["emotion_intensity", "2.1", "2"]),
        ({"type": "open", "ctx": 1, "volume": -1}, 1, ["volume", "-1", "0"]),
        ({"type": "open", "ctx": 1, "words": 1}, 1, ["words", "1", "boolean"]),
        ({"type": "open", "ctx": 1, "voice": 3}, 1, ["voice", "3", "string"]),
        ({"type": "open", "ctx": 1, "replaces": [0]}, 1, ["replaces", "0"]),
        ({"type": "open", "ctx": 1, "replaces": "1"}, 1, ["replaces", "'1'"]),
        ({"type": "append", "ctx": 7, "text": 5}, 7, ["append", "text", "5", "string"]),
        ({"type": "append", "ctx": 7}, 7, ["text", "missing"]),
        ({"type": "flush", "ctx": 7, "id": 1.5}, 7, ["id", "1.5"]),
        ({"type": "cancel", "ctx": "all"}, None, ["ctx", "'all'", "'*'"]),
        ({"type": "cancel", "ctx": 1, "played": -1}, 1, ["played", "-1"]),
        ({"type": "credit", "ctx": 1, "ms": 0}, 1, ["ms", "0", "1"]),
    ],
)
def test_a_bad_message_is_refused_naming_field_found_and_allowed(
    fields: object, ctx: int | None, words: list[str]
) -> None:
    with pytest.raises(InvalidMessageError) as caught:
        parse_message(fields)
    assert caught.value.code == "bad_request"
    assert caught.value.ctx == ctx
    for word in words:
        assert word in str(caught.value)


def test_errors_do_not_repeat_a_users_text() -> None:
    with pytest.raises(InvalidMessageError) as caught:
        parse_message({"type": "credit", "ctx": 1, "ms": "secret " * 1000})
    assert len(str(caught.value)) < 200


def test_formats_and_rates_are_checked_with_their_own_code() -> None:
    assert check_format(Open(ctx=1, format="pcm_f32le", rate=48000)) == Encoding(Codec.PCM_F32LE, 48000)
    with pytest.raises(UnsupportedFormatError, match=r"rate: found 11025; allowed: 8000"):
        check_format(Open(ctx=1, rate=11025))
    with pytest.raises(UnsupportedFormatError, match=r"format: found 'midi'; allowed: pcm_s16le"):
        check_format(Open(ctx=1, format="midi"))


def test_absent_fields_stay_off_the_wire_but_the_receipts_nulls_are_said() -> None:
    assert dump_message(Error(code="x", message="y")) == {"type": "error", "code": "x", "message": "y"}
    stages = Stages(frontend_ms=0, encoder_ms=0, decoder_ms=0, vocoder_ms=0, encode_ms=0)
    done = Done(
        ctx=1, samples=0, chars=0, sentences=0, ttfc_ms=None, audible_ttfc_ms=None, queue_ms=None,
        total_ms=1, rtf=None, cached=False, stages=stages,
    )  # fmt: skip
    assert dump_message(done)["ttfc_ms"] is None


@pytest.mark.parametrize("message", [*CLIENT_MESSAGES.values(), *SERVER_MESSAGES], ids=lambda m: m.__name__)
def test_every_message_and_field_is_documented(message: Any) -> None:
    page = PROTOCOL_PAGE.read_text(encoding="utf-8")
    kind = message.model_fields["type"].default
    assert f"### `{kind}`" in page
    section = page.split(f"### `{kind}`")[1].split("\n#")[0]
    for field in message.model_fields:
        if field != "type":
            assert f"`{field}`" in section, f"{kind}.{field} is not documented"
