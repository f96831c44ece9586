from __future__ import annotations

import statistics
from collections import Counter
from itertools import pairwise

import pytest

from clients.bench.plan import Mix, Planner
from clients.bench.texts import load_texts

FULL = Mix(trickle_per_s=20, barge_in=0.3, slow_readers=0.2, abort=0.1, repeats=0.3, think_s=1.0)


def planner(seed: int = 1, mix: Mix = FULL) -> Planner:
    return Planner(seed, load_texts("zh", seed), mix)


def test_the_same_seed_gives_the_same_plan_and_another_seed_another() -> None:
    plans = [planner(seed).level(5.0).until(20.0) for seed in (1, 1, 2)]
    assert plans[0] == plans[1]
    assert plans[0] != plans[2]
    assert len(plans[0]) > 50


def test_asking_twice_as_for_a_second_target_changes_nothing() -> None:
    once, twice = planner(), planner()
    first, level = once.level(5.0), twice.level(5.0)
    assert first.until(20.0) == level.until(20.0) == level.until(20.0)
    assert once.level(5.0).until(20.0) == twice.level(5.0).until(20.0)


def test_a_closed_loop_gives_every_target_the_same_utterances_however_many_it_takes() -> None:
    level = planner().level()
    fast = [level[number] for number in range(50)]
    slow = [level[number] for number in range(20)]
    assert slow == fast[:20]
    assert {utterance.due_s for utterance in fast} == {0.0}


def test_gaps_of_an_open_loop_are_exponential_with_the_right_mean() -> None:
    due_s = [utterance.due_s for utterance in planner(mix=Mix()).level(10.0).until(500.0)]
    gaps_s = [later - earlier for earlier, later in pairwise(due_s)]
    assert statistics.mean(gaps_s) == pytest.approx(0.1, rel=0.05)
    assert statistics.stdev(gaps_s) == pytest.approx(0.1, rel=0.08)


def test_another_rate_asks_for_the_same_texts() -> None:
    slow, fast = planner(mix=Mix()).level(1.0), planner(mix=Mix()).level(9.0)
    assert [slow[n].text for n in range(30)] == [fast[n].text for n in range(30)]
    assert fast[29].due_s == pytest.approx(slow[29].due_s / 9)


def test_mixes_are_drawn_independently() -> None:
    plain, mixed = planner(mix=Mix()).level(5.0), planner(mix=Mix(barge_in=0.5, slow_readers=0.5)).level(5.0)
    assert [(plain[n].due_s, plain[n].text) for n in range(50)] == [
        (mixed[n].due_s, mixed[n].text) for n in range(50)
    ]
    assert {mixed[n].is_slow for n in range(50)} == {True, False}


def test_shares_are_kept() -> None:
    level = planner().level(5.0)
    drawn = [level[number] for number in range(2000)]
    assert sum(u.barge_in is not None for u in drawn) / 2000 == pytest.approx(0.3, abs=0.04)
    assert sum(u.is_slow for u in drawn) / 2000 == pytest.approx(0.2, abs=0.04)
    assert sum(u.abort is not None for u in drawn) / 2000 == pytest.approx(0.1, abs=0.03)
    assert sum(u.is_repeat for u in drawn) / 2000 == pytest.approx(0.3, abs=0.04)
    assert statistics.mean(u.think_s for u in drawn) == pytest.approx(1.0, rel=0.1)
    parts = [u.barge_in for u in drawn if u.barge_in is not None]
    assert statistics.mean(parts) == pytest.approx(0.5, abs=0.05)


def test_without_repeats_no_text_comes_twice_not_even_across_levels() -> None:
    made = planner(mix=Mix())
    texts = [made.idle_level()[n].text for n in range(44)]
    for _ in range(3):
        texts += [utterance.text for utterance in made.level(20.0).until(50.0)]
    assert len(set(texts)) == len(texts) > 2500


def test_repeats_prefer_what_was_asked_first() -> None:
    level = planner(mix=Mix(repeats=0.7, zipf=1.2)).level(5.0)
    drawn = [level[number] for number in range(3000)]
    firsts = [u.text for u in drawn if not u.is_repeat]
    often = Counter(u.text for u in drawn if u.is_repeat)
    assert set(often) <= set(firsts)
    assert often[firsts[0]] > often[firsts[3]] > often[firsts[40]]


def test_tokens_are_the_text_in_small_pieces_at_the_rate() -> None:
    level = planner().level(5.0)
    drawn = [level[number] for number in range(300)]
    assert all("".join(token.text for token in u.tokens) == u.text for u in drawn)
    assert {len(token.text) for u in drawn for token in u.tokens} == {1, 2, 3, 4}
    assert all(u.tokens[0].after_s == 0.0 for u in drawn)
    per_s = sum(len(u.tokens) - 1 for u in drawn) / sum(u.tokens[-1].after_s for u in drawn)
    assert per_s == pytest.approx(20, rel=0.05)


def test_the_calibration_is_patient_and_repeats_nothing() -> None:
    level = planner().idle_level()
    drawn = [level[number] for number in range(44)]
    assert not any(u.is_repeat or u.is_slow or u.barge_in or u.abort for u in drawn)
    assert len({u.text for u in drawn}) == 44


def test_a_slip_of_the_keyboard_does_not_fill_the_memory() -> None:
    with pytest.raises(ValueError, match="more than 1000000 utterances"):
        planner().level(1e6).until(10.0)


def test_clients_begin_one_after_the_other() -> None:
    starts = planner().level().first_starts(10, 4.0)
    assert starts == planner().level().first_starts(10, 4.0)
    assert len(set(starts)) == 10
    assert all(0 <= start <= 4 for start in starts)
