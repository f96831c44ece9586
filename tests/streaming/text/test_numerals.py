from __future__ import annotations

import pytest

from streaming.text.normalizer import Normalizer
from streaming.text.numerals import number_words

NORMALIZER = Normalizer()


def words(text: str) -> list[str]:
    run = NORMALIZER.normalize(text)
    return [run.text[span] for span in number_words(run)]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026年11月22日", ["二零二六年", "十一月", "二十二日"]),
        ("12:30到", ["十二点", "三十分"]),
        ("13812345678", ["幺三八", "幺二三四", "五六七八"]),
        ("1,234,567元", ["一百二十三万", "四千", "五百六十七元"]),
        ("完成50%了", ["百分之五十"]),
        ("涨了23.5%", ["百分之", "二十三点五"]),
        ("共3.1415926", ["三", "点一四", "一五九", "二六"]),
        ("111个人", ["一百一十一个"]),
        ("零下5℃", ["五"]),
        ("第12名", ["第十二名"]),
        ("1/2的人", ["二分之一"]),
    ],
)
def test_written_out_numbers_are_cut_into_speakable_words(written: str, expected: list[str]) -> None:
    assert words(written) == expected


@pytest.mark.parametrize("written", ["一百二十三", "第3名", "没有数字", ""])
def test_numbers_in_hanzi_and_single_digits_are_left_to_the_dictionary(written: str) -> None:
    assert words(written) == []
