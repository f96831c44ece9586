"""Cut Hanzi into words and give every character its citation reading.

Input   a run of Hanzi
Output  LexicalWord, in order: characters and readings, erhua merged
State   the jieba dictionary, read once per process by `warm_up`, and a bounded memo of words
Unaware of punctuation, numbers, prosody and sandhi.

The dictionaries are jieba's (words) and pypinyin's (readings); the small tables here correct them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from pypinyin import Style, lazy_pinyin
from pypinyin.phrases_dict import phrases_dict
from wetext import Normalizer as WeTextNormalizer

from streaming.errors import UnspeakableTextError
from streaming.text.sandhi import Reading, Word
from streaming.text.syllables import is_syllable, split_tone

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # jieba 0.42 imports the deprecated pkg_resources where it is installed
    import jieba

# Readings that pypinyin lacks, has in another sense, or lists without the neutral tone of speech.
_PHRASES = {
    phrase: tuple(pinyin.split("_"))
    for phrase, _, pinyin in (
        entry.partition("=")
        for entry in """
    行长=hang2_zhang3 银行=yin2_hang2 重庆=chong2_qing4 长大=zhang3_da4 还款=huan2_kuan3 还钱=huan2_qian2
    还书=huan2_shu1 还债=huan2_zhai4 归还=gui1_huan2 还给=huan2_gei3 朋友=peng2_you5 东西=dong1_xi5
    地方=di4_fang5 时候=shi2_hou5 什么=shen2_me5 怎么=zen3_me5 这么=zhe4_me5 那么=na4_me5 多么=duo1_me5
    明白=ming2_bai5 告诉=gao4_su5 认识=ren4_shi5 意思=yi4_si5 先生=xian1_sheng5 衣服=yi1_fu5
    消息=xiao1_xi5 知道=zhi1_dao4 谢谢=xie4_xie5 喜欢=xi3_huan5 清楚=qing1_chu5 漂亮=piao4_liang5
    舒服=shu1_fu5 便宜=pian2_yi5 觉得=jue2_de5 记得=ji4_de5 晚上=wan3_shang5 早上=zao3_shang5
    看着=kan4_zhe5 看著=kan4_zhe5 朝阳=chao2_yang2 一行=yi1_hang2 两行=liang3_hang2 行业=hang2_ye4
    好不好=hao3_bu5_hao3 看不见=kan4_bu5_jian4 为什么=wei4_shen2_me5 没关系=mei2_guan1_xi5 关系=guan1_xi5
    事情=shi4_qing5 休息=xiu1_xi5 学生=xue2_sheng5 医生=yi1_sheng1 大夫=dai4_fu5 打算=da3_suan5
    多少=duo1_shao5 客气=ke4_qi5 名字=ming2_zi5 数数=shu3_shu4 为了=wei4_le5 都市=du1_shi4 大都=da4_du1
    首都=shou3_du1
    """.split()
    )
}
_CHARS = dict(
    entry.split("=")
    for entry in """
    一=yi1 不=bu4 嗯=en4 谁=shei2 长=chang2 调=tiao2 教=jiao1 脏=zang1 挣=zheng4 似=si4 曲=qu3 倒=dao4
    咯=lo5 喽=lou5 啊=a5 〇=ling2 呣=mu2 嘸=mu2 唔=wu2 噷=heng1 覅=fo4 呒=mu2 哼=heng1
    """.split()
)
# Words in which 儿 is "child" and keeps its own syllable.
_FULL_ER = frozenset(
    """
    女儿 婴儿 幼儿 孤儿 胎儿 少儿 健儿 男儿 宠儿 弃儿 患儿 小儿 生儿 产儿 血儿 育儿
    托儿 孙儿 侄儿 妻儿 我儿 吾儿 娇儿 新儿 幸儿 """.split()
)
_NON_INITIAL_CHARS = {"得": "de5", "地": "di4", "着": "zhe5", "了": "le5", "的": "de5", "们": "men5"}
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
    """Cuts and reads Hanzi. Thread-safe once warm; `warm_up` may be called more than once."""

    def __init__(self) -> None:
        self._cutter = jieba.Tokenizer()
        self._simplifier = WeTextNormalizer(lang="zh", operator="tn", traditional_to_simple=True)
        self._traditional: frozenset[str] = frozenset()

    def warm_up(self) -> None:
        """Read the word dictionary (0.7 s, 70 MB; once per process)."""
        if self._cutter.initialized:
            return
        self._traditional = self._traditional_characters()
        self._cutter = _loaded_cutter()

    def is_word(self, hanzi: str) -> bool:
        """Tell whether the dictionary has this word."""
        return bool(self._cutter.FREQ.get(hanzi))

    def read(self, run: str, whole: Sequence[slice] = ()) -> list[LexicalWord]:
        """Return the words of a run of Hanzi; traditional characters are looked up in simplified ones.

        Args:
            run: Hanzi only.
            whole: Ascending spans that are words whatever the dictionary has (written-out numbers).

        Raises:
            UnspeakableTextError: A character has no known reading.
        """
        plain = self._simplified(run)
        words: list[LexicalWord] = []
        position = 0
        for cut in self._cut(plain, whole):
            readings = _with_erhua(_read_word(cut))
            if cut == "儿" and words and (merged := _erhua(words[-1].readings[-1], readings[0])) is not None:
                before = words.pop()
                readings = (*before.readings[:-1], merged)
                words.append(LexicalWord(run[before.start : position + 1], before.start, readings))
            else:
                words.append(LexicalWord(run[position : position + len(cut)], position, readings))
            position += len(cut)
        return words

    def _cut(self, plain: str, whole: Sequence[slice]) -> Iterator[str]:
        position = 0
        for span in [*whole, slice(len(plain), len(plain))]:
            for word in self._cutter.cut(plain[position : span.start]):
                if len(word) <= _LONGEST_WORD or word in phrases_dict:
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
    cutter.initialized = True
    return cutter


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
    return tuple(map(_citation, readings))


def _longest_phrase(word: str, position: int) -> str:
    for end in range(min(len(word), position + _LONGEST_PHRASE), position + 1, -1):
        piece = word[position:end]
        if piece in _PHRASES or piece in phrases_dict:
            return piece
    return word[position]


def _read_phrase(phrase: str) -> tuple[str, ...]:
    return _PHRASES.get(phrase) or tuple(_pypinyin(phrase))


def _read_char(char: str, position: int, word: str) -> str:
    if position and char in _NON_INITIAL_CHARS and len(word) > 2:
        return _NON_INITIAL_CHARS[char]
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
