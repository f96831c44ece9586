"""espeak-ng itself. What it pronounces is its own affair; where clauses end is what is checked."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError

import pytest

from streaming.errors import VoiceBundleError
from streaming.text.espeak import Clause, Espeak, _started, espeak

SENTENCE = "Hello, world! How are you? Fine: thanks; ok."


def marks(text: str) -> list[str]:
    return [clause.mark for clause in espeak().clauses(text, "en-us")]


def test_text_becomes_ipa_with_stress_and_length():
    assert espeak().clauses("Hello, world!", "en-us") == [Clause("həlˈoʊ", ","), Clause("wˈɜːld", "!")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SENTENCE, [",", "!", "?", ":", ";", "."]),
        ("Hello", [""]),
        ("Really?! Yes!!! ok...", ["?", "!", ""]),
        ("It costs 3.5", [""]),
        ("Pay $1,000.50. Now", [".", ""]),
        ("At 12:30, a.b:c", [",", ""]),
        ('He said "Go away!" and left', ["!", ""]),
        ("Stop. 'Why?' (Because), no", [".", "?", ",", ""]),
        ("what — no", [";", ""]),
        ("one\ntwo", [""]),
        ("one\n\ntwo", ["", ""]),
        ("word…next, end", ["", ",", ""]),
        ("你好。", [""]),  # as Piper has it: voices have learnt no other marks than the six
        ("", [""]),
        ("?", [""]),
        ("...", [""]),
    ],
)
def test_a_clause_knows_the_mark_that_ended_it(text: str, expected: list[str]):
    assert marks(text) == expected


def test_words_of_other_languages_leave_no_flags():
    [clause] = espeak().clauses("the cool café", "de")
    assert clause.ipa
    assert "(" not in clause.ipa


def test_a_nul_ends_nothing_and_surrogates_do_not_hurt():
    assert espeak().clauses("one\0two", "en-us") == espeak().clauses("one two", "en-us")
    assert espeak().clauses("one\ud800", "en-us")


def test_an_unknown_voice_is_named():
    for name in ("xx", "../../etc/passwd"):
        with pytest.raises(VoiceBundleError, match=f"espeak-ng has no voice '{name}'"):
            espeak().check_voice(name)
        with pytest.raises(VoiceBundleError, match="no voice"):
            espeak().clauses("Hi", name)


def test_threads_with_different_voices_do_not_mix():
    jobs = [(f"{number} {SENTENCE}", voice) for number in range(20) for voice in ("en-us", "de", "fr")]
    expected = [espeak().clauses(*job) for job in jobs]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda job: espeak().clauses(*job), jobs)) == expected


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(VoiceBundleError, match=r"pip install zhiyin\[piper\]"):
        Espeak()


def test_a_library_that_does_not_load_is_an_error_of_the_installation(monkeypatch: pytest.MonkeyPatch):
    import espeakng_loader

    monkeypatch.setattr(espeakng_loader, "get_library_path", lambda: "/nowhere/libespeak-ng.so")
    with pytest.raises(VoiceBundleError, match=r"espeak-ng cannot be loaded: .*nowhere"):
        Espeak()


def test_threads_that_ask_at_once_start_it_once(monkeypatch: pytest.MonkeyPatch):
    """Started twice, the library reads what its second start has freed."""
    both, starts = Barrier(2), []

    class Slow:
        def __init__(self) -> None:
            starts.append(self)
            with suppress(BrokenBarrierError):
                both.wait(0.2)  # the other thread may come, and must not

    monkeypatch.setattr("streaming.text.espeak.Espeak", Slow)
    _started.cache_clear()
    try:
        with ThreadPoolExecutor(2) as pool:
            one, other = pool.map(lambda _: espeak(), range(2))
    finally:
        _started.cache_clear()
    assert one is other
    assert len(starts) == 1
