"""Take out of a text what nobody would say: markup, emoji, control characters.

Input   AlignedText of what a person or a language model wrote
Output  AlignedText of Hanzi, ASCII letters and digits, symbols that have a name, punctuation and white space
State   none
Unaware of numbers and pronunciation. Letters of scripts the frontend cannot read are left in place: the
frontend refuses them by name.
"""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction
from functools import lru_cache

from streaming.text.aligned import AlignedText

_URL_SCHEME = re.compile(r"(?i)(?<![A-Za-z0-9])(?:(?:https?|ftp)://(?:www\.)?|www\.(?=\w)|mailto:)")
_MARKDOWN_LINK = re.compile(r"!?\[([^\[\]\n]*)\]\([^()\n]*\)")
_LINE_MARKUP = re.compile(
    r"(?m)^[ \t]*(?:#{1,6}[ \t]+|>(?!\d)[ \t]*|[-*+][ \t]+|(?:[-*_][ \t]*){3,}$|```[^\n`]*$"
    r"|\|?[ \t]*:?-{3,}[-|: \t]*$)+"
)
_HTML_TAG = re.compile(r"</?[A-Za-z][^<>\n]*>|<!--[^\n]*?-->")
_INLINE_MARKUP = re.compile(r"`+|~~|\*(?!\d)|(?<!\d)\*|(?<![0-9A-Za-z])_+|_+(?![0-9A-Za-z])")
_TIMES = re.compile(r"(?<=\d) ?[*xX] ?(?=\d)")
_TABLE_BAR = re.compile(r"[ \t]*\|[ \t]*")
_WIFI = re.compile(r"(?i)(?<![a-z])wi-fi(?![a-z])")  # one word; other hyphens part words
_SNAKE_CASE = re.compile(r"_+")
_REPEATED_HANZI_MARK = re.compile(r"(?<=([㐀-䶿一-鿿]))々")

# Symbols that a later stage says by name; all others of their categories are dropped.
NAMED_SYMBOLS = frozenset("+=×÷±≈≠≤≥<>~℃℉°$￥¥€£%‰²³−√∞")
_KEPT_AS_THEY_ARE = frozenset("，。！？；：、“”‘’（）《》〈〉【】「」『』〔〕…—～·\n\t々〇℃℉²³°￥¥")
_GREEK_NAMES = dict(
    pair.split("=")
    for pair in """
    α=阿尔法 β=贝塔 γ=伽马 δ=德尔塔 ε=艾普西隆 ζ=泽塔 η=伊塔 θ=西塔 ι=约塔 κ=卡帕 λ=兰姆达 μ=缪 ν=纽 ξ=克西
    ο=奥米克戎 π=派 ρ=柔 σ=西格玛 ς=西格玛 τ=陶 υ=宇普西隆 φ=斐 χ=希 ψ=普西 ω=欧米伽
    """.split()
)
# Characters that stand for words with readings of their own (streaming/text/lexicon.py).
FIRST_PLACE, LAST_PLACE = "\ue000", "\ue3ff"
PLACES = re.compile(f"[{FIRST_PLACE}-{LAST_PLACE}]")
_LATIN_NAME = re.compile(r"LATIN (?:SMALL|CAPITAL) (?:LETTER|LIGATURE) ([A-Z]{1,2})\b")


def clean(text: AlignedText) -> AlignedText:
    """Return the text without markup and unspeakable characters, in plain letters; never raises."""
    plain = text.map_chars(_plain)
    plain = plain.sub(_REPEATED_HANZI_MARK, lambda match: match[1])
    plain = plain.keep(_MARKDOWN_LINK).sub(_TIMES, "×")
    plain = plain.sub(_URL_SCHEME, "").sub(_HTML_TAG, "").sub(_LINE_MARKUP, "").sub(_INLINE_MARKUP, "")
    return plain.sub(_WIFI, "wifi").sub(_TABLE_BAR, "，").sub(_SNAKE_CASE, " ")


def is_hanzi(char: str) -> bool:
    """Tell whether a character is a Chinese character (with 〇)."""
    return (
        "一" <= char <= "鿿"
        or "㐀" <= char <= "䶿"
        or "豈" <= char <= "﫿"
        or "\U00020000" <= char <= "\U0003ffff"
        or char == "〇"
    )


def is_latin(char: str) -> bool:
    """Tell whether a character is an ASCII letter, which all Latin letters are after cleaning."""
    return char.isascii() and char.isalpha()


@lru_cache(maxsize=4096)
def _plain(char: str) -> str:
    """Return a character in the plain form the frontend reads, or "" for what is not speakable."""
    if char.isascii():
        return char if char.isprintable() or char in "\n\t" else " " if char in "\r\v\f" else ""
    if FIRST_PLACE <= char <= LAST_PLACE:
        return char  # stands for a word with a reading of its own; a text's own were taken out before
    if char in _KEPT_AS_THEY_ARE or (is_hanzi(char) and not "豈" <= char <= "﫿"):
        return char
    category = unicodedata.category(char)
    if category in {"Zs", "Zl", "Zp"}:
        return "\n" if category != "Zs" else " "
    if category in {"Cc", "Cf", "Cs", "Co", "Cn", "Mn", "Me", "Sk"}:
        return ""
    return _compatible(char, category)


def _compatible(char: str, category: str) -> str:
    """Full-width, circled, ligature, accented, Greek and Roman-numeral characters in plain ones."""
    if char in NAMED_SYMBOLS:
        return char
    if category in {"Nl", "No", "Nd"}:
        value = Fraction(unicodedata.numeric(char)).limit_denominator(100)
        apart = " " if category == "No" and value.denominator == 1 else ""  # ①② are two numbers, not twelve
        return f"{apart}{value}"
    folded = "m²" if char == "㎡" else unicodedata.normalize("NFKC", char)
    if folded != char and all(part.isascii() or part == "²" or is_hanzi(part) for part in folded):
        return folded
    base = "".join(part for part in unicodedata.normalize("NFKD", char) if not unicodedata.combining(part))
    if base and base.isascii():
        return base
    if char.lower() in _GREEK_NAMES:
        return _GREEK_NAMES[char.lower()]
    latin = _LATIN_NAME.match(unicodedata.name(char, ""))
    if latin is not None:
        return latin[1] if char.isupper() else latin[1].lower()
    if category.startswith("L") or char in NAMED_SYMBOLS or category.startswith("P"):
        return char
    return ""
