from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from server.elevenlabs.alignment import Aligner, Alignment, joined
from streaming.events import SegmentStarted, WordsTimed, WordTime
from streaming.types import Segment

Span = tuple[int, int, int, int]  # first and end character, first and end sample


def piece(aligner: Aligner, char_end: int, words: Iterable[Span], end_sample: int) -> Alignment | None:
    aligner.segment(SegmentStarted(Segment(0, "", 0, char_end), 0))
    times = tuple(WordTime("", start, end, first, last) for first, last, start, end in words)
    return aligner.words(WordsTimed(0, times, end_sample))


def aligned(text: str, char_end: int, words: Iterable[Span], end_sample: int) -> Alignment:
    aligner = Aligner()
    aligner.append(text)
    found = piece(aligner, char_end, words, end_sample)
    assert found is not None
    return found


def test_characters_share_the_time_of_their_word_and_the_others_what_lies_between() -> None:
    found = aligned("Hi, you.", 8, [(0, 2, 10, 30), (4, 7, 50, 80)], 100)
    assert found.chars == "Hi, you."
    assert found.starts == (10, 20, 30, 40, 50, 60, 70, 80)
    assert found.ends == (20, 30, 40, 50, 60, 70, 80, 100)


def test_characters_before_the_first_word_have_the_time_before_it() -> None:
    found = aligned("“好”", 3, [(1, 2, 40, 60)], 90)
    assert (found.starts, found.ends) == ((0, 40, 60), (40, 60, 90))


def test_white_space_after_a_segment_belongs_to_it_and_the_next_begins_where_it_ends() -> None:
    aligner = Aligner()
    aligner.append("一。 二。")
    first = piece(aligner, 2, [(0, 1, 0, 50)], 100)
    second = piece(aligner, 5, [(3, 4, 120, 150)], 200)
    assert first is not None
    assert second is not None
    assert (first.chars, second.chars) == ("一。 ", "二。")
    assert (first.ends[-1], second.start_sample) == (100, 100)
    assert second.in_ms(1000)["charStartTimesMs"] == [20, 50]
    assert second.in_seconds(1000)["character_start_times_seconds"] == [0.12, 0.15]


def test_words_that_stand_in_the_same_place_share_it() -> None:
    found = aligned("12", 2, [(0, 2, 0, 40), (0, 2, 40, 100)], 100)
    assert (found.starts, found.ends) == ((0, 50), (50, 100))


def test_segments_without_words_go_to_the_next_piece_or_the_rest() -> None:
    aligner = Aligner()
    aligner.append("… 好。 …")
    found = piece(aligner, 4, [(2, 3, 60, 80)], 100)
    assert found is not None
    assert (found.chars, found.starts[:2], found.ends[:2]) == ("… 好。 ", (0, 30), (30, 60))
    rest = aligner.rest(140)
    assert rest is not None
    assert (rest.chars, rest.starts, rest.ends) == ("…", (100,), (140,))
    assert aligner.rest(140) is None


def test_joined_pieces_are_one() -> None:
    one, two = aligned("一", 1, [(0, 1, 0, 10)], 20), aligned("二", 1, [(0, 1, 30, 40)], 40)
    both = joined(one, two)
    assert both == Alignment("一二", (0, 30), (10, 40), 0)
    assert joined(None, one) is one
    assert joined(one, None) is one
    assert joined(None, None) is None


words_anywhere = st.lists(st.tuples(*[st.integers(0, 40)] * 4), max_size=8)


@given(text=st.text("ab ，。", max_size=30), segments=st.lists(st.tuples(st.integers(0, 30), words_anywhere)))
def test_whatever_the_words_are_each_character_is_there_once_and_time_goes_forward(
    text: str, segments: list[tuple[int, list[Span]]]
) -> None:
    aligner = Aligner()
    aligner.append(text)
    whole: Alignment | None = None
    for number, (char_end, words) in enumerate(segments):
        whole = joined(whole, piece(aligner, min(char_end, len(text)), words, number * 10))
    whole = joined(whole, aligner.rest(len(segments) * 10))
    if whole is None:
        assert not text
        return
    assert whole.chars == text
    assert len(whole.starts) == len(whole.ends) == len(text)
    edges = [edge for pair in zip(whole.starts, whole.ends, strict=True) for edge in pair]
    assert edges == sorted(edges)
    told = whole.in_ms(16000)
    assert len(told["chars"]) == len(told["charStartTimesMs"]) == len(told["charDurationsMs"]) == len(text)
    assert all(isinstance(duration, int) and duration >= 0 for duration in told["charDurationsMs"])
