"""The model that chooses among readings: what it sees, how it votes, and the one that ships."""

from __future__ import annotations

from streaming.text.mandarin import MandarinReader
from streaming.text.reading_model import CharacterModel, ReadingModel, Seen, features, load
from streaming.text.syllables import is_syllable, split_tone


def seen(*words: str, readings: str) -> Seen:
    free = [len(word) == 1 for word in words for _ in word]
    return Seen(words, readings.split(), free, lambda _: "n", {"长高"}.__contains__)


def chosen(model: ReadingModel, run: Seen) -> dict[int, str]:
    return dict(model.readings(run))


def test_what_is_around_a_character_votes_and_the_bias_decides_where_nothing_is_known() -> None:
    model = ReadingModel(
        {"长": CharacterModel(("chang2", "zhang3"), {"r高": (0.0, 2.0), "l很": (1.5, 0.0)}, (0.5, 0.0))}
    )
    assert chosen(model, seen("长", "高", readings="chang2 gao1")) == {0: "zhang3"}
    assert chosen(model, seen("很", "长", readings="hen3 zhang3")) == {1: "chang2"}
    assert chosen(model, seen("长", "江", readings="zhang3 jiang1")) == {0: "chang2"}


def test_a_reading_by_the_rules_that_the_model_has_never_heard_of_stays() -> None:
    model = ReadingModel({"难": CharacterModel(("nan2", "nan4"), {}, (1.0, 0.0))})
    assert chosen(model, seen("困难", readings="kun4 nan5")) == {}


def test_runs_without_any_character_that_has_a_model_are_left_alone() -> None:
    assert chosen(load(), seen("今天", readings="jin1 tian1")) == {}


def test_a_character_is_seen_with_its_word_its_neighbours_and_the_ends_of_the_run() -> None:
    run = seen("孩子", "长高", "了", readings="hai2 zi5 zhang3 gao1 le5")
    shown = set(features(run, "孩子长高了", 2, 1, 0))
    assert {"bzhang3", "f0zhang3", "w0长高", "s20", "x孩子", "y了", "U^n", "Vn$"} <= shown
    assert {"l子", "L孩子", "M^孩子", "r高", "Q高了$", "i0", "j1", "<孩", ">了"} <= shown
    assert {"c^", "x^", "X^20"} <= set(features(run, "孩子长高了", 0, 0, 0))


def test_the_model_that_ships_knows_syllables_of_mandarin_only() -> None:
    for char, model in load().characters.items():
        assert len(char) == 1
        assert len(model.readings) == len(model.bias) > 1
        assert all(is_syllable(split_tone(reading)[0]) for reading in model.readings)
        assert all(len(votes) == len(model.readings) for votes in model.votes.values())


def test_what_stands_before_a_run_is_heard_too() -> None:
    reader = MandarinReader()
    reader.warm_up()
    assert reader.read("得很快", before="run")[0].readings[0].pinyin == "de5"
    assert reader.read("得充电了", before="iPhone")[0].readings[0].pinyin == "dei3"
