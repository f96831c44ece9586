from __future__ import annotations

import pytest

from streaming.scheduling.capacity import LEAST_FACTOR, Capacity


class Clocks:
    def __init__(self) -> None:
        self.now_s = 100.0
        self.process_s = 5.0

    def capacity(self, n_cores: int = 2) -> Capacity:
        return Capacity(n_cores, clock=lambda: self.now_s, process_clock=lambda: self.process_s)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def note(capacity: Capacity, clocks: Clocks, seconds: float, cost: float, process: float = 1.0) -> None:
    """Let time pass in which audio of this cost was made, ten blocks a second."""
    for _ in range(int(10 * seconds)):
        clocks.now_s += 0.1
        clocks.process_s += 0.2 * cost * process
        capacity.note_block("v", 0.2 * cost, 0.2, first=False)


def test_before_anything_is_known_nothing_costs(clocks: Clocks):
    assert (clocks.capacity().cost("v"), clocks.capacity().cores()) == (0.0, 2.0)


def test_the_first_block_sets_the_cost_and_later_ones_move_it(clocks: Clocks):
    capacity = clocks.capacity()
    capacity.note_block("v", 0.01, 0.04, first=True)
    assert capacity.cost("v") == pytest.approx(0.25)
    capacity.note_block("v", 0.004, 0.2, first=False)  # soon drowned by what follows
    assert capacity.cost("v") == pytest.approx(0.014 / 0.24, rel=0.01)
    note(capacity, clocks, 60.0, 0.02)
    assert capacity.cost("v") == pytest.approx(0.02, rel=0.05)


def test_each_voice_has_its_own_cost(clocks: Clocks):
    capacity = clocks.capacity()
    capacity.note_block("small", 0.002, 0.1, first=False)
    capacity.note_block("large", 0.02, 0.1, first=False)
    assert (capacity.cost("small"), capacity.cost("large")) == pytest.approx((0.02, 0.2))


def test_what_the_process_spends_around_the_networks_is_laid_on_the_voices(clocks: Clocks):
    capacity = clocks.capacity()
    note(capacity, clocks, 60.0, 0.02, process=1.25)
    assert capacity.overhead == pytest.approx(1.25, rel=0.05)
    assert capacity.cost("v") == pytest.approx(0.025, rel=0.05)


def test_an_idle_process_does_not_look_expensive(clocks: Clocks):
    capacity = clocks.capacity()
    note(capacity, clocks, 60.0, 0.02, process=50.0)
    assert capacity.overhead <= 2.0


def test_the_cost_of_a_first_block_is_an_average_of_its_own(clocks: Clocks):
    capacity = clocks.capacity()
    for cpu_s in (0.010, 0.020, 0.020):
        capacity.note_block("v", cpu_s, 0.04, first=True)
    assert 0.010 < capacity.voice("v").first_block_s < 0.020


def test_how_long_a_character_sounds_is_learnt(clocks: Clocks):
    capacity = clocks.capacity()
    for _ in range(200):
        capacity.note_segment("v", 20, 3.0)
    assert capacity.voice("v").audio_s_per_char == pytest.approx(0.15, rel=0.02)
    capacity.note_segment("v", 0, 0.0)


def test_listeners_who_run_dry_take_cores_away_and_calm_gives_them_back(clocks: Clocks):
    capacity = clocks.capacity()
    for _ in range(5):
        capacity.note_late()
        capacity.note_late()  # in the same moment, for the same reason
        clocks.now_s += 1.0
    clocks.now_s -= 1.0
    assert capacity.cores() == pytest.approx(2 * 0.95**5, rel=0.1)
    clocks.now_s += 60.0
    assert capacity.cores() == 2.0


def test_there_are_always_some_cores(clocks: Clocks):
    capacity = clocks.capacity()
    for _ in range(1000):
        capacity.note_late()
        clocks.now_s += 1.0
    assert capacity.cores() >= 2 * LEAST_FACTOR
