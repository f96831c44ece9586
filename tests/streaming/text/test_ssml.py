"""SSML: what is said how, where there is silence, and what is refused with its place."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, strategies

from streaming.errors import BadRequestError, SsmlError
from streaming.text.segmenter import SegmentPolicy
from streaming.text.ssml import Pause, Piece, Said, SsmlReader
from streaming.types import Style

DOCUMENT = (
    '<?xml version="1.0"?>\n<speak version="1.0" xml:lang="zh-CN">你好，世界！<break time="500ms"/>'
    '<prosody rate="slow" pitch="+10%">请慢慢说，</prosody>再来。\n  <s>价格&lt;100&amp;50。</s>'
    '<p><emotion category="happy" intensity="1.5">太好了！</emotion></p>'
    '<phoneme alphabet="py" ph="chong2 qing4">重庆</phoneme>很<w>大</w>。</speak>'
)


def read(document: str, cuts: list[int] | None = None, style: Style | None = None) -> list[Piece]:
    reader = SsmlReader(style or Style(), SegmentPolicy())
    pieces: list[Piece] = []
    borders = sorted(min(cut, len(document)) for cut in cuts or [])
    for start, end in zip([0, *borders], [*borders, len(document)], strict=True):
        pieces += reader.push(document[start:end])
    return [*pieces, *reader.end()]


def said(pieces: list[Piece]) -> list[str]:
    return [f"<{piece.ms}>" if isinstance(piece, Pause) else piece.segment.text for piece in pieces]


def spoken(body: str, **style: Any) -> list[Said]:
    pieces = read(f"<speak>{body}</speak>", style=Style(**style))
    return [piece for piece in pieces if isinstance(piece, Said)]


def test_a_document_becomes_segments_in_their_styles_and_pauses() -> None:
    pieces = read(DOCUMENT)
    assert said(pieces) == [
        "你好，世界！", "<500>", "请慢慢说，", "再来。", "价格<100&50。", "太好了！",
        "[[重庆|chong2 qing4]]很大。",
    ]  # fmt: skip
    styles = [piece.style for piece in pieces if isinstance(piece, Said)]
    assert (styles[1].speed, styles[1].pitch) == (0.8, pytest.approx(1.1))
    assert (styles[4].emotion, styles[4].emotion_intensity) == ("happy", 1.5)
    assert styles[0] == styles[2] == styles[3] == styles[5] == Style()
    assert [piece.segment.index for piece in pieces if isinstance(piece, Said)] == list(range(6))


@given(strategies.lists(strategies.integers(0, len(DOCUMENT)), max_size=12))
def test_any_cut_gives_the_same_pieces(cuts: list[int]) -> None:
    assert read(DOCUMENT, cuts) == read(DOCUMENT)


def test_every_character_has_its_place_in_the_document() -> None:
    for piece in read(DOCUMENT):
        if not isinstance(piece, Said):
            continue
        assert len(piece.source.text) == len(piece.source.starts)
        for char, start, end in zip(piece.source.text, piece.source.starts, piece.source.ends, strict=True):
            written = DOCUMENT[start:end]
            assert written == char or written.startswith("&") or "重庆" in written or written.isspace()


def test_text_is_known_as_soon_as_it_is_written() -> None:
    reader = SsmlReader(Style(), SegmentPolicy())
    assert said(list(reader.push("<speak>你好，世界！今"))) == ["你好，世界！"]
    assert said(list(reader.flush())) == ["今"]
    assert said([*reader.push("天好。</speak>"), *reader.end()]) == ["天好。"]


@pytest.mark.parametrize(
    ("body", "speed", "pitch", "volume"),
    [
        ('<prosody rate="1.5">好</prosody>', 1.5, 1.0, 50.0),
        ('<prosody rate="80%">好</prosody>', 0.8, 1.0, 50.0),
        ('<prosody rate="-20%">好</prosody>', 0.8, 1.0, 50.0),
        ('<prosody rate="x-fast" pitch="high" volume="loud">好</prosody>', 1.6, 1.15, 70.0),
        ('<prosody pitch="+12st">好</prosody>', 1.0, 2.0, 50.0),
        ('<prosody volume="80">好</prosody>', 1.0, 1.0, 80.0),
        ('<prosody volume="-20dB">好</prosody>', 1.0, 1.0, 5.0),
        ('<prosody rate="2"><prosody rate="0.5">好</prosody></prosody>', 1.0, 1.0, 50.0),
    ],
)
def test_prosody_is_relative_to_what_stands_around_it(
    body: str, speed: float, pitch: float, volume: float
) -> None:
    style = spoken(body)[0].style
    assert (style.speed, style.pitch, style.volume) == pytest.approx((speed, pitch, volume))


def test_the_outermost_element_may_change_the_whole() -> None:
    (piece,) = read('<speak rate="1.2" volume="30">好</speak>', style=Style(seed=3))
    assert isinstance(piece, Said)
    assert piece.style == Style(speed=1.2, volume=30.0, seed=3)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('<say-as interpret-as="digits">123</say-as>', "一二三"),
        ('<say-as interpret-as="telephone">138-1234 5678</say-as>', "幺三八幺二三四五六七八"),
        ('<say-as interpret-as="cardinal">1024</say-as>', "一千零二十四"),
        ('<say-as interpret-as="ordinal">3</say-as>', "第三"),
        ('<say-as interpret-as="id">110X</say-as>', "幺幺零X"),
        ('<say-as interpret-as="characters">A1</say-as>', "A 一"),
        ('<say-as interpret-as="date">2024-01-02</say-as>', "2024-01-02"),
        ('<sub alias="世界卫生组织">WHO</sub>', "世界卫生组织"),
        ('<phoneme ph="xing2">行</phoneme>', "[[行|xing2]]"),
        ('<phoneme alphabet="cmu" ph="Z IH1">Zi</phoneme>', "[[Zi|Z IH1]]"),
    ],
)
def test_what_an_element_holds_is_said_as_it_asks(body: str, text: str) -> None:
    (piece,) = spoken(body)
    assert piece.segment.text == text
    document = f"<speak>{body}</speak>"
    content = document[document.index(">", 8) + 1 : document.index("</", 8)]
    assert document[piece.segment.char_start : piece.segment.char_end] == content


@pytest.mark.parametrize(
    ("element", "ms"),
    [('time="1.5s"', 1500), ('time="0ms"', 0), ('strength="strong"', 500), ("", 250), ('time="10s"', 10_000)],
)
def test_pauses_last_as_long_as_they_say(element: str, ms: int) -> None:
    assert said(read(f"<speak>好<break {element}/>的</speak>")) == ["好", f"<{ms}>", "的"]


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ("你好", "line 1, column 1: syntax error"),
        ("<p>好</p>", "it must begin with <speak>"),
        ("<speak>好", "no element found"),
        ("<speak>\n<b>好</b></speak>", "line 2, column 1: <b> is not known; allowed: speak, p, s"),
        ("<speak><s>好</p></speak>", "mismatched tag"),
        ("<speak></speak>好", "junk after document element"),
        ("<speak><speak/></speak>", "must be the outermost"),
        ('<speak><break time="11s"/></speak>', "found '11s'; allowed: 0s to 10s"),
        ('<speak><break time="soon"/></speak>', "found 'soon'"),
        ('<speak><break strength="big"/></speak>', "allowed: none, x-weak"),
        ("<speak><break>好</break></speak>", "<break> holds text"),
        ('<speak><prosody rate="?">好</prosody></speak>', "rate of <prosody>: found '?'; allowed: a factor"),
        ('<speak><prosody pitch="?">好</prosody></speak>', "semitones like +2st"),
        ('<speak><prosody volume="?">好</prosody></speak>', "allowed: 0 to 100"),
        (
            '<speak><prosody range="1">好</prosody></speak>',
            "no attribute 'range'; allowed: pitch, rate, volume",
        ),
        ("<speak><emotion>好</emotion></speak>", "lacks its attribute category"),
        ('<speak><emotion category="a" intensity="b">好</emotion></speak>', "intensity: found 'b'"),
        ('<speak><say-as interpret-as="x">1</say-as></speak>', "found 'x'; allowed: cardinal"),
        ("<speak><sub>好</sub></speak>", "lacks its attribute alias"),
        ('<speak><phoneme ph="xx">好</phoneme></speak>', "<phoneme>: reading: found 'xx'"),
        ('<speak><phoneme alphabet="ipa" ph="a1">好</phoneme></speak>', "alphabet: found 'ipa'; allowed: py"),
        ('<speak><sub alias="a"><s>好</s></sub></speak>', "which holds no other elements"),
        (f'<speak><sub alias="a">{"好" * 201}</sub></speak>', "more than 200 characters"),
        ("<speak>" + "<w>" * 40, "more than 32 elements"),
        ('<!DOCTYPE a [<!ENTITY b "cc">]><speak>&b;</speak>', "document type declaration is not allowed"),
        ("<speak>&nbsp;</speak>", "undefined entity"),
        ("<speak><?php x?></speak>", "processing instruction 'php' is not allowed"),
    ],
)
def test_what_is_no_such_document_is_refused_with_its_place(document: str, told: str) -> None:
    for cuts in ([], list(range(len(document)))):
        with pytest.raises(SsmlError) as caught:
            read(document, cuts)
        assert told in str(caught.value)
        assert str(caught.value).startswith("SSML, line ")


def test_after_an_error_nothing_more_is_taken() -> None:
    reader = SsmlReader(Style(), SegmentPolicy())
    for take in (lambda: reader.push("<speak><x>"), lambda: reader.push("好"), reader.end):
        with pytest.raises(SsmlError, match="<x> is not known"):
            take()


def test_a_style_that_the_voice_lacks_is_told_with_its_place() -> None:
    def check(style: Style) -> None:
        if style.speed > 2.0:
            raise BadRequestError("speed: found 3; allowed: 0.5 to 2")

    reader = SsmlReader(Style(), SegmentPolicy(), check)
    with pytest.raises(SsmlError, match=r"line 1, column 8: speed: found 3"):
        reader.push('<speak><prosody rate="3">好')


@given(strategies.text(alphabet='<>/&;="speakbrodyx 好。\n!?[]', max_size=80))
def test_any_text_is_pieces_or_a_clear_error(text: str) -> None:
    with suppress(SsmlError):
        read(text)
