from __future__ import annotations

import numpy as np

from streaming.text.graphones import COST_STEPS, END, GraphoneModel
from training.graphone_counts import packed_model

CAT = [("c", "K"), ("a", "AE1"), ("t", "T")]
CITE = [("c", "S"), ("i", "AY1"), ("t", "T"), ("e", "")]
TEA = [("t", "T"), ("ea", "IY1")]
PACKED = packed_model([CAT] * 9 + [CITE] * 7 + [TEA] * 6)


def test_what_was_learnt_is_read_again() -> None:
    model = GraphoneModel.unpacked(PACKED)
    for word in (CAT, CITE, TEA):
        spelling = "".join(letters for letters, _ in word)
        assert " ".join(model.sound_out(spelling)) == " ".join(sounds for _, sounds in word if sounds)


def test_a_letter_is_read_as_its_neighbours_ask() -> None:
    model = GraphoneModel.unpacked(PACKED)
    assert model.sound_out("ca")[0] == "K"
    assert model.sound_out("cit")[0] == "S"


def test_the_same_words_give_the_same_bytes() -> None:
    assert packed_model([CAT] * 9 + [CITE] * 7 + [TEA] * 6) == PACKED


def test_what_may_follow_a_context_has_a_probability_of_one_in_all() -> None:
    model = GraphoneModel.unpacked(PACKED)
    everything = (END, len(model.letters))
    for node in (0, *(child for child in model.context if child)):
        costs = [cost for _, cost, _ in model._following(node, everything)]
        assert abs(float(np.exp(-np.array(costs) / COST_STEPS).sum()) - 1.0) < 0.15  # costs are in steps


def test_rare_graphones_are_left_out_with_their_words() -> None:
    model = GraphoneModel.unpacked(packed_model([CAT] * 9 + [[("c", "CH"), ("a", "AE1")]] * 2))
    assert ("CH",) not in model.sounds
