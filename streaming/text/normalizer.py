"""Write out numbers, dates, units and symbols as words.

Input   a segment's text as it was written
Output  AlignedText of Hanzi, Latin words, punctuation and white space: no digit and no symbol is left
State   none after `warm_up`, which loads the rules of wetext (weighted transducers)
Unaware of pronunciation.

wetext decides how a number is read; the rules here decide what it is not asked: clauses without a digit (it
leaves them as they are), version and model numbers, phone numbers with gaps, symbols that stand alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from wetext import Normalizer as WeTextNormalizer

from streaming.text.aligned import AlignedText
from streaming.text.cleaning import clean, is_hanzi

_DIGIT_NAMES = dict(zip("0123456789", "零一二三四五六七八九", strict=True))
_PHONE_DIGIT_NAMES = {**_DIGIT_NAMES, "1": "幺"}
_CLAUSE = re.compile(r"[^，。！？；、\n]*[，。！？；、\n]?")
_HAS_DIGIT = re.compile(r"\d")
# From the clause's first digit to its last, with what touches them and 4 Hanzi of context on either side.
_NUMBER_WINDOW = re.compile(r"[一-鿿]{0,4}[^一-鿿\d]*\d(?:.*\d)?[^一-鿿]*[一-鿿]{0,4}")
_ENGLISH_WORD = re.compile(r"[A-Za-z]{2,}")
_ENGLISH_RULES_NEEDED = re.compile(r"[\d$€£%&@+=]|\b(?:Mr|Mrs|Ms|Dr|Prof|St|vs|etc)\.")

_MOBILE_WITH_GAPS = re.compile(r"(?<!\d)(?:(\+?86)[ -]?)?(1[3-9]\d)[ -]?(\d{4})[ -]?(\d{4})(?!\d)")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_VERSION = re.compile(r"(?<![\d.])(?!(?:19|20)\d\d\.\d{1,2}\.\d{1,2}(?![\d.]))\d+(?:\.\d+){2,}(?![\d.]*\d)")
_VERSION_AFTER_LETTER = re.compile(r"(?<=[Vv])(\d+)\.(\d+)(?![\d.]*\d)")
_LONG_DIGITS = re.compile(r"(?<![\d.,])\d{9,}(?![\d.,%])")
_CODE = re.compile(r"(?<=邮编|密码|卡号|账号|编号|尾号|学号|工号|单号|证码)[是为：: ]{0,2}\d{3,}")
_SHORT_RANGE = re.compile(
    r"(?<![\d.\-/:])(\d{1,3})[-~～—–](\d{1,3})"
    r"(?=[%个天次岁年月日名人位块元斤米度倍小分秒点页章期届场周])"
)
_HYPHEN_BY_LETTER = re.compile(r"(?<=[A-Za-z])-(?=\d)|(?<=\d)-(?=[A-Za-z])")
_MODEL_NUMBER = re.compile(r"(?<=[A-Za-z])(?!\d*00(?!\d))\d{3,}(?![\d.])")
_MODEL_NUMBER_APART = re.compile(
    r"(?<![A-Za-z])(?!RMB|USD|CNY|EUR|HKD|GBP|JPY|AD|BC)([A-Z]{2,} )((?!\d*00(?!\d))\d{4})(?![\d.])"
)

# Read by name where wetext left them standing.
_SYMBOL_NAMES_ZH = {
    **{"+": "加", "=": "等于", "×": "乘", "÷": "除以", "±": "正负", "−": "负", "≈": "约等于", "≠": "不等于"},
    **{"≤": "小于等于", "≥": "大于等于", "℃": "摄氏度", "℉": "华氏度", "°": "度", "²": "平方", "³": "立方"},
    **{"$": "美元", "￥": "元", "¥": "元", "€": "欧元", "£": "英镑", "%": "百分号", "‰": "千分号"},
    **{"&": "和", "@": " at "},
}
_SYMBOL_NAMES_EN = {
    **{"+": "plus", "=": "equals", "×": "times", "÷": "divided by", "±": "plus or minus", "−": "minus"},
    **{"≈": "about", "≠": "is not", "≤": "at most", "≥": "at least", "²": "squared", "³": "cubed"},
    **{"℃": "degrees Celsius", "℉": "degrees Fahrenheit", "°": "degrees", "$": "dollars", "￥": "yuan"},
    **{"¥": "yuan", "€": "euros", "£": "pounds", "%": "percent", "‰": "per mille", "&": "and", "@": "at"},
}
_SYMBOL = re.compile("[" + re.escape("".join(_SYMBOL_NAMES_ZH)) + "]")
_INNER_DOT = re.compile(r"(?<=[A-Za-z零一二三四五六七八九十百千万])\.(?=[A-Za-z零一二三四五六七八九])")
_COMPARISON = re.compile(r"(?<=[\dA-Za-z]) ?([<>]) ?(?=[\dA-Za-z])")


class Normalizer:
    """Turns written text into words. Thread-safe: the transducers are only read."""

    def __init__(self) -> None:
        self._chinese = _rules("zh")
        self._english = _rules("en")

    def warm_up(self) -> None:
        """Load and run the rules once, so that the first sentence does not pay for it."""
        _run_rules()

    def normalize(self, text: str) -> AlignedText:
        """Return the text in words, aligned with the original; may be empty. Never raises on any string."""
        aligned = clean(AlignedText.of(text))
        english = is_english(aligned.text)
        if english and _ENGLISH_RULES_NEEDED.search(aligned.text):
            aligned = self._in_english(aligned)
        elif _HAS_DIGIT.search(aligned.text):
            aligned = self._in_chinese(aligned)
        return _name_symbols(aligned, english)

    def _in_chinese(self, aligned: AlignedText) -> AlignedText:
        """Numbers in Chinese, by clause and without far Hanzi: wetext's time grows with length."""
        prepared = _prepare_numbers(aligned)
        result = AlignedText.of("")
        for match in _CLAUSE.finditer(prepared.text):
            clause = prepared[match.start() : match.end()]
            window = _NUMBER_WINDOW.search(clause.text)
            if window is not None:
                start, end = window.span()
                clause = clause[:start] + _around(clause[start:end], self._chinese.normalize) + clause[end:]
            result += clause
        return result

    def _in_english(self, aligned: AlignedText) -> AlignedText:
        return _around(aligned.sub(_THOUSANDS, _without_separators), self._english.normalize)


