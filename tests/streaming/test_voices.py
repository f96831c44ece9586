from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import yaml

from streaming.bundles import FRONTEND_BYTES
from streaming.engines.choice import Choice, EnginePlan
from streaming.engines.fake import FakeEngine, fake_manifest
from streaming.errors import UnknownVoiceError, VoiceBundleError
from streaming.frontends import symbol_tables
from streaming.loaded_voice import LoadedVoice, load_voice
from streaming.sambert_manifest import SymbolLists
from streaming.synthesis.segment import SegmentSynthesis
from streaming.types import Style
from streaming.voice import MANIFEST_NAME
from streaming.voices import Reloaded, VoiceLibrary
from tests.streaming.doubles import (
    VOICES,
    CharFrontend,
    GatedLoad,
    drain,
    joined,
    load_fake,
    write_bundle,
)


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
        VoiceLibrary([folder], default="nobody").get()


def test_no_folder_is_no_voice():
    library = VoiceLibrary([])
    assert (library.names, library.default_name) == ((), "")
    with pytest.raises(UnknownVoiceError, match="known: none"):
        library.get()


def test_a_changed_network_is_found_when_loading_and_the_voice_refused_from_then_on(folder: Path):
    with (folder / "tiny_16k" / "memory.fp32.onnx").open("ab") as file:
        file.write(b"x")
    library = VoiceLibrary([folder])
    assert library.names == ("tiny_16k",)
    for _ in range(2):
        with pytest.raises(VoiceBundleError, match=r"memory\.fp32\.onnx: sha256 is"):
            library.get("tiny_16k")
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
    library = VoiceLibrary([Path("does-not-exist")], plan=EnginePlan(Choice("fake")))
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


# -- loading ---------------------------------------------------------------------------------


@pytest.fixture
def abc(tmp_path: Path) -> Path:
    """Three voices without networks."""
    for name in ("a", "b", "c"):
        write_bundle(tmp_path, name)
    return tmp_path


def test_nothing_is_loaded_before_it_is_asked_for_and_then_once(abc: Path):
    load = GatedLoad()
    library = VoiceLibrary([abc], load=load)
    assert (library.loaded_names, load.loads) == ((), [])
    manifest, voice = library.find("b")
    assert (manifest.name, voice) == ("b", None)
    assert library.get("b") is library.get("b")
    assert library.find("b")[1] is library.get("b")
    assert load.loads == ["b"]


def test_many_threads_that_ask_for_a_voice_load_it_once(abc: Path):
    load = GatedLoad("a")
    library = VoiceLibrary([abc], load=load)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(library.get, "a") for _ in range(8)]
        assert load.reached.wait(30)
        load.opened.set()
        voices = {id(future.result(30)) for future in asked}
    assert (len(voices), load.loads) == (1, ["a"])


def test_a_load_under_way_keeps_nobody_from_the_other_voices(abc: Path):
    load = GatedLoad("a")
    library = VoiceLibrary([abc], load=load)
    loaded = library.get("b")
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(library.get, "a")
        assert load.reached.wait(30)
        assert library.get("b") is loaded
        assert library.get("c").manifest.name == "c"
        assert library.find("a")[1] is None
        assert library.rescan().changed == ()
        load.opened.set()
        assert pending.result(30).manifest.name == "a"


def test_everybody_who_waits_for_a_broken_voice_is_told(abc: Path):
    load = GatedLoad("a", error=VoiceBundleError("bad graph"))
    library = VoiceLibrary([abc], load=load)
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(library.get, "a") for _ in range(2)]
        assert load.reached.wait(30)
        load.opened.set()
        assert all(isinstance(future.exception(30), VoiceBundleError) for future in asked)
    with pytest.raises(VoiceBundleError, match="bad graph"):
        library.get("a")
    assert load.loads == ["a"]


def test_a_failure_that_is_not_the_bundles_is_tried_again(abc: Path):
    load = GatedLoad("a", error=MemoryError("full"))
    load.opened.set()
    library = VoiceLibrary([abc], load=load)
    with pytest.raises(MemoryError):
        library.get("a")
    load.error = None
    assert library.get("a").manifest.name == "a"
    assert library.broken == {}


def test_a_bundle_that_changed_since_it_was_listed_waits_for_a_rescan(abc: Path):
    library = VoiceLibrary([abc], load=load_fake)
    write_bundle(abc, "a", description="another")
    with pytest.raises(VoiceBundleError, match="changed since it was listed"):
        library.get("a")
    assert library.rescan().changed == ("a",)
    assert library.get("a").manifest.description == "another"


# -- memory ----------------------------------------------------------------------------------


