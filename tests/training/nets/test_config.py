from __future__ import annotations

import logging
from typing import Any

import pytest

from training.nets.config import HifiganConfig, NsfConfig, SambertConfig, TableSizes


def acoustic(**params: Any) -> dict[str, Any]:
    return {"Model": {"KanTtsSAMBERT": {"params": params}}}


def vocoder(**params: Any) -> dict[str, Any]:
    return {"Model": {"Generator": {"params": params}}}


def test_every_width_is_read_and_lists_become_tuples() -> None:
    config = SambertConfig.from_yaml_dict(
        acoustic(decoder_num_layers=3, decoder_prenet_units=[8, 9]), TableSizes(sy=146)
    )
    assert (config.decoder_num_layers, config.decoder_prenet_units, config.tables.sy) == (3, (8, 9), 146)
    assert hash(config) == hash(config)


def test_widths_derived_from_others_are_the_published_ones() -> None:
    assert (SambertConfig().variance_units, SambertConfig().memory_units) == (96, 160)
    with_vector = SambertConfig(SE=True, speaker_units=192, NSF=True, num_mels=82)
    assert (with_vector.variance_units, with_vector.memory_units, with_vector.n_mels) == (256, 320, 80)


def test_keys_without_a_meaning_are_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        SambertConfig.from_yaml_dict(acoustic(predictor_num_heads=8))
    assert "predictor_num_heads" in caplog.text


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"decoder_num_heads": 7}, "multiple of 7 heads"),
        ({"embedding_dim": 511}, "even"),
        ({"nsf_norm_type": "median"}, "median"),
        ({"embedding_dim": "512"}, "embedding_dim is '512', expected a value like 512"),
        ({"encoder_num_layers": 8.0}, "encoder_num_layers is 8.0"),
        ({"dur_pred_prenet_units": 128}, "dur_pred_prenet_units is 128"),
        ({"SE": "yes"}, "SE is 'yes'"),
    ],
)
def test_acoustic_values_that_do_not_fit_are_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SambertConfig.from_yaml_dict(acoustic(**params))


@pytest.mark.parametrize(
    "document", [{}, {"Model": None}, vocoder(), {"Model": {"KanTtsSAMBERT": {"params": 3}}}]
)
def test_a_document_of_another_kind_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="KanTtsSAMBERT"):
        SambertConfig.from_yaml_dict(document)


def test_the_vocoder_file_is_read_with_its_own_spelling() -> None:
    config = HifiganConfig.from_yaml_dict(
        vocoder(
            upsample_scales=[8, 5, 3, 2],
            upsample_kernal_sizes=[16, 10, 6, 4],
            resblock_dilations=[[1, 3, 5]] * 3,
            nonlinear_activation_params={"negative_slope": 0.2},
            nsf_params={"nb_harmonics": 7, "sampling_rate": 24000},
            bias=True,
            use_weight_norm=True,
        )
    )
    assert config.upsample_kernel_sizes == (16, 10, 6, 4)
    assert config.resblock_dilations == ((1, 3, 5),) * 3
    assert (config.hop_length, config.negative_slope) == (240, 0.2)
    assert config.nsf == NsfConfig(nb_harmonics=7, sampling_rate=24000)
    assert config.source_factors == (30, 6, 2, 1)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"repeat_upsample": False}, "repeat"),
        ({"nonlinear_activation": "ReLU"}, "ReLU"),
        ({"out_channels": 4}, "multi-band"),
        ({"upsample_scales": [10, 5, 2]}, "differ in length"),
        ({"resblock_kernel_sizes": [3]}, "differ in length"),
        ({"upsample_kernal_sizes": [9, 10, 4, 4]}, "smaller than its scale"),
        ({"causal": False, "upsample_scales": [10, 5, 2, 3], "nsf_params": {"nb_harmonics": 7}}, "even"),
    ],
)
def test_vocoder_values_that_do_not_fit_are_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HifiganConfig.from_yaml_dict(vocoder(**params))
