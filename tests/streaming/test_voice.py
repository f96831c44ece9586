from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from streaming.engines.fake import fake_manifest
from streaming.errors import UnknownVoiceError, VoiceBundleError
from streaming.sambert_manifest import SambertManifest, SymbolLists
from streaming.voice import (
    MANIFEST_NAME,
    find_voices,
    load_manifest,
    verify_files,
)
from tests.streaming.doubles import VOICES


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "tiny_16k"
    shutil.copytree(VOICES / "tiny_16k", folder)
    return folder


def edit(folder: Path, change: Any) -> None:
    path = folder / MANIFEST_NAME
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def test_the_committed_test_voice_is_whole():
    manifest = load_manifest(VOICES / "tiny_16k")
    verify_files(VOICES / "tiny_16k", manifest)
    assert (manifest.sample_rate, manifest.hop_length, manifest.n_mels) == (16_000, 200, 80)
    assert manifest.acoustic.memory_width == 3 * 16 + 8 + 8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(colour="red"), "colour"),
        (lambda c: c["vocoder"].update(colour="red"), r"vocoder\.colour"),
        (lambda c: c.update(format=1), "format is 1; this version reads 2"),
        (lambda c: c.pop("format"), "format is None"),
        (lambda c: c.update(family="vits"), "family is 'vits'; known: sambert, piper"),
        (lambda c: c.pop("family"), "family is None"),
        (lambda c: c.pop("sample_rate"), "sample_rate"),
        (lambda c: c.update(name="other"), "name is 'other'"),
        (lambda c: c.update(name="../evil"), "name"),
        (lambda c: c["acoustic"].update(n_features=82), "n_features is 82"),
        (lambda c: c["acoustic"].update(window_buckets=[16, 8]), "must ascend"),
        (lambda c: c["vocoder"].update(kind="nsf"), "needs the f0 section"),
        (lambda c: c["vocoder"].update(lookahead_frames=4), "block_frames"),
        (lambda c: c["networks"].update(encoder={"fp32": "../x.onnx"}), "inside the bundle"),
        (lambda c: c["sha256"].pop("encoder.fp32.onnx"), "sha256 lacks"),
        (lambda c: c.update(emotions={}), "emotions"),
        (lambda c: c.update(speakers=[]), "speakers"),
    ],
)
def test_a_wrong_manifest_is_refused_with_the_key(bundle: Path, change: Any, message: str):
    edit(bundle, change)
    with pytest.raises(VoiceBundleError, match=message):
        load_manifest(bundle)


@pytest.mark.parametrize("content", ["[1, 2", "just words", "", "- 1"])
def test_a_manifest_that_is_no_mapping_is_refused_with_its_path(bundle: Path, content: str):
    (bundle / MANIFEST_NAME).write_text(content)
    with pytest.raises(VoiceBundleError, match=r"voice\.yaml"):
        load_manifest(bundle)


def test_a_missing_manifest_is_refused(tmp_path: Path):
    with pytest.raises(VoiceBundleError, match=r"voice\.yaml"):
        load_manifest(tmp_path)


def test_a_changed_file_is_found(bundle: Path):
    with (bundle / "postnet.fp32.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(VoiceBundleError, match=r"postnet\.fp32\.onnx: sha256 is"):
        verify_files(bundle, load_manifest(bundle))


def test_a_missing_file_is_found(bundle: Path):
    (bundle / "postnet.fp32.onnx").unlink()
    with pytest.raises(VoiceBundleError, match=r"postnet\.fp32\.onnx"):
        verify_files(bundle, load_manifest(bundle))


def test_voices_are_found_by_folder_and_later_folders_replace(tmp_path: Path):
    for place in ("a/x", "a/y", "b/y"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / MANIFEST_NAME).touch()
    (tmp_path / "a/no-voice").mkdir()
    found = find_voices([tmp_path / "a", tmp_path / "b", tmp_path / "missing"])
    assert found == {"x": tmp_path / "a/x", "y": tmp_path / "b/y"}


def test_an_empty_name_is_the_first_speaker_and_the_first_emotion():
    manifest = fake_manifest()
    assert (manifest.speaker_id(""), manifest.speaker_id("low-sine")) == (0, 1)
    assert (manifest.emotion_id(""), manifest.emotion_id("sad")) == (1, 6)


def test_unknown_names_list_the_known_ones():
    with pytest.raises(UnknownVoiceError, match="no speaker 'bach'; known: sine, low-sine"):
        fake_manifest().speaker_id("bach")
    with pytest.raises(UnknownVoiceError, match="no emotion 'bored'; known: neutral, happy, sad"):
        fake_manifest().emotion_id("bored")


def test_a_manifest_survives_yaml():
    content = fake_manifest().model_dump(mode="json", exclude_none=True)
    content["symbols"] = {"phones": ["a_c", "b_c"], "tones": ["tone1"], "has_mask": False}
    manifest = SambertManifest.model_validate(yaml.safe_load(yaml.safe_dump(content, sort_keys=False)))
    assert manifest.symbols == SymbolLists(phones=("a_c", "b_c"), tones=("tone1",), has_mask=False)
    assert list(manifest.emotions) == ["neutral", "happy", "sad"]


def test_a_link_to_a_bundle_counts_by_its_own_name(bundle: Path, tmp_path: Path):
    (tmp_path / "links").mkdir()
    real = bundle.rename(tmp_path / "elsewhere")
    for name in (bundle.name, "other"):
        (tmp_path / "links" / name).symlink_to(real)
    assert load_manifest(tmp_path / "links" / bundle.name).name == bundle.name
    with pytest.raises(VoiceBundleError, match="the folder is 'other'; they must agree"):
        load_manifest(tmp_path / "links" / "other")


@pytest.mark.parametrize("text", ["a: 2020-99-99", "a: [", "[" * 5000])
def test_a_manifest_that_is_no_yaml_is_refused_in_one_line(bundle: Path, text: str):
    (bundle / MANIFEST_NAME).write_text(text)
    with pytest.raises(VoiceBundleError, match=rf"{MANIFEST_NAME}: [^\n]+\Z"):
        load_manifest(bundle)
