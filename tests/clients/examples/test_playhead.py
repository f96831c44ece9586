"""What was heard of what a player holds."""

from __future__ import annotations

from clients.examples.playhead import LivePlayhead, WrittenPlayhead


def test_a_player_takes_a_second_to_play_a_second() -> None:
    head = LivePlayhead(1000)
    assert head.played(5.0) == 0
    head.note(500, 10.0)
    head.note(500, 10.0)
    assert [head.played(now) for now in (10.0, 10.25, 10.75, 11.0, 12.0)] == [0, 250, 750, 1000, 1000]


def test_silence_in_between_is_not_heard_speech() -> None:
    head = LivePlayhead(1000)
    head.note(100, 0.5)
    head.note(100, 2.0)
    assert head.played(2.05) == 150


def test_what_is_in_a_file_counts_as_heard() -> None:
    head = WrittenPlayhead()
    head.note(100, 0.0)
    assert head.played(0.0) == 100
