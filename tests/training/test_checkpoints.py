from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.training.published import (
    BYTES,
    WITHOUT_MASK,
    Touch,
    acoustic_weights,
    edit_checkpoint,
    edit_yaml,
    vocoder_weights,
    write_first_generation,
    write_voice,
)
from training.checkpoints import (
    MAX_LISTED_PROBLEMS,
    TIMESCALES_KEY,
    AcousticModel,
    aligner_shapes,
    load_acoustic,
    load_strict,
    load_vocoder,
)
from training.nets.config import SambertConfig
from training.nets.f0 import F0Normalisation
from training.nets.hifigan import Generator
from training.sources import VoiceSource, find_sources
from training.untrusted import CheckpointError

PARITY = Path(__file__).parents[1] / "data" / "parity"
AUDIO = {"sampling_rate": 16000, "hop_length": 200}
TABLES = (
    "text_encoder.sy_emb.weight",
    "text_encoder.tone_emb.weight",
    "text_encoder.syllable_flag_emb.weight",
    "text_encoder.ws_emb.weight",
    "emo_tokenizer.weight",
    "spk_tokenizer.weight",
)


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    return write_voice(tmp_path / "voice", audio=AUDIO)


def source_of(path: Path) -> VoiceSource:
    (source,) = find_sources(path, path.parent)
    return source


def acoustic_of(path: Path) -> AcousticModel:
    return load_acoustic(source_of(path))


def vocoder_of(path: Path) -> Generator:
    return load_vocoder(source_of(path))


def edit_weights(voice: Path, change: Callable[[dict[str, Any]], object], part: str = "am") -> None:
    path = next((voice / part / "ckpt").glob("*.pth"))
    edit_checkpoint(path, lambda tree: change(tree["model"] if part == "am" else tree["model"]["generator"]))


def edit_params(voice: Path, part: str = "am", **changes: object) -> None:
    model = "KanTtsSAMBERT" if part == "am" else "Generator"
    path = voice / part / "config.yaml"
    edit_yaml(path, lambda document: document["Model"][model]["params"].update(changes))


def test_networks_get_the_weights_of_the_files(voice: Path) -> None:
    source = source_of(voice)
    for network, weights in (
        (load_acoustic(source).network, acoustic_weights()),
        (load_vocoder(source), vocoder_weights()),
    ):
        found = network.state_dict()
        assert found.keys() >= weights.keys()
        assert all(torch.equal(found[key], value) for key, value in weights.items())
        assert not network.training


def test_half_precision_weights_are_widened(voice: Path) -> None:
    edit_weights(voice, lambda weights: weights.update({key: weights[key].half() for key in weights}))
    weight = acoustic_of(voice).network.mel_postnet.fc.weight
    assert weight.dtype == torch.float32
    assert torch.equal(weight, acoustic_weights()["mel_postnet.fc.weight"].half().float())


def test_the_first_generation_loads_under_its_old_names(tmp_path: Path) -> None:
    source = source_of(write_first_generation(tmp_path / "model"))
    generator = load_vocoder(source)
    assert generator.config.causal
    assert all(torch.equal(generator.state_dict()[key], value) for key, value in vocoder_weights().items())
    assert load_acoustic(source).network.config.tables == WITHOUT_MASK


@pytest.mark.parametrize("changes", [{"MAS": True}, {"FP": True}, {"NSF": True, "nsf_norm_type": "global"}])
def test_variants_of_the_acoustic_model_load(tmp_path: Path, changes: dict[str, object]) -> None:
    model = acoustic_of(write_voice(tmp_path / "voice", audio=AUDIO, **changes))
    weights = acoustic_weights(**changes)
    assert model.network.state_dict().keys() == {key for key in weights if "align_attention" not in key}


def test_a_byte_model_loads(tmp_path: Path) -> None:
    model = acoustic_of(write_voice(tmp_path / "voice", audio=AUDIO, tables=BYTES))
    assert model.network.config.tables == BYTES


def test_the_two_constants_may_be_missing(voice: Path) -> None:
    whole = acoustic_of(voice).network.state_dict()
    constants = (
        "text_encoder.ling_enc.position_enc.position_enc",
        "variance_adaptor.dur_position_encoder.inv_timescales",
    )
    edit_weights(voice, lambda weights: [weights.pop(key) for key in constants])
    recomputed = acoustic_of(voice).network.state_dict()
    for key in constants:
        torch.testing.assert_close(recomputed[key], whole[key], rtol=0, atol=1e-6)


