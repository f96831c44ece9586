from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.text.segmenter import Segmenter, SegmentPolicy
from streaming.types import Segment

STORY = (
    "你好，欢迎使用语音合成服务。今天是2026年11月22日，气温零下5℃！“真的吗？！”他问……"
    'Version 2.3.1 of node.js costs $1,234.50, see https://a.com/b?c=d. He said "Hi!" Dr. Smith left...\n'
    "1. 苹果\n2. 香蕉\ud83d\ude00e\u0301。"
)
SMALL = SegmentPolicy(max_chars=20)


def feed(deltas: list[str], policy: SegmentPolicy | None = None) -> list[Segment]:
    segmenter = Segmenter(policy)
    segments = [segment for delta in deltas for segment in segmenter.push(delta)]
    return segments + segmenter.flush()


def texts(text: str, policy: SegmentPolicy | None = None) -> list[str]:
    return [segment.text for segment in feed([text], policy)]


# -- law: any cut of the text gives the same segments -----------------------------------------


@pytest.mark.parametrize("policy", [SegmentPolicy(), SMALL], ids=["default", "small"])
def test_every_cut_in_two_gives_the_same_segments(policy: SegmentPolicy) -> None:
    whole = feed([STORY], policy)
    for cut in range(len(STORY) + 1):
        assert feed([STORY[:cut], STORY[cut:]], policy) == whole


@pytest.mark.parametrize("policy", [SegmentPolicy(), SMALL], ids=["default", "small"])
def test_character_by_character_gives_the_same_segments(policy: SegmentPolicy) -> None:
    assert feed(list(STORY), policy) == feed([STORY], policy)


@settings(max_examples=300, deadline=None)
@given(
    text=st.text("你好吗的，。！？；…—”“\"()（）1.2,:;ab?!='/ \n\t\u0301\u200d\ud83d\udc00😀", max_size=120),
    cuts=st.lists(st.integers(0, 120), max_size=6),
)
def test_any_cuts_of_any_text_give_the_same_segments(text: str, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    deltas = [text[start:end] for start, end in itertools.pairwise(edges)]
    assert feed(deltas, SMALL) == feed([text], SMALL)


@settings(max_examples=200, deadline=None)
@given(st.text("你好，。！？ .,1a\n\u0301”", max_size=150))
def test_segments_are_slices_that_leave_out_white_space_only(text: str) -> None:
    done = 0
    for index, segment in enumerate(feed([text], SMALL)):
        assert segment.index == index
        assert segment.text == text[segment.char_start : segment.char_end] == segment.text.strip()
        assert not text[done : segment.char_start].strip()
        assert 1 <= len(segment.text) <= SMALL.max_chars
        done = segment.char_end
    assert not text[done:].strip()


# -- sentences --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("好的。明白！走吗？", ["好的。", "明白！", "走吗？"]),
        ("他说：“走吧。”然后走了。", ["他说：“走吧。”", "然后走了。"]),
        ("真的吗？！不会吧！！！好", ["真的吗？！", "不会吧！！！", "好"]),
        ("（完。）下一句", ["（完。）", "下一句"]),
        ('He said "Hi." Then left.', ['He said "Hi."', "Then left."]),
        ('好。"你来。"他说', ["好。", '"你来。"', "他说"]),
        ("**好。**下一句。", ["**好。**", "下一句。"]),
        ("第一行\n第二行\r\n\n第三行", ["第一行", "第二行", "第三行"]),
        ("Hello world. How are you? Fine!", ["Hello world.", "How are you?", "Fine!"]),
        ("Hello.你好", ["Hello.", "你好"]),
    ],
)
def test_a_sentence_ends_with_its_marks_and_closers(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "圆周率是3.14吧",
        "版本2.3.1和v1.0",
        "见https://a.com/b?c=d!e",
        "发到foo.bar@a.com吧",
        "Dr. Smith met Mr. Wu",
        "the U.S. army e.g. here",
        "1. 苹果",
        "a != b",
        "![图](a.png)",
        "我……不知道",
        "well... maybe",
        "用node.js写",
    ],
)
def test_marks_inside_numbers_names_and_addresses_end_nothing(text: str) -> None:
    assert texts(text) == [text]


def test_a_dot_is_held_until_the_next_character_tells_what_it_is() -> None:
    segmenter = Segmenter()
    assert segmenter.push("It is 3.") == []
    assert segmenter.push("14 today.") == []
    assert [segment.text for segment in segmenter.push(" ")] == ["It is 3.14 today."]


def test_a_full_stop_is_held_until_it_is_known_that_no_quote_closes() -> None:
    segmenter = Segmenter()
    assert segmenter.push("“走吧。") == []
    assert segmenter.push("”") == []
    assert [segment.text for segment in segmenter.push("他")] == ["“走吧。”"]


