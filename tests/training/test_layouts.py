from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pytest

from tests.training.published import CARD, write_first_generation, write_json, write_voice, write_yaml
from training.layouts import VoiceFiles, find_voice_files, is_model_folder, latest_checkpoint
from training.untrusted import CheckpointError

AUDIO = {"sampling_rate": 16000, "hop_length": 200}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model folder of two voices; the second in the alphabet is the default."""
    for name in ("zhibei", "zhitian"):
        write_voice(tmp_path / "model" / "voices" / name, audio=AUDIO)
    write_json(tmp_path / "model" / "voices" / "voices.json", {"voices": ["zhitian", "zhibei"]})
    write_json(tmp_path / "model" / "configuration.json", CARD)
    return tmp_path / "model"


def found(path: Path) -> tuple[VoiceFiles, ...]:
    scratch = path.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    return find_voice_files(path, scratch)


def names(path: Path) -> list[str]:
    return [files.name for files in found(path)]


def zipped(folder: Path, *, with_top_folder: bool) -> Path:
    base = folder.parent if with_top_folder else folder
    inner = folder.name if with_top_folder else "."
    return Path(shutil.make_archive(str(folder.parent / "packed"), "zip", base, inner))


def write_custom(folder: Path, **changes: object) -> Path:
    """A model folder whose configuration.json names the files of a fine-tune."""
    voice = write_voice(folder / "tuned")
    write_yaml(folder / "audio.yaml", {"audio_config": AUDIO})
    custom: dict[str, object] = {
        "voice_name": "mine",
        "am_ckpt": "tuned/am/ckpt",
        "voc_ckpt": str(voice / "voc" / "ckpt" / "checkpoint_20.pth"),
        "am_config": "tuned/am/config.yaml",
        "voc_config": "tuned/voc/config.yaml",
        "audio_config": "audio.yaml",
    }
    given = {key: value for key, value in (custom | changes).items() if value is not None}
    write_json(folder / "configuration.json", {"model": {**CARD["model"], "custom_ckpt": given}})
    return folder


def test_voices_come_in_the_order_of_voices_json(model: Path) -> None:
    assert names(model) == ["zhitian", "zhibei"]


def test_voices_json_may_lie_beside_the_voice_folders(model: Path) -> None:
    assert names(model / "voices") == ["zhitian", "zhibei"]


def test_a_listed_voice_without_a_folder_is_left_out_and_logged(
    model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_json(model / "voices" / "voices.json", {"voices": ["zhizhe", "zhibei", "zhibei"]})
    with caplog.at_level(logging.WARNING):
        assert names(model) == ["zhibei"]
    assert "names zhizhe, but there is no such folder" in caplog.text


@pytest.mark.parametrize("name", ["../model", "/etc", "a\\b", "", ".", ".."])
def test_voices_json_may_only_name_folders_beside_it(model: Path, name: str) -> None:
    write_json(model / "voices" / "voices.json", {"voices": [name]})
    with pytest.raises(CheckpointError, match="expected a folder beside it"):
        found(model)


@pytest.mark.parametrize("document", [{}, {"voices": "zhibei"}, {"voices": [1]}])
def test_voices_json_without_a_list_of_names_is_refused(model: Path, document: dict[str, object]) -> None:
    write_json(model / "voices" / "voices.json", document)
    with pytest.raises(CheckpointError, match=r"voices\.json: voices is .*, expected a list of names"):
        found(model)


def test_a_voice_folder_may_be_given_by_itself(model: Path) -> None:
    write_json(model / "configuration.json", {"model": {"lang_type": "sichuan"}})
    (files,) = found(model / "voices" / "zhibei")
    assert (files.name, files.generation, files.language) == ("zhibei", "B", "sichuan")
    assert files.audio_config == AUDIO


@pytest.mark.parametrize("file", ["se.npy", "mvn.npy"])
def test_files_of_the_later_generation_tell_it(tmp_path: Path, file: str) -> None:
    voice = write_voice(tmp_path / "voice", audio=AUDIO)
    (voice / "am" / file).touch()
    (files,) = found(voice)
    assert files.generation == "C"
    assert (files.speaker_vector or files.mvn) == voice / "am" / file


@pytest.mark.parametrize("parts", [("am", "voc"), ("sambert", "hifigan")])
def test_a_fine_tune_is_found_without_an_audio_configuration(tmp_path: Path, parts: tuple[str, str]) -> None:
    (files,) = found(write_voice(tmp_path / "mine", parts=parts))
    assert (files.name, files.generation, files.audio_config) == ("mine", "bare", {})
    assert files.acoustic_checkpoint == tmp_path / "mine" / parts[0] / "ckpt" / "checkpoint_10.pth"


def test_a_fine_tune_may_keep_its_audio_configuration_with_the_acoustic_one(tmp_path: Path) -> None:
    voice = write_voice(tmp_path / "mine")
    with (voice / "am" / "config.yaml").open("a", encoding="utf-8") as file:
        file.write(f"audio_config: {json.dumps(AUDIO)}\n")
    (files,) = found(voice)
    assert files.audio_config == AUDIO


def test_checkpoints_may_lie_beside_the_configuration(tmp_path: Path) -> None:
    voice = write_voice(tmp_path / "mine")
    (voice / "am" / "ckpt" / "checkpoint_10.pth").rename(voice / "am" / "best.pth")
    (voice / "am" / "ckpt").rmdir()
    (files,) = found(voice)
    assert files.acoustic_checkpoint == voice / "am" / "best.pth"


def test_a_pretrained_model_is_found_in_its_sub_folder(tmp_path: Path) -> None:
    write_voice(tmp_path / "model" / "basemodel_16k", parts=("sambert", "hifigan"))
    assert names(tmp_path / "model") == ["basemodel_16k"]


def test_the_first_generation_is_told_by_its_files(tmp_path: Path) -> None:
    (files,) = found(write_first_generation(tmp_path / "model"))
    assert (files.name, files.generation, files.language, files.has_mask) == ("zhibei", "A", "pinyin", False)
    assert files.audio_config == {"sampling_rate": 16000}
    for path in (tmp_path / "model" / "voices", tmp_path / "model" / "voices" / "zhibei"):
        (alone,) = found(path)
        assert alone.acoustic_config == files.acoustic_config


def test_packed_voices_are_unpacked_into_the_scratch_folder(tmp_path: Path) -> None:
    model = write_first_generation(tmp_path / "model")
    shutil.make_archive(str(model / "voices"), "zip", model, "voices")
    shutil.rmtree(model / "voices")
    (files,) = found(model)
    assert (files.name, files.generation) == ("zhibei", "A")
    assert files.acoustic_checkpoint.is_relative_to(tmp_path / "scratch")
    assert sorted(path.name for path in model.iterdir()) == ["configuration.json", "voices.zip"]


def test_packed_voices_without_a_list_are_refused(tmp_path: Path) -> None:
    write_yaml(tmp_path / "x" / "voices" / "readme.yaml", {})
    (tmp_path / "model").mkdir()
    shutil.make_archive(str(tmp_path / "model" / "voices"), "zip", tmp_path / "x")
    with pytest.raises(CheckpointError, match=r"voices\.json is missing"):
        found(tmp_path / "model")


@pytest.mark.parametrize("with_top_folder", [True, False])
def test_a_zip_of_a_model_is_read_like_the_model(model: Path, with_top_folder: bool) -> None:
    assert names(zipped(model, with_top_folder=with_top_folder)) == ["zhitian", "zhibei"]


def test_a_voice_at_the_top_of_a_zip_is_called_like_the_zip(tmp_path: Path) -> None:
    voice = write_voice(tmp_path / "voice", audio=AUDIO)
    assert names(zipped(voice, with_top_folder=False)) == ["packed"]


def test_a_custom_checkpoint_names_its_files(tmp_path: Path) -> None:
    (files,) = found(write_custom(tmp_path / "model"))
    assert (files.name, files.generation, files.audio_config) == ("mine", "custom", AUDIO)
    assert files.acoustic_checkpoint.name == "checkpoint_10.pth"
    assert files.vocoder_checkpoint.name == "checkpoint_20.pth"


def test_a_custom_checkpoint_may_name_files_elsewhere_by_absolute_path(tmp_path: Path) -> None:
    voice = write_voice(tmp_path / "elsewhere")
    folder = write_custom(tmp_path / "model", am_ckpt=str(voice / "am" / "ckpt"))
    (files,) = found(folder)
    assert files.acoustic_checkpoint == voice / "am" / "ckpt" / "checkpoint_10.pth"


def test_a_custom_checkpoint_takes_se_and_mvn_from_the_model_folder(tmp_path: Path) -> None:
    folder = write_custom(tmp_path / "model", mvn_file="tuned/mvn.npy")
    for path in (folder / "se.npy", folder / "tuned" / "mvn.npy"):
        path.touch()
    (files,) = found(folder)
    assert (files.speaker_vector, files.mvn) == (folder / "se.npy", folder / "tuned" / "mvn.npy")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"am_ckpt": "a\0b"}, r"am_ckpt is 'a\\x00b', which is no path"),
        ({"am_ckpt": None, "voc_config": 3}, "custom_ckpt in .* lacks am_ckpt, voc_config"),
        ({"am_config": "../elsewhere.yaml"}, "leads outside"),
        ({"am_config": "/nowhere/config.yaml"}, "config.yaml is missing"),
        ({"voc_ckpt": "tuned/voc/absent.pth"}, "absent.pth is missing"),
        ({"mvn_file": "absent.npy"}, "absent.npy is missing"),
    ],
)
def test_an_unusable_custom_checkpoint_is_refused(
    tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    write_yaml(tmp_path / "elsewhere.yaml", {})
    with pytest.raises(CheckpointError, match=reason):
        found(write_custom(tmp_path / "model", **changes))


def test_a_custom_checkpoint_in_a_zip_may_not_name_files_elsewhere(tmp_path: Path) -> None:
    folder = write_custom(tmp_path / "model")
    with pytest.raises(CheckpointError, match="a custom_ckpt in an archive may name only files in it"):
        found(zipped(folder, with_top_folder=False))


@pytest.mark.parametrize("linked", ["am", "am/config.yaml", "voc/ckpt", "voc/ckpt/checkpoint_20.pth"])
def test_a_link_that_leads_out_of_the_voice_is_refused(tmp_path: Path, linked: str) -> None:
    voice = write_voice(tmp_path / "voice", audio=AUDIO)
    (voice / linked).rename(tmp_path / "moved")
    (voice / linked).symlink_to(tmp_path / "moved")
    with pytest.raises(CheckpointError, match="leads outside"):
        found(voice)


@pytest.mark.parametrize(
    ("lost", "reason"),
    [
        ("am", "has no folder am or sambert"),
        ("voc", "has no folder voc or hifigan or vocoder"),
        ("voc/config.yaml", r"config\.yaml is missing"),
        ("am/ckpt", r"no checkpoint_<n>\.pth in .*am; other \.pth files there: none"),
    ],
)
def test_a_missing_part_of_a_voice_is_named(tmp_path: Path, lost: str, reason: str) -> None:
    voice = write_voice(tmp_path / "voice", audio=AUDIO)
    path = voice / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(CheckpointError, match=reason):
        found(voice)


def test_a_path_without_voices_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match=r"no voice in .*empty: expected voices/voices\.json"):
        found(tmp_path / "empty")
    with pytest.raises(CheckpointError, match="absent is missing"):
        found(tmp_path / "absent")
    (tmp_path / "model.onnx").write_bytes(b"\x08\x07")
    with pytest.raises(CheckpointError, match=r"cannot unpack .*model\.onnx"):
        found(tmp_path / "model.onnx")


def test_the_checkpoint_of_the_highest_step_wins(tmp_path: Path) -> None:
    for name in ("checkpoint_90.pth", "checkpoint_100.pth", "checkpoint_9.pth", "notes.pth"):
        (tmp_path / name).touch()
    assert latest_checkpoint(tmp_path).name == "checkpoint_100.pth"


def test_several_checkpoints_without_a_step_are_refused(tmp_path: Path) -> None:
    for name in ("a.pth", "b.pth"):
        (tmp_path / name).touch()
    with pytest.raises(CheckpointError, match=r"no checkpoint_<n>\.pth .*: a\.pth, b\.pth"):
        latest_checkpoint(tmp_path)


def test_a_model_folder_is_told_without_reading_it(model: Path, tmp_path: Path) -> None:
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "voices.zip").touch()
    assert is_model_folder(model)
    assert is_model_folder(model / "voices" / "zhibei")
    assert is_model_folder(tmp_path / "packed")
    assert not is_model_folder(model / "voices" / "zhibei" / "am")
    assert not is_model_folder(tmp_path / "missing")
