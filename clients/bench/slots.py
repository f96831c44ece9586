"""Fill the slots of a text, so that no two fillings share a sentence.

Input   a text with slots such as {person}; the number of the variant
Output  the text
State   none
Every slot has more than VARIANTS values, and variant v takes value v·step + start of it, where the
step has no common divisor with their number: within a text, no value of a slot comes back in
VARIANTS variants. A sentence with a slot is therefore new each time, also for a server that keeps
spoken sentences. Nothing is random here, so the same variant is the same text everywhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from zlib import crc32

from clients.bench import slot_words as words

VARIANTS = 10_000
SLOT = re.compile(r"\{(\w+)\}")
STEP = 7919  # a prime: neighbouring variants look different


@dataclass(frozen=True, slots=True)
class Slot:
    """`size` values; `value(i)` is number i."""

    size: int
    value: Callable[[int], str]


def product(pattern: str, *parts: tuple[str, ...]) -> Slot:
    """Return the slot of all combinations of `parts`, put together by `pattern`."""

    def value(index: int) -> str:
        chosen = []
        for part in parts:
            index, place = divmod(index, len(part))
            chosen.append(part[place])
        return pattern.format(*chosen)

    return Slot(math.prod(len(part) for part in parts), value)


def _numbers(first: int, last: int, step: int = 1) -> tuple[str, ...]:
    return tuple(str(number) for number in range(first, last + 1, step))


def _padded(first: int, last: int) -> tuple[str, ...]:
    return tuple(f"{number:02d}" for number in range(first, last + 1))


SLOTS: Mapping[str, Slot] = {
    # Chinese
    "人": product("{}{}{}", words.SURNAMES, words.GIVEN_FIRST, words.GIVEN_LAST),
    "时间": product(
        "{}月{}号{}{}点{}分",
        _numbers(1, 12),
        _numbers(1, 28),
        words.DAY_PARTS,
        words.HOURS,
        _numbers(11, 59, 6),
    ),
    "价格": product("{}块{}毛{}", _numbers(12, 213), _numbers(1, 9), _numbers(1, 9)),
    "数量": product("{}{}", _numbers(101, 698), words.MEASURES),
    "地址": product("{}{}{}号", words.STREET_NAMES, words.STREET_KINDS, _numbers(2, 198, 3)),
    "路线": product("从{}到{}的{}", words.CITIES, words.TOWNS, words.RIDES),
    "物品": product("{}{}的{}", words.COLOURS, words.QUALITIES, words.THINGS),
    "书名": product("《{}{}的{}》", words.TITLE_FIRST, words.TITLE_MIDDLE, words.TITLE_LAST),
    "编号": product("{}{}{}", words.LETTERS, _numbers(2, 9), _numbers(10, 99)),
    "天气": product("{}{}度湿度百分之{}", words.SKIES, _numbers(3, 36), _numbers(31, 85)),
    "菜": product("{}{}配{}", words.TASTES, words.DISHES, words.SIDES),
    # English
    "person": product("{} {}", words.FIRST_NAMES, words.LAST_NAMES),
    "time": product("{} {} at {}:{}", words.MONTHS, _numbers(1, 28), _numbers(1, 12), _padded(11, 59)),
    "price": product("{} dollars and {} cents", _numbers(12, 213), _numbers(21, 99)),
    "count": product("{} {}", _numbers(101, 698), words.UNITS),
    "address": product("{} {} {}", _numbers(2, 198), words.STREETS, words.ROADS),
    "route": product("from {} to {} by {}", words.PLACES, words.PORTS, words.VEHICLES),
    "item": product("{} {} {}", words.COLOUR_WORDS, words.ADJECTIVES, words.NOUNS),
    "title": product("The {} {} of {}", words.TITLE_ADJECTIVES, words.TITLE_NOUNS, words.TITLE_PLACES),
    "code": product("{}{}{}", words.LETTERS, _numbers(2, 9), _numbers(10, 99)),
    "app": product("{} {} {}", words.APP_FIRST, words.APP_SECOND, words.APP_LAST),
}


def fill(text: str, variant: int) -> str:
    """Return `text` with its slots filled; braces that name no slot stay as they are."""
    place = 0

    def filled(match: re.Match[str]) -> str:
        nonlocal place
        slot = SLOTS.get(match[1])
        if slot is None:
            return match[0]
        place += 1
        start = crc32(f"{place}/{text}".encode())
        return slot.value((variant * _step(slot.size) + start) % slot.size)

    return SLOT.sub(filled, text)


def has_slots(text: str) -> bool:
    """Return whether filling changes anything."""
    return any(name in SLOTS for name in SLOT.findall(text))


def _step(size: int) -> int:
    step = STEP
    while math.gcd(step, size) != 1:
        step += 2
    return step
