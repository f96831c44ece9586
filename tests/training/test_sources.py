from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streaming.text.symbols import PINYIN_PHONES
from tests.training.published import (
    BYTES,
    SPEAKERS,
    WITHOUT_MASK,
    edit_yaml,
    write_dicts,
    write_first_generation,
    write_json,
    write_voice,
)
from tests.training.test_symbol_files import write_phone_set
from training.nets.config import TableSizes
from training.sources import VoiceSource, find_sources
from training.untrusted import CheckpointError

PARITY = Path(__file__).parents[1] / "data" / "parity"
AUDIO = {"sampling_rate": 16000, "hop_length": 200}


def only(path: Path) -> VoiceSource:
    (source,) = find_sources(path, path.parent)
    return source


def params(document: Any, model: str) -> dict[str, Any]:
    found = document["Model"][model]["params"]
    assert isinstance(found, dict)
    return found


def test_the_fixtures_are_a_model_folder_of_four_voices(tmp_path: Path) -> None:
    sources = find_sources(PARITY, tmp_path)
    assert [(source.name, source.generation, source.sample_rate) for source in sources] == [
        ("tiny_16k", "B", 16000),
        ("tiny_16k_noncausal", "B", 16000),
        ("tiny_16k_nsf", "C", 16000),
        ("tiny_24k_nsf_causal", "B", 24000),
    ]
    for source in sources:
        assert source.speakers == ("F7", "F74", "M7")
        assert source.symbols.inventory == "pinyin-v1"
        assert source.language == "PinYin"
    assert sources[2].mvn == PARITY / "tiny_16k_nsf" / "am" / "mvn.npy"


def test_configurations_keep_what_networks_and_symbols_need(tmp_path: Path) -> None:
    source = only(write_voice(tmp_path / "voice", audio=AUDIO))
    assert params(source.acoustic_config, "KanTtsSAMBERT")["embedding_dim"] == 32
    assert source.acoustic_config["linguistic_unit"]["speaker_list"] == "F7,M7"
    assert params(source.vocoder_config, "Generator")["channels"] == 16


def test_every_file_that_makes_the_voice_is_listed(tmp_path: Path) -> None:
    voice = write_voice(tmp_path / "voice", audio=AUDIO)
    write_dicts(voice / "dict")
    np.save(voice / "am" / "mvn.npy", np.ones(2))
    written = {path for path in voice.rglob("*") if path.is_file()}
    assert set(only(voice).files) == written


def test_the_first_generation_is_put_in_the_words_of_the_later_ones(tmp_path: Path) -> None:
    source = only(write_first_generation(tmp_path / "model"))
    assert (source.generation, source.sample_rate, source.language) == ("A", 16000, "PinYin")
    assert source.speakers == SPEAKERS
    assert (source.symbols.inventory, source.symbols.has_mask) == ("own", False)
    assert source.symbols.phones == PINYIN_PHONES
    assert params(source.vocoder_config, "Generator")["upsample_scales"] == [10, 5, 2, 2]


@pytest.mark.parametrize(
    ("audio", "changes", "sample_rate"),
    [
        ({"sampling_rate": 22050}, {}, 22050),
        (None, {}, 16000),
        (None, {"upsample_scales": [5, 5, 2, 2]}, 8000),
        (None, {"upsample_scales": [8, 5, 3, 2]}, 24000),
        (None, {"upsample_scales": [10, 5, 3, 2, 2]}, 48000),
        (None, {"nsf_params": {"sampling_rate": 12000}}, 12000),
    ],
)
def test_the_sample_rate_is_stated_or_follows_from_the_hop(
    tmp_path: Path, audio: dict[str, object] | None, changes: dict[str, object], sample_rate: int
) -> None:
    voice = write_voice(tmp_path / "voice", audio=audio)
    edit_yaml(voice / "voc" / "config.yaml", lambda document: params(document, "Generator").update(changes))
    assert only(voice).sample_rate == sample_rate


@pytest.mark.parametrize(
    ("audio", "scales", "reason"),
    [
        (
            {"sampling_rate": 16000, "hop_length": 240},
            [10, 5, 2, 2],
            "hop_length is 240, but upsample_scales make 200",
        ),
        (None, [3, 3], "the sample rate is None, expected 4000 to 192000 Hz; the hop is 9 samples"),
        ({"sampling_rate": "16k"}, [10, 5, 2, 2], "the sample rate is '16k'"),
        ({"sampling_rate": 1}, [10, 5, 2, 2], "the sample rate is 1"),
        (None, 200, "upsample_scales is 200, expected a list"),
    ],
)
def test_an_unclear_sample_rate_is_refused(
    tmp_path: Path, audio: dict[str, object] | None, scales: object, reason: str
) -> None:
    voice = write_voice(tmp_path / "voice", audio=audio)
    change = {"upsample_scales": scales}
    edit_yaml(voice / "voc" / "config.yaml", lambda document: params(document, "Generator").update(change))
    with pytest.raises(CheckpointError, match=reason):
        only(voice)


