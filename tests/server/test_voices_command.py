from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from server import voices_command
from server.config import ServerConfig, VoiceConfig
from server.voices_command import (
    list_voices,
    removable_folder,
    remove_folder,
    show_voice,
    verify_voices,
)
from streaming.errors import ConfigError, UnknownVoiceError, VoiceBundleError
from streaming.voice import dump_manifest, load_manifest
from tests.streaming.doubles import VOICES, write_bundle

FAKE = ServerConfig(voice=VoiceConfig(engine="fake"))


def test_the_list_has_a_line_per_voice_and_marks_the_default() -> None:
    (line,) = list_voices(FAKE).splitlines()
    assert line.startswith("* fake ")
    for word in ("zh-CN", "16000 Hz", "low-sine", "happy", "Apache-2.0"):
        assert word in line


def test_broken_bundles_are_listed_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "cracked").mkdir()
    (tmp_path / "cracked" / "voice.yaml").write_text("format: 7\n", encoding="utf-8")
    text = list_voices(ServerConfig(voice=VoiceConfig(embedded=False, folders=(tmp_path,))))
    assert text.startswith("! cracked: ")
    assert "format is 7" in text


def test_no_voices_is_said(tmp_path: Path) -> None:
    config = ServerConfig(voice=VoiceConfig(embedded=False, folders=(tmp_path,)))
    assert list_voices(config) == "no voices found\n"


def test_show_prints_the_manifest_as_yaml() -> None:
    manifest = yaml.safe_load(show_voice(FAKE, ""))
    assert (manifest["name"], manifest["sample_rate"]) == ("fake", 16000)
    assert manifest["emotions"]["happy"] == 5


def test_showing_an_unknown_voice_names_the_known() -> None:
    with pytest.raises(UnknownVoiceError, match="no voice 'x'; known: fake"):
        show_voice(FAKE, "x")


def only(folder: Path) -> ServerConfig:
    return ServerConfig(voice=VoiceConfig(embedded=False, folders=(folder,)))


def test_showing_a_broken_voice_says_why(tmp_path: Path) -> None:
    (write_bundle(tmp_path, "cracked") / "voice.yaml").write_text("format: 7\n", encoding="utf-8")
    with pytest.raises(VoiceBundleError, match="format is 7"):
        show_voice(only(tmp_path), "cracked")


# -- verify ----------------------------------------------------------------------------------


def test_verify_finds_a_flipped_byte_and_a_broken_manifest_and_passes_the_rest(tmp_path: Path) -> None:
    for name in ("fine", "flipped"):
        shutil.copytree(VOICES / "tiny_16k", tmp_path / name)
        manifest = tmp_path / name / "voice.yaml"
        manifest.write_text(manifest.read_text().replace("name: tiny_16k", f"name: {name}"))
    (write_bundle(tmp_path, "cracked") / "voice.yaml").write_text("format: 7\n", encoding="utf-8")
    network = tmp_path / "flipped" / "decoder.fp32.onnx"
    content = bytearray(network.read_bytes())
    content[1000] ^= 1
    network.write_bytes(content)

    cracked, fine, flipped = (str(outcome) for outcome in verify_voices(only(tmp_path), []))
    assert cracked.startswith("FAILED cracked: ")
    assert "format is 7" in cracked
    assert fine.startswith("ok     fine: fp32, ")
    assert flipped.startswith("FAILED flipped: ")
    assert "decoder.fp32.onnx: sha256 is" in flipped


def with_precision(folder: Path, network: str, precision: str, file: str, content: bytes) -> Path:
    """Add a file to a copy of the small voice, with its true checksum."""
    shutil.copytree(VOICES / "tiny_16k", folder / "tiny_16k")
    (folder / "tiny_16k" / file).write_bytes(content)
    manifest = load_manifest(folder / "tiny_16k")
    networks = {name: dict(files) for name, files in manifest.networks.items()}
    networks[network][precision] = file
    sums = {**manifest.sha256, file: hashlib.sha256(content).hexdigest()}
    changed = manifest.changed(networks=networks, sha256=sums)
    (folder / "tiny_16k" / "voice.yaml").write_text(dump_manifest(changed), encoding="utf-8")
    return folder


