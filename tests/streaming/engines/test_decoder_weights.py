"""The file of a decoder's weights: what is written is read, and what is wrong is named."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streaming.engines.decoder_weights import Linear, load_decoder_weights
from streaming.errors import VoiceBundleError
from tests.streaming.engines.decoders import random_weights


@pytest.fixture
def path(tmp_path: Path) -> Path:
    random_weights().save(tmp_path / "decoder.npz")
    return tmp_path / "decoder.npz"


def test_what_was_saved_is_loaded(path: Path) -> None:
    saved, loaded = dict(random_weights().parts()), dict(load_decoder_weights(path).parts())
    assert list(loaded) == list(saved)
    for name, part in saved.items():
        for array in part.__dataclass_fields__:
            np.testing.assert_array_equal(getattr(loaded[name], array), getattr(part, array))


def test_each_output_has_its_own_range() -> None:
    random = np.random.default_rng(3)
    weight = (random.normal(size=(6, 40)) * 10.0 ** np.arange(-3.0, 3.0)[:, None]).astype(np.float32)
    weight[2] = 0.0
    linear = Linear.quantised(weight, np.zeros(6, np.float32))
    restored = (linear.weight.astype(np.float32) * linear.scale).T
    assert (np.abs(restored - weight) <= 0.51 * np.abs(weight).max(axis=1, keepdims=True) / 127).all()
    assert np.isfinite(restored).all()


def changed(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    change(arrays)
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("norm.gain", None, "no array 'norm.gain'"),
        ("layers.1.mix.weight", None, "no array 'layers.1.mix.weight'"),
        ("entry.weight", np.zeros((15, 12), np.float32), r"found float32 \[15, 12\]; needed: int8 \[n, n\]"),
        ("entry.weight", np.zeros((15, 0), np.int8), r"found int8 \[15, 0\]"),
        ("entry.weight", np.zeros((6, 12), np.int8), "found 6 inputs; needed: more than the prenet's 6"),
        ("entry.bias", np.zeros(13, np.float32), r"found float32 \[13\]; needed: float32 \[12\]"),
        (
            "layers.0.qkv.weight",
            np.zeros((12, 24), np.int8),
            r"found int8 \[12, 24\]; needed: int8 \[12, 36\]",
        ),
        ("norm.bias", np.full(12, np.nan, np.float32), "norm.bias: found values that are not finite"),
        ("norm.bias", np.array([{}] * 12), "not an archive of arrays"),
    ],
)
def test_what_is_wrong_is_named(path: Path, name: str, value: Any, message: str) -> None:
    def change(arrays: dict[str, Any]) -> None:
        del arrays[name]
        if value is not None:
            arrays[name] = value

    changed(path, change)
    with pytest.raises(VoiceBundleError, match=message):
        load_decoder_weights(path)


def test_an_output_that_is_not_whole_frames_is_refused(path: Path) -> None:
    def change(arrays: dict[str, Any]) -> None:
        for name in ("weight", "scale", "bias"):
            arrays[f"output.{name}"] = np.ascontiguousarray(arrays[f"output.{name}"][..., :-1])

    changed(path, change)
    with pytest.raises(VoiceBundleError, match=r"output.weight: found 20 outputs; needed: frames of 7"):
        load_decoder_weights(path)


def test_a_width_that_the_compiled_loop_cannot_take_is_refused(path: Path) -> None:
    def change(arrays: dict[str, Any]) -> None:
        for index in range(2):
            for name in ("weight", "scale", "bias"):
                expand = f"layers.{index}.expand.{name}"
                arrays[expand] = np.ascontiguousarray(arrays[expand][..., :-1])
            contract = f"layers.{index}.contract.weight"
            arrays[contract] = arrays[contract][:-1]

    changed(path, change)
    with pytest.raises(VoiceBundleError, match=r"layers.0.expand.weight: found 15 outputs; .* multiple of 4"):
        load_decoder_weights(path)


def npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"\x08\x01 an onnx file", npy()])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "decoder.npz"
    path.write_bytes(content)
    with pytest.raises(VoiceBundleError, match="not an archive of arrays"):
        load_decoder_weights(path)


def test_a_member_that_is_no_array_is_refused(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("norm.gain", b"no magic")
    with pytest.raises(VoiceBundleError, match=r"norm.gain: found bytes; needed: an array|not an archive"):
        load_decoder_weights(path)


def test_an_archive_whose_compression_is_damaged_is_refused(path: Path) -> None:
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    np.savez_compressed(path, **arrays)
    content = bytearray(path.read_bytes())
    content[60:400] = bytes(340)
    path.write_bytes(content)
    with pytest.raises(VoiceBundleError, match="not an archive of arrays"):
        load_decoder_weights(path)


def test_a_file_that_is_cut_off_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(VoiceBundleError, match="not an archive of arrays"):
        load_decoder_weights(path)
