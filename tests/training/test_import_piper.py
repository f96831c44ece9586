"""From Piper's two files to a voice that speaks, on a small random voice of Piper's shape."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from server.config import ServerConfig
from streaming.errors import UnknownVoiceError, VoiceBundleError
from streaming.loaded_voice import LoadedVoice, load_voice
from streaming.piper_manifest import PiperManifest
from streaming.synthesis.family import new_synthesis
from streaming.types import FloatArray, Style
from streaming.voice import load_manifest, verify_files
from streaming.voices import VoiceLibrary
from tests.server.harness import audio_of, running
from tests.streaming.doubles import drain, joined
from tests.training.piper_shaped import HOP_LENGTH, PHONEMES, LevelledDecoder, config, write_voice
from training.import_piper import find_piper, import_piper
from training.imported_manifest import ImportOptions
from training.untrusted import CheckpointError

TEXT = "Hello, world! How are you?"
OPTIONS = ImportOptions(licence="none")


def imported(
    network: Path, folder: Path, options: ImportOptions = OPTIONS
) -> tuple[PiperManifest, list[str]]:
    """Import the voice of one network into a new folder; also what was reported."""
    folder.mkdir(parents=True)
    progress: list[str] = []
    [source] = find_piper(network)
    return import_piper(source, folder, options, progress.append), progress


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with one speaker."""
    folder = tmp_path_factory.mktemp("one")
    imported(write_voice(folder / "published"), folder / "voices" / "one")
    return folder / "voices" / "one"


