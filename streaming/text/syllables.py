"""Spell syllables in the voice's phones: Mandarin from pinyin, English from ARPAbet.

Input   one pinyin syllable with tone digit (`zher4`, `lv3`), or an ARPAbet word (`W AY1 . F AY0`)
Output  Syllable: phones and tone name
State   none
Unaware of characters, words, sandhi and ids. The rules reproduce the 661 entries (411 plain syllables and 250
with erhua) of the KAN-TTS PinYin syllable table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from streaming.errors import UnspeakableTextError

NEUTRAL_TONE = 5

# Longest first, so that `zh` is found before `z`.
_INITIALS = tuple("zh ch sh b p m f d t n l g k h j q x r z c s y w".split())
_VELAR_FINALS = "a ai an ang ao e ei en eng ong ou u ua uai uan uang ui un uo"
_PALATAL_FINALS = "i ia ian iang iao ie in ing iong iu v van ve vn"
_ZH_FINALS = "a ai an ang ao e ei en eng i ong ou u ua uai uan uang ui un uo"
_Z_FINALS = "a ai an ang ao e ei en eng i ong ou u uan ui un uo"
_FINALS_BY_INITIAL = {
    "b": "a ai an ang ao ei en eng i ian iao ie in ing o u",
    "p": "a ai an ang ao ei en eng i ian iao ie in ing o ou u",
    "m": "a ai an ang ao e ei en eng i ian iao ie in ing iu o ou u",
    "f": "a an ang ei en eng o ou u",
    "d": "a ai an ang ao e ei en eng i ia ian iao ie ing iu ong ou u uan ui un uo",
    "t": "a ai an ang ao e ei eng i ian iao ie ing ong ou u uan ui un uo",
    "n": "a ai an ang ao e ei en eng i ian iang iao ie in ing iu ong ou u uan un uo v ve",
    "l": "a ai an ang ao e ei eng i ia ian iang iao ie in ing iu o ong ou u uan un uo v ve",
    "g": _VELAR_FINALS,
    "k": _VELAR_FINALS,
    "h": _VELAR_FINALS,
    "j": _PALATAL_FINALS,
    "q": _PALATAL_FINALS,
    "x": _PALATAL_FINALS,
    "zh": _ZH_FINALS,
    "ch": _ZH_FINALS.replace(" ei ", " "),
    "sh": _ZH_FINALS.replace(" ong ", " "),
    "r": "an ang ao e en eng i ong ou u uan ui un uo",
    "z": _Z_FINALS,
    "c": _Z_FINALS.replace(" ei ", " "),
    "s": _Z_FINALS.replace(" ei ", " "),
    "y": "a an ang ao e i in ing o ong ou v van ve vn",
    "w": "a ai an ang ei en eng o u",
    "": "a ai an ang ao e ei en eng er o ou",
}
PLAIN_SYLLABLES: frozenset[str] = frozenset(
    initial + final for initial, finals in _FINALS_BY_INITIAL.items() for final in finals.split()
)
_ERHUA_FINALS = frozenset(
    """
    air angr anr aor ar eir engr enr er iangr ianr iaor iar ier ihr iir ingr inr iongr iour ir ongr or our
    uair uangr uanr uar ueir uenr uor ur vanr ver vnr vr
    """.split()
)
_FULL_FINALS = {"ui": "uei", "un": "uen", "iu": "iou"}
_ZERO_ONSETS = {"a": "ga", "e": "ge", "o": "go"}
_ARPABET_VOWELS = frozenset("aa ae ah ao aw ay eh er ey ih iy ow oy uh uw".split())
_ARPABET_CONSONANTS = frozenset("b ch d dh f g hh jh k l m n ng p r s sh t th v w y z zh".split())

_TONED = re.compile(r"([a-z]+)([1-6]?)([1-6])\Z")


@dataclass(frozen=True, slots=True)
class Syllable:
    """One syllable as the voice speaks it.

    Attributes:
        phones: In order; never empty.
        tone_name: `tone1`..`tone5` for Mandarin (5 neutral), `tone1` or `tone0` for stressed and other
            English.
        spelling: What it was made from: pinyin with its tone digit, or ARPAbet.
    """

    phones: tuple[str, ...]
    tone_name: str
    spelling: str = ""


def split_tone(pinyin: str) -> tuple[str, int]:
    """Split `zher4` into `("zher", 4)`, with ü as `v` in all spellings and the tone as 1 to 5 (5 neutral).

    Accepts `ü`, `u:` and plain `u` after j q x y; tone 6 is read as 2 and `35` as 5 as in the KAN-TTS
    corpora; `ng` (嗯) is read as `en`.

    Raises:
        UnspeakableTextError: Not letters followed by a tone digit.
    """
    spelled = pinyin.lower().replace("u:", "v").replace("ü", "v")
    match = _TONED.match(spelled)
    if match is None or (match[2] and match[3] != "5"):
        raise UnspeakableTextError(f"{pinyin!r} is not pinyin with a tone digit 1 to 5")
    base = "en" if match[1] == "ng" else match[1]
    if base[0] in "jqxy" and base[1:2] == "u":
        base = f"{base[0]}v{base[2:]}"
    tone = int(match[3])
    return base, 2 if tone == 6 else tone


def is_syllable(base: str) -> bool:
    """Tell whether `base` (no tone, ü as v) is one of the 411 plain syllables or an erhua form of one."""
    return base in PLAIN_SYLLABLES or _is_erhua(base)


def mandarin_syllable(pinyin: str) -> Syllable:
    """Spell a pinyin syllable such as `zher4`, `xiong2` or `lv3` in phones.

    Raises:
        UnspeakableTextError: Malformed, or not a syllable of Mandarin.
    """
    base, tone = split_tone(pinyin)
    if base in PLAIN_SYLLABLES:
        phones = _phones(base, "")
    elif _is_erhua(base):
        phones = _phones(base[:-1], "r")
    else:
        raise UnspeakableTextError(f"{pinyin!r} is not a syllable of Mandarin")
    return Syllable(phones, f"tone{tone}", f"{base}{tone}")


def english_syllables(arpabet: str) -> tuple[Syllable, ...]:
    """Spell an ARPAbet word in phones; syllables are parted by ` . `, stress digits stand on the vowels.

    A syllable's tone is the stress of its vowel: 1 gives tone1; 0, 2 and none give tone0.

    Raises:
        UnspeakableTextError: A symbol is not ARPAbet, or a syllable is empty.
    """
    return tuple(_english_syllable(part.split(), arpabet) for part in arpabet.split("."))


def _english_syllable(symbols: list[str], word: str) -> Syllable:
    if not symbols:
        raise UnspeakableTextError(f"ARPAbet word {word!r} has an empty syllable")
    phones: list[str] = []
    stressed = False
    for symbol in symbols:
        phone = symbol.lower().rstrip("012")
        marked = len(phone) < len(symbol)
        if not (phone in _ARPABET_VOWELS or (phone in _ARPABET_CONSONANTS and not marked)):
            raise UnspeakableTextError(f"{symbol!r} in {word!r} is not an ARPAbet symbol")
        phones.append(phone)
        stressed = stressed or symbol.endswith("1")
    return Syllable(tuple(phones), "tone1" if stressed else "tone0", " ".join(symbols))


def _is_erhua(base: str) -> bool:
    if not base.endswith("r") or base[:-1] not in PLAIN_SYLLABLES:
        return False
    _, final = _initial_and_final(base[:-1])
    return f"{final}r" in _ERHUA_FINALS


def _initial_and_final(plain: str) -> tuple[str, str]:
    initial = next((name for name in _INITIALS if plain.startswith(name)), "")
    final = plain[len(initial) :]
    if final == "i" and initial in {"zh", "ch", "sh", "r"}:
        return initial, "ih"
    if final == "i" and initial in {"z", "c", "s"}:
        return initial, "ii"
    return initial, _FULL_FINALS.get(final, final)


def _phones(plain: str, erhua: str) -> tuple[str, str]:
    initial, final = _initial_and_final(plain)
    spelled = "xx" if initial == "x" else initial
    onset = f"{spelled}_c" if spelled else _ZERO_ONSETS[final[0]]
    return onset, f"{final}{erhua}_c"
