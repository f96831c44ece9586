"""What the readers tell of the space between segments, however the text is cut."""

from __future__ import annotations

import pytest

from streaming.events import TextPolicy
from streaming.pieces import reader_of
from streaming.text.ssml import Said
from streaming.types import Style

PLAIN = "今天天气很好。\n\n明天可能会下雨\r\n后天又是晴天！ 好的。再见。\n \n# 标题"
SSML = "<speak><p>今天天气很好。</p>明天可能<s>会下雨</s>后天。再见。</speak>"


def lines_before(text: str, n_chars: int, *, ssml: bool) -> list[tuple[str, int]]:
    reader = reader_of(TextPolicy(ssml=ssml), Style(), lambda _: None)
    pieces = [
        piece
        for start in range(0, len(text), n_chars)
        for piece in reader.push(text[start : start + n_chars])
    ]
    pieces += reader.end()
    return [(piece.segment.text, piece.lines_before) for piece in pieces if isinstance(piece, Said)]


@pytest.mark.parametrize("n_chars", [1, 2, 3, 7, 1000])
def test_line_ends_between_segments_are_counted(n_chars: int) -> None:
    assert lines_before(PLAIN, n_chars, ssml=False) == [
        ("今天天气很好。", 0),
        ("明天可能会下雨", 2),
        ("后天又是晴天！", 1),
        ("好的。", 0),
        ("再见。", 0),
        ("# 标题", 2),
    ]


@pytest.mark.parametrize("n_chars", [1, 2, 3, 7, 1000])
def test_paragraphs_and_sentences_of_ssml_count_as_line_ends(n_chars: int) -> None:
    assert lines_before(SSML, n_chars, ssml=True) == [
        ("今天天气很好。", 2),
        ("明天可能", 2),
        ("会下雨", 1),
        ("后天。", 1),
        ("再见。", 0),
    ]