@cache
def _run_rules() -> None:
    """Run each language's rules once: their first run takes a tenth of a second."""
    _rules("zh").normalize("2026年11月22日5℃")
    _rules("en").normalize("it costs $5")


@cache
def _rules(language: str) -> WeTextNormalizer:
    """The rules of one language: 12 MB, read once for all voices of a process."""
    return WeTextNormalizer(lang=language, operator="tn")


def is_english(text: str) -> bool:
    """Tell whether numbers in this text are read in English: no Hanzi, and two Latin words or more."""
    return not any(map(is_hanzi, text)) and len(_ENGLISH_WORD.findall(text)) >= 2


def _around(aligned: AlignedText, normalize: Callable[[str], str]) -> AlignedText:
    """Normalise what stands between leading and trailing white space, which wetext would strip."""
    text = aligned.text
    start = len(text) - len(text.lstrip())
    end = len(text.rstrip())
    inner = aligned[start:end]
    return aligned[:start] + inner.realign(normalize(inner.text)) + aligned[end:]


def _prepare_numbers(aligned: AlignedText) -> AlignedText:
    """Write out or reshape the numbers that wetext would read wrongly."""
    return (
        aligned.sub(_MOBILE_WITH_GAPS, _phone_number)
        .sub(_THOUSANDS, _without_separators)
        .sub(_LONG_DIGITS, _digit_by_digit)
        .sub(_CODE, _digit_by_digit)
        .sub(_SHORT_RANGE, _range)
        .sub(_VERSION, _digit_by_digit)
        .sub(_VERSION_AFTER_LETTER, _digit_by_digit)
        .sub(_HYPHEN_BY_LETTER, " ")
        .sub(_MODEL_NUMBER, _digit_by_digit)
        .sub(_MODEL_NUMBER_APART, lambda match: match[1] + _spell(match[2], _DIGIT_NAMES))
    )


def _phone_number(match: re.Match[str]) -> str:
    country = "加八六" if match[1] else ""
    return country + _spell(match[2] + match[3] + match[4], _PHONE_DIGIT_NAMES)


def _range(match: re.Match[str]) -> str:
    """3-5次 is a range if it rises; wetext takes it for a subtraction."""
    return f"{match[1]}到{match[2]}" if int(match[1]) < int(match[2]) else match[0]


def _without_separators(match: re.Match[str]) -> str:
    return match[0].replace(",", "")


def _digit_by_digit(match: re.Match[str]) -> str:
    return _spell(match[0], _DIGIT_NAMES)


def _spell(digits: str, names: dict[str, str]) -> str:
    return "".join(names.get(char, "点" if char == "." else char) for char in digits)


def _name_symbols(aligned: AlignedText, english: bool) -> AlignedText:
    """Say what wetext left: symbols by name, inner dots as 点 or dot, single digits one by one."""
    names = _SYMBOL_NAMES_EN if english else _SYMBOL_NAMES_ZH
    less, more = (" less than ", " greater than ") if english else ("小于", "大于")
    named = aligned.sub(_COMPARISON, lambda match: less if match[1] == "<" else more)
    named = named.sub(_INNER_DOT, " dot " if english else "点")
    named = named.sub(_SYMBOL, lambda match: f" {names[match[0]]} " if english else names[match[0]])
    return named.map_chars(lambda char: _DIGIT_NAMES.get(char, char))
