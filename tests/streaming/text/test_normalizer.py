from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wetext import Normalizer as WeTextNormalizer

from streaming.text.normalizer import Normalizer, is_english

NORMALIZER = Normalizer()


def said(text: str) -> str:
    return NORMALIZER.normalize(text).text


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("2026年11月22日", "二零二六年十一月二十二日"),
        ("2026-11-22", "二零二六年十一月二十二日"),
        ("零下5℃", "零下五摄氏度"),
        ("-5℃", "负五摄氏度"),
        ("3.14", "三点一四"),
        ("50%", "百分之五十"),
        ("￥12.5", "十二点五元"),
        ("$100", "一百美元"),
        ("12:30", "十二点三十分"),
        ("1/2", "二分之一"),
        ("第1名", "第一名"),
        ("2个", "两个"),
        ("100km/h", "每小时一百公里"),
        ("1,234,567元", "一百二十三万四千五百六十七元"),
        ("13812345678", "幺三八幺二三四五六七八"),
        ("+86 138-1234-5678", "加八六幺三八幺二三四五六七八"),
        ("6222021234567890", "六二二二零二幺二三四五六七八九零"),
        ("邮编100084", "邮编幺零零零八四"),
        ("版本2.3.1", "版本二点三点一"),
        ("v2.3", "v二点三"),
        ("192.168.1.1", "一九二点一六八点一点一"),
        ("RTX4090", "RTX四零九零"),
        ("RTX 4090显卡", "RTX 四零九零显卡"),
        ("H100", "H一百"),
        ("GPT-4很强", "GPT 四很强"),
        ("每天3-5次", "每天三到五次"),
        ("3<5", "三小于五"),
        ("5*3=15", "五乘三等于十五"),
        ("25°", "二十五度"),
        ("A&B公司", "A和B公司"),
        ("访问example.com吧", "访问example点com吧"),
    ],
)
def test_numbers_and_symbols_are_written_out(written: str, spoken: str) -> None:
    assert said(written) == spoken


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("I have 3 apples", "I have three apples"),
        ("It costs $5.20 or 20%", "It costs five dollars and twenty cents or twenty percent"),
        ("Dr. Smith is here", "doctor Smith is here"),
        ("write to foo@bar.com", "write to foo at bar dot com"),
    ],
)
def test_english_text_is_written_out_in_english(written: str, spoken: str) -> None:
    assert said(written) == spoken


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("hello world", True),
        ("hello", False),
        ("50%", False),
        ("hello 世界 world", False),
        ("RTX4090", False),
    ],
)
def test_text_is_english_with_two_latin_words_and_no_hanzi(text: str, english: bool) -> None:
    assert is_english(text) is english


def test_latin_words_stay_as_they_are() -> None:
    assert said("打开wifi设置") == "打开wifi设置"


def test_every_character_points_to_what_was_written() -> None:
    text = "气温零下5℃，花了50%"
    aligned = NORMALIZER.normalize(text)
    origin = {text[start:end] for start, end in zip(aligned.starts, aligned.ends, strict=True)}
    assert {"5℃", "50%", "气"} <= origin
    position = aligned.text.index("摄氏度")
    assert aligned.origin(position, position + 3) == (4, 6)


@settings(max_examples=50)
@given(st.text("你好世界在重庆银行，。！？、长得了一二三百万点年月日 abcXYZ", max_size=30))
def test_text_without_digits_bypasses_wetext_with_the_same_result(text: str) -> None:
    assert WeTextNormalizer(lang="zh", operator="tn").normalize(text) == text.strip()


@pytest.mark.parametrize("text", ["ne&lt\t’", "it’s\t5 o’clock & more", "‘a’ & ‘b’ cost $5", "好\ue000好"])
def test_texts_that_the_rules_have_no_way_through_are_said_all_the_same(text: str) -> None:
    assert said(text)
    assert not any(char.isdigit() or char == "\ue000" for char in said(text))


@pytest.mark.parametrize(
    "text",
    [
        "今天是2026年11月22日星期天",
        "我们一起去看看今天的气温是不是零下5℃吧好不好呀",
        "这本书一共有328页内容非常丰富",
        "本次比赛的最终比分是3:2我们赢了",
        "公司的营业收入同比增长了23.5%达到了历史新高",
        "火车在早上8:30从北京出发",
        "大约有1/3的学生参加了活动",
        "他出生于1998年身高是1.85米",
    ],
)
def test_cutting_off_far_hanzi_does_not_change_how_numbers_are_read(text: str) -> None:
    assert said(text) == WeTextNormalizer(lang="zh", operator="tn").normalize(text)


@settings(max_examples=60, deadline=None)
@given(st.text("你3.:,-%/$@ aB年\ud800\u0301😀°~+*\n", max_size=16))
def test_normalising_never_raises_leaves_no_digit_and_stays_aligned(text: str) -> None:
    aligned = NORMALIZER.normalize(text)
    assert not any(char.isdigit() for char in aligned.text)
    assert len(aligned.text) == len(aligned.starts) == len(aligned.ends)
    assert all(
        0 <= start <= end <= len(text) for start, end in zip(aligned.starts, aligned.ends, strict=True)
    )