def test_the_least_recently_used_voice_is_dropped_first(abc: Path):
    library = VoiceLibrary([abc], load=load_fake, memory_limit_bytes=2 * FRONTEND_BYTES)
    library.get("a")
    library.get("b")
    library.find("a")
    library.get("c")
    assert library.loaded_names == ("a", "c")


def test_the_voice_just_asked_for_is_never_dropped(abc: Path):
    library = VoiceLibrary([abc], load=load_fake, memory_limit_bytes=1)
    for name in ("a", "b", "a"):
        library.get(name)
        assert library.loaded_names == (name,)


def test_without_a_limit_nothing_is_dropped(abc: Path):
    library = VoiceLibrary([abc], load=load_fake)
    for name in library.names:
        library.get(name)
    assert library.loaded_names == ("a", "b", "c")


# -- rescan ----------------------------------------------------------------------------------


def test_a_rescan_finds_what_came_went_and_changed(abc: Path):
    library = VoiceLibrary([abc], load=load_fake)
    kept, changed = library.get("a"), library.get("b")
    assert library.rescan() == Reloaded((), (), (), {})
    write_bundle(abc, "b", description="new")
    shutil.rmtree(abc / "c")
    write_bundle(abc, "d")
    assert library.rescan() == Reloaded(added=("d",), removed=("c",), changed=("b",), broken={})
    assert library.names == ("a", "b", "d")
    assert library.loaded_names == ("a",)
    assert library.get("a") is kept
    assert library.get("b") is not changed
    with pytest.raises(UnknownVoiceError, match="no voice 'c'; known: a, b, d"):
        library.get("c")


def test_a_broken_voice_is_refused_until_a_rescan_finds_it_mended(abc: Path):
    (abc / "b" / MANIFEST_NAME).write_text("format: 9\n")
    library = VoiceLibrary([abc], load=load_fake)
    write_bundle(abc, "b")
    with pytest.raises(VoiceBundleError, match="format is 9"):
        library.get("b")
    assert library.rescan() == Reloaded(added=(), removed=(), changed=("b",), broken={})
    assert library.get("b").manifest.name == "b"


def test_a_voice_whose_load_failed_stays_refused_while_nothing_changes(folder: Path):
    network = folder / "tiny_16k" / "memory.fp32.onnx"
    good = network.read_bytes()
    network.write_bytes(good + b"x")
    library = VoiceLibrary([folder])
    with pytest.raises(VoiceBundleError, match="sha256 is"):
        library.get("tiny_16k")
    found = library.rescan()
    assert found.changed == ()
    assert set(found.broken) == {"broken", "tiny_16k"}
    network.write_bytes(good)
    assert library.rescan().changed == ("tiny_16k",)
    assert library.get("tiny_16k").manifest.name == "tiny_16k"


def test_a_voice_speaks_on_for_those_who_hold_it(abc: Path):
    library = VoiceLibrary([abc], load=load_fake)
    voice = library.get("a")
    shutil.rmtree(abc / "a")
    assert library.rescan().removed == ("a",)
    assert library.loaded_names == ()
    voice.warm_up()


def test_a_load_that_a_rescan_overtakes_is_given_out_but_not_kept(abc: Path):
    load = GatedLoad("a")
    library = VoiceLibrary([abc], load=load)
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(library.get, "a")
        assert load.reached.wait(30)
        shutil.rmtree(abc / "b")
        write_bundle(abc, "c", description="new")
        (abc / "a" / MANIFEST_NAME).write_text((abc / "a" / MANIFEST_NAME).read_text() + "# touched\n")
        assert library.rescan().changed == ("a", "c")
        load.opened.set()
        overtaken = pending.result(30)
    assert library.loaded_names == ()
    assert library.get("a") is not overtaken


def test_the_first_voice_is_the_default_until_it_is_gone(abc: Path):
    library = VoiceLibrary([abc], load=load_fake)
    write_bundle(abc, "a-newer-one")
    write_bundle(abc, "0")
    library.rescan()
    assert library.default_name == "a"
    shutil.rmtree(abc / "a")
    library.rescan()
    assert library.default_name == "0"


def test_a_configured_default_is_never_replaced_by_another_voice(abc: Path):
    library = VoiceLibrary([abc], load=load_fake, default="b")
    shutil.rmtree(abc / "b")
    library.rescan()
    with pytest.raises(UnknownVoiceError, match="no voice 'b'; known: a, c"):
        library.get()
    write_bundle(abc, "b")
    library.rescan()
    assert library.get().manifest.name == "b"


def test_reasons_for_strangers_name_files_but_not_folders(folder: Path):
    library = VoiceLibrary([folder])
    reason = library.broken["broken"]
    assert reason.startswith(f"{folder / 'broken'}/")
    assert library.told("broken", reason) == "voice.yaml: format is 9; this version reads 2"
    assert library.told("broken", "1/2 of it at 3 km/h") == "1/2 of it at 3 km/h"
