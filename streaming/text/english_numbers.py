"""How numbers are read in English where the general rules read them wrongly.

Input   AlignedText, cleaned, digits still in it
Output  the same with these numbers in words, or reshaped so that the general rules read them right
State   none
Unaware of words, pronunciation and of what reads the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from streaming.text.aligned import AlignedText
from streaming.text.chinese_numbers import roman

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
_MONTHS = {
    month[:3]: month
    for month in (
        "January February March April May June July August September October November December"
    ).split()
}
_MONTH = "|".join(f"{short}(?:{month[3:]})?" if month[3:] else short for short, month in _MONTHS.items())

Replacement = Callable[[re.Match[str]], str]


def cardinal(value: int) -> str:
    """Read a number below one hundred."""
    if value < len(_ONES):
        return _ONES[value]
    tens, ones = divmod(value, 10)
    return _TENS[tens] + (f" {_ONES[ones]}" if ones else "")


def ordinal(value: int) -> str:
    """Read the place of a number below one hundred."""
    *before, last = cardinal(value).split()
    last = _ORDINALS.get(last) or (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")
    return " ".join([*before, last])


def digits(text: str, zero: str = "zero") -> str:
    """Read digit by digit."""
    return " ".join(zero if char == "0" else _ONES[int(char)] for char in text if char.isdigit())


def pairs(text: str) -> str:
    """Read a number of three or four digits as years and model numbers are: 1990, 4090, 302."""
    high, low = int(text[:-2]), int(text[-2:])
    if low == 0:
        return f"{cardinal(high)} hundred"
    return f"{cardinal(high)} {'oh ' if low < 10 else ''}{cardinal(low)}"


def year(text: str) -> str:
    """Read a year: 1990 in pairs, 2000 to 2009 as a number."""
    value = int(text)
    if 2000 <= value < 2010:
        return "two thousand" + (f" {cardinal(value - 2000)}" if value > 2000 else "")
    return pairs(text)


def _decade(match: re.Match[str]) -> str:
    text = match[1]
    tens = f"{cardinal(int(text[-2:]))[:-1]}ies" if text[-2:] != "00" else "hundreds"
    return tens if len(text) == 2 else f"{cardinal(int(text[:2]))} {tens}"


def _dollars(match: re.Match[str]) -> str:
    cents = int(match[2])
    text = f"{match[1]} dollar{'' if match[1] == '1' else 's'}"
    return f"{text} and {cents} cent{'' if cents == 1 else 's'}" if cents else text


def _month_day(match: re.Match[str]) -> str:
    return f"{_MONTHS[match[1][:3]]} {ordinal(int(match[2]))}" + (f", {year(match[3])}" if match[3] else "")


def _part(match: re.Match[str]) -> str:
    value = roman(match["n"])
    return cardinal(value) if 0 < value < 100 else match["n"]


def _ruler(match: re.Match[str]) -> str:
    value = roman(match["n"])
    return f"the {ordinal(value)}" if 0 < value < 100 else match["n"]


RULES: tuple[tuple[re.Pattern[str], Replacement | str], ...] = (
    (
        re.compile(r"(?<![\d.])(?:\+?1[ -])?\(?(\d{3})\)?[ .-](\d{3})[.-](\d{4})(?![\d.]*\d)"),
        lambda m: ", ".join(digits(part) for part in m.groups()),
    ),
    (
        re.compile(r"(?<![\d.\-])(\d{3})-(\d{4})(?![\d\-])"),
        lambda m: f"{digits(m[1])}, {digits(m[2])}",
    ),
    (re.compile(rf"\b({_MONTH})\.? (\d{{1,2}})(?:st|nd|rd|th)?(?:,? (\d{{4}}))?(?![\d:])"), _month_day),
    (re.compile(r"(?<![\d.,$])((?:1[1-9]|20)?[1-9]0|(?:1[1-9]|20)00)'?s\b"), _decade),
    (re.compile(r"\$(\d+)\.(\d\d)(?![\d%]| ?(?:thousand|million|billion|trillion|[kKmMbB]\b))"), _dollars),
    (
        re.compile(r"(?<![\d.])[vV]?(?P<n>\d+(?:\.\d+){2,})(?![\d.]*\d)"),
        lambda m: m["n"].replace(".", " point "),
    ),
    (re.compile(r"(?<=[vV])(?P<n>\d+\.\d+)"), lambda m: f" {m['n']}"),
    (
        re.compile(r"(?<![\d.\-–/])(\d{1,4}(?:\.\d+)?) ?[-–—] ?(?=\d{1,4}(?:\.\d+)?(?![\d\-–/]))"),
        lambda m: f"{m[1]} to ",
    ),
    (
        re.compile(
            r"\b(?:[Cc]hapter|[Pp]art|[Vv]olume|[Bb]ook|[Aa]ct|[Ss]cene|[Pp]hase|[Tt]ype|[Ss]ection|War)"
            r" (?P<n>[IVXL]+)\b"
        ),
        _part,
    ),
    (re.compile(r"\b(?!I\b)[A-Z][a-z]{2,} (?P<n>(?=[IVXL]{2})[IVXL]+)\b"), _ruler),
    (
        re.compile(
            r"\b(?:[Rr]oom|[Ff]light|[Ss]uite|[Aa]partment|[Rr]oute|[Hh]ighway|[Gg]ate|[Bb]oeing)"
            r" (?P<n>[1-9]\d{2})\b(?!\.\d)"
        ),
        lambda m: pairs(m["n"]),
    ),
    (re.compile(r"\b[A-Z]{2,}[ -](?P<n>[1-9]\d{3})\b(?![.,]\d)"), lambda m: pairs(m["n"])),
    (re.compile(r"(?<![A-Za-z\d&])#(?=\d{1,5}(?![\dA-Fa-f]))|\b[Nn][Oo]\. ?(?=\d)"), "number "),
    (re.compile(r"(?<=[\w)]) ?= ?(?=[\w(-])"), " equals "),
)


def reshape_numbers(text: AlignedText) -> AlignedText:
    """Apply the rules."""
    for pattern, replacement in RULES:
        text = text.sub(pattern, replacement, "n" if "n" in pattern.groupindex else 0)
    return text