@pytest.fixture(scope="module")
def voice(one: Path) -> LoadedVoice:
    return load_voice(one)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network of a voice, for tests that spoil what lies beside it."""
    return write_voice(tmp_path_factory.mktemp("published"))


def beside(network: Path, folder: Path, content: object) -> Path:
    """Copy a network and put this JSON beside it; returns the copy."""
    copy = folder / network.name
    copy.write_bytes(network.read_bytes())
    Path(f"{copy}.json").write_text(json.dumps(content), encoding="utf-8")
    return copy


def spoken(voice: LoadedVoice, text: str = TEXT, **style: Any) -> FloatArray:
    phonemes = voice.frontend.phonemes(text)
    assert phonemes is not None
    return joined(drain(new_synthesis(voice.engine, voice.manifest, phonemes, Style(**style))))


def test_the_bundle_is_whole_and_says_where_it_comes_from(one: Path) -> None:
    manifest = load_manifest(one)
    verify_files(one, manifest)
    assert isinstance(manifest, PiperManifest)
    assert (manifest.name, manifest.languages, manifest.speakers) == ("one", ("en-US",), ("default",))
    assert (manifest.sample_rate, manifest.hop_length) == (16000, HOP_LENGTH)
    assert (manifest.noise_scale, manifest.length_scale, manifest.noise_w) == (0.5, 1.1, 0.3)
    assert isinstance(manifest.provenance, dict)
    assert manifest.provenance["published_as"] == "xx-shaped-low"
    assert manifest.provenance["xx-shaped-low.onnx"].startswith("sha256:")
    assert {path.name for path in one.iterdir()} == {*manifest.sha256, "voice.yaml"}


def test_the_cut_networks_say_what_the_original_says(one: Path) -> None:
    quality = load_manifest(one).quality
    assert float(quality["fp32_deviation_audio"]) <= 1e-4
    assert float(quality["fp32_deviation_blocks"]) <= 1e-4


def test_blocks_are_the_whole_and_need_all_of_their_context(voice: LoadedVoice) -> None:
    assert isinstance(voice.manifest, PiperManifest)
    context = voice.manifest.context_frames
    text = TEXT * 3  # several blocks

    def deviation(**changes: Any) -> float:
        manifest = voice.manifest.model_copy(update=changes)
        return float(np.abs(spoken(replace(voice, manifest=manifest), text) - whole).max())

    whole = spoken(
        replace(voice, manifest=voice.manifest.model_copy(update={"block_frames": (10**6,)})), text
    )
    assert np.ptp(whole) > 1e-3
    assert deviation() <= 1e-6
    assert deviation(block_frames=(1, 2)) <= 1e-6
    assert deviation(context_frames=context - 1) > 1e-6


def test_the_same_request_gives_the_same_samples_and_another_seed_others(voice: LoadedVoice) -> None:
    first = spoken(voice)
    np.testing.assert_array_equal(spoken(voice), first)
    other = spoken(voice, seed=7)
    assert other.size != first.size or np.abs(other - first).max() > 1e-3


def test_speed_shortens(voice: LoadedVoice) -> None:
    assert 0.4 < spoken(voice, speed=2.0).size / spoken(voice).size < 0.7


def test_speakers_keep_their_names_and_sound_apart(tmp_path: Path) -> None:
    network = write_voice(tmp_path, num_speakers=3, speaker_id_map={"anna": 2, "bob": 0})
    imported(network, tmp_path / "many")
    voice = load_voice(tmp_path / "many")
    assert voice.manifest.speakers == ("bob", "1", "anna")
    bob, anna = spoken(voice), spoken(voice, speaker="anna")
    assert bob.size == anna.size  # the decoder alone is conditioned here
    assert np.abs(bob - anna).max() > 1e-3
    with pytest.raises(UnknownVoiceError, match="no speaker 'carl'; known: bob, 1, anna"):
        spoken(voice, speaker="carl")


def test_a_decoder_that_needs_the_whole_is_left_whole(tmp_path: Path) -> None:
    manifest, progress = imported(write_voice(tmp_path, decoder=LevelledDecoder), tmp_path / "whole")
    assert (manifest.hop_length, manifest.context_frames) == (1, 0)
    assert any("cannot run in blocks (ReduceMean" in line for line in progress)
    assert float(manifest.quality["fp32_deviation_audio"]) <= 1e-4
    assert spoken(load_voice(tmp_path / "whole")).size


def test_options_of_the_user_go_before_the_published(published: Path, tmp_path: Path) -> None:
    options = ImportOptions(licence="CC0", language="en-GB", precisions=("fp32", "int8-dynamic"))
    manifest, progress = imported(published, tmp_path / "mine", options)
    assert (manifest.licence, manifest.languages, manifest.precisions) == ("CC0", ("en-GB",), ("fp32",))
    assert any("int8-dynamic is left out" in line for line in progress)
    with pytest.raises(CheckpointError, match="a Piper voice has none"):
        imported(published, tmp_path / "merry", ImportOptions(emotions=("happy",)))


def test_a_path_is_recognised_by_its_files(published: Path, tmp_path: Path) -> None:
    expected = find_piper(published.parent)
    assert [source.name for source in expected] == ["xx-shaped-low"]
    assert find_piper(published) == find_piper(Path(f"{published}.json")) == expected
    assert find_piper(tmp_path) == ()
    assert find_piper(tmp_path / "checkpoint.pth") == ()


def test_text_voices_read_letters(published: Path, tmp_path: Path) -> None:
    content = config(phoneme_type="text", espeak={"voice": ""}, language={})
    manifest, _ = imported(beside(published, tmp_path, content), tmp_path / "letters")
    assert (manifest.phoneme_type, manifest.espeak_voice, manifest.languages) == ("text", "", ("und",))
    assert spoken(load_voice(tmp_path / "letters")).size


def without(key: str) -> dict[str, Any]:
    content = config()
    del content[key]
    return content


IDS = {phoneme: [index] for index, phoneme in enumerate(PHONEMES)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (without("phoneme_id_map"), r"onnx\.json: phoneme_id_map: Field required"),
        (without("audio"), "audio: Field required"),
        (without("espeak"), "phoneme_type 'espeak' needs espeak_voice"),
        (config(phoneme_type="pinyin"), "phoneme_type: Input should be 'espeak' or 'text'"),
        (config(audio={"sample_rate": 0}), r"audio\.sample_rate"),
        (config(espeak={"voice": "../../etc/passwd"}), "espeak_voice"),
        (config(inference={"noise_w": -1}), "noise_w"),
        (config(phoneme_id_map={"a": [3]}), r"phoneme_ids lacks \^ _ \$"),
        (config(phoneme_id_map=IDS | {"ʒ": [999]}), "cannot speak: .*"),
        (config(phoneme_id_map=IDS | {"ʒ": [-1]}), "phoneme_ids"),
        (config(num_speakers=4), "num_speakers is 4, but xx-shaped-low.onnx takes no sid"),
        ([1, 2], r"onnx\.json is not a mapping"),
    ],
)
def test_a_configuration_that_is_none_is_refused(
    published: Path, tmp_path: Path, content: object, message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        imported(beside(published, tmp_path, content), tmp_path / "never")


def test_a_language_that_espeak_lacks_is_named_at_once(published: Path, tmp_path: Path) -> None:
    copy = beside(published, tmp_path, config(espeak={"voice": "tlh"}))
    with pytest.raises(VoiceBundleError, match="espeak-ng has no voice 'tlh'"):
        imported(copy, tmp_path / "never")


def test_a_speaker_beyond_the_number_of_speakers_is_refused(tmp_path: Path) -> None:
    network = write_voice(tmp_path, num_speakers=2, speaker_id_map={"bob": 2})
    with pytest.raises(CheckpointError, match="speaker_id_map has id 2; num_speakers is 2"):
        imported(network, tmp_path / "never")


def test_a_missing_or_broken_configuration_is_named(published: Path, tmp_path: Path) -> None:
    copy = beside(published, tmp_path, {})
    Path(f"{copy}.json").write_text("{", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"xx-shaped-low\.onnx\.json"):
        imported(copy, tmp_path / "broken")
    Path(f"{copy}.json").unlink()
    with pytest.raises(CheckpointError, match=r"xx-shaped-low\.onnx\.json is missing"):
        imported(copy, tmp_path / "missing")


def test_a_network_that_is_none_is_named(published: Path, tmp_path: Path) -> None:
    copy = beside(published, tmp_path, config())
    model = onnx.load(copy)
    model.graph.node[0].domain = "com.example"
    onnx.save(model, copy)
    with pytest.raises(CheckpointError, match=r"xx-shaped-low\.onnx uses operators of com\.example"):
        imported(copy, tmp_path / "strange")
    copy.write_bytes(published.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"cannot read .*xx-shaped-low\.onnx"):
        imported(copy, tmp_path / "truncated")


async def test_a_client_hears_an_imported_voice(one: Path) -> None:
    library = VoiceLibrary([one.parent])
    async with running(ServerConfig(), library=library) as server, server.client() as client:
        await client.send("open", ctx=1, voice="one", text=TEXT, rate=16000, end=True)
        messages = await client.until("done", 1)
        assert sum(message["n"] for message in audio_of(messages, 1)) == messages[-1]["samples"] > 0
        await client.send("open", ctx=2, voice="one", text=TEXT, pitch=1.5, end=True)
        assert "allowed is 1.0" in (await client.expect("error", 2))["message"]
