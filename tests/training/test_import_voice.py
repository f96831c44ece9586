"""Importing through the command line: the original's numbers are the judge; a failure leaves nothing."""

from __future__ import annotations

import errno
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from server.cli import main
from server.config import ServerConfig
from streaming.audio.pcm import float_to_s16le
from streaming.engines.bundle import BundleEngine
from streaming.engines.choice import Choice, EnginePlan
from streaming.errors import UnspeakableTextError
from streaming.loaded_voice import LoadedVoice, load_voice
from streaming.sambert_manifest import SambertManifest, as_sambert
from streaming.synthesis import vocoder as vocoder_module
from streaming.synthesis.family import new_synthesis
from streaming.types import FloatArray, Style
from streaming.voice import load_manifest, verify_files
from streaming.voices import VoiceLibrary
from tests.server.harness import audio_of, running
from tests.streaming.doubles import drain, joined
from tests.training.imported import (
    PARITY,
    PARITY_VOICES,
    SENTENCES,
    RecordedDraws,
    phonemes_of,
    reference,
    streamed_audio,
    streamed_mel,
    style_of,
)
from tests.training.published import (
    BYTES,
    SPEAKERS,
    Touch,
    edit_yaml,
    write_dicts,
    write_first_generation,
    write_voice,
)
from training.import_voice import SCRATCH_PREFIX, import_voices
from training.imported_manifest import ImportOptions
from training.untrusted import CheckpointError

MEL_TOLERANCE = 2e-5
AUDIO_TOLERANCE = 1e-4
AUDIO = {"sampling_rate": 16000, "hop_length": 200}


