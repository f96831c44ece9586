from __future__ import annotations

from training.letter_alignment import align

WORDS = {
    "cat": "K AE1 T", "at": "AE1 T", "tack": "T AE1 K", "back": "B AE1 K", "bat": "B AE1 T",
    "tax": "T AE1 K S", "box": "B AA1 K S", "cot": "K AA1 T", "bee": "B IY1", "beet": "B IY1 T",
    "bock": "B AA1 K",
}  # fmt: skip


def aligned() -> dict[str, list[tuple[str, str]]]:
    return align({word: symbols.split() for word, symbols in WORDS.items()})


def test_pairs_joined_give_both_sides_back() -> None:
    found = aligned()
    assert set(found) == set(WORDS)
    for word, pairs in found.items():
        assert "".join(letters for letters, _ in pairs) == word
        assert " ".join(sounds for _, sounds in pairs if sounds) == WORDS[word]


def test_letters_stand_beside_their_sounds() -> None:
    assert aligned()["tax"] == [("t", "T"), ("a", "AE1"), ("x", "K S")]
    assert aligned()["cat"] == [("c", "K"), ("a", "AE1"), ("t", "T")]


def test_words_with_more_sounds_than_their_letters_can_hold_are_left_out() -> None:
    assert "w" not in align({"w": "D AH1 B AH0 L Y UW0".split(), "at": ["AE1", "T"]})