def test_verify_opens_the_files_of_every_runtime(tmp_path: Path) -> None:
    with_precision(tmp_path, "decoder", "int8-weights", "decoder.npz", b"no archive")
    (outcome,) = verify_voices(only(tmp_path), [])
    assert "decoder.npz: not an archive of arrays" in outcome.reason


def test_verify_says_of_what_it_only_compared_the_checksums(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_precision(tmp_path / "gpu", "vocoder", "int8-tensorrt", "vocoder.onnx", b"for a GPU")
    (outcome,) = verify_voices(only(tmp_path / "gpu"), [])
    assert str(outcome).startswith("ok     tiny_16k: fp32, ")
    assert str(outcome).endswith("; checksums only, as nothing here runs it: int8-tensorrt")
    with_precision(tmp_path / "npz", "decoder", "int8-weights", "decoder.npz", b"not opened")
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "streaming.engines.numba", raising=False)
    (outcome,) = verify_voices(only(tmp_path / "npz"), [])
    assert outcome.not_run == ("int8-weights",)


def test_verify_checks_the_named_voices_only(tmp_path: Path) -> None:
    write_bundle(tmp_path, "a")
    write_bundle(tmp_path, "b")
    (outcome,) = verify_voices(only(tmp_path), ["b"])
    assert (outcome.name, outcome.reason) == ("b", f"{tmp_path / 'b'}: no precision has all networks")
    with pytest.raises(UnknownVoiceError, match="no voice 'c'; known: a, b"):
        list(verify_voices(only(tmp_path), ["a", "c"]))


# -- remove ----------------------------------------------------------------------------------


def test_removing_deletes_the_folder_and_nothing_beside_it(tmp_path: Path) -> None:
    write_bundle(tmp_path, "a")
    write_bundle(tmp_path, "b")
    remove_folder(removable_folder(only(tmp_path), "a"))
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_a_broken_voice_can_be_removed(tmp_path: Path) -> None:
    (write_bundle(tmp_path, "cracked") / "voice.yaml").write_text("format: 7\n", encoding="utf-8")
    remove_folder(removable_folder(only(tmp_path), "cracked"))
    assert list(tmp_path.iterdir()) == []


def test_of_a_linked_voice_only_the_link_is_removed(tmp_path: Path) -> None:
    elsewhere = write_bundle(tmp_path / "elsewhere", "a")
    (tmp_path / "voices").mkdir()
    (tmp_path / "voices" / "a").symlink_to(elsewhere)
    remove_folder(removable_folder(only(tmp_path / "voices"), "a"))
    assert list((tmp_path / "voices").iterdir()) == []
    assert (elsewhere / "voice.yaml").is_file()


@pytest.mark.parametrize("as_user_folder", [False, True])
def test_an_embedded_voice_is_not_removed_whichever_way_it_is_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_user_folder: bool
) -> None:
    write_bundle(tmp_path, "shipped")
    monkeypatch.setattr(voices_command, "EMBEDDED_VOICES", tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    config = only(tmp_path / "link" if as_user_folder else tmp_path)
    with pytest.raises(ConfigError, match="voice 'shipped' ships with the project"):
        removable_folder(config, "shipped")


@pytest.mark.parametrize("name", ["../a", "a/../a", ".", "", "nobody"])
def test_only_names_of_voices_are_removed(tmp_path: Path, name: str) -> None:
    write_bundle(tmp_path, "a")
    with pytest.raises(UnknownVoiceError, match="known: a"):
        removable_folder(only(tmp_path), name)


def test_a_removal_that_the_system_refuses_is_told(tmp_path: Path) -> None:
    with pytest.raises(VoiceBundleError, match="No such file"):
        remove_folder(tmp_path / "gone")
