from __future__ import annotations

import json

import msgpack
import pytest

from server.framing import CODECS, Codec, Frame, JsonCodec, MsgpackCodec
from server.messages import Error, InvalidMessageError, Sentence

SENTENCE = Sentence(ctx=1, index=0, text="你好\ud800。", char_start=0, char_end=4, sample=0)


@pytest.mark.parametrize("codec", list(CODECS.values()), ids=list(CODECS))
def test_what_is_encoded_can_be_decoded(codec: Codec) -> None:
    message = Error(ctx=3, code="overloaded", message="忙", retry_after_ms=5)
    expected = {"type": "error", "ctx": 3, "code": "overloaded", "message": "忙", "retry_after_ms": 5}
    assert codec.decode(codec.encode(message)) == expected


@pytest.mark.parametrize("codec", list(CODECS.values()), ids=list(CODECS))
def test_lone_surrogates_do_not_break_the_answer(codec: Codec) -> None:
    assert codec.decode(codec.encode(SENTENCE))["text"] == "你好?。"


def test_json_control_is_text_and_msgpack_control_starts_with_zero() -> None:
    text = JsonCodec().encode(SENTENCE)
    assert text.is_text
    assert json.loads(text.payload)["type"] == "sentence"
    binary = MsgpackCodec().encode(SENTENCE)
    assert not binary.is_text
    assert binary.payload[0] == 0
    assert msgpack.unpackb(binary.payload[1:])["type"] == "sentence"


@pytest.mark.parametrize(
    ("subprotocol", "frame", "expected"),
    [
        ("tts.v1.json", Frame(b"\x01\x02"), "binary frame of 2 bytes"),
        ("tts.v1.json", Frame(b"{", is_text=True), "not JSON"),
        ("tts.v1.json", Frame(b"[" * 100_000, is_text=True), "not JSON"),
        ("tts.v1.json", Frame(b"9" * 10_000, is_text=True), "not JSON"),
        ("tts.v1.msgpack", Frame(b"{}", is_text=True), "text frame"),
        ("tts.v1.msgpack", Frame(b""), "found nothing"),
        ("tts.v1.msgpack", Frame(b"\x01abc"), "found 01"),
        ("tts.v1.msgpack", Frame(b"\x00"), "not MessagePack"),
        ("tts.v1.msgpack", Frame(b"\x00\xc1"), "not MessagePack"),
        ("tts.v1.msgpack", Frame(b"\x00" + msgpack.packb({"a": 1}) + b"junk"), "not MessagePack"),
        ("tts.v1.msgpack", Frame(b"\x00" + msgpack.packb({1: 1})), "not MessagePack"),
        ("tts.v1.msgpack", Frame(b"\x00" + b"\x91" * 60_000), "not MessagePack"),
        ("tts.v1.msgpack", Frame(b"\x00\xa2\xff\xfe"), "not MessagePack"),
    ],
)
def test_garbage_is_refused_with_a_reason(subprotocol: str, frame: Frame, expected: str) -> None:
    with pytest.raises(InvalidMessageError, match=expected):
        CODECS[subprotocol].decode(frame)


def test_a_refused_frame_says_why_even_if_the_library_does_not() -> None:
    nested = Frame(b"\0" + b"\x91" * 60_000 + b"\xc0")
    with pytest.raises(InvalidMessageError, match=r"not MessagePack: \w+"):
        MsgpackCodec().decode(nested)
