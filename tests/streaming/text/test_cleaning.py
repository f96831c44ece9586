from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.text.aligned import AlignedText
from streaming.text.cleaning import clean, is_hanzi, is_latin


def cleaned(text: str) -> str:
    return clean(AlignedText.of(text)).text


@pytest.mark.parametrize(
    ("written", "speakable"),
    [
        ("**粗体**和*斜体*和`代码`", "粗体和斜体和代码"),
        ("# 标题", "标题"),
        ("- 第一\n* 第二\n> 引用", "第一\n第二\n引用"),
        ("见[这里](https://a.b/c)", "见这里"),
        ("![图](a.png)好", "图好"),
        ("~~删~~<b>粗</b><!-- x -->", "删粗"),
        ("```python\n代码\n```", "\n代码\n"),
        ("|甲|乙|\n|---|:--|\n", "，甲，乙，\n\n"),
        ("snake_case", "snake case"),
        ("连Wi-Fi吧", "连wifi吧"),
        ("https://www.a.com", "a.com"),
        ("访问http://a.com", "访问a.com"),
    ],
)
def test_markup_is_taken_out_and_its_text_stays(written: str, speakable: str) -> None:
    assert cleaned(written) == speakable


@pytest.mark.parametrize(
    "written", ["😀", "🇨🇳", "👍🏽", "👩‍👩‍👧", "\u200b\ufeff", "\x00\x07", "\ud83d", "\uf8ff", "★→✓©"]
)
def test_what_nobody_can_say_vanishes(written: str) -> None:
    assert cleaned(f"你{written}好") == "你好"


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("ＡＢｃ１２％", "ABc12%"),
        ("café naïve Łódź", "cafe naive Lodz"),
        ("Ⅳ级", "4级"),
        ("½杯", "1/2杯"),
        ("①②", " 1 2"),
        ("㎏㎡", "kgm²"),
        ("α射线", "阿尔法射线"),
        ("人々", "人人"),
        ("ﬁne", "fine"),
        ("1920x1080", "1920×1080"),
        ("\r\n", " \n"),
        ("a\u3000b\u2028c", "a b\nc"),
    ],
)
def test_other_forms_become_plain_ones(written: str, plain: str) -> None:
    assert cleaned(written) == plain


def test_letters_without_reading_are_left_for_the_frontend_to_refuse() -> None:
    assert cleaned("あ한Ж") == "あ한Ж"


def test_asterisks_between_digits_are_a_multiplication() -> None:
    assert cleaned("5*3") == "5×3"


@given(st.text(st.characters(exclude_categories=[]), max_size=40))
def test_cleaning_never_raises_and_stays_aligned(text: str) -> None:
    aligned = clean(AlignedText.of(text))
    assert len(aligned.text) == len(aligned.starts) == len(aligned.ends)
    assert all(0 <= start < end <= len(text) for start, end in zip(aligned.starts, aligned.ends, strict=True))


def test_character_classes() -> None:
    assert all(map(is_hanzi, "一龥〇㐀𠀀"))
    assert not any(map(is_hanzi, "aあ，1々"))
    assert is_latin("z")
    assert not is_latin("é")
    assert not is_latin("1")
