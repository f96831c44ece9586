from __future__ import annotations

import json
import random
from collections import Counter
from itertools import islice, pairwise
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from streaming.text.linguistics import SENTENCE_BREAK, SpokenWord, spoken_word
from streaming.text.syllables import is_syllable
from tests.training.tiny import SHIPPED, tiny_settings
from training import corpus
from training.corpus import SentenceSource, WordSource, emotion_cycle, make_corpus, read_word, sentence_text
from training.settings import CorpusSettings, load_settings
from training.teacher import Prosody, TeacherError, Utterance, is_english


def corpus_settings(**changes: float) -> CorpusSettings:
    return load_settings(SHIPPED).corpus.model_copy(update=changes)


def draw(count: int, seed: int = 1, **shares: float) -> list[list[SpokenWord]]:
    source = SentenceSource(corpus_settings(**shares), random.Random(seed))
    return [source.sentence() for _ in range(count)]


@pytest.fixture(scope="module")
def sentences() -> list[list[SpokenWord]]:
    """Dictionary words only."""
    return draw(150, english_share=0.0, english_sentence_share=0.0, drill_share=0.0)


@pytest.fixture(scope="module")
def drills() -> list[list[SpokenWord]]:
    return draw(150, english_share=0.0, english_sentence_share=0.0, drill_share=1.0)


def spellings(words: list[SpokenWord]) -> list[str]:
    return [syllable.spelling for word in words for syllable in word.syllables]


def test_only_the_last_word_ends_the_sentence(sentences: list[list[SpokenWord]]) -> None:
    for words in sentences:
        levels = [word.break_level for word in words]
        assert levels[-1] == SENTENCE_BREAK
        assert set(levels[:-1]) <= {1, 2, 3}


def test_every_break_level_is_heard(sentences: list[list[SpokenWord]]) -> None:
    levels = Counter(word.break_level for words in sentences for word in words)
    assert set(levels) == {1, 2, 3, 4}
    assert levels[1] > levels[2]


def test_no_two_third_tones_stand_together_inside_a_word(
    sentences: list[list[SpokenWord]], drills: list[list[SpokenWord]]
) -> None:
    words = [word for drawn in (*sentences, *drills) for word in drawn]
    third = [[syllable.tone_name == "tone3" for syllable in word.syllables] for word in words]
    assert sum(map(any, third)) > 100  # there was something to change
    assert not any(a and b for word in third for a, b in pairwise(word))


def test_drills_reach_syllables_that_no_sentence_needs(
    sentences: list[list[SpokenWord]], drills: list[list[SpokenWord]]
) -> None:
    def variety(drawn: list[list[SpokenWord]]) -> int:
        return len({spelling[:-1] for words in drawn for spelling in spellings(words)})

    assert variety(drills) > variety(sentences)
    tones = {spelling[-1] for words in drills for spelling in spellings(words)}
    assert tones == set("12345")
    assert any(
        spelling[:-1].endswith("r") and spelling[:-1] != "er" for w in drills for spelling in spellings(w)
    )


@pytest.mark.parametrize(("share", "count"), [(1.0, 30), (0.0, 0)])
def test_the_english_share_is_kept(share: float, count: int) -> None:
    drawn = draw(30, english_share=share, english_sentence_share=0.0, drill_share=0.0)
    assert sum(any(is_english(word) for word in words) for words in drawn) == count


def test_a_seed_gives_the_same_sentences_again() -> None:
    assert draw(10, seed=3) == draw(10, seed=3) != draw(10, seed=4)


def test_drawn_words_have_one_valid_reading_a_character() -> None:
    words = WordSource(random.Random(2))
    for _ in range(300):
        readings = words.word()
        assert readings
        assert all(len(r.hanzi) == 1 and is_syllable(r.pinyin[:-1]) and 1 <= r.tone <= 5 for r in readings)


@pytest.mark.parametrize(
    ("text", "pinyin"),
    [("北京", ["bei3", "jing1"]), ("学习", ["xve2", "xi2"]), ("绿", ["lv4"]), ("我们", ["wo3", "men5"])],
)
def test_words_are_read_in_citation_tones_and_our_spelling(text: str, pinyin: list[str]) -> None:
    assert [reading.pinyin for reading in read_word(text)] == pinyin


@pytest.mark.parametrize("text", ["abc", "哼a", "呣"])
def test_what_is_no_mandarin_syllable_is_not_read(text: str) -> None:
    assert read_word(text) == ()


def test_emotions_come_by_their_shares() -> None:
    settings = corpus_settings()
    found = Counter(islice(emotion_cycle(settings, random.Random(5)), 4000))
    assert set(found) == set(settings.emotions)
    for name, style in settings.emotions.items():
        assert found[name] / 4000 == pytest.approx(style.share, abs=0.03)


def test_the_text_shows_the_pauses() -> None:
    words = [
        spoken_word("北京", ["bei3", "jing1"], 3),
        spoken_word("你", ["ni3"], 1),
        spoken_word("好", ["hao3"], 4),
    ]
    assert sentence_text(words) == "北京，你好。"


class StubbornTeacher:
    """Says every third sentence wrong."""

    said: ClassVar[list[Prosody]] = []

    def __init__(self, voice: str, sample_rate: int, *, final_silence_s: float) -> None:
        self._sample_rate = sample_rate

    def speak(self, words: list[SpokenWord], prosody: Prosody) -> Utterance:
        self.said.append(prosody)
        if len(self.said) % 3 == 1:
            raise TeacherError("said something else")
        return Utterance(np.zeros(160, np.float32), self._sample_rate, np.array([0.0, 0.01]))


def test_a_sentence_said_wrong_is_dropped_and_another_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StubbornTeacher, "said", [])
    monkeypatch.setattr(corpus, "Teacher", StubbornTeacher)
    settings = tiny_settings(tmp_path / "tiny.yaml")
    assert make_corpus(settings, tmp_path) == 7
    lines = (tmp_path / "corpus" / "manifest.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["id"] for row in rows] == [f"{index:05d}" for index in range(13)]
    assert [row["split"] for row in rows] == ["validation"] * 3 + ["train"] * 10
    assert len(list((tmp_path / "corpus" / "wav").iterdir())) == 13
    styles = {Prosody(s.rate, s.pitch, s.pitch_range, s.volume) for s in settings.corpus.emotions.values()}
    assert set(StubbornTeacher.said) == styles