def test_a_dialect_brings_its_own_lists(tmp_path: Path) -> None:
    phones = tuple(f"p{n}" for n in range(109))
    tables = TableSizes(sy=116, speaker=5)
    voice = write_voice(tmp_path / "voice", audio=AUDIO, tables=tables, units={"language": "Sichuan"})
    write_phone_set(voice / "dict" / "Sichuan", phones, ("1", "", "4", "2", "3", "5", "0"))
    source = only(voice)
    assert (source.generation, source.language) == ("C", "Sichuan")
    assert (source.symbols.inventory, source.symbols.phones) == ("own", phones)


def test_lists_may_lie_in_the_resource_folder_of_the_model(tmp_path: Path) -> None:
    tables = TableSizes(sy=9, tone=6, speaker=5)
    voice = write_voice(tmp_path / "model" / "voices" / "v", audio=AUDIO, tables=tables)
    write_json(tmp_path / "model" / "voices" / "voices.json", {"voices": ["v"]})
    write_phone_set(tmp_path / "model" / "resource" / "PinYin", ("a", "b"))
    assert only(tmp_path / "model").symbols.phones == ("a", "b")
    assert only(voice).symbols.inventory == "unknown"  # given by itself, it ends at its own folder


def test_a_voice_without_lists_for_its_tables_is_found_with_unknown_symbols(tmp_path: Path) -> None:
    source = only(write_voice(tmp_path / "voice", audio=AUDIO, tables=TableSizes(sy=116, speaker=5)))
    assert (source.symbols.inventory, source.symbols.phones) == ("unknown", None)


def test_a_byte_model_is_known_by_its_table(tmp_path: Path) -> None:
    source = only(write_voice(tmp_path / "voice", audio=AUDIO, tables=BYTES))
    assert source.symbols.inventory == "bytes"


def test_an_se_voice_is_its_own_speaker(tmp_path: Path) -> None:
    voice = write_voice(tmp_path / "aunt", audio=AUDIO, SE=True)
    with pytest.raises(CheckpointError, match=r"voice aunt: SE is on, but there is no se\.npy"):
        only(voice)
    np.save(voice / "am" / "se.npy", np.ones((1, 4)))
    source = only(voice)
    assert (source.speakers, source.speaker_vector) == (("aunt",), voice / "am" / "se.npy")


@pytest.mark.parametrize(
    ("speaker_list", "speakers"),
    [
        ("F7, M7", SPEAKERS),
        (["F7", "M7"], SPEAKERS),
        ("F7", ("F7", "speaker_1")),
        (None, ("speaker_0", "speaker_1")),
    ],
)
def test_speakers_are_named_by_the_configuration(
    tmp_path: Path, speaker_list: object, speakers: tuple[str, ...]
) -> None:
    voice = write_voice(tmp_path / "voice", audio=AUDIO, units={"speaker_list": speaker_list})
    assert only(voice).speakers == speakers


def test_speakers_are_named_by_their_dict_when_the_configuration_is_silent(tmp_path: Path) -> None:
    voice = write_voice(tmp_path / "voice", audio=AUDIO, units={"speaker_list": None})
    write_dicts(voice / "dict", speaker="one\ntwo")
    assert only(voice).speakers == ("one", "two")


@pytest.mark.parametrize(
    ("units", "reason"),
    [
        ({"speaker_list": "a,b,c"}, "table speaker has 5 rows, enough for 2 speakers; 3 are listed"),
        ({"speaker_list": [1]}, "speaker_list is .*, expected names"),
        ({"has_mask": False}, "has_mask is false in the configuration, but the tables have the mask row"),
    ],
)
def test_linguistic_units_that_contradict_the_tables_are_refused(
    tmp_path: Path, units: dict[str, object], reason: str
) -> None:
    with pytest.raises(CheckpointError, match=f"voice v: .*{reason}"):
        only(write_voice(tmp_path / "v", audio=AUDIO, units=units))


def test_the_card_of_the_model_may_say_that_there_is_no_mask(tmp_path: Path) -> None:
    model = tmp_path / "model"
    write_voice(model / "voices" / "v", audio=AUDIO, tables=WITHOUT_MASK)
    write_json(model / "voices" / "voices.json", {"voices": ["v"]})
    for has_mask in (False, True):
        card = {"model": {"am": {"linguistic_unit": {"has_mask": has_mask}}}}
        write_json(model / "configuration.json", card)
        if not has_mask:
            assert not only(model).symbols.has_mask
    with pytest.raises(CheckpointError, match="has_mask is true in the configuration, but the tables lack"):
        only(model)


@pytest.mark.parametrize("part", ["am", "voc"])
def test_a_configuration_without_parameters_is_refused(tmp_path: Path, part: str) -> None:
    voice = write_voice(tmp_path / "voice", audio=AUDIO)
    (voice / part / "config.yaml").write_text("Model: 3", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"the configuration has no Model\.\w+\.params"):
        only(voice)


@pytest.mark.parametrize("language", [["PinYin"], 3, "Pin\nYin", "x" * 41])
def test_a_language_that_is_no_name_is_refused(tmp_path: Path, language: object) -> None:
    folder = write_voice(tmp_path / "mine", units={"language": language})
    with pytest.raises(CheckpointError, match=r"linguistic_unit\.language is .*, expected a name"):
        find_sources(folder, tmp_path)
