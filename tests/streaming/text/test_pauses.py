"""Silence between segments: after sentences and paragraphs, in place of none, never twice."""

from __future__ import annotations

import pytest

from streaming.text.aligned import AlignedText
from streaming.text.pauses import Gap, Pauses
from streaming.text.ssml import Said
from streaming.types import Segment, Style

PAUSES = Pauses(sentence_ms=200, paragraph_ms=500)


def said(text: str, n_lines: int = 0, speed: float = 1.0) -> Said:
    return Said(Segment(0, text, 0, len(text)), AlignedText.of(text), Style(speed=speed), n_lines)


@pytest.mark.parametrize(
    ("before", "n_lines", "ms"),
    [
        ("你好。", 0, 200),
        ("你好！”", 0, 200),
        ("**你好？**", 0, 200),
        ("好的！😊", 0, 200),
        ("Hello.", 0, 200),
        ("我想想……", 0, 200),
        ("好的，", 0, 0),
        ("“好的”，", 0, 0),
        ("注意：", 0, 0),
        ("没有标点", 0, 0),
        ("没有标点", 1, 200),
        ("你好。", 1, 200),
        ("你好。", 2, 500),
        ("没有标点", 3, 500),
        ("😊", 0, 0),
        ("", 0, 0),
    ],
)
def test_the_mark_and_the_line_ends_decide(before: str, n_lines: int, ms: int) -> None:
    assert PAUSES.between(before, n_lines) == ms


def test_nothing_stands_before_the_first_segment() -> None:
    gap = Gap(PAUSES)
    gap.meet(said("你好。", n_lines=2))
    assert gap.pass_ms() == 0


def test_a_segment_without_speech_adds_no_second_pause() -> None:
    gap = Gap(PAUSES)
    gap.meet(said("你好。"))
    assert gap.pass_ms() == 0
    gap.meet(said("……"))  # never heard
    gap.meet(said("再见。", n_lines=2))
    assert gap.pass_ms() == 500
    gap.meet(said("再见。"))
    assert gap.pass_ms() == 200


def test_faster_speech_pauses_shorter() -> None:
    gap = Gap(PAUSES)
    gap.meet(said("你好。"))
    gap.pass_ms()
    gap.meet(said("再见。", speed=2.0))
    assert gap.pass_ms() == 100


def test_a_break_that_was_asked_for_takes_its_place() -> None:
    gap = Gap(PAUSES)
    gap.meet(said("你好。"))
    gap.pass_ms()
    gap.break_off()
    gap.meet(said("再见。"))
    assert gap.pass_ms() == 0
    gap.meet(said("再见。"))
    assert gap.pass_ms() == 200
