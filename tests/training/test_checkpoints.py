from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from training.checkpoints import (
    CheckpointError,
    latest_checkpoint,
    load_acoustic,
    load_strict,
    load_vocoder,
    table_sizes,
)
from training.nets.f0 import F0Normalisation

PARITY = Path(__file__).parents[1] / "data" / "parity"


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    shutil.copytree(PARITY / "tiny_16k", tmp_path / "voice", ignore=shutil.ignore_patterns("*.npz", "*.txt"))
    return tmp_path / "voice"


def edit_weights(voice: Path, change: Callable[[dict[str, Any]], object], part: str = "am") -> None:
    path = voice / part / "ckpt" / "checkpoint_0.pth"
    tree = torch.load(path, weights_only=True)
    change(tree["model"] if part == "am" else tree["model"]["generator"])
    torch.save(tree, path)


def edit_params(voice: Path, **changes: object) -> None:
    path = voice / "am" / "config.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["Model"]["KanTtsSAMBERT"]["params"].update(changes)
    path.write_text(yaml.safe_dump(document), encoding="utf-8")


def test_the_two_constants_may_be_missing(voice: Path) -> None:
    whole = load_acoustic(voice).network.state_dict()
    constants = (
        "text_encoder.ling_enc.position_enc.position_enc",
        "variance_adaptor.dur_position_encoder.inv_timescales",
    )
    edit_weights(voice, lambda weights: [weights.pop(key) for key in constants])
    recomputed = load_acoustic(voice).network.state_dict()
    for key in constants:
        torch.testing.assert_close(recomputed[key], whole[key], rtol=0, atol=1e-6)


@pytest.mark.parametrize("key", ["mel_postnet.fc.bias", "text_encoder.sy_emb.weight", "emo_tokenizer.weight"])
def test_any_other_missing_key_is_named(voice: Path, key: str) -> None:
    edit_weights(voice, lambda weights: weights.pop(key))
    with pytest.raises(CheckpointError, match=f"missing {key}"):
        load_acoustic(voice)


def test_an_unexpected_key_is_named(voice: Path) -> None:
    edit_weights(voice, lambda weights: weights.update({"mel_postnet.extra": torch.zeros(1)}))
    with pytest.raises(CheckpointError, match=r"unexpected mel_postnet\.extra"):
        load_acoustic(voice)


def test_a_misshapen_tensor_is_named_with_both_shapes(voice: Path) -> None:
    edit_weights(voice, lambda weights: weights.update({"mel_postnet.fc.bias": torch.zeros(5)}))
    with pytest.raises(CheckpointError, match=r"mel_postnet\.fc\.bias is \[5\], expected \[80\]"):
        load_acoustic(voice)


def test_aligner_and_filled_pause_weights_are_left_aside(voice: Path) -> None:
    extra = {"align_attention.attn_proj.bias": torch.zeros(1), "FP_predictor.fc.bias": torch.zeros(4)}
    edit_weights(voice, lambda weights: weights.update(extra))
    load_acoustic(voice)


def test_the_vocoder_is_loaded_strictly(voice: Path) -> None:
    edit_weights(voice, lambda weights: weights.pop("conv_post.conv1d.weight_g") and None, part="voc")
    with pytest.raises(CheckpointError, match=r"missing conv_post\.conv1d\.weight_g"):
        load_vocoder(voice)


def test_nothing_is_copied_when_weights_do_not_fit() -> None:
    network = torch.nn.Linear(2, 2)
    before = network.weight.clone()
    with pytest.raises(CheckpointError, match="missing bias"):
        load_strict(network, {"weight": torch.ones(2, 2)})
    assert torch.equal(network.weight, before)


def test_table_sizes_come_from_the_weights_so_a_voice_without_mask_rows_loads(voice: Path) -> None:
    tables = [
        "text_encoder.sy_emb.weight",
        "text_encoder.tone_emb.weight",
        "text_encoder.syllable_flag_emb.weight",
        "text_encoder.ws_emb.weight",
        "emo_tokenizer.weight",
        "spk_tokenizer.weight",
    ]
    edit_weights(voice, lambda weights: weights.update({key: weights[key][:-1] for key in tables}))
    network = load_acoustic(voice).network
    assert network.config.tables == table_sizes(network.state_dict())
    assert network.config.tables.sy == 146


def test_an_se_voice_brings_its_speaker_vector(voice: Path) -> None:
    edit_params(voice, SE=True)
    edit_weights(voice, lambda weights: weights.pop("spk_tokenizer.weight"))
    np.save(voice / "am" / "se.npy", np.arange(8, dtype=np.float64).reshape(1, 8))
    vector = load_acoustic(voice).speaker_vector
    assert vector is not None
    assert vector.tolist() == [list(range(8))]
    assert vector.dtype == torch.float32


def test_f0_normalisation_follows_the_voice() -> None:
    assert load_acoustic(PARITY / "tiny_16k").f0 is None
    assert load_acoustic(PARITY / "tiny_16k_nsf").f0 == F0Normalisation(offset_hz=190.0, scale_hz=55.0)
    assert load_acoustic(PARITY / "tiny_24k_nsf_causal").f0 == F0Normalisation(30.0, 700.0)


def test_an_nsf_voice_without_its_statistics_is_refused(tmp_path: Path) -> None:
    shutil.copytree(PARITY / "tiny_16k_nsf", tmp_path / "voice")
    (tmp_path / "voice" / "am" / "mvn.npy").unlink()
    with pytest.raises(CheckpointError, match=r"mvn\.npy"):
        load_acoustic(tmp_path / "voice")


def test_the_checkpoint_of_the_highest_step_wins(tmp_path: Path) -> None:
    for name in ("checkpoint_90.pth", "checkpoint_100.pth", "checkpoint_9.pth", "notes.pth"):
        (tmp_path / name).touch()
    assert latest_checkpoint(tmp_path).name == "checkpoint_100.pth"


def test_a_folder_without_checkpoints_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint"):
        latest_checkpoint(tmp_path)


def test_a_checkpoint_of_another_layout_is_refused(voice: Path) -> None:
    torch.save({"weights": {}}, voice / "am" / "ckpt" / "checkpoint_1.pth")
    with pytest.raises(CheckpointError, match="no entry model"):
        load_acoustic(voice)


@pytest.mark.parametrize("text", ["[1, 2", "- 1", "Model: 3"])
def test_an_unusable_configuration_is_refused(voice: Path, text: str) -> None:
    (voice / "am" / "config.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(CheckpointError):
        load_acoustic(voice)


def test_a_missing_configuration_is_refused(voice: Path) -> None:
    (voice / "voc" / "config.yaml").unlink()
    with pytest.raises(CheckpointError, match=r"config\.yaml"):
        load_vocoder(voice)


def test_heads_that_do_not_divide_the_width_are_refused(voice: Path) -> None:
    edit_params(voice, encoder_num_heads=5)
    with pytest.raises(CheckpointError, match="multiple of 5 heads"):
        load_acoustic(voice)