def test_rounded_timescales_are_replaced_by_the_computed_ones(voice: Path) -> None:
    whole = acoustic_of(voice).network.state_dict()[TIMESCALES_KEY]
    edit_weights(voice, lambda weights: weights.update({TIMESCALES_KEY: (whole * 1.0004).half()}))
    assert torch.equal(acoustic_of(voice).network.state_dict()[TIMESCALES_KEY], whole)


def test_other_timescales_are_refused(voice: Path) -> None:
    edit_weights(voice, lambda weights: weights[TIMESCALES_KEY][:2].mul_(2.0))
    with pytest.raises(CheckpointError, match=r"\.pth: .*inv_timescales holds 2 in column 0; .* has 1$"):
        acoustic_of(voice)


@pytest.mark.parametrize("key", ["mel_postnet.fc.bias", "text_encoder.sy_emb.weight", "emo_tokenizer.weight"])
def test_any_other_missing_key_is_named(voice: Path, key: str) -> None:
    edit_weights(voice, lambda weights: weights.pop(key))
    with pytest.raises(CheckpointError, match=f"missing {key}"):
        acoustic_of(voice)


@pytest.mark.parametrize(
    "key", ["mel_postnet.extra", "FP_predictor.fc.bias", "align_attention.attn_proj.bias"]
)
def test_an_unexpected_key_is_named(voice: Path, key: str) -> None:
    edit_weights(voice, lambda weights: weights.update({key: torch.zeros(1)}))
    with pytest.raises(CheckpointError, match=rf"checkpoint_10\.pth: .*unexpected {key}"):
        acoustic_of(voice)


def test_a_misshapen_tensor_is_named_with_both_shapes(voice: Path) -> None:
    edit_weights(voice, lambda weights: weights.update({"mel_postnet.fc.bias": torch.zeros(5)}))
    with pytest.raises(CheckpointError, match=r"mel_postnet\.fc\.bias is \[5\], expected \[10\]"):
        acoustic_of(voice)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_values_that_are_not_finite_are_named(voice: Path, value: float) -> None:
    edit_weights(voice, lambda weights: weights["mel_postnet.fc.bias"].fill_(value))
    with pytest.raises(CheckpointError, match=r"mel_postnet\.fc\.bias holds values that are not finite"):
        acoustic_of(voice)


def test_of_many_problems_the_first_are_listed_and_the_rest_counted(voice: Path) -> None:
    edit_params(voice, decoder_num_units=32)
    with pytest.raises(CheckpointError, match=r"; and \d+ more$") as raised:
        acoustic_of(voice)
    assert str(raised.value).count(", expected [") <= MAX_LISTED_PROBLEMS


@pytest.mark.parametrize("key", ["align_attention.key_proj.2.conv.weight", "align_attention.attn_proj.bias"])
def test_a_mas_model_must_bring_its_aligner_in_the_right_shape(tmp_path: Path, key: str) -> None:
    voice = write_voice(tmp_path / "voice", audio=AUDIO, MAS=True)
    edit_weights(voice, lambda weights: weights.update({key: torch.zeros(7)}))
    with pytest.raises(CheckpointError, match=rf"{key} is \[7\], expected"):
        acoustic_of(voice)
    edit_weights(voice, lambda weights: weights.pop(key))
    with pytest.raises(CheckpointError, match=f"missing {key}"):
        acoustic_of(voice)


def test_the_aligner_of_the_shipped_configuration_has_the_published_shapes() -> None:
    shapes = aligner_shapes(SambertConfig(MAS=True))
    assert shapes["align_attention.key_proj.0.conv.weight"] == (1024, 512, 3)
    assert shapes["align_attention.query_proj.0.conv.weight"] == (160, 80, 3)
    assert shapes["align_attention.query_proj.2.conv.bias"] == (80,)
    assert shapes["align_attention.attn_proj.weight"] == (1, 80, 1, 1)
    assert len(shapes) == 12


def test_the_vocoder_is_loaded_strictly(voice: Path) -> None:
    edit_weights(voice, lambda weights: weights.pop("conv_post.conv1d.weight_g") and None, part="voc")
    with pytest.raises(CheckpointError, match=r"missing conv_post\.conv1d\.weight_g"):
        vocoder_of(voice)


def test_nothing_is_copied_when_weights_do_not_fit() -> None:
    network = torch.nn.Linear(2, 2)
    before = network.weight.clone()
    with pytest.raises(CheckpointError, match="missing bias"):
        load_strict(network, {"weight": torch.ones(2, 2)})
    assert torch.equal(network.weight, before)


def test_table_sizes_come_from_the_weights_so_a_voice_without_mask_rows_loads(voice: Path) -> None:
    edit_weights(voice, lambda weights: weights.update({key: weights[key][:-1].clone() for key in TABLES}))
    assert acoustic_of(voice).network.config.tables == WITHOUT_MASK


