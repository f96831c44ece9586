"""Fixed Mandarin sentences for measuring, no two of a run alike.

Input   a length in phones and the number of the repetition
Output  one sentence of that length: a template with the names of cities filled in
State   none

Every Mandarin syllable is two phones, so a sentence of 60 phones has 30 characters besides punctuation.
Templates and cities rotate: all texts of one length differ, from their first clause on, which keeps a
cache of phrases from beginning them. Later clauses without a city come back: RTF is measured without a cache.
"""

from __future__ import annotations

CITIES = (
    *("北京", "上海", "广州", "深圳", "杭州", "南京", "武汉", "成都", "西安", "重庆"),
    *("天津", "苏州", "青岛", "大连", "厦门", "长沙", "郑州", "沈阳", "昆明", "福州"),
    *("济南", "合肥", "南昌", "贵阳", "太原", "南宁", "海口", "兰州", "银川", "西宁"),
)

TEMPLATES: dict[int, tuple[str, ...]] = {
    20: (
        "{a}今天的天气很好吗？",
        "请帮我订去{a}的车票。",
        "我们明天早上去{a}玩。",
    ),
    60: (
        "{a}今天白天多云，气温零下五度，明天有小雪，出门请您带好雨伞和手套。",
        "从{a}开往{b}的列车就要出发了，请还没有上车的旅客尽快检票上车。",
        "您好，{a}酒店今晚还有三间空房，每晚的价格是四百元，需要现在预订吗？",
    ),
    150: (
        "{a}的春天来得比往年早些，湖边的柳树发了芽，公园里到处都是散步的老人和放风筝的孩子，"
        "卖花的姑娘推着小车从桥上走过，远处传来{b}口音的歌声，让人觉得时间也慢了下来。",
        "{a}到{b}的高速列车下个月起每天增加六趟，全程只要三个半小时，"
        "车上有安静车厢和餐车，买票的时候可以选择靠窗的座位，老人和学生还能享受优惠，欢迎大家提前在网上订票。",
        "昨天晚上{a}下了一场大雨，部分街道的积水很深，公交公司临时调整了十几条线路，"
        "从{b}飞来的航班也推迟了两个小时，气象台提醒大家今天尽量少出门，开车的朋友请减速慢行。",
    ),
}

DISTINCT_TEXTS = 3 * len(CITIES)
"""Repetitions per length before a text comes back."""
WARM_UP_TEXTS = 3
MAX_REPETITIONS = DISTINCT_TEXTS - WARM_UP_TEXTS


def warmed_up(repetitions: int) -> list[int]:
    """Return the repetitions to speak: a few to warm up, from the end of the list, then those to measure."""
    return [*range(MAX_REPETITIONS, DISTINCT_TEXTS), *range(repetitions)]


def sentence(phones: int, repetition: int) -> str:
    """Return the sentence of about `phones` phones (20, 60 or 150) for this repetition.

    Raises:
        KeyError: There are no sentences of this length.
    """
    templates = TEMPLATES[phones]
    turn, which = divmod(repetition, len(templates))
    return templates[which].format(a=CITIES[turn % len(CITIES)], b=CITIES[(turn + 7) % len(CITIES)])
