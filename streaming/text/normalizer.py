"""Write out numbers, dates, units and symbols as words.

Input   a segment's text as it was written
Output  AlignedText of Hanzi, Latin words, punctuation and white space: no digit and no symbol is left
State   none after `warm_up`, which loads the rules of wetext (weighted transducers)
Unaware of pronunciation.

wetext decides how a number is read that no rule of chinese_numbers.py or english_numbers.py has read before;
the rules here decide what it is not asked: clauses without a digit, symbols that stand alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from wetext import Normalizer as WeTextNormalizer

from streaming.text.aligned import AlignedText
from streaming.text.chinese_numbers import DIGIT_NAMES, read_numbers
from streaming.text.cleaning import PLACES, clean, is_hanzi
from streaming.text.english_numbers import reshape_numbers

_CLAUSE = re.compile(r"[^，。！？；、\n]*[，。！？；、\n]?")
_CHINESE_RULES_NEEDED = re.compile(r"[\d√÷]|[一-鿿][IVXLC]|[IVX][型期级类度代世]")
# From the clause's first digit to its last, with what touches them and 4 Hanzi of context on either side.
_NUMBER_WINDOW = re.compile(r"[一-鿿]{0,4}[^一-鿿\d]*\d(?:.*\d)?[^一-鿿]*[一-鿿]{0,4}")
_ENGLISH_WORD = re.compile(r"(?<![\dA-Za-z])[A-Za-z]{2,}")  # the letters of 16GB are no word
_MONTH = re.compile(
    r"\b(?:January|February|March|April|May|June|July|August|September|October|November|December)\b"
)
_ENGLISH_RULES_NEEDED = re.compile(r"[\d$€£%&@+=]|\b(?:Mr|Mrs|Ms|Dr|Prof|St|vs|etc)\.|[A-Za-z] [IVXL]+\b")

_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")

# Read by name where wetext left them standing.
_SYMBOL_NAMES_ZH = {
    **{
        "+": "加",
        "=": "等于",
        "×": "乘",
        "÷": "除以",
        "±": "正负",
        "−": "负",
        "≈": "约等于",
        "≠": "不等于",
        "√": "根号",
        "∞": "无穷大",
    },
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
_URL_PATH = re.compile(r"\.[A-Za-z]{2,}(?P<n>(?:[/?#][^\s，。！？；、）]*)+)")
_PATH_NAMES_ZH = {"/": "斜杠", "?": "问号", "#": "井号", "-": "杠", "_": "下划线", ".": "点"}
_PATH_NAMES_EN = {"/": " slash ", "?": " question mark ", "#": " hash ", "-": " dash ", "_": " underscore "}
_FOR_RULES = {"\t": " ", "’": "'", "‘": "'"}  # characters that some rules have no way through
_COMPARISON = re.compile(r"(?<=[\dA-Za-z]) ?([<>]) ?(?=[\dA-Za-z])")


class Normalizer:
    """Turns written text into words. Thread-safe: the transducers are only read."""

    def __init__(self) -> None:
        self._chinese = _rules("zh")
        self._english = _rules("en")

    def warm_up(self) -> None:
        """Load and run the rules once, so that the first sentence does not pay for it."""
        _run_rules()

    def normalize(self, text: str | AlignedText) -> AlignedText:
        """Return the text in words, aligned with the original; may be empty. Never raises on any string."""
        aligned = clean(AlignedText.of(text).sub(PLACES, "") if isinstance(text, str) else text)
        english = is_english(aligned.text)
        if english and _ENGLISH_RULES_NEEDED.search(aligned.text):
            aligned = self._in_english(aligned)
        elif _CHINESE_RULES_NEEDED.search(aligned.text):
            aligned = self._in_chinese(aligned)
        return _name_symbols(aligned, english)

    def _in_chinese(self, aligned: AlignedText) -> AlignedText:
        """Numbers in Chinese, by clause and without far Hanzi: wetext's time grows with length."""
        prepared = read_numbers(aligned)
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
        prepared = reshape_numbers(aligned.sub(_THOUSANDS, _without_separators))
        return _around(prepared, self._english.normalize)


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
    """Tell whether numbers in this text are read in English: no Hanzi, and two Latin words or a month."""
    if any(map(is_hanzi, text)):
        return False
    return len(_ENGLISH_WORD.findall(text)) >= 2 or bool(_MONTH.search(text))


def _around(aligned: AlignedText, normalize: Callable[[str], str]) -> AlignedText:
    """Normalise what stands between leading and trailing white space, which wetext would strip."""
    text = aligned.text
    start = len(text) - len(text.lstrip())
    end = len(text.rstrip())
    inner = aligned[start:end].map_chars(lambda char: _FOR_RULES.get(char, char))
    try:
        normalized = normalize(inner.text)
    except AssertionError:  # how wetext says that its rules have no way through a text
        normalized = inner.text
    return aligned[:start] + inner.realign(normalized) + aligned[end:]


def _without_separators(match: re.Match[str]) -> str:
    return match[0].replace(",", "")


def _path(path: str, english: bool) -> str:
    """Read what follows a host name: only there a slash is said."""
    names = _PATH_NAMES_EN if english else _PATH_NAMES_ZH
    return "".join(names.get(char, char) for char in path.rstrip("/"))


def _name_symbols(aligned: AlignedText, english: bool) -> AlignedText:
    """Say what wetext left: symbols by name, inner dots as 点 or dot, single digits one by one."""
    names = _SYMBOL_NAMES_EN if english else _SYMBOL_NAMES_ZH
    less, more = (" less than ", " greater than ") if english else ("小于", "大于")
    aligned = aligned.sub(_URL_PATH, lambda match: _path(match["n"], english), "n")
    named = aligned.sub(_COMPARISON, lambda match: less if match[1] == "<" else more)
    named = named.sub(_INNER_DOT, " dot " if english else "点")
    named = named.sub(_SYMBOL, lambda match: f" {names[match[0]]} " if english else names[match[0]])
    return named.map_chars(lambda char: DIGIT_NAMES.get(char, char))
