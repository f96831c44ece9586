from __future__ import annotations

import pytest

from streaming.text.linguistics import SpokenWord, spoken_word, spoken_word_en, to_phonemes
from streaming.text.syllables import PLAIN_SYLLABLES, mandarin_syllable
from streaming.text.symbols import SymbolTables
from training.teacher import Prosody, Teacher, TeacherError, mandarin_parts, mnemonic_text

PROSODY = Prosody(rate=185, pitch=50, pitch_range=52, volume=95)


@pytest.fixture(scope="module")
def teacher() -> Teacher:
    return Teacher("cmn+Annie", 16000)


def sentence() -> list[SpokenWord]:
    return [
        spoken_word("北京", ["bei3", "jing1"], 3),
        spoken_word("花儿", ["huar1"], 2),
        spoken_word_en("wifi", "W AY1 . F AY0"),
        spoken_word("爱", ["ai4"], 4),
    ]


def test_every_syllable_in_every_tone_is_said_as_asked(teacher: Teacher) -> None:
    """No syllable is read in another language, and no two syllables of a tone sound alike by name."""
    names: dict[tuple[str, ...], str] = {}
    for base in sorted(PLAIN_SYLLABLES):
        for tone in "12345":
            events = teacher.event_names("".join(mandarin_parts(mandarin_syllable(base + tone))))
            assert not any(name.startswith("(") for name in events), base
            if tone == "1":
                assert events not in names, (base, names.get(events))
                names[events] = base
    assert len(names) == 411


def test_boundaries_run_through_the_whole_recording(teacher: Teacher) -> None:
    words = sentence()
    spoken = teacher.speak(words, PROSODY)
    tokens = to_phonemes(words, SymbolTables()).tokens
    boundaries = spoken.boundaries_s
    assert len(boundaries) == len(tokens) + 1
    assert boundaries[0] == 0.0
    assert (boundaries[1:] >= boundaries[:-1]).all()
    assert boundaries[-1] == pytest.approx(len(spoken.audio) / 16000, abs=1e-3)


def test_word_borders_have_no_length_and_phrase_breaks_do(teacher: Teacher) -> None:
    words = sentence()
    tokens = to_phonemes(words, SymbolTables()).tokens
    boundaries = teacher.speak(words, PROSODY).boundaries_s
    lengths = {token.split("$")[0]: boundaries[i + 1] - boundaries[i] for i, token in enumerate(tokens)}
    assert lengths["#1"] == 0.0
    assert lengths["#3"] > 0.05
    assert lengths["#4"] == pytest.approx(0.2, abs=1e-3)


def test_a_syllable_without_initial_starts_at_its_final(teacher: Teacher) -> None:
    words = [spoken_word("爱", ["ai4"], 4)]
    boundaries = teacher.speak(words, PROSODY).boundaries_s
    assert boundaries[0] == boundaries[1]


def test_clauses_and_languages_are_written_for_the_teacher() -> None:
    assert mnemonic_text(sentence()) == (
        "[[p'ei214tS;'i55N]], [[Xw'A55@r _: _^_en-us w'aIfaI _^_cmn 'ai51]]."
    )


def test_an_unknown_voice_is_an_error() -> None:
    with pytest.raises(TeacherError, match="no voice 'nobody'"):
        Teacher("nobody", 16000).speak(sentence(), PROSODY)
