from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from streaming.engines.fake import FakeEngine, fake_manifest
from streaming.errors import UnknownVoiceError, VoiceBundleError
from streaming.synthesis.segment import SegmentSynthesis
from streaming.types import Style
from streaming.voice import MANIFEST_NAME, SymbolLists
from streaming.voices import LoadedVoice, VoiceLibrary, load_voice, symbol_tables
from tests.streaming.doubles import VOICES, CharFrontend, drain, joined


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One good voice and one whose manifest is broken."""
    shutil.copytree(VOICES / "tiny_16k", tmp_path / "tiny_16k")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / MANIFEST_NAME).write_text("format: 9\n")
    return tmp_path


def test_a_broken_bundle_is_told_and_the_others_speak(folder: Path):
    library = VoiceLibrary([folder])
    assert library.names == ("tiny_16k",)
    assert list(library.broken) == ["broken"]
    with pytest.raises(VoiceBundleError, match="format is 9"):
        library.get("broken")
    voice = library.get("")
    phonemes = voice.frontend.phonemes("你好。")
    assert phonemes is not None
    assert joined(drain(SegmentSynthesis(voice.engine, voice.manifest, phonemes, Style()))).size > 0
    assert library.get("tiny_16k") is voice


def test_an_unknown_voice_lists_the_known_ones(folder: Path):
    with pytest.raises(UnknownVoiceError, match="no voice 'nobody'; known: tiny_16k"):
        VoiceLibrary([folder]).get("nobody")
    with pytest.raises(UnknownVoiceError, match="no voice 'nobody'"):
        VoiceLibrary([folder], default="nobody")


def test_no_folder_is_no_voice():
    library = VoiceLibrary([])
    assert (library.names, library.default_name) == ((), "")
    with pytest.raises(UnknownVoiceError, match="known: none"):
        library.get()


def test_load_all_moves_a_voice_that_fails_to_broken(folder: Path):
    (folder / "tiny_16k" / "memory.fp32.onnx").write_bytes(b"changed")
    library = VoiceLibrary([folder])
    library.load_all()
    assert library.names == ()
    assert set(library.broken) == {"broken", "tiny_16k"}


def test_sizes_that_disagree_with_the_graphs_are_found_when_loading(folder: Path):
    path = folder / "tiny_16k" / MANIFEST_NAME
    content = yaml.safe_load(path.read_text())
    content["vocoder"]["state_size"] += 1
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    with pytest.raises(VoiceBundleError, match="voice 'tiny_16k' cannot speak: vocoder failed"):
        load_voice(folder / "tiny_16k")


def test_the_fake_engine_has_one_voice_and_reads_no_folder():
    library = VoiceLibrary([Path("does-not-exist")], engine="fake")
    assert library.names == ("fake",)
    assert library.get().engine.name == "fake-cpu-fp32"


def test_warm_up_runs_every_network():
    engine = FakeEngine()
    LoadedVoice(fake_manifest(), engine, CharFrontend()).warm_up()
    assert set(engine.calls) == {"encoder", "memory", "decoder", "postnet", "vocoder"}


def test_a_voice_brings_its_own_symbols():
    lists = SymbolLists(phones=("a_c",), tones=("tone1",), has_mask=False)
    tables = symbol_tables(fake_manifest().model_copy(update={"symbols": lists}))
    ids = tables.encode(["a_c$tone1$s_both$word_both", "#4$tone1$s_none$word_none"])
    np.testing.assert_array_equal(ids[:, 0], [0, 4])
    assert tables.sy.size == 1 + 4 + 2
