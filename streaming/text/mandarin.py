"""Cut Hanzi into words and give every character its citation reading.

Input   a run of Hanzi
Output  LexicalWord, in order: characters and readings, erhua merged
State   the jieba dictionary, read once per process by `warm_up`, and a bounded memo of words
Unaware of punctuation, numbers, prosody and sandhi.

The dictionaries are jieba's (words) and pypinyin's (readings); phrases.py and the small tables here correct
them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from pypinyin import Style, lazy_pinyin
from pypinyin.phrases_dict import phrases_dict
from wetext import Normalizer as WeTextNormalizer

from streaming.errors import UnspeakableTextError
from streaming.text.parts_of_speech import kind_of, read_table
from streaming.text.phrases import PHRASES
from streaming.text.polyphones import STRUCTURAL, particle_reading, readings_in_context
from streaming.text.reading_model import ReadingModel, Seen, load
from streaming.text.sandhi import Reading, Word
from streaming.text.syllables import is_syllable, split_tone

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # jieba 0.42 imports the deprecated pkg_resources where it is installed
    import jieba

_CHARS = dict(
    entry.split("=")
    for entry in """
    一=yi1 不=bu4 嗯=en4 谁=shei2 长=chang2 调=tiao2 挣=zheng4 似=si4 曲=qu3 倒=dao4
    幢=zhuang4 咯=lo5 喽=lou5 啊=a5 〇=ling2 呣=mu2 嘸=mu2 唔=wu2 噷=heng1 覅=fo4 呒=mu2 哼=heng1
    """.split()
)
# Characters that are read otherwise by themselves than in most words.
_ALONE = {
    "教": "jiao1",
    "脏": "zang1",
    "嚼": "jiao2",
    "削": "xiao1",
    "切": "qie1",
    "剥": "bao1",
    "薄": "bao2",
}
# Rules for these are sharper than the dictionary: 穿着讲究, 问题|得分|两种, 大|难过|后, 极端|分子, 琢磨|玉石.
_EVEN_IN_WORDS = frozenset("着得难分觉琢行")
_COMPLEMENTS = frozenset(
    "去来起了见到完好动住上下开出得及过掉清懂着定多够透"
)  # what may follow 不 after a verb
# Words in which 儿 is "child" and keeps its own syllable.
_FULL_ER = frozenset(
    """
    女儿 婴儿 幼儿 孤儿 胎儿 少儿 健儿 男儿 宠儿 弃儿 患儿 小儿 生儿 产儿 血儿 育儿
    托儿 孙儿 侄儿 妻儿 我儿 吾儿 娇儿 新儿 幸儿 """.split()
)
_NON_INITIAL_CHARS = {"得": "de5", "地": "di4", "着": "zhe5", "了": "le5", "的": "de5", "们": "men5"}
_PARTICLES = frozenset("地得的了着")  # begin no word that the dictionary lacks: 高兴|地笑, not 地笑
_RARE_WORD = 5  # frequency of our phrases that the word dictionary lacks: less than that of common neighbours
_LONGEST_WORD = 4  # characters; longer entries of the word dictionary are names of several spoken words
_LONGEST_PHRASE = 8  # characters; longer entries of the phrase dictionary are proverbs jieba cuts anyway


@dataclass(frozen=True, slots=True)
class LexicalWord:
    """A word of the run.

    Attributes:
        text: Its characters.
        start: Offset of the word in the run.
        readings: Syllables with citation tones; an erhua syllable holds two characters.
    """

    text: str
    start: int
    readings: Word


class MandarinReader:
    """Cuts and reads Hanzi. Thread-safe once warm; `warm_up` may be called more than once.

    Args:
        load_model: Gives the model that chooses among readings; None leaves it to dictionaries and rules.
    """

    def __init__(self, load_model: Callable[[], ReadingModel | None] = load) -> None:
        self._load_model = load_model
        self._cutter = jieba.Tokenizer()
        self._simplifier = WeTextNormalizer(lang="zh", operator="tn", traditional_to_simple=True)
        self._traditional: frozenset[str] = frozenset()
        self._model: ReadingModel | None = None

    def warm_up(self) -> None:
        """Read the word dictionary and the model of readings (1 s, 100 MB; once per process)."""
        if self._cutter.initialized:
            return
        self._traditional = self._traditional_characters()
        _loaded_kinds()
        self._model = self._load_model()
        self._cutter = _loaded_cutter()

    def is_word(self, hanzi: str) -> bool:
        """Tell whether the dictionary has this word."""
        return bool(self._cutter.FREQ.get(hanzi))

    def kind(self, hanzi: str) -> str:
        """Return what kind of word it is, see parts_of_speech."""
        return _kind(hanzi)

    def read(self, run: str, whole: Sequence[slice] = (), before: str = "") -> list[LexicalWord]:
        """Return the words of a run of Hanzi; traditional characters are looked up in simplified ones.

        Args:
            run: Hanzi only.
            whole: Ascending spans that are words whatever the dictionary has (written-out numbers).
            before: The word that the run follows without a pause, if it is not Hanzi or has its reading.

        Raises:
            UnspeakableTextError: A character has no known reading.
        """
        plain = self._simplified(run)
        words: list[LexicalWord] = []
        position = 0
        cuts = list(self._cut(plain, whole))
        for cut, spoken in zip(cuts, self._read_cuts(plain, cuts, before), strict=True):
            readings = _with_erhua(spoken)
            if cut == "儿" and words and (merged := _erhua(words[-1].readings[-1], readings[0])) is not None:
                host = words.pop()
                readings = (*host.readings[:-1], merged)
                words.append(LexicalWord(run[host.start : position + 1], host.start, readings))
            else:
                words.append(LexicalWord(run[position : position + len(cut)], position, readings))
            position += len(cut)
        return words

    def seen(self, run: str, whole: Sequence[slice] = (), before: str = "") -> Seen:
        """Return what the model of readings sees of a run in simplified characters; arguments as `read`."""
        cuts = list(self._cut(run, whole))
        return self._seen(cuts, _by_rules(run, cuts, before), before)

    def _read_cuts(self, plain: str, cuts: Sequence[str], before: str) -> list[Word]:
        by_rules = _by_rules(plain, cuts, before)
        if self._model is None:
            return by_rules
        chosen = dict(self._model.readings(self._seen(cuts, by_rules, before)))
        return by_rules if not chosen else _replaced(by_rules, chosen, len(before))

    def _seen(self, cuts: Sequence[str], words: Sequence[Word], before: str) -> Seen:
        known = [before] if before else []
        return Seen(
            [*known, *cuts],
            [*before, *(reading.pinyin for word in words for reading in word)],
            [*(False for _ in before), *(at in _free_places(cut) for cut in cuts for at in range(len(cut)))],
            self.kind,
            self.is_word,
        )

    def _cut(self, plain: str, whole: Sequence[slice]) -> Iterator[str]:
        position = 0
        for span in [*whole, slice(len(plain), len(plain))]:
            for word in self._cutter.cut(plain[position : span.start]):
                if len(word) > 1 and word[0] in _PARTICLES and not self.is_word(word):
                    yield word[0]
                    yield word[1:]
                elif len(word) <= _LONGEST_WORD or word in phrases_dict:
                    yield word
                else:
                    yield from self._cut_long(word)
            if span.start < span.stop:
                yield plain[span]
            position = span.stop

    def _cut_long(self, word: str) -> Iterator[str]:
        """Cut a long name (中国科学院计算技术研究所) into the longest short words from its start."""
        position = 0
        while position < len(word):
            ends = range(min(len(word), position + _LONGEST_WORD), position, -1)
            end = next((end for end in ends if self.is_word(word[position:end])), position + 1)
            yield word[position:end]
            position = end

    def _simplified(self, run: str) -> str:
        """Return the run in simplified characters, one for one; unchanged if that is not possible."""
        if self._traditional.isdisjoint(run):
            return run
        plain = self._simplifier.normalize(run)
        return plain if len(plain) == len(run) else run

    def _traditional_characters(self) -> frozenset[str]:
        block = "".join(map(chr, range(0x4E00, 0x9FA6)))
        plain = self._simplifier.normalize(block)
        if len(plain) != len(block):
            return frozenset(block)  # a table that is not one for one: ask it about every run
        return frozenset(old for old, new in zip(block, plain, strict=True) if old != new)


@cache
def _loaded_cutter() -> jieba.Tokenizer:
    """Return the cutter that all readers share.

    jieba's own initialisation is not used: it logs to stderr and keeps a cache file of a fixed name in the
    shared temporary folder, which another user could have put there.
    """
    cutter = jieba.Tokenizer()
    cutter.FREQ, cutter.total = cutter.gen_pfdict(cutter.get_dict_file())
    for phrase in PHRASES:
        if not cutter.FREQ.get(phrase):
            cutter.FREQ[phrase] = _RARE_WORD
            for end in range(1, len(phrase)):
                cutter.FREQ.setdefault(phrase[:end], 0)  # how jieba knows that a longer word may follow
    cutter.initialized = True
    return cutter


@lru_cache(maxsize=16384)
def _kind(word: str) -> str:
    return kind_of(word, _loaded_kinds())


@cache
def _loaded_kinds() -> Mapping[str, str]:
    with jieba.dt.get_dict_file() as dictionary:
        return read_table(dictionary.read().decode())


def _by_rules(plain: str, cuts: Sequence[str], before: str) -> list[Word]:
    """Read the words of a run by the dictionaries and the rules for neighbours."""
    in_context = dict(readings_in_context(plain))
    words: list[Word] = []
    position = 0
    for index, cut in enumerate(cuts):
        readings = _with_neighbours(cut, position, in_context)
        if cut in STRUCTURAL:
            left = cuts[index - 1] if index else before
            right = cuts[index + 1] if index + 1 < len(cuts) else ""
            readings = (Reading(cut, particle_reading(cut, left, right, readings[0].pinyin)),)
        words.append(readings)
        position += len(cut)
    return words


def _replaced(words: Sequence[Word], chosen: Mapping[int, str], first: int) -> list[Word]:
    """Return the words with other readings; places count from `first`."""
    place = first
    replaced: list[Word] = []
    for word in words:
        if any(place + index in chosen for index in range(len(word))):
            word = tuple(
                Reading(reading.hanzi, chosen.get(place + index, reading.pinyin))
                for index, reading in enumerate(word)
            )
        replaced.append(word)
        place += len(word)
    return replaced


def _with_neighbours(word: str, start: int, in_context: Mapping[int, str]) -> Word:
    """Read a word; single characters in it that no phrase of the dictionary holds, as their context asks."""
    readings = _read_word(word)
    wanted = [place for place in range(start, start + len(word)) if place in in_context]
    if not wanted:
        return readings
    free = _free_places(word)
    return tuple(
        Reading(reading.hanzi, in_context[start + index])
        if start + index in wanted and (index in free or reading.hanzi in _EVEN_IN_WORDS)
        else reading
        for index, reading in enumerate(readings)
    )


@lru_cache(maxsize=4096)
def _free_places(word: str) -> frozenset[int]:
    """Return the places of a word that were read as single characters."""
    places: set[int] = set()
    position = 0
    while position < len(word):
        piece = _longest_phrase(word, position)
        if len(piece) == 1:
            places.add(position)
        position += len(piece)
    return frozenset(places)


@lru_cache(maxsize=16384)
def _read_word(word: str) -> Word:
    """Read a word: the longest phrase the dictionaries have at each place, else single characters."""
    readings: list[Reading] = []
    position = 0
    while position < len(word):
        piece = _longest_phrase(word, position)
        pinyin = _read_phrase(piece) if len(piece) > 1 else (_read_char(piece, position, word),)
        readings += map(Reading, piece, pinyin)
        position += len(piece)
    if len(word) == 3 and word[1] == "不" and word[2] in _COMPLEMENTS:
        readings[1] = Reading("不", "bu5")  # 数不清, 过不去
    return tuple(map(_citation, readings))


def _longest_phrase(word: str, position: int) -> str:
    for end in range(min(len(word), position + _LONGEST_PHRASE), position + 1, -1):
        piece = word[position:end]
        if piece in PHRASES or piece in phrases_dict:
            return piece
    return word[position]


def _read_phrase(phrase: str) -> tuple[str, ...]:
    return PHRASES.get(phrase) or tuple(_pypinyin(phrase))


def _read_char(char: str, position: int, word: str) -> str:
    if char == "地" and position == 2 and word[0] == word[1]:
        return "de5"  # 轻轻地, 悄悄地; 目的地 is a place
    if position and char in _NON_INITIAL_CHARS and (len(word) > 2 or char == "得"):
        return _NON_INITIAL_CHARS[char]
    if len(word) == 1 and char in _ALONE:
        return _ALONE[char]
    return _CHARS.get(char) or _pypinyin(char)[0]


def _pypinyin(text: str) -> list[str]:
    readings: list[str] = lazy_pinyin([text], style=Style.TONE3, neutral_tone_with_five=True)
    if len(readings) != len(text):
        raise UnspeakableTextError(f"no reading for {text!r}")
    return readings


def _citation(reading: Reading) -> Reading:
    """Undo the sandhi that phrase dictionaries hold for 一 and 不, and check that the syllable exists.

    Raises:
        UnspeakableTextError: The character has no reading, or one that Mandarin's syllable table lacks.
    """
    if reading.hanzi == "一":
        return Reading("一", "yi1")
    if reading.hanzi == "不" and not reading.pinyin.endswith("5"):
        return Reading("不", "bu4")
    for pinyin in (reading.pinyin, _CHARS.get(reading.hanzi, "")):
        try:
            base, tone = split_tone(pinyin)
        except UnspeakableTextError:
            continue  # pypinyin gives back a character it does not know
        if is_syllable(base):
            return Reading(reading.hanzi, f"{base}{tone}")
    raise UnspeakableTextError(f"no reading for {reading.hanzi!r} (U+{ord(reading.hanzi[0]):04X})")


def _with_erhua(readings: Word) -> Word:
    """Merge a final 儿 into the syllable before it, unless it means child."""
    if len(readings) < 2 or readings[-1].hanzi != "儿":
        return readings
    merged = _erhua(readings[-2], readings[-1])
    return readings if merged is None else (*readings[:-2], merged)


def _erhua(host: Reading, er: Reading) -> Reading | None:
    """Return host and 儿 as one r-coloured syllable, or None where that is no syllable or 儿 is its own."""
    base, tone = split_tone(host.pinyin)
    written = host.hanzi + er.hanzi
    if written[-2:] in _FULL_ER or base.endswith("r") or not is_syllable(f"{base}r"):
        return None
    return Reading(written, f"{base}r{tone}")
