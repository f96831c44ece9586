from __future__ import annotations

import logging

import pytest

from streaming.errors import UnspeakableTextError, VoiceBundleError
from streaming.frontends import make_frontend
from streaming.text.espeak import Clause
from streaming.text.piper_frontend import PiperFrontend, ipa, letters
from tests.streaming.piper_doubles import IDS, piper_manifest

TABLE = {"_": (0,), "^": (1,), "$": (2,), " ": (3,), ".": (4,), "a": (5,), "b": (6, 7), "ˈ": (8,), "aʊ": (9,)}


def frontend(*read: str, phoneme_map=None, vowel_clusters=()) -> PiperFrontend:
    return PiperFrontend(lambda text: list(read), TABLE, phoneme_map or {}, vowel_clusters)


def ids(source: PiperFrontend) -> list[int]:
    phonemes = source.phonemes("whatever")
    assert phonemes is not None
    assert phonemes.ids.shape == (len(phonemes.tokens), 1)
    assert phonemes.words == ()
    return phonemes.ids[:, 0].tolist()


def test_every_phoneme_is_followed_by_a_pad_and_the_sentence_framed():
    assert ids(frontend("a", " ", "b", ".")) == [1, 0, 5, 0, 3, 0, 6, 7, 0, 4, 0, 2]


def test_tokens_name_the_phoneme_of_each_id():
    phonemes = frontend("b").phonemes("b")
    assert phonemes is not None
    assert phonemes.tokens == ("^", "_", "b", "b", "_", "$")


def test_a_phoneme_without_an_id_is_left_out_and_logged_once(caplog: pytest.LogCaptureFixture):
    source = frontend("a", "ʒ", "ʒ")
    with caplog.at_level(logging.DEBUG):
        assert ids(source) == ids(source) == ids(frontend("a"))
    assert [record.getMessage() for record in caplog.records] == [
        "the voice has no id for phoneme 'ʒ'; it is left out"
    ]


@pytest.mark.parametrize("read", [("ʒ",), ("ʒ", " ", "."), ("ʒ", "ˈ")])
def test_a_text_of_which_nothing_is_left_is_refused(read: tuple[str, ...]):
    with pytest.raises(UnspeakableTextError, match=r"none of the phonemes .*ʒ"):
        frontend(*read).phonemes("ʒ")


def test_nothing_to_say_is_nothing():
    assert frontend().phonemes("...") is None


def test_phonemes_are_looked_up_as_the_voice_maps_them():
    assert ids(frontend("c", phoneme_map={"c": ("a", "b")})) == ids(frontend("a", "b"))


def test_the_longest_cluster_is_one_phoneme():
    clusters = (("a", "ʊ"), ("b", "a", "ʊ"))
    assert ids(frontend("a", "ʊ", "a", vowel_clusters=clusters)) == [1, 0, 9, 0, 5, 0, 2]
    assert ids(frontend("a", "a", "ʊ", vowel_clusters=clusters)) == [1, 0, 5, 0, 9, 0, 2]


def test_letters_are_small_with_accents_apart():
    assert letters("Ça ß.") == ["c", "\u0327", "a", " ", "s", "s", "."]
    assert letters("… !") == []


def test_clauses_join_as_in_the_transcripts_that_piper_learns_from():
    clauses = [Clause("a", ","), Clause("b", "."), Clause("ã", ";"), Clause("d", "")]
    assert ipa(clauses) == ["a", ",", " ", "b", ".", "a", "\u0303", ";", " ", "d"]
    assert ipa([Clause("", ""), Clause(" ", "")]) == []


def test_an_espeak_voice_pronounces_text():
    phonemes = make_frontend(piper_manifest()).phonemes("Hello!")
    assert phonemes is not None
    assert [token for token in phonemes.tokens if token not in "^_$"] == list("həlˈoʊ!")
    assert phonemes.ids[2, 0] == IDS["h"][0]
    assert make_frontend(piper_manifest()).phonemes("...") is None


def test_a_text_voice_spells_it():
    phonemes = make_frontend(piper_manifest(phoneme_type="text", espeak_voice="")).phonemes("HELLO!")
    assert phonemes is not None
    assert [token for token in phonemes.tokens if token not in "^_$"] == list("hello!")


def test_a_voice_in_a_language_that_espeak_lacks_does_not_load():
    with pytest.raises(VoiceBundleError, match="espeak-ng has no voice 'tlh'"):
        make_frontend(piper_manifest(espeak_voice="tlh"))
