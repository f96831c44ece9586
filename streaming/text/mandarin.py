"""Cut Hanzi into words and give every character its citation reading.

Input   a run of Hanzi
Output  LexicalWord, in order: characters and readings, erhua merged
State   the jieba dictionary, read once per process by `warm_up`, and a bounded memo of words
Unaware of punctuation, numbers, prosody and sandhi.

The dictionaries are jieba's (words) and pypinyin's (readings); the small tables here correct them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from pypinyin import Style, lazy_pinyin
from pypinyin.phrases_dict import phrases_dict
from wetext import Normalizer as WeTextNormalizer

from streaming.errors import UnspeakableTextError
from streaming.text.parts_of_speech import kind_of, read_table
from streaming.text.polyphones import readings_in_context
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
    明白=ming2_bai5 告诉=gao4_su5 认识=ren4_shi5 意思=yi4_si5 先生=xian1_sheng5 衣服=yi1_fu5 消息=xiao1_xi5
    知道=zhi1_dao4 谢谢=xie4_xie5 喜欢=xi3_huan5 清楚=qing1_chu5 漂亮=piao4_liang5 舒服=shu1_fu5
    便宜=pian2_yi5 觉得=jue2_de5 记得=ji4_de5 晚上=wan3_shang5 早上=zao3_shang5 看着=kan4_zhe5
    看著=kan4_zhe5 朝阳=chao2_yang2 一行=yi1_hang2 两行=liang3_hang2 行业=hang2_ye4 好不好=hao3_bu5_hao3
    看不见=kan4_bu5_jian4 为什么=wei4_shen2_me5 没关系=mei2_guan1_xi5 关系=guan1_xi5 事情=shi4_qing5
    休息=xiu1_xi5 学生=xue2_sheng5 医生=yi1_sheng1 大夫=dai4_fu5 打算=da3_suan5 多少=duo1_shao5 客气=ke4_qi5
    名字=ming2_zi5 数数=shu3_shu4 为了=wei4_le5 都市=du1_shi4 大都=da4_du1 首都=shou3_du1 商量=shang1_liang5
    开花结果=kai1_hua1_jie1_guo3 用尽=yong4_jin4 卷子=juan4_zi5 猪圈=zhu1_juan4 羊圈=yang2_juan4
    都市=du1_shi4 时差=shi2_cha1 明了=ming2_liao3 卜算=bu3_suan4 明了易懂=ming2_liao3_yi4_dong3
    流血=liu2_xue4 衣着=yi1_zhuo2 穿着打扮=chuan1_zhuo2_da3_ban5 强迫=qiang3_po4 勉强=mian3_qiang3
    倔强=jue2_jiang4 应用=ying4_yong4 供给=gong1_ji3 处方=chu3_fang1 呕吐=ou3_tu4 谈吐=tan2_tu3
    模样=mu2_yang4 模具=mu2_ju4 内脏=nei4_zang4 记载=ji4_zai3 载重=zai4_zhong4 创伤=chuang1_shang1
    埋怨=man2_yuan4 恐吓=kong3_he4 呜咽=wu1_ye4 旋风=xuan4_feng1 屏住=bing3_zhu4 曝光=bao4_guang1
    堵塞=du3_se4 边塞=bian1_sai4 投奔=tou2_ben4 湖泊=hu2_po1 萝卜=luo2_bo5 薄荷=bo4_he5 地壳=di4_qiao4
    炮制=pao2_zhi4 漂白=piao3_bai2 散文=san3_wen2 懒散=lan3_san3 弯曲=wan1_qu1 曲线=qu1_xian4
    花卷=hua1_juan3 试卷=shi4_juan4 劲敌=jing4_di2 押解=ya1_jie4 结实=jie1_shi5 角色=jue2_se4 主角=zhu3_jue2
    配角=pei4_jue2 投降=tou2_xiang2 间接=jian4_jie1 间隔=jian4_ge2 真假=zhen1_jia3 自给=zi4_ji3
    茶几=cha2_ji1 会计=kuai4_ji4 号叫=hao2_jiao4 喝彩=he4_cai3 夺冠=duo2_guan4 更新=geng1_xin1
    变更=bian4_geng1 树干=shu4_gan4 过分=guo4_fen4 成分=cheng2_fen4 理发=li3_fa4 头发=tou2_fa5 白发=bai2_fa4
    到处=dao4_chu4 好处=hao3_chu4 音调=yin1_diao4 协调=xie2_tiao2 暖和=nuan3_huo5 好奇=hao4_qi2
    睡觉=shui4_jiao4 午觉=wu3_jiao4 看守=kan1_shou3 有空=you3_kong4 积累=ji1_lei3 累计=lei3_ji4
    淹没=yan1_mo4 沉没=chen2_mo4 困难=kun4_nan5 难民=nan4_min2 宁可=ning4_ke3 店铺=dian4_pu4 卧铺=wo4_pu4
    一切=yi1_qie4 亲家=qing4_jia5 大厦=da4_sha4 少年=shao4_nian2 青少年=qing1_shao4_nian2
    舍不得=she3_bu5_de5 什锦=shi2_jin3 游说=you2_shui4 星宿=xing1_xiu4 一宿=yi1_xiu3 子弹=zi3_dan4
    炸弹=zha4_dan4 挑战=tiao3_zhan4 朝鲜=chao2_xian3 照相=zhao4_xiang4 首相=shou3_xiang4 削减=xue1_jian3
    剥削=bo1_xue1 校对=jiao4_dui4 兴奋=xing1_fen4 兴旺=xing1_wang4 要求=yao1_qiu2 答应=da1_ying5
    与会=yu4_hui4 参与=can1_yu4 晕车=yun4_che1 朝气=zhao1_qi4 正月=zheng1_yue4 中奖=zhong4_jiang3
    种子=zhong3_zi5 转圈=zhuan4_quan1 自转=zi4_zhuan4 传记=zhuan4_ji4 水浒传=shui2_hu3_zhuan4
    钻石=zuan4_shi2 作坊=zuo1_fang5 参差=cen1_ci1 西藏=xi1_zang4 宝藏=bao3_zang4 对称=dui4_chen4
    称心=chen4_xin1 畜牧=xu4_mu4 牲畜=sheng1_chu4 重担=zhong4_dan4 摔倒=shuai1_dao3 倒闭=dao3_bi4
    揣度=chuai3_duo2 恶心=e3_xin5 厌恶=yan4_wu4 仿佛=fang3_fu2 供品=gong4_pin3 勾当=gou4_dang4
    华山=hua4_shan1 划船=hua2_chuan2 济南=ji3_nan2 卡住=qia3_zhu4 效率=xiao4_lv4 郁闷=yu4_men4
    撒谎=sa1_huang3 撒种=sa3_zhong3 丧事=sang1_shi4 提防=di1_fang5 咽喉=yan1_hou2 咀嚼=ju3_jue2
    处理=chu3_li3 处境=chu3_jing4 看护=kan1_hu4 尽管=jin3_guan3 尽快=jin3_kuai4 不禁=bu4_jin1
    情不自禁=qing2_bu4_zi4_jin1 丢三落四=diu1_san1_la4_si4 鲜为人知=xian3_wei2_ren2_zhi1 背包=bei1_bao1
    背带=bei1_dai4 塞车=sai1_che1 闷热=men1_re4 蒙骗=meng1_pian4 粘贴=zhan1_tie1 症结=zheng1_jie2
    盛饭=cheng2_fan4 中毒=zhong4_du2 打中=da3_zhong4 看中=kan4_zhong4 种树=zhong4_shu4 种地=zhong4_di4
    包扎=bao1_za1 择菜=zhai2_cai4 任正非=ren2_zheng4_fei1 任达华=ren2_da2_hua2 解晓东=xie4_xiao3_dong1
    单田芳=shan4_tian2_fang1 仇英=qiu2_ying1 查良镛=zha1_liang2_yong1 曾国藩=zeng1_guo2_fan1 华佗=hua4_tuo2
    尉迟恭=yu4_chi2_gong1 尉迟=yu4_chi2 单于=chan2_yu2 吐蕃=tu3_bo1 龟兹=qiu1_ci2 大宛=da4_yuan1
    月氏=yue4_zhi1 可汗=ke4_han2 身毒=yuan1_du2 冒顿=mo4_du2 阏氏=yan1_zhi1 六安=lu4_an1 台州=tai1_zhou1
    丽水=li2_shui3 亳州=bo2_zhou1 蚌埠=beng4_bu4 东阿=dong1_e1 番禺=pan1_yu2 乐清=yue4_qing1 大埔=da4_bu4
    铅山=yan2_shan1 洪洞=hong2_tong2 歙县=she4_xian4 浚县=xun4_xian4 涡阳=guo1_yang2 厦门=xia4_men2
    """.split()
    )
}
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
_EVEN_IN_WORDS = frozenset("着")  # rules for it are sharper than the dictionary (穿着讲究)
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
_NOT_WORDS = ("地站",)  # entries of the dictionary that tear others apart: 慢慢地站起来
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
        self._kinds: Mapping[str, str] = {}

    def warm_up(self) -> None:
        """Read the word dictionary (0.8 s, 80 MB; once per process)."""
        if self._cutter.initialized:
            return
        self._traditional = self._traditional_characters()
        self._kinds = _loaded_kinds()
        self._cutter = _loaded_cutter()

    def is_word(self, hanzi: str) -> bool:
        """Tell whether the dictionary has this word."""
        return bool(self._cutter.FREQ.get(hanzi))

    def kind(self, hanzi: str) -> str:
        """Return what kind of word it is, see parts_of_speech."""
        return kind_of(hanzi, self._kinds)

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
        in_context = dict(readings_in_context(plain))
        for cut in self._cut(plain, whole):
            readings = _with_erhua(_in_context(cut, position, in_context))
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
    for word in _NOT_WORDS:
        cutter.FREQ[word] = 0
    cutter.initialized = True
    return cutter


@cache
def _loaded_kinds() -> Mapping[str, str]:
    with jieba.dt.get_dict_file() as dictionary:
        return read_table(dictionary.read().decode())


def _in_context(word: str, start: int, in_context: Mapping[int, str]) -> Word:
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
        if piece in _PHRASES or piece in phrases_dict:
            return piece
    return word[position]


def _read_phrase(phrase: str) -> tuple[str, ...]:
    return _PHRASES.get(phrase) or tuple(_pypinyin(phrase))


def _read_char(char: str, position: int, word: str) -> str:
    if position and char in _NON_INITIAL_CHARS and len(word) > 2:
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
