"""Engines for NVIDIA GPUs: what is kept, what is trusted, and what a builder that refuses says.

The builder is a stand-in here; the real one builds the real graphs in `make engines`.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest

from streaming.engines.engine_cache import EngineCache, EngineKey
from streaming.engines.tensorrt_build import build_engine
from streaming.errors import EngineError

KEY = EngineKey("0" * 64, "tensorrt_rtx", "1.7.1", "SM89", {"frames": (1, 1, 32)}, (1, 8))


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / "engines")


def test_an_engine_comes_back_as_it_was_written(cache: EngineCache, tmp_path: Path) -> None:
    assert cache.read(KEY) is None
    cache.write(KEY, b"engine")
    assert cache.read(KEY) == b"engine"
    assert not [path for path in (tmp_path / "engines").iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    "other",
    [
        EngineKey("1" * 64, "tensorrt_rtx", "1.7.1", "SM89", {"frames": (1, 1, 32)}, (1, 8)),
        EngineKey("0" * 64, "tensorrt", "1.7.1", "SM89", {"frames": (1, 1, 32)}, (1, 8)),
        EngineKey("0" * 64, "tensorrt_rtx", "1.7.2", "SM89", {"frames": (1, 1, 32)}, (1, 8)),
        EngineKey("0" * 64, "tensorrt_rtx", "1.7.1", "SM90", {"frames": (1, 1, 32)}, (1, 8)),
        EngineKey("0" * 64, "tensorrt_rtx", "1.7.1", "SM89", {"frames": (1, 2, 32)}, (1, 8)),
        EngineKey("0" * 64, "tensorrt_rtx", "1.7.1", "SM89", {"frames": (1, 1, 32)}, (1, 16)),
    ],
)
def test_an_engine_of_anything_else_is_not_found(cache: EngineCache, other: EngineKey) -> None:
    cache.write(KEY, b"engine")
    assert cache.read(other) is None


def test_an_engine_is_found_whatever_its_sizes_and_the_last_one_wins(
    cache: EngineCache, tmp_path: Path
) -> None:
    wanted = ("0" * 64, "tensorrt_rtx", "1.7.1", "SM89")
    assert cache.find(*wanted) is None
    cache.write(KEY, b"first")
    newer = replace(KEY, batches=(1, 8, 32))
    cache.write(newer, b"second")
    os.utime(tmp_path / "engines" / f"{KEY.name}.json", (1, 1))
    assert cache.find(*wanted) == b"second"
    (tmp_path / "engines" / f"{newer.name}.engine").write_bytes(b"sec0nd")
    assert cache.find(*wanted) == b"first"
    assert cache.find("1" * 64, *wanted[1:]) is None


@pytest.mark.parametrize("damage", ["engine", "json", "gone", "not json", "other json"])
def test_what_is_not_what_was_written_is_never_loaded(
    cache: EngineCache, tmp_path: Path, damage: str
) -> None:
    cache.write(KEY, b"engine")
    engine, described = (tmp_path / "engines" / f"{KEY.name}.{ending}" for ending in ("engine", "json"))
    if damage == "engine":
        engine.write_bytes(b"engin3")
    elif damage == "json":
        described.write_text(described.read_text().replace('"sha256": "', '"sha256": "0'))
    elif damage == "gone":
        described.unlink()
    else:
        described.write_text("[" if damage == "not json" else "[1]")
    assert cache.read(KEY) is None
    cache.write(KEY, b"engine")
    assert cache.read(KEY) == b"engine"


class Builder:
    """Just enough of TensorRT to refuse."""

    parses = True
    builds: bytes | None = b"built"
    profiles: ClassVar[list[dict[str, tuple[list[int], ...]]]] = []

    def __init__(self, log: object) -> None:
        self.profiles.clear()

    def create_network(self, flags: int) -> Any:
        tensor = SimpleNamespace(
            name="mel", shape=(-1, -1, 80), get_dimension_name=["batch", "frames"].__getitem__
        )
        return SimpleNamespace(num_inputs=1, num_layers=7, get_input=lambda index: tensor)

    def create_builder_config(self) -> Any:
        return SimpleNamespace(
            set_memory_pool_limit=lambda *a: None,
            set_compute_capability=lambda *a: None,
            add_optimization_profile=lambda profile: self.profiles.append(profile.shapes),
        )

    def create_optimization_profile(self) -> Any:
        shapes: dict[str, tuple[list[int], ...]] = {}
        return SimpleNamespace(shapes=shapes, set_shape=lambda name, *sizes: shapes.update({name: sizes}))

    def build_serialized_network(self, network: object, config: object) -> bytes | None:
        return self.builds


class Parser:
    num_errors = 1

    def __init__(self, network: object, log: object) -> None:
        pass

    def parse(self, content: bytes) -> bool:
        return Builder.parses

    def get_error(self, index: int) -> Any:
        return SimpleNamespace(desc=lambda: "no importer for Scan")


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("tensorrt_rtx")
    logger = type("Logger", (), {"ERROR": 1, "__init__": lambda self, level: None})
    for name, value in {
        "Logger": logger,
        "Builder": Builder,
        "OnnxParser": Parser,
        "NetworkDefinitionCreationFlag": SimpleNamespace(),
        "MemoryPoolType": SimpleNamespace(WORKSPACE=0),
        "ComputeCapability": SimpleNamespace(SM89=0),
    }.items():
        setattr(module, name, value)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", module)
    monkeypatch.setattr(Builder, "parses", True)
    monkeypatch.setattr(Builder, "builds", b"built")
    return module


def build(tmp_path: Path, **sizes: tuple[int, int, int]) -> bytes:
    path = tmp_path / "vocoder.fp32.onnx"
    path.write_bytes(b"onnx")
    return build_engine("tensorrt_rtx", path, sizes, (1, 8), lambda line: None)


def test_an_engine_is_built_for_the_sizes(library: ModuleType, tmp_path: Path) -> None:
    assert build(tmp_path, frames=(1, 16, 64)) == b"built"
    assert Builder.profiles == [
        {"mel": ([1, 1, 80], [1, 16, 80], [1, 64, 80])},
        {"mel": ([2, 1, 80], [8, 16, 80], [8, 64, 80])},
    ]


def test_a_graph_that_is_not_accepted_is_named_with_the_reason(
    library: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Builder, "parses", False)
    with pytest.raises(EngineError, match=r"does not accept vocoder\.fp32\.onnx: no importer for Scan"):
        build(tmp_path, frames=(1, 16, 64))


def test_a_build_that_fails_is_told(
    library: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Builder, "builds", None)
    with pytest.raises(EngineError, match=r"could not build vocoder\.fp32\.onnx"):
        build(tmp_path, frames=(1, 16, 64))


def test_an_axis_without_sizes_is_named(library: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no sizes for axis 'frames' of mel; known: rows, batch"):
        build(tmp_path, rows=(1, 1, 32))


@pytest.mark.parametrize(("name", "extra"), [("tensorrt", "trt"), ("tensorrt_rtx", "rtx")])
def test_a_missing_library_is_named_with_what_brings_it(
    name: Any, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(EngineError, match=rf"{name} cannot be used .*pip install 'zhiyin\[{extra}\]'"):
        build_engine(name, tmp_path, {}, (1,), lambda line: None)
