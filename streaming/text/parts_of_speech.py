"""What kind of word a word is, as far as the rule for pauses asks.

Input   the word dictionary's text: a word, its frequency and its tag on each line; later a word
Output  its kind, one of the letters below
State   none; the table is the caller's
Unaware of context: a word is what it is most often.

The tags are jieba's. Where they are of no use (可以 is a conjunction there) or too coarse, the lists here
decide. The kinds:

    n noun, and all that is unknown    r personal pronoun    h this, that, each    m number    q measure word
    t time    f place word after a noun (里, 以后)    a adjective    p preposition    c conjunction
    v verb    w verb of one syllable    g verb used as a noun    e what completes a verb (完, 到, 一下)
    d adverb    s adverb or auxiliary of one syllable    k and, or (between words)    u particle
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_LISTED = {
    word: kind
    for kind, words in (
        line.split(maxsplit=1)
        for line in """
    r 我 你 您 他 她 它 咱 我们 你们 您们 他们 她们 它们 咱们 自己 大家 人家 谁 i you he she it we they
    h 这 那 哪 每 各 该 某 本 此 另 这个 那个 哪个 每个 这些 那些 这种 那种 这家 这次 这位 那位 这几 几
    h the a an this that
    s 也 都 就 才 再 还 又 却 更 最 很 太 不 没 别 刚 先 正 曾 已 将 要 能 会 可 应 该 想 并 均 仅 未 非 所 无
    d 可以 能够 应该 应当 必须 没有 不要 不能 不会 无法 一起 一直 一边 一样 越来越 有点
    d 才能 就要 将要 想要 不太 是否 同比 环比
    p 在 从 对 向 把 被 让 给 为 由 以 按 用 比 就 于 跟 同 随着 根据 通过 关于
    p 对于 为了 由于 经过 除了 按照 in on at of to for from with by
    c 但 但是 而 而且 并且 以及 或者 因为 所以 如果 要是 虽然 不过 然后 于是 因此
    c 否则 只要 只有 即使 不管 还是 后来 but when if because which
    k 和 与 及 或 and or
    e 完 掉 到 住 见 成 出 起 起来 出来 下来 下去 上来 上去 回来 回去 过来 过去 清楚
    e 一下 一点 一些 一会儿 一遍
    w 是 有 is are was were
    f 里 上 下 中 内 外 前 后 时 间 旁 边 以后 之后 以前 之前 以上 以下 之间 旁边 里面
    f 上面 期间 以来 时候 的话
    n 收入 通知 现场
    t 上午 下午 晚上 早上 凌晨 中午 周末 昨晚 今晚 明早 小时候 同时 平时 目前
    """.strip().splitlines()
    )
    for word in words.split()
}
_OF_TAG = {
    "r": "h", "m": "m", "mq": "m", "q": "q", "t": "t", "f": "f", "v": "v", "vn": "g", "vd": "v",
    "vi": "v", "vq": "v", "a": "a", "b": "a", "z": "a", "ad": "d", "d": "d", "p": "p", "c": "c", "y": "u",
    "uj": "u", "ul": "u", "uz": "u", "ug": "u", "ud": "u", "uv": "u", "u": "u",
}  # fmt: skip
_TAGGED = re.compile(rf"^(\S{{1,4}}) \d+ ({'|'.join(_OF_TAG)})$", re.MULTILINE)
_SHORT_OF = {"v": "w", "g": "w", "d": "s", "c": "s"}  # kinds that words of one character have another of
_DATE = re.compile("[前第]?[零〇一二两三四五六七八九十]+(?:月|日|号|点|分|季度)")
_NUMBER = re.compile("[第前数几]?[零〇一二两三四五六七八九十百千万亿半点之分]+.?")


def read_table(dictionary: str) -> dict[str, str]:
    """Return the kinds of the dictionary's words that are no nouns and no longer than four characters."""
    return {word: _OF_TAG[tag] for word, tag in _TAGGED.findall(dictionary)}


def kind_of(word: str, table: Mapping[str, str]) -> str:
    """Return the kind of a word without its particles."""
    listed = _LISTED.get(word)
    if listed is not None:
        return listed
    if _DATE.fullmatch(word):
        return "t"
    kind = table.get(word) or ("m" if _NUMBER.fullmatch(word) else "n")
    return _SHORT_OF.get(kind, kind) if len(word) == 1 else kind
