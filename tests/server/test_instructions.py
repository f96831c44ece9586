from __future__ import annotations

import pytest

from server.instructions import emotion_in

EMOTIONS = ("neutral", "happy", "sad", "tsundere")


@pytest.mark.parametrize(
    ("instruction", "emotion"),
    [
        ("Speak in a cheerful and positive tone.", "happy"),
        ("SADLY, as if it rained", "sad"),
        ("请用开心的语气说", "happy"),
        ("用悲伤的声音慢慢读", "sad"),
        ("Calm, never excited.", "neutral"),  # the first that is named
        ("be tsundere", "tsundere"),
        ("Do not be unhappy", ""),  # a part of a word is no word
        ("Talk like a sympathetic customer service agent.", ""),
        ("furious", ""),  # the voice has no such emotion
        ("", ""),
    ],
)
def test_the_first_emotion_that_is_named_is_meant(instruction: str, emotion: str) -> None:
    assert emotion_in(instruction, EMOTIONS) == emotion
