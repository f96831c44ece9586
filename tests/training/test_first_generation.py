from __future__ import annotations

from typing import Any

import pytest

from tests.training.published import first_vocoder_section
from training.first_generation import acoustic_document, vocoder_document, vocoder_weights
from training.nets.config import HifiganConfig, SambertConfig
from training.untrusted import CheckpointError

HYPERPARAMETERS = {"embedding_dim": 64, "encoder_num_heads": 4}


@pytest.mark.parametrize(
    "section",
    [
        {"am": HYPERPARAMETERS},
        {"am": {"hyperparameters": HYPERPARAMETERS}},
        {"hyperparameters": HYPERPARAMETERS},
        HYPERPARAMETERS,
    ],
)
def test_acoustic_hyperparameters_are_found_at_any_depth(section: dict[str, Any]) -> None:
    document = acoustic_document({**section, "linguistic_unit": {"has_mask": False}, "seed": 3})
    config = SambertConfig.from_yaml_dict(document)
    assert (config.embedding_dim, config.encoder_num_heads, config.max_len) == (64, 4, 800)
    assert document["linguistic_unit"] == {"has_mask": False}


def test_training_options_are_left_behind() -> None:
    document = acoustic_document({"am": {**HYPERPARAMETERS, "batch_size": 32, "learning_rate": 0.1}})
    assert document["Model"]["KanTtsSAMBERT"]["params"] == HYPERPARAMETERS


@pytest.mark.parametrize("wrap", [None, "vocoder", "hyperparameters"])
def test_the_vocoder_section_means_a_causal_generator(wrap: str | None) -> None:
    section = first_vocoder_section()
    config = HifiganConfig.from_yaml_dict(vocoder_document({wrap: section} if wrap else section))
    assert config == HifiganConfig(
        in_channels=10, channels=16, resblock_kernel_sizes=(3,), resblock_dilations=((1,),), causal=True
    )


def test_an_empty_card_means_the_shipped_configuration() -> None:
    assert SambertConfig.from_yaml_dict(acoustic_document({})) == SambertConfig()
    assert HifiganConfig.from_yaml_dict(vocoder_document({})) == HifiganConfig()


def test_the_other_residual_block_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"model\.vocoder\.resblock is '2', expected '1'"):
        vocoder_document({"resblock": "2"})


def test_vocoder_keys_get_their_later_names() -> None:
    names = {
        "conv_pre.conv1d.bias": "conv_pre.conv1d.bias",
        "ups.3.deconv.weight_g": "transpose_upsamples.3.1.deconv.weight_g",
        "repeat_ups.0.2.conv1d.weight_v": "repeat_upsamples.0.2.conv1d.weight_v",
        "resblocks.11.convs1.2.conv1d.bias": "conv_blocks.11.convs1.2.conv1d.bias",
        "conv_post.conv1d.weight_g": "conv_post.conv1d.weight_g",
        "ups.x": "ups.x",
    }
    assert vocoder_weights(dict.fromkeys(names, 1)) == dict.fromkeys(names.values(), 1)