def run_import(source: Path, voices: Path, *flags: str) -> int:
    return main(["voices", "import", str(source), "--into", str(voices), *flags])


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The four voices of the fixtures, imported by one command."""
    folder = tmp_path_factory.mktemp("data") / "voices"
    assert run_import(PARITY, folder, "--licence", "Apache-2.0") == 0
    return folder


@pytest.fixture(params=PARITY_VOICES)
def bundle(request: pytest.FixtureRequest, voices: Path) -> tuple[BundleEngine, SambertManifest]:
    manifest = as_sambert(load_manifest(voices / request.param))
    return BundleEngine(voices / request.param, manifest), manifest


def speak(voice: LoadedVoice, text: str, style: Style | None = None) -> FloatArray:
    phonemes = voice.frontend.phonemes(text)
    assert phonemes is not None
    return joined(drain(new_synthesis(voice.engine, voice.manifest, phonemes, style or Style())))


@pytest.mark.parametrize("sentence", SENTENCES)
def test_streamed_mel_equals_the_original(bundle: tuple[BundleEngine, SambertManifest], sentence: str):
    engine, manifest = bundle
    expected = reference(manifest.name, sentence)
    mel = streamed_mel(engine, manifest, expected)
    np.testing.assert_allclose(mel, expected["postnet_outputs"], atol=MEL_TOLERANCE, rtol=0)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_streamed_audio_equals_the_original(
    bundle: tuple[BundleEngine, SambertManifest], sentence: str, monkeypatch: pytest.MonkeyPatch
):
    engine, manifest = bundle
    expected = reference(manifest.name, sentence)
    if manifest.f0:
        draws = RecordedDraws(manifest, expected)
        monkeypatch.setattr(vocoder_module, "make_excitation", lambda voice, seed: draws)
    # From the given mel: a phase that runs for seconds magnifies the last bit of F0.
    audio = streamed_audio(engine, manifest, expected["postnet_outputs"])
    np.testing.assert_allclose(audio, expected["audio"], atol=AUDIO_TOLERANCE, rtol=0)


def test_interleaved_streams_equal_the_offline_run_bit_for_bit(bundle: tuple[BundleEngine, SambertManifest]):
    engine, manifest = bundle
    numbers = [reference(manifest.name, sentence) for sentence in SENTENCES]
    offline, streams = (
        [new_synthesis(engine, manifest, phonemes_of(n), style_of(manifest, n)) for n in numbers]
        for _ in range(2)
    )
    chunks: list[list[FloatArray]] = [[] for _ in streams]
    running = True
    while running:
        advanced = [(parts, stream.advance()) for parts, stream in zip(chunks, streams, strict=True)]
        for parts, chunk in advanced:
            if chunk is not None:
                parts.append(chunk.samples)
        running = any(chunk is not None for _, chunk in advanced)
    for parts, whole in zip(chunks, offline, strict=True):
        np.testing.assert_array_equal(np.concatenate(parts), joined(drain(whole)))


@pytest.mark.parametrize("name", PARITY_VOICES)
def test_an_imported_voice_speaks_text(voices: Path, name: str):
    verify_files(voices / name, load_manifest(voices / name))
    audio = speak(load_voice(voices / name), "你好，hello。")
    assert audio.size > 0
    assert np.abs(audio).max() > 1e-3


def test_int8_is_another_precision_of_the_same_voice(tmp_path: Path):
    folder = write_voice(tmp_path / "mine", audio=AUDIO)
    manifest = imported(folder, tmp_path, precisions=("fp32", "int8-dynamic")).manifest
    assert manifest.precisions == ("fp32", "int8-dynamic")
    assert manifest.network_file("decoder", "int8-dynamic") != manifest.network_file("decoder", "fp32")
    assert set(manifest.networks["vocoder"]) == {"fp32"}
    exact, quantised = (
        speak(load_voice(tmp_path / "voices" / "mine", EnginePlan(Choice(precision=precision))), "你好。")
        for precision in manifest.precisions
    )
    assert not np.array_equal(exact, quantised)


@pytest.mark.parametrize("name", ["tiny_16k_nsf", "tiny_24k_nsf_causal"])
def test_the_noise_of_an_nsf_voice_belongs_to_the_seed(voices: Path, name: str):
    voice = load_voice(voices / name)
    first, again, other = (speak(voice, "你好。", Style(seed=seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_manifest_says_what_the_checkpoint_has(voices: Path):
    manifest = as_sambert(load_manifest(voices / "tiny_16k_nsf"))
    assert manifest.speakers == ("F7", "F74", "M7")
    assert next(iter(manifest.emotions)) == "neutral"
    assert len(manifest.emotions) == 33
    assert manifest.languages == ("zh-CN", "en-US")
    assert manifest.precisions == ("fp32",)
    assert (manifest.vocoder.lookahead_frames, manifest.vocoder.takes_edges) == (18, True)
    assert manifest.licence == "Apache-2.0"
    assert isinstance(manifest.provenance, dict)
    assert len(manifest.provenance["am/ckpt/checkpoint_0.pth"]) == len("sha256:") + 64
    assert not any(
        str(PARITY.parent) in value for value in (*manifest.provenance, *manifest.provenance.values())
    )
    assert 0.0 < manifest.quality["fp32_deviation_audio"] < AUDIO_TOLERANCE


def test_progress_names_every_step_and_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run_import(PARITY / "tiny_16k", tmp_path / "voices", "--name", "mine") == 0
    output = capsys.readouterr()
    assert output.out == f"{tmp_path / 'voices' / 'mine'}\n"
    for step in (
        "reading",
        "[1/1] mine: loading",
        "encoder exported",
        "vocoder exported",
        "fp32 speaks",
        "RTF",
    ):
        assert step in output.err
    assert load_manifest(tmp_path / "voices" / "mine").name == "mine"


def imported(source: Path, tmp_path: Path, **options: object) -> LoadedVoice:
    (manifest,) = import_voices(source, tmp_path / "voices", ImportOptions(**options), lambda line: None)
    return load_voice(tmp_path / "voices" / manifest.name)


def test_the_first_generation_is_imported_without_mask_rows(tmp_path: Path):
    voice = imported(write_first_generation(tmp_path / "model"), tmp_path)
    manifest = as_sambert(voice.manifest)
    assert manifest.name == "zhibei"
    assert manifest.speakers == SPEAKERS
    assert speak(voice, "你好。").size > 0


def test_a_zip_is_imported(tmp_path: Path):
    folder = write_voice(tmp_path / "zhiyan", audio=AUDIO)
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(tmp_path))
    assert imported(tmp_path / "model.zip", tmp_path).manifest.name == "zhiyan"


def test_a_bare_fine_tune_is_imported(tmp_path: Path):
    voice = imported(write_voice(tmp_path / "mine", parts=("sambert", "hifigan")), tmp_path)
    assert voice.manifest.sample_rate == 16000


def test_a_byte_voice_reads_any_script(tmp_path: Path):
    voice = imported(write_voice(tmp_path / "bytes", tables=BYTES, audio=AUDIO, MAS=True), tmp_path)
    assert as_sambert(voice.manifest).symbols == "bytes"
    assert speak(voice, "Привет").size > 0


def test_a_voice_that_fills_pauses_is_checked_with_them(tmp_path: Path):
    voice = imported(write_voice(tmp_path / "fp", audio=AUDIO, FP=True), tmp_path)
    assert as_sambert(voice.manifest).acoustic.inserts_tokens
    off = imported(tmp_path / "fp", tmp_path, name="off", filled_pauses="off")
    assert not as_sambert(off.manifest).acoustic.inserts_tokens
    assert speak(voice, "你好。").size > 0


def test_a_voice_with_a_speaker_vector_has_one_speaker(tmp_path: Path):
    folder = write_voice(tmp_path / "se", audio=AUDIO, SE=True, speaker_units=6)
    np.save(folder / "am" / "se.npy", np.ones((1, 6), np.float32))
    voice = imported(folder, tmp_path)
    assert voice.manifest.speakers == ("se",)
    assert speak(voice, "你好。").size > 0


def test_a_dialect_is_imported_and_refuses_text(tmp_path: Path):
    folder = write_voice(tmp_path / "chuangirl", audio=AUDIO, units={"language": "Sichuan"})
    write_dicts(folder / "dict")
    voice = imported(folder, tmp_path)
    assert voice.manifest.languages == ("zh-CN-sichuan",)
    with pytest.raises(UnspeakableTextError, match="cannot be pronounced yet"):
        voice.frontend.phonemes("你好")


def test_emotions_can_be_limited_to_those_that_sound_right(tmp_path: Path):
    folder = write_voice(tmp_path / "few", audio=AUDIO)
    assert list(imported(folder, tmp_path, emotions=("neutral", "happy")).manifest.emotions) == [
        "neutral",
        "happy",
    ]
    with pytest.raises(CheckpointError, match="no emotion bored"):
        imported(folder, tmp_path, name="other", emotions=("bored",))


def test_a_network_that_somebody_exported_does_not_make_a_voice_of_piper(tmp_path: Path):
    folder = write_voice(tmp_path / "mine", audio=AUDIO)
    (folder / "exported.onnx").write_bytes(b"x")
    assert imported(folder, tmp_path).manifest.family == "sambert"


def left(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_refused_checkpoint_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = write_voice(tmp_path / "bad", audio=AUDIO)
    checkpoint = folder / "voc" / "ckpt" / "checkpoint_20.pth"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    assert run_import(folder, tmp_path / "new" / "voices") == 1
    assert "not imported: " in capsys.readouterr().err
    assert not (tmp_path / "new").exists()  # the folder of voices was made for this import


def test_a_hostile_checkpoint_does_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = write_voice(tmp_path / "evil", audio=AUDIO)
    canary = tmp_path / "canary"
    torch.save({"model": Touch(canary)}, folder / "am" / "ckpt" / "checkpoint_10.pth")
    assert run_import(folder, tmp_path / "voices") == 1
    assert "checkpoint_10.pth" in capsys.readouterr().err
    assert not canary.exists()
    assert not (tmp_path / "voices").exists()


def test_sizes_that_no_bundle_may_have_are_refused(tmp_path: Path):
    folder = write_voice(tmp_path / "mine", audio=AUDIO)
    edit_yaml(
        folder / "am" / "config.yaml",
        lambda config: config["Model"]["KanTtsSAMBERT"]["params"].update(postnet_shift=8000),
    )
    with pytest.raises(CheckpointError, match="voice mine: no voice can be made of the configuration"):
        import_voices(folder, tmp_path / "voices", ImportOptions(), lambda line: None)
    assert not (tmp_path / "voices").exists()


def test_voices_are_not_written_into_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "file").write_text("mine")
    assert run_import(PARITY / "tiny_16k", tmp_path / "file") == 1
    assert "file is not a folder" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"


def test_a_full_disk_is_told_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("training.import_sambert.export_network", full)
    assert run_import(PARITY / "tiny_16k", tmp_path / "voices") == 1
    assert f"No space left on device (writing to {tmp_path / 'voices'})" in capsys.readouterr().err
    assert not (tmp_path / "voices").exists()


def test_one_bad_voice_of_several_keeps_all_out(tmp_path: Path):
    model = tmp_path / "model"
    for name in ("good", "bad"):
        write_voice(model / name, audio=AUDIO)
    (model / "voices.json").write_text('{"voices": ["good", "bad"]}')
    (model / "bad" / "voc" / "ckpt" / "checkpoint_20.pth").write_bytes(b"")
    with pytest.raises(CheckpointError, match="bad"):
        import_voices(model, tmp_path / "voices", ImportOptions(), lambda line: None)
    assert not (tmp_path / "voices").exists()


class StopHereError(Exception):
    """Stands for anything that ends an import: a signal, a full disk."""


def test_an_interrupted_import_leaves_other_voices_alone(tmp_path: Path):
    folder = write_voice(tmp_path / "mine", audio=AUDIO)
    (tmp_path / "voices" / "theirs").mkdir(parents=True)

    def interrupt(line: str) -> None:
        if "vocoder exported" in line:
            raise StopHereError

    with pytest.raises(StopHereError):
        import_voices(folder, tmp_path / "voices", ImportOptions(), interrupt)
    assert left(tmp_path / "voices") == ["theirs"]


def test_a_voice_is_replaced_only_when_asked_and_only_by_a_whole_one(tmp_path: Path):
    folder, voices = write_voice(tmp_path / "mine", audio=AUDIO), tmp_path / "voices"
    (first,) = import_voices(folder, voices, ImportOptions(), lambda line: None)
    with pytest.raises(CheckpointError, match="has a voice 'mine'"):
        import_voices(folder, voices, ImportOptions(), lambda line: None)
    options = ImportOptions(licence="MIT")
    import_voices(folder, voices, options, lambda line: None, replace=True)
    assert (first.licence, load_manifest(voices / "mine").licence) == (ImportOptions().licence, "MIT")
    shutil.rmtree(folder / "voc")
    with pytest.raises(CheckpointError):
        import_voices(folder, voices, ImportOptions(), lambda line: None, replace=True)
    assert load_manifest(voices / "mine").licence == "MIT"
    assert [path.name for path in voices.iterdir()] == ["mine"]


def test_a_voice_that_another_import_wrote_meanwhile_is_not_replaced(tmp_path: Path):
    folder, voices = write_voice(tmp_path / "mine", audio=AUDIO), tmp_path / "voices"

    def overtake(line: str) -> None:
        if "fp32 speaks" in line:
            (voices / "mine").mkdir()

    with pytest.raises(CheckpointError, match="has a voice 'mine'"):
        import_voices(folder, voices, ImportOptions(), overtake)
    assert left(voices) == ["mine"]


def test_what_a_killed_import_left_is_cleared_away_by_the_next(tmp_path: Path):
    voices = tmp_path / "voices"
    process = os.fork()
    if not process:
        os._exit(0)
    os.waitpid(process, 0)  # its number now belongs to nobody
    dead, alive = (voices / f"{SCRATCH_PREFIX}{number}-x" for number in (process, os.getpid()))
    for folder in (dead, alive):
        folder.mkdir(parents=True)
    with pytest.raises(CheckpointError):
        import_voices(tmp_path / "nothing", voices, ImportOptions(), lambda line: None)
    assert left(voices) == [alive.name]


def test_one_name_for_several_voices_is_refused(tmp_path: Path):
    with pytest.raises(CheckpointError, match="holds 4: tiny_16k"):
        import_voices(PARITY, tmp_path / "voices", ImportOptions(name="mine"), lambda line: None)


@pytest.mark.parametrize("name", ["Mine", "a b", "../evil", "-x", "x" * 65])
def test_a_name_that_no_folder_should_have_is_refused(tmp_path: Path, name: str):
    with pytest.raises(CheckpointError, match=r"name is|no name"):
        import_voices(PARITY, tmp_path / "voices", ImportOptions(name=name), lambda line: None)
    assert not (tmp_path / "voices").exists()


@pytest.mark.parametrize(
    "flags", [("--precision", "fp64"), ("--filled-pauses", "loud"), ("--language", "a b")]
)
def test_an_unknown_choice_is_wrong_usage(tmp_path: Path, flags: tuple[str, str]):
    with pytest.raises(SystemExit, match="2"):
        run_import(PARITY, tmp_path, *flags)


@pytest.mark.parametrize("name", PARITY_VOICES)
async def test_what_a_client_hears_is_the_offline_run_bit_for_bit(voices: Path, name: str):
    """Text letter by letter, two other voices speaking beside it: nothing but the request may matter."""
    library = VoiceLibrary([voices])
    text, rate = "今天天气很好。我们去公园吧！", library.manifests[name].sample_rate
    others = [other for other in PARITY_VOICES if other != name][:2]
    async with running(ServerConfig(), library=library) as server, server.client() as client:
        for context, other in enumerate(others, 2):
            await client.send("open", ctx=context, voice=other, text=text, rate=16000, end=True)
        await client.send("open", ctx=1, voice=name, rate=rate, seed=7, sentence_pause_ms=0)
        for char in text:
            await client.send("append", ctx=1, text=char)
        await client.send("end", ctx=1)
        messages = await client.until("done", 1)
    heard = b"".join(message["pcm"] for message in audio_of(messages, 1))
    voice = load_voice(voices / name)
    offline = [speak(voice, sentence, Style(seed=7)) for sentence in ("今天天气很好。", "我们去公园吧！")]
    assert heard == float_to_s16le(np.concatenate(offline))
