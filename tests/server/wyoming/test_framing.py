from __future__ import annotations

import json

import pytest

from server.wyoming.framing import MAX_LINE_BYTES, MAX_PAYLOAD_BYTES, EventReader, WyomingEvent, encode
from streaming.errors import BadRequestError

EVENTS = [
    WyomingEvent("describe"),
    WyomingEvent("synthesize", {"text": "你好，\n世界。", "voice": {"name": "a"}}),
    WyomingEvent("audio-chunk", {"rate": 16000, "width": 2, "channels": 1}, b"\n\x00{}"),
    WyomingEvent("audio-stop", {}, b"x"),
]
MAX_DATA_BYTES = 1000


def read(pieces: list[bytes]) -> list[WyomingEvent]:
    reader, events = EventReader(MAX_DATA_BYTES), []
    for piece in pieces:
        reader.feed(piece)
        while (event := reader.next_event()) is not None:
            events.append(event)
    return events


def refusal(*pieces: bytes) -> str:
    with pytest.raises(BadRequestError) as caught:
        read(list(pieces))
    return str(caught.value)


def test_every_cut_gives_the_same_events() -> None:
    stream = b"".join(map(encode, EVENTS))
    for place in range(len(stream) + 1):
        assert read([stream[:place], stream[place:]]) == EVENTS
    assert read([stream[place : place + 1] for place in range(len(stream))]) == EVENTS


def test_an_event_is_written_as_the_library_does() -> None:
    assert encode(WyomingEvent("describe")) == b'{"type":"describe","version":"1.10.2"}\n'
    line, _, rest = encode(EVENTS[2]).partition(b"\n")
    header = json.loads(line)
    assert header["data_length"] + header["payload_length"] == len(rest)


def test_the_block_wins_over_data_in_the_header() -> None:
    line = b'{"type":"a","data":{"x":1,"y":1},"data_length":7}\n{"x":2}'
    assert read([line]) == [WyomingEvent("a", {"x": 2, "y": 1})]


def test_lengths_that_are_null_count_as_absent() -> None:
    line = b'{"type":"a","data":null,"data_length":null,"payload_length":null}\n'
    assert read([line]) == [WyomingEvent("a")]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"GET / HTTP/1.1\n", "the header is not JSON"),
        (b"\n", "the header is not JSON"),
        (b"\xff\xfe\n", "the header is not JSON"),
        (b"[" * 60000 + b"\n", "the header is not JSON"),
        (b"[]\n", "the header is no JSON object"),
        (b"{}\n", "type: found None"),
        (b'{"type":7}\n', "type: found 7"),
        (b'{"type":"a","data":[1]}\n', r"data: found \[1\]"),
        (b'{"type":"a","data_length":-1}\n', "data_length: found -1; allowed: 0 to 1000"),
        (b'{"type":"a","data_length":1001}\n', "data_length: found 1001"),
        (b'{"type":"a","data_length":true}\n', "data_length: found True"),
        (b'{"type":"a","data_length":"1"}\n', "data_length: found '1'"),
        (b'{"type":"a","payload_length":1e9}\n', "payload_length: found 1000000000.0"),
        (b'{"type":"a","data_length":2}\n{x', "the data is not JSON"),
        (b'{"type":"a","data_length":2}\n[]', "the data is no JSON object"),
    ],
)
def test_what_is_no_event_is_refused(line: bytes, words: str) -> None:
    with pytest.raises(BadRequestError, match=words):
        read([line])


def test_a_header_without_an_end_is_not_collected_for_ever() -> None:
    words = f"the header has no end within {MAX_LINE_BYTES} bytes"
    assert refusal(b"x" * (MAX_LINE_BYTES + 1)) == words
    assert refusal(b"x" * MAX_LINE_BYTES, b"x\n") == words
    assert refusal(*[b"x" * 1000] * 100) == words


def test_events_before_a_bad_one_can_still_be_taken() -> None:
    reader = EventReader(MAX_DATA_BYTES)
    reader.feed(encode(EVENTS[0]) + b"no event\n")
    assert reader.next_event() == EVENTS[0]
    with pytest.raises(BadRequestError):
        reader.next_event()


def test_the_largest_lengths_are_taken() -> None:
    event = WyomingEvent("a", {"x": "y" * (MAX_DATA_BYTES - len('{"x":""}'))}, bytes(MAX_PAYLOAD_BYTES))
    assert read([encode(event)]) == [event]
