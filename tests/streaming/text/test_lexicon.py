"""Readings that people give, inline and for words wherever they stand."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies

from streaming.errors import BadRequestError, UnspeakableTextError
from streaming.text.aligned import AlignedText
from streaming.text.explanation import explain
from streaming.text.frontend import Frontend
from streaming.text.lexicon import MAX_PLACES, Lexicon, read_reading, take_marks
from streaming.text.segmenter import Segmenter
from streaming.text.symbols import SymbolTables


@pytest.fixture(scope="module")
def frontend() -> Frontend:
    return Frontend(SymbolTables())


def said(frontend: Frontend, text: str, lexicon: Lexicon | None = None) -> str:
    segments = explain(text, frontend, lexicon=lexicon)
    return " ".join(entry for one in segments for word in one["words"] for entry in word["pinyin"] or ["-"])


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("他[[重|chong2]]得很", "ta1 chong2 de5 hen3"),
        ("[[行长|hang2 zhang3]]不[[坏|huai4]]", "hang2 zhang3 bu2 huai4"),
        ("我有2个[[重|zhong4]]包", "wo3 you3 liang3 ge4 zhong4 bao1"),
        ("[[行|xing2]]，[[行|hang2]]", "xing2 hang2"),
        ("价格[[12|shi2 er4]]元", "jia4 ge2 shi2 er4 yuan2"),
        ("[[女|nü3]]人", "nv3 ren2"),
    ],
)
def test_a_mark_is_read_as_it_says(frontend: Frontend, text: str, spoken: str) -> None:
    assert said(frontend, text).replace("wo2", "wo3").replace("you2", "you3") == spoken


def test_a_given_tone_stays_whatever_follows(frontend: Frontend) -> None:
    assert said(frontend, "[[你|ni3]]好") == "ni3 hao3"
    assert said(frontend, "你好") == "ni2 hao3"


def test_latin_words_take_arpabet(frontend: Frontend) -> None:
    (segment,) = explain("[[Zhiyin|Z IH1 Y IH2 N]]很好", frontend)
    word = segment["words"][0]
    assert (word["text"], word["pinyin"]) == ("Zhiyin", None)
    assert word["phones"] == [phone for one in read_reading("Z IH1 Y IH2 N") for phone in one.phones]
    assert segment["normalized"] == "Zhiyin很好"


@pytest.mark.parametrize(
    "text", ["[[重|zhong9]]", "[[重|]]", "[[重|abc]]", "[[重|Q Q]]", "[[重]]", "[[重|zhong4", "[[|]]"]
)
def test_what_is_no_reading_is_spoken_as_its_word(frontend: Frontend, text: str) -> None:
    assert said(frontend, text) in {"zhong4", "zhong4 zhong4", "zhong4 - -", ""} or "zhong4" in said(
        frontend, text
    )


def test_a_lexicon_reads_its_words_wherever_they_stand(frontend: Frontend) -> None:
    lexicon = Lexicon({"行": "xing2", "Zhiyin": "Z IH1 Y IH2 N", "长行": "chang2 hang2"})
    assert said(frontend, "银行和长行", lexicon) == "yin2 xing2 he2 chang2 hang2"
    assert lexicon.marked("Zhiyins").text == "Zhiyins"
    assert said(frontend, "[[行|hang2]]行", lexicon) == "hang2 xing2"  # a mark wins


def test_offsets_are_those_of_what_was_written(frontend: Frontend) -> None:
    text = "好的。去银行吧"
    segments = explain(text, frontend, lexicon=Lexicon({"银行": "yin2 xing2"}))
    words = {
        word["text"]: text[word["char_start"] : word["char_end"]] for one in segments for word in one["words"]
    }
    assert words["银行"] == "银行"


def test_more_words_win_over_those_there() -> None:
    lexicon = Lexicon({"行": "xing2"})
    assert lexicon.with_more({"行": "hang2"}).marked("行").text == "[[行|hang2]]"
    assert lexicon.with_more({}) is lexicon
    assert not Lexicon()
    assert Lexicon().marked("行").text == "行"


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ({"": "a1"}, "1 to 64 characters"),
        ({"a|b": "a1"}, "without [ ] and |"),
        ({"行": "xing"}, "found 'xing'; allowed is pinyin with tones"),
        ({"行": "xyz1"}, "'xyz1' is no syllable"),
        ({"行": ""}, "allowed is pinyin"),
        ({"行": "a1 " * 99}, "the limit is 200"),
        ({"行": "ZZ9"}, "allowed is pinyin"),
    ],
)
def test_a_lexicon_that_cannot_be_read_is_refused_by_name(entries: dict[str, str], told: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        Lexicon(entries)
    assert told in str(caught.value)


def test_a_reading_has_one_of_two_forms() -> None:
    assert [syllable.spelling for syllable in read_reading("hang2  zhang3")] == ["hang2", "zhang3"]
    assert len(read_reading("W AY1 . F AY0")) == 2
    with pytest.raises(UnspeakableTextError):
        read_reading("hang2 F AY0")


def test_characters_that_stand_for_places_cannot_be_smuggled_in(frontend: Frontend) -> None:
    assert said(frontend, "好\ue000好\ue3ff") == said(frontend, "好好")


def test_more_marks_than_places_are_spoken_as_words() -> None:
    text, places = take_marks(AlignedText.of("[[重|zhong4]]" * (MAX_PLACES + 2)))
    assert len(places) == MAX_PLACES
    assert text.text.endswith("重重")


@given(strategies.lists(strategies.integers(0, 60), max_size=6))
def test_any_cut_of_marked_text_gives_the_same_segments(cuts: list[int]) -> None:
    text = "请看[[A. B，C|EY1 . B IY1]]。然后[[重|zhong4]]来[[没完，[[行|hang2]]吧。好！"
    whole = Segmenter()
    expected = [*whole.push(text), *whole.flush()]
    cut = Segmenter()
    found = []
    borders = sorted(min(at, len(text)) for at in cuts)
    for start, end in zip([0, *borders], [*borders, len(text)], strict=True):
        found += cut.push(text[start:end])
    found += cut.flush()
    assert found == expected
    assert expected[0].text.startswith("请看[[A. B，C|EY1 . B IY1]]")
