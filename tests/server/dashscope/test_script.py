from __future__ import annotations

from collections.abc import Iterable

import pytest

from server.dashscope.script import (
    MAX_PIECE_BYTES,
    CosyVoiceScript,
    Line,
    Meter,
    SambertScript,
    Script,
)
from server.rendering import Rendered, Sound, pieces
from streaming.events import Finished, Flushed, SegmentStarted, WordsTimed, WordTime
from streaming.types import Receipt, Segment

RECEIPT = Receipt(32, 5, 2, 0, None, None, None, 0.0, None)
FIRST = Segment(0, "Hi 你。", 0, 5)
SECOND = Segment(1, "Bye.", 6, 10)
PARTS: list[Rendered] = [
    SegmentStarted(FIRST, 0),
    WordsTimed(
        0, (WordTime("Hi", 0, 8, 0, 2, (("HH", 0, 4), ("AY", 4, 8))), WordTime("你", 8, 16, 3, 4)), 16
    ),
    Sound(b"one", 0, ends_segment=False),
    Sound(b"two", 0, ends_segment=True),
    Flushed(0, 16),
    SegmentStarted(SECOND, 16),
    WordsTimed(1, (WordTime("Bye", 20, 30, 6, 9),), 32),
    Sound(b"three", 1, ends_segment=True),
    Finished(RECEIPT),
]


def milliseconds(sample: int) -> int:
    return sample * 10


def meter(weight: int = 2) -> Meter:
    counting = Meter(hanzi_weight=weight)
    counting.note("Hi 你。 By")
    counting.note("e.")
    return counting


def told(script: Script, parts: Iterable[Rendered] = PARTS) -> list[Line]:
    return [line for part in parts for line in script.lines(part)]


def kinds(lines: list[Line]) -> list[str]:
    """What the outputs are, and the audio behind them."""
    return [
        (line.output or {}).get("type", "") + (":" + line.data.decode() if line.data else "")
        for line in lines
    ]


def cosyvoice(*, words: bool = True, sound_is_whole: bool = True) -> CosyVoiceScript:
    return CosyVoiceScript(meter(), milliseconds, words=words, sound_is_whole=sound_is_whole)


def test_sambert_tells_each_sentence_once_before_its_audio() -> None:
    lines = told(SambertScript(meter(1), milliseconds, words=True, phonemes=False))
    first = {
        "begin_time": 0,
        "end_time": 160,
        "words": [
            {"text": "Hi", "begin_time": 0, "end_time": 80},
            {"text": "你", "begin_time": 80, "end_time": 160},
        ],
    }
    assert lines[:3] == [Line({"sentence": first}), Line(data=b"one"), Line(data=b"two")]
    assert lines[3].output is not None
    assert (lines[3].output["sentence"]["begin_time"], lines[3].output["sentence"]["end_time"]) == (160, 300)
    assert lines[4:] == [Line(data=b"three"), Line(is_last=True)]


def test_sambert_tells_phonemes_if_asked() -> None:
    (line, *_) = told(SambertScript(meter(1), milliseconds, words=True, phonemes=True))
    assert line.output is not None
    hi, you = line.output["sentence"]["words"]
    assert [(p["text"], p["begin_time"], p["end_time"]) for p in hi["phonemes"]] == [
        ("HH", 0, 40),
        ("AY", 40, 80),
    ]
    assert you["phonemes"] == []


def test_sambert_tells_nothing_if_not_asked() -> None:
    script = SambertScript(meter(1), milliseconds, words=False, phonemes=True)
    assert all(line.output is None for line in told(script))
    assert script.last_output is None


def test_cosyvoice_tells_beginning_pieces_and_end() -> None:
    script = cosyvoice()
    lines = told(script)
    assert kinds(lines) == [
        "sentence-begin",
        "sentence-synthesis:one",
        "sentence-synthesis:two",
        "sentence-end",
        "sentence-begin",
        "sentence-synthesis:three",
        "sentence-end",
        "",
    ]
    end = lines[6].output
    word = {"text": "Bye", "begin_index": 0, "end_index": 3, "begin_time": 200, "end_time": 300}
    assert end == {
        "type": "sentence-end",
        "original_text": "Bye.",
        "sentence": {"index": 1, "words": [word]},
    }
    assert script.last_output == {"sentence": {"index": 1, "words": [word]}}
    assert lines[-1].is_last


def test_where_sound_may_follow_a_sentence_ends_with_the_next() -> None:
    tail: list[Rendered] = [*PARTS[:-1], Sound(b"tail", 1, ends_segment=True), PARTS[-1]]
    lines = told(cosyvoice(sound_is_whole=False), tail)
    assert kinds(lines) == [
        "sentence-begin",
        "sentence-synthesis:one",
        "sentence-synthesis:two",
        "sentence-end",
        "sentence-begin",
        "sentence-synthesis:three",
        "sentence-synthesis:tail",
        "sentence-end",
        "",
    ]


def test_words_are_told_only_if_asked() -> None:
    outputs = [line.output for line in told(cosyvoice(words=False)) if line.output]
    assert all(output["sentence"]["words"] == [] for output in outputs)


@pytest.mark.parametrize(
    "script", [cosyvoice(), SambertScript(meter(), milliseconds, words=True, phonemes=True)]
)
def test_a_header_without_speech_is_not_sent(script: Script) -> None:
    lines = told(script, [Sound(b"RIFF", 0, ends_segment=True), Finished(RECEIPT)])
    assert lines == [Line(is_last=True)]


def test_characters_count_as_the_vendors_count_them() -> None:
    counting = meter()
    assert counting.spoken(5) == 6
    assert counting.spoken(5) == 6
    assert counting.all_spoken() == 11
    assert meter(1).all_spoken() == 10


def test_markup_does_not_count() -> None:
    counting = Meter(hanzi_weight=2, ssml=True)
    counting.note("<speak rate='2'>你a<break/></speak>")
    assert counting.all_spoken() == 3


def test_pieces_fit_and_are_never_empty() -> None:
    data = bytes(2 * MAX_PIECE_BYTES + 1)
    assert list(map(len, pieces(data, MAX_PIECE_BYTES))) == [MAX_PIECE_BYTES, MAX_PIECE_BYTES, 1]
    assert list(pieces(b"", MAX_PIECE_BYTES)) == []
