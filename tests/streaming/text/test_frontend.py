from __future__ import annotations

import re
import threading
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streaming.errors import UnspeakableTextError
from streaming.text.frontend import Frontend
from streaming.text.symbols import SymbolTables


def spelled(frontend: Frontend, text: str) -> str:
    """Words as `ni2 hao3#3`, joined by blanks."""
    return " ".join(
        f"{'_'.join(syllable.spelling.replace(' ', '') for syllable in word.syllables)}#{word.break_level}"
        for word in frontend.spoken_words(text)
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("你好，世界。", "ni2_hao3#3 shi4_jie4#4"),
        ("这儿的花儿真好看", "zher4_de5#1 huar1#1 zhen1#1 hao3_kan4#4"),
        ("我爱吃二两鱼", "wo3#1 ai4#1 chi1#1 er4_liang3#1 yv2#4"),
        ("打开wifi设置", "da3_kai1#1 WAY1_FAY2#1 she4_zhi4#4"),
        ("我有一个苹果", "wo2#1 you3#1 yi2_ge4#1 ping2_guo3#4"),
        ("不是一定", "bu2_shi4#1 yi2_ding4#4"),
        ("我很好", "wo2#1 hen2#1 hao3#4"),
        ("零下5℃", "ling2_xia4#1 wu3#1 she4_shi4_du4#4"),
        ("11月22日", "shi2_yi1_yve4#1 er4_shi2_er4_ri4#4"),
        ("他跑得快，我得走了", "ta1#1 pao3_de5_kuai4#3 wo2#1 dei2#1 zou3_le5#4"),
        ("你好 世界", "ni2_hao3#2 shi4_jie4#4"),
        ("等 5 天", "deng2#1 wu3_tian1#4"),
        ("hello world", "HHAH0_LOW1#1 WER1LD#4"),
    ],
)
def test_text_is_spoken_with_surface_tones_and_breaks(frontend: Frontend, text: str, expected: str) -> None:
    assert spelled(frontend, text) == expected


def test_the_acceptance_sentence_is_read_right(frontend: Frontend) -> None:
    said = spelled(frontend, "今天是2026年11月22日，气温零下5℃，行长在重庆银行等你。")
    assert "er4_ling2_er4_liu4_nian2" in said
    assert said.endswith("hang2_zhang3#1 zai4#1 chong2_qing4#1 yin2_hang2#1 deng2#1 ni3#4")


def test_third_tone_sandhi_stops_at_a_pause_and_at_a_latin_word(frontend: Frontend) -> None:
    assert spelled(frontend, "很好，很好") == "hen2#1 hao3#3 hen2#1 hao3#4"
    assert spelled(frontend, "我have") == "wo3#1 HHAE1V#4"


@pytest.mark.parametrize("text", ["", "   ", "。！？", "😀👍", "……\n", "***", "\ud800"])
def test_text_with_nothing_to_say_gives_none(frontend: Frontend, text: str) -> None:
    assert frontend.phonemes(text) is None
    assert frontend.spoken_words(text) == []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("こんにちは", "HIRAGANA"),
        ("你好안녕", "HANGUL"),
        ("Привет", "CYRILLIC"),
        ("你好ก", "THAI"),
        ("𠮷", "𠮷"),
    ],
)
def test_a_character_without_reading_is_refused_by_name(frontend: Frontend, text: str, named: str) -> None:
    with pytest.raises(UnspeakableTextError, match=named):
        frontend.phonemes(text)


def test_a_voice_without_latin_phones_refuses_latin_words() -> None:
    tables = SymbolTables()
    chinese = [phone for phone in tables.sy.symbols[:140] if phone.endswith("_c") or phone.startswith("g")]
    small = Frontend(SymbolTables.from_lists(chinese, tables.tone.symbols))
    assert small.phonemes("你好") is not None
    with pytest.raises(UnspeakableTextError, match="symbol"):
        small.phonemes("wifi")


def test_words_point_to_the_text_as_it_was_written(frontend: Frontend) -> None:
    text = "**今天**5℃，用[GPT-4](http://a.b)😀很强"
    phonemes = frontend.phonemes(text)
    assert phonemes is not None
    written = [text[word.char_start : word.char_end] for word in phonemes.words]
    assert written == ["今天", "5℃", "5℃", "用", "GPT", "4", "很", "强"]


def test_token_spans_cover_all_phones_and_no_pause(frontend: Frontend) -> None:
    phonemes = frontend.phonemes("你好，打开wifi设置。")
    assert phonemes is not None
    covered = {row for word in phonemes.words for row in range(word.token_start, word.token_end)}
    pauses = {row for row, token in enumerate(phonemes.tokens) if token.startswith("#")}
    assert covered | pauses == set(range(len(phonemes.tokens)))
    assert not covered & pauses
    assert phonemes.ids.shape == (len(phonemes.tokens), 4)
    assert phonemes.tokens[-1].startswith("#4$")


def test_a_cold_frontend_warms_itself() -> None:
    assert Frontend(SymbolTables()).phonemes("你好") is not None


def test_threads_agree(frontend: Frontend) -> None:
    text = "今天是2026年11月22日，GPT-4花了$3.5。"
    expected = frontend.phonemes(text)
    assert expected is not None
    found: list[bool] = []

    def speak() -> None:
        for _ in range(5):
            phonemes = frontend.phonemes(text)
            found.append(phonemes is not None and phonemes.tokens == expected.tokens)

    threads = [threading.Thread(target=speak) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 20


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text("一不你好我想地得了着儿花女行长GPTai' 2.5%年\n，。\ud800😀\u0301（", max_size=20))
def test_any_readable_text_gives_words_in_order_inside_it(frontend: Frontend, text: str) -> None:
    phonemes = frontend.phonemes(text)
    if phonemes is None:
        return
    starts = [word.char_start for word in phonemes.words]
    assert starts == sorted(starts)
    assert all(0 <= word.char_start < word.char_end <= len(text) for word in phonemes.words)


def test_few_pauses_stand_where_a_listener_would_mind(frontend: Frontend) -> None:
    labelled = Path(__file__).parents[2] / "data" / "text" / "prosody_held_out.txt"
    placed: list[bool] = []
    for line in labelled.read_text("utf-8").splitlines()[1:]:
        pieces = re.split("[|/]", line)
        allowed = set(accumulate(map(len, pieces)))
        words = frontend.spoken_words("".join(pieces))
        placed += [word.char_end in allowed for word in words if word.break_level == 2]
    assert len(placed) > 80
    assert sum(placed) / len(placed) > 0.85


def test_a_is_an_article_in_english_and_a_letter_in_chinese() -> None:
    frontend = Frontend(SymbolTables())
    article = next(word for word in frontend.spoken_words("This is a test.") if word.text == "a")
    letter = next(word for word in frontend.spoken_words("选项a是对的") if word.text == "a")
    assert article.syllables[0].phones == ("ah",)
    assert letter.syllables[0].phones == ("ey",)


def test_particles_lean_on_the_word_before_where_they_are_particles(frontend: Frontend) -> None:
    words = [word.text for word in frontend.spoken_words("他的书我得看，他也得了奖，慢慢地走")]
    assert words == ["他的", "书", "我", "得", "看", "他", "也", "得了", "奖", "慢慢地", "走"]