def test_an_se_voice_brings_its_speaker_vector(tmp_path: Path) -> None:
    voice = write_voice(tmp_path / "voice", audio=AUDIO, SE=True)
    np.save(voice / "am" / "se.npy", np.arange(4, dtype=np.float64).reshape(1, 4))
    vector = acoustic_of(voice).speaker_vector
    assert vector is not None
    assert vector.tolist() == [list(range(4))]
    assert vector.dtype == torch.float32
    np.save(voice / "am" / "se.npy", np.zeros((1, 192)))
    with pytest.raises(CheckpointError, match=r"se\.npy holds 192 values; speaker_units is 4"):
        acoustic_of(voice)


def test_f0_normalisation_follows_the_voice() -> None:
    assert acoustic_of(PARITY / "tiny_16k").f0 is None
    assert acoustic_of(PARITY / "tiny_16k_nsf").f0 == F0Normalisation(offset_hz=190.0, scale_hz=55.0)
    assert acoustic_of(PARITY / "tiny_24k_nsf_causal").f0 == F0Normalisation(30.0, 700.0)


@pytest.mark.parametrize("values", [[1.0], [1.0, 2.0, 3.0], [190.0, 0.0], [190.0, -1.0]])
def test_an_nsf_voice_with_other_statistics_is_refused(tmp_path: Path, values: list[float]) -> None:
    shutil.copytree(PARITY / "tiny_16k_nsf", tmp_path / "voice")
    np.save(tmp_path / "voice" / "am" / "mvn.npy", np.array(values))
    with pytest.raises(CheckpointError, match=r"mvn\.npy holds .*; expected mean and standard deviation"):
        acoustic_of(tmp_path / "voice")


def test_an_nsf_voice_without_its_statistics_is_refused(tmp_path: Path) -> None:
    shutil.copytree(PARITY / "tiny_16k_nsf", tmp_path / "voice")
    (tmp_path / "voice" / "am" / "mvn.npy").unlink()
    with pytest.raises(CheckpointError, match=r"no mvn\.npy beside"):
        acoustic_of(tmp_path / "voice")


@pytest.mark.parametrize("part", ["am", "voc"])
def test_code_in_a_checkpoint_does_not_run(voice: Path, part: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    for path in (voice / part / "ckpt").glob("*.pth"):
        torch.save({"model": Touch(canary)}, path)
    with pytest.raises(CheckpointError, match=r"refers to posix\.system"):
        vocoder_of(voice)
    assert not canary.exists()


@pytest.mark.parametrize(
    ("part", "changes", "reason"),
    [
        ("am", {"encoder_num_heads": 5}, "multiple of 5 heads"),
        ("am", {"encoder_num_heads": 0}, "unusable configuration"),
        ("am", {"encoder_num_layers": "2"}, "encoder_num_layers is '2', expected a value like 8"),
        ("am", {"encoder_num_layers": 65}, "encoder_num_layers is 65; 1 to 64 are allowed"),
        ("am", {"max_len": 1 << 40}, "max_len is 1099511627776; 1 to 8192 are allowed"),
        ("am", {"embedding_dim": 64}, r"sy_emb\.weight is \[147, 32\], expected \[147, 64\]"),
        ("am", {"postnet_shift": -1}, "postnet_shift is -1; 0 to 8192 are allowed"),
        ("am", {"predictor_dropout": float("nan")}, "predictor_dropout is nan"),
        ("am", {"NSF": "yes"}, "NSF is 'yes', expected a value like False"),
        ("am", {"decoder_prenet_units": [8] * 65}, "decoder_prenet_units has 65 entries"),
        ("am", {"decoder_prenet_units": [8, "x"]}, "decoder_prenet_units is 'x', expected a value like 256"),
        ("voc", {"upsample_kernal_sizes": [20]}, "differ in length"),
        ("voc", {"resblock_dilations": [[0]]}, "resblock_dilations is 0; 1 to 8192 are allowed"),
        ("voc", {"channels": 1}, "weights do not fit the network: transpose_upsamples"),
        ("voc", {"nonlinear_activation_params": 3}, "unusable configuration"),
        ("voc", {"nsf_params": {"nb_harmonics": 1 << 20}}, "nb_harmonics is 1048576"),
    ],
)
def test_a_configuration_that_makes_no_sane_network_is_refused(
    voice: Path, part: str, changes: dict[str, object], reason: str
) -> None:
    edit_params(voice, part, **changes)
    with pytest.raises(CheckpointError, match=reason):
        acoustic_of(voice) if part == "am" else vocoder_of(voice)
