"""Filled pauses against the words of the specification: a list, filled from right to left."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from streaming.text.symbols import SymbolTables
from tests.training.nets.small import largest_difference, sentence, small_sambert, with_some_pauses
from training.nets.config import SambertConfig
from training.nets.filled_pauses import (
    EARLY_ORDER,
    PRESENT_ORDER,
    FilledPausePredictor,
    FilledPauses,
    insert_pauses,
    lengthened,
)
from training.nets.sambert import Sambert

TOLERANCE = 1e-6
PAUSES = FilledPauses.spelled(SymbolTables())
CLASSES = [[0, 0, 0], [1, 2, 3], [0, 3, 0, 0, 1], [2, 0], [0, 2], [1], [0]]


def filled_list(rows: list[Tensor], classes: list[int], pauses: list[list[Tensor]]) -> list[Tensor]:
    """For every token of class c != 0, three rows before it; right to left, so that indices stay true."""
    rows = list(rows)
    for index in reversed(range(len(classes))):
        if classes[index]:
            rows[index:index] = pauses[classes[index] - 1]
    return rows


@pytest.mark.parametrize("classes", CLASSES)
def test_rows_are_put_in_like_into_a_list(classes: list[int]) -> None:
    text, pauses = torch.randn(1, len(classes), 4), torch.randn(3, 3, 4)
    expected = filled_list(list(text[0]), classes, [list(rows) for rows in pauses])
    found, _ = insert_pauses(text, torch.tensor([classes]), pauses)
    assert torch.equal(found[0], torch.stack(expected))


@pytest.mark.parametrize("classes", CLASSES)
def test_every_row_knows_its_token(classes: list[int]) -> None:
    none = torch.tensor(-1)
    expected = filled_list(list(torch.arange(len(classes))), classes, [[none] * 3] * 3)
    _, token = insert_pauses(torch.randn(1, len(classes), 4), torch.tensor([classes]), torch.zeros(3, 3, 4))
    assert torch.equal(token[0], torch.stack(expected))


@pytest.mark.parametrize(
    ("n_rows", "expected"),
    [(3, [5, 6, 7]), (6, [5, 6, 7, 5, 6, 7]), (12, [5, 6, 7] * 4), (5, [5, 6, 7, 5, 6])],
)
def test_ids_of_inserted_rows_come_from_the_start_and_go_to_the_end(n_rows: int, expected: list[int]) -> None:
    assert lengthened(torch.tensor([[5, 6, 7]]), n_rows).tolist() == [expected]


def test_the_sounds_are_spelled_with_the_voices_symbols() -> None:
    tables = SymbolTables()
    hesitation = "ge$tone5$s_begin$word_begin", "en_c$tone5$s_end$word_end", "#3$tone_none$s_none$word_none"
    assert PAUSES.ids.shape == (3, 3, 4)
    assert PAUSES.ids[0].tolist() == tables.encode(hesitation).tolist()
    assert PAUSES.ids[1, :2, 0].tolist() == [tables.sy.id("ga"), tables.sy.id("a_c")]
    assert PAUSES.ids[2, :2, 0].tolist() == [tables.sy.id("ge"), tables.sy.id("e_c")]


def test_the_first_two_classes_can_change_places() -> None:
    early = FilledPauses.spelled(SymbolTables(), EARLY_ORDER)
    assert torch.equal(early.ids, PAUSES.ids[[1, 0, 2]])
    assert sorted(EARLY_ORDER) == sorted(PRESENT_ORDER)


@pytest.mark.parametrize("sounds", [("嗯", "啊"), ("嗯", "啊", "哦"), ("嗯", "嗯", "呃")])
def test_other_sounds_are_refused(sounds: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="expected 嗯, 啊, 呃"):
        FilledPauses.spelled(SymbolTables(), sounds)


def test_the_predictor_has_the_published_keys_and_shapes() -> None:
    shapes = {
        key: tuple(value.shape) for key, value in FilledPausePredictor(SambertConfig()).state_dict().items()
    }
    assert shapes == {
        "w_1.weight": (256, 32, 3),
        "w_1.bias": (256,),
        "w_2.weight": (32, 256, 1),
        "w_2.bias": (32,),
        "layer_norm1.weight": (256,),
        "layer_norm1.bias": (256,),
        "layer_norm2.weight": (32,),
        "layer_norm2.bias": (32,),
        "fc.weight": (4, 32),
        "fc.bias": (4,),
    }


def test_only_a_voice_that_fills_pauses_has_the_predictor() -> None:
    def has_predictor(network: Sambert) -> bool:
        return any(key.startswith("FP_predictor.") for key in network.state_dict())

    assert has_predictor(small_sambert(FP=True))
    assert not has_predictor(small_sambert())


@torch.no_grad()
def test_the_predictor_follows_the_specification() -> None:
    weights = {key: torch.randn_like(value) for key, value in predictor().state_dict().items()}
    network = predictor()
    network.load_state_dict(weights)
    text = torch.randn(1, 40, 8)
    x = F.conv1d(F.pad(text.transpose(1, 2), (1, 1)), weights["w_1.weight"], weights["w_1.bias"]).relu()
    x = normalised(x.transpose(1, 2), weights["layer_norm1.weight"], weights["layer_norm1.bias"])
    x = (x @ weights["w_2.weight"][:, :, 0].T + weights["w_2.bias"]).relu()
    x = normalised(x, weights["layer_norm2.weight"], weights["layer_norm2.bias"])
    expected = x @ weights["fc.weight"].T + weights["fc.bias"]
    assert largest_difference(network(text), expected) <= 100 * TOLERANCE  # logits reach 20


def predictor() -> FilledPausePredictor:
    return small_sambert(FP=True).FP_predictor


def normalised(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    centred = x - x.mean(dim=-1, keepdim=True)
    return centred / torch.sqrt(centred.square().mean(dim=-1, keepdim=True) + 1e-6) * weight + bias


@torch.no_grad()
def test_inference_goes_on_with_the_filled_list() -> None:
    ling, _, speaker = sentence(9, seed=4)
    network = with_some_pauses(small_sambert(FP=True), ling)
    emotion = torch.tensor([[1, 2, 3, 4, 5, 6, 7, 8, 9]])
    text = network.text_encoder(ling)
    classes = network.FP_predictor(text)[0].softmax(dim=-1).argmax(dim=-1).tolist()
    sounds = [list(network.text_encoder(ids.unsqueeze(0))[0]) for ids in PAUSES.ids]
    rows = torch.stack(filled_list(list(text[0]), classes, sounds)).unsqueeze(0)
    n_more = rows.size(1) - 9
    assert 0 < n_more < 27
    emotion_list = emotion[0].tolist()
    emotions = torch.tensor([emotion_list + (emotion_list * 3)[:n_more]])
    speakers = network.speaker_rows(torch.zeros_like(emotions), rows.size(1))
    inputs = torch.cat([rows, speakers, network.emo_tokenizer(emotions)], dim=-1)
    output = network.infer(ling, emotion, speaker, pauses=PAUSES)
    assert largest_difference(output.text_hid, rows) <= TOLERANCE
    expected = network.variance_adaptor.pitch_predictor(inputs)
    assert largest_difference(output.pitch, expected) <= TOLERANCE
    assert output.token[output.token >= 0].tolist() == list(range(9))
    assert output.durations.shape == output.token.shape


def test_without_sounds_nothing_is_filled() -> None:
    inputs = sentence(9, seed=4)
    output = with_some_pauses(small_sambert(FP=True), inputs[0]).infer(*inputs)
    assert output.token.tolist() == [list(range(9))]


def test_a_speaker_vector_reaches_the_inserted_rows_too() -> None:
    ling, emotion, _ = sentence(9, seed=4)
    network = with_some_pauses(small_sambert(FP=True, SE=True), ling)
    output = network.infer(ling, emotion, torch.randn(1, 4), pauses=PAUSES)
    assert output.pitch.size(1) > 9
