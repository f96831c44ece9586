from __future__ import annotations

import json
import struct

import msgpack
import pytest

from clients.python.wire import (
    SUBPROTOCOLS,
    AudioChunk,
    Cancelled,
    Done,
    ProtocolError,
    ServerError,
    Words,
    decode,
    encode,
)
from server.framing import CODECS, Frame, JsonCodec
from server.messages import Open, parse_message


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
def test_the_server_reads_what_the_client_writes(subprotocol: str) -> None:
    frame = encode(subprotocol, {"type": "open", "ctx": 1, "text": "你好", "voice": None, "replaces": [2]})
    wire = Frame(frame.encode(), is_text=True) if isinstance(frame, str) else Frame(frame)
    assert parse_message(CODECS[subprotocol].decode(wire)) == Open(ctx=1, text="你好", replaces=[2])


def test_the_client_knows_every_subprotocol_of_the_server() -> None:
    assert set(SUBPROTOCOLS) == set(CODECS)
    assert JsonCodec.subprotocol in SUBPROTOCOLS


def test_an_audio_frame_is_read_field_by_field() -> None:
    header = struct.pack("<BBHIQIHH", 1, 1 | 4, 7, 3, 2**40, 2, 5, 0)
    chunk = decode(header + b"abcd", received_s=1.5)
    assert chunk == AudioChunk(7, 3, b"abcd", 2**40, 2, 5, True, False, True, False, 1.5)


def test_a_meta_block_is_skipped() -> None:
    frame = struct.pack("<BBHIQIHH", 1, 8, 7, 0, 0, 2, 0, 3) + b"xyz" + b"abcd"
    chunk = decode(frame, 0.0)
    assert isinstance(chunk, AudioChunk)
    assert chunk.pcm == b"abcd"


def test_control_messages_become_values_and_unknown_fields_are_ignored() -> None:
    words = {"type": "words", "ctx": 1, "index": 0, "items": [["你好", 0, 10, 0, 2, "later"]], "later": 1}
    message = decode(json.dumps(words), 0.0)
    assert isinstance(message, Words)
    assert (message.words[0].text, message.words[0].end_sample) == ("你好", 10)
    packed = b"\x00" + msgpack.packb({"type": "cancelled", "ctx": 1, "samples": 5, "text_done": 2})
    assert decode(packed, 0.0) == Cancelled(1, 5, 2)


def test_a_receipt_without_speech_has_nones() -> None:
    fields = {
        "type": "done",
        "ctx": 1,
        "samples": 0,
        "chars": 1,
        "sentences": 0,
        "total_ms": 1.0,
        "ttfc_ms": None,
    }
    message = decode(json.dumps(fields), 0.0)
    assert isinstance(message, Done)
    assert (message.ttfc_ms, message.rtf, message.stages) == (None, None, {})


def test_an_error_is_an_exception_to_raise() -> None:
    error = decode(
        json.dumps({"type": "error", "code": "overloaded", "message": "m", "retry_after_ms": 9}), 0.0
    )
    assert isinstance(error, ServerError)
    assert (error.ctx, error.retry_after_ms, str(error)) == (None, 9, "overloaded: m")


def test_messages_of_a_newer_server_are_skipped() -> None:
    assert decode('{"type": "weather"}', 0.0) is None


@pytest.mark.parametrize(
    "frame",
    [
        "{",
        "[]",
        "{}",
        '{"type": "done"}',
        b"",
        b"\x07",
        b"\x00\xc1",
        b"\x00",
        b"\x01short",
        '{"type":"words","ctx":1}',
    ],
)
def test_garbage_is_a_protocol_error(frame: str | bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(frame, 0.0)