def test_a_line_break_ends_a_sentence_at_once() -> None:
    assert [segment.text for segment in Segmenter().push("第一行\n")] == ["第一行"]


def test_offsets_skip_white_space() -> None:
    assert feed(["  你好。  再见 "]) == [Segment(0, "你好。", 2, 5), Segment(1, "再见", 7, 9)]


@pytest.mark.parametrize("text", ["", " \n\t ", "\u3000"])
def test_white_space_alone_gives_nothing(text: str) -> None:
    assert feed([text]) == []


# -- first clause -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今天的天气真好，我们去公园吧，好吗。", ["今天的天气真好，", "我们去公园吧，好吗。"]),
        ("你好，欢迎使用我们的服务，请说话。", ["你好，欢迎使用我们的服务，请说话。"]),
        ("你好，欢迎使用我们的服务，请现在说话。", ["你好，欢迎使用我们的服务，", "请现在说话。"]),
        ("今天的天气真好，走吧。", ["今天的天气真好，走吧。"]),
        ("他大声地喊道：“我们出发吧！”", ["他大声地喊道：", "“我们出发吧！”"]),
        ("价格是1,234,567元左右吧", ["价格是1,234,567元左右吧"]),
        ("第一句话。今天的天气真好，我们去公园吧。", ["第一句话。", "今天的天气真好，我们去公园吧。"]),
    ],
)
def test_the_first_clause_is_spoken_early_if_it_and_what_follows_are_long_enough(
    text: str, expected: list[str]
) -> None:
    assert texts(text) == expected


def test_the_first_clause_comes_as_soon_as_enough_follows() -> None:
    segmenter = Segmenter()
    assert segmenter.push("今天的天气真好，我们去") == []
    assert [segment.text for segment in segmenter.push("公")] == ["今天的天气真好，"]


def test_latin_letters_count_a_third_of_a_hanzi() -> None:
    assert texts("Hello there, my friend is here") == ["Hello there, my friend is here"]
    assert texts("Hello there my dear old friend, how are you doing") == [
        "Hello there my dear old friend,",
        "how are you doing",
    ]


def test_unspeakable_segments_leave_the_first_clause_to_come() -> None:
    assert texts("！！\n今天的天气真好，我们去公园吧。") == ["！！", "今天的天气真好，", "我们去公园吧。"]


# -- flush ------------------------------------------------------------------------------------


def test_flush_speaks_what_is_held_and_the_text_goes_on() -> None:
    segmenter = Segmenter()
    assert segmenter.push("我想说") == []
    assert segmenter.flush() == [Segment(0, "我想说", 0, 3)]
    assert segmenter.flush() == []
    segmenter.push("这个。")
    assert segmenter.flush() == [Segment(1, "这个。", 3, 6)]
    assert segmenter.held_chars == 0


# -- length -----------------------------------------------------------------------------------


def test_a_sentence_that_is_too_long_is_cut_after_a_clause_mark() -> None:
    policy = SegmentPolicy(first_min_chars=50, max_chars=20)
    assert texts("一二三四五六，七八九十一二，三四五六七八九十一二三四", policy) == [
        "一二三四五六，七八九十一二，",
        "三四五六七八九十一二三四",
    ]


def test_without_clause_marks_it_is_cut_at_a_particle_or_space_else_hard() -> None:
    assert texts("山" * 12 + "的" + "水" * 12, SMALL) == ["山" * 12 + "的", "水" * 12]
    assert texts("hello " * 5, SMALL) == ["hello hello hello", "hello hello"]
    assert texts("山" * 45, SMALL) == ["山" * 20, "山" * 20, "山" * 5]


def test_a_hard_cut_does_not_part_a_character_from_its_accents() -> None:
    assert texts("山" * 19 + "e\u0301\u0302" + "水" * 5, SMALL) == ["山" * 19, "e\u0301\u0302" + "水" * 5]


def test_what_is_held_is_bounded_whatever_comes() -> None:
    segmenter = Segmenter()
    held = 0
    for char in "哈" * 300 + "！" * 300 + "\u0301" * 300 + '"' * 300 + "a." * 150:
        segmenter.push(char)
        held = max(held, segmenter.held_chars)
    assert held <= SegmentPolicy().max_chars + 1


def test_every_character_is_read_a_bounded_number_of_times(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = 0
    read = Segmenter._read

    def counting(self: Segmenter, char: str) -> int:
        nonlocal reads
        reads += 1
        return read(self, char)

    monkeypatch.setattr(Segmenter, "_read", counting)
    text = "哈" * 2000 + "今天的天气真好，我们去公园。" * 200
    feed(list(text))
    assert reads <= 6 * len(text)


@pytest.mark.parametrize(
    "values", [{"first_min_chars": 0}, {"first_rest_min_chars": 0}, {"max_chars": 9}], ids=str
)
def test_a_policy_out_of_range_is_refused(values: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be at least"):
        SegmentPolicy(**values)
