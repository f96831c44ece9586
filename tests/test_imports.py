"""Imports go one way, as the table in docs/architecture.md says.

Every source file is parsed, never run: no library has to be installed for these tests.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("server", "streaming", "clients", "training", "benchmarks")
FILES = sorted(path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TEST_FILES = sorted(path.relative_to(ROOT) for path in (ROOT / "tests").rglob("*.py"))

VALUES = {"streaming.types", "streaming.errors"}
MANIFESTS = {"streaming.manifest", "streaming.sambert_manifest", "streaming.piper_manifest"}

# Layer -> our modules it may import besides its own. The longest matching layer decides.
ALLOWED: dict[str, set[str]] = {
    "streaming": set(),
    "streaming.types": set(),
    "streaming.errors": set(),
    "streaming.audio": VALUES,
    "streaming.text": VALUES,
    "streaming.manifest": VALUES,
    "streaming.sambert_manifest": VALUES | {"streaming.manifest"},
    "streaming.piper_manifest": VALUES | {"streaming.manifest"},
    "streaming.voice": VALUES | MANIFESTS,
    "streaming.bundles": VALUES | {"streaming.manifest", "streaming.voice", "streaming.engines.choice"},
    "streaming.synthesis": VALUES | MANIFESTS,
    "streaming.engines": VALUES | MANIFESTS | {"streaming.synthesis"},
    "streaming.scheduling": VALUES | {"streaming.synthesis"},
    "streaming.frontends": VALUES | MANIFESTS | {"streaming.text"},
    "streaming.loaded_voice": VALUES
    | MANIFESTS
    | {"streaming.voice", "streaming.frontends", "streaming.synthesis", "streaming.engines"},
    "streaming.memory": set(),
    "streaming.recorded_calls": VALUES
    | MANIFESTS
    | {"streaming.frontends", "streaming.synthesis", "streaming.engines"},
    "streaming.tuning": VALUES
    | MANIFESTS
    | {"streaming.frontends", "streaming.recorded_calls", "streaming.synthesis", "streaming.engines"},
    "streaming.voices": VALUES
    | MANIFESTS
    | {
        "streaming.memory",
        "streaming.voice",
        "streaming.bundles",
        "streaming.loaded_voice",
        "streaming.engines",
    },
    "streaming.events": VALUES
    | {"streaming.text.segmenter", "streaming.text.lexicon", "streaming.text.pauses"},
    "streaming.pieces": VALUES | {"streaming.events", "streaming.text"},
    "streaming.account": VALUES,
    "streaming.speech": VALUES
    | {"streaming.manifest", "streaming.synthesis", "streaming.scheduling"}
    | {"streaming.events", "streaming.account", "streaming.loaded_voice", "streaming.frontends"}
    | {"streaming.text"},
    "streaming.utterance": VALUES
    | {"streaming.manifest"}
    | {"streaming.loaded_voice", "streaming.events", "streaming.account", "streaming.speech"}
    | {"streaming.pieces"}
    | {"streaming.text", "streaming.synthesis", "streaming.scheduling"},
    "server": {"streaming"},
    # `zhiyin say`, `demo` and `bench` are the clients' commands under the same name.
    "server.cli": {"server", "streaming", "clients.python", "clients.demo.command", "clients.bench"},
    # `zhiyin voices import` is training's importer under the same name; torch loads when it is used.
    "server.import_command": VALUES
    | {"server.voice_folders", "training.import_voice", "training.imported_manifest"},
    "server.optimise_command": VALUES
    | {"server.flags", "server.import_command", "server.voice_folders", "server.voices_command"}
    | {"training.optimise_voice", "streaming.recorded_calls"},
    "clients": set(),
    "training": VALUES
    | MANIFESTS
    | {"streaming.text", "streaming.audio", "streaming.voice", "streaming.frontends"}
    | {"streaming.recorded_calls"}
    | {"streaming.loaded_voice", "streaming.synthesis", "streaming.engines"},
    "benchmarks": {"streaming", "server", "clients", "training"},
}

# Library -> the only places that may import it.
HOMES: dict[str, set[str]] = {
    "torch": {"training", "benchmarks"},
    "onnx": {"training", "benchmarks.sgemm"},
    "espeakng_loader": {"training", "streaming.text.espeak"},
    "librosa": {"training"},
    "matplotlib": {"training", "benchmarks", "clients.bench.plots"},
    "pyworld": {"training"},
    "scipy": {"training", "benchmarks"},
    "soundfile": {"training"},
    "tqdm": {"training"},
    # Export checks each graph by itself; quantising is a part of the wheel that runs no network.
    "onnxruntime": {
        "streaming.engines.onnx",
        "streaming.engines.onnx_binding",
        "benchmarks.sgemm",
        "training.export",
        "training.piper_check",
        "training.quantise",
    }
    | {"training.static_quantisation", "training.half"},
    "openvino": {"streaming.engines.openvino"},
    "numba": {"streaming.engines.numba"},
    # tensorrt and tensorrt_rtx are imported by name, in streaming.engines.tensorrt_build only.
    "pycuda": {"streaming.engines.cuda_pycuda"},
    "cuda": {"streaming.engines.cuda_bindings"},
    "av": {"streaming.audio.encoders"},
    "diskcache": {"streaming.scheduling.store"},
    "jieba": {"streaming.text", "training"},
    "pypinyin": {"streaming.text", "training"},
    "wetext": {"streaming.text"},
    "soxr": {"training"},
    "aiohttp": {"server", "clients.bench.adapters.http_pcm", "clients.demo.voices"}
    | {"clients.examples.chat", "clients.examples.fake_llm", "benchmarks.fuzz_protocols"},
    "gradio": {"clients.demo.page"},
    "uvloop": {"server", "clients.bench.command"},
    "platformdirs": {"server"},
    "pydantic_settings": {"server"},
    "websockets": {"clients", "benchmarks"},
    "sounddevice": {"clients"},
}

# Layer -> what it must not know. A stage is push and flush: no clock, no socket, no thread of its own.
NETWORK = {"socket", "ssl", "http", "urllib", "aiohttp", "websockets", "uvloop"}
CONCURRENCY = {"asyncio", "threading", "multiprocessing", "concurrent", "queue"}
FORBIDDEN: dict[str, set[str]] = {
    "streaming": NETWORK,
    "streaming.types": NETWORK | CONCURRENCY,
    "streaming.errors": NETWORK | CONCURRENCY,
    "streaming.text": NETWORK | CONCURRENCY,
    "streaming.text.espeak": NETWORK | CONCURRENCY - {"threading"},  # one library, one lock
    "streaming.audio": NETWORK | CONCURRENCY,
    "streaming.manifest": NETWORK | CONCURRENCY,
    "streaming.voice": NETWORK | CONCURRENCY,
    "streaming.bundles": NETWORK | CONCURRENCY,
    "streaming.synthesis": NETWORK | CONCURRENCY,
    "streaming.scheduling.cache": NETWORK | CONCURRENCY - {"threading", "concurrent"},
    "streaming.scheduling.segments": NETWORK | CONCURRENCY - {"concurrent"},
    "streaming.scheduling.stored": NETWORK | CONCURRENCY,
    "streaming.scheduling.store": NETWORK | CONCURRENCY - {"threading", "concurrent"},
    "streaming.engines": NETWORK | {"asyncio"},
}


def module_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def within(module: str, packages: set[str]) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)


def layer_of(module: str, layers: dict[str, set[str]]) -> str:
    return max((layer for layer in layers if within(module, {layer})), key=len, default="")


def imported_modules(source: str) -> set[str]:
    """Every dotted name that `source` imports, at any depth; `from a import b` gives both a and a.b."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def violations(module: str, source: str) -> list[str]:
    """What in `source`, the text of `module`, breaks the tables above."""
    layer = layer_of(module, ALLOWED)
    allowed = ALLOWED[layer] | {layer}
    shut_out = FORBIDDEN.get(layer_of(module, FORBIDDEN), set())
    found = []
    for name in sorted(imported_modules(source)):
        root = name.partition(".")[0]
        # `from streaming import voice` names the bare package too; the submodule is what counts.
        bare_package = any(other.startswith(name + ".") for other in imported_modules(source))
        if root in PACKAGES and not within(name, allowed) and not bare_package:
            found.append(f"{module} imports {name}; {layer} may import {sorted(allowed)}")
        if root in HOMES and not within(module, HOMES[root]):
            found.append(f"{module} imports {root}, which belongs to {sorted(HOMES[root])}")
        if root in shut_out:
            found.append(f"{module} imports {root}, which {layer} must not know")
        if root == "tests":
            found.append(f"{module} imports the tests")
    return found


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_go_one_way(path: Path) -> None:
    assert violations(module_name(path), (ROOT / path).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", FILES + TEST_FILES, ids=str)
def test_imports_are_absolute(path: Path) -> None:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    relative = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
    assert relative == []


@pytest.mark.parametrize("path", [p for p in TEST_FILES if p.parts[1] != "training"], ids=str)
def test_only_the_training_tests_need_the_training_extra(path: Path) -> None:
    roots = {name.partition(".")[0] for name in imported_modules((ROOT / path).read_text(encoding="utf-8"))}
    assert roots.isdisjoint({"torch", "onnx", "training", "librosa", "pyworld"})


def test_every_folder_with_code_has_its_row() -> None:
    skipped = {"tests", "build", "dist"}
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")} - skipped
    assert folders <= set(PACKAGES), "a new top-level folder needs its row here and in docs/architecture.md"


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("streaming.text.segmenter", "import asyncio"),
        ("streaming.text.segmenter", "from streaming.synthesis.grid import Grid"),
        ("streaming.synthesis.grid", "def f():\n    import torch"),
        ("streaming.synthesis.grid", "from streaming import utterance"),
        ("streaming.engines.fake", "import onnxruntime as ort"),
        ("streaming.types", "from server import app"),
        ("streaming.utterance", "from aiohttp import web"),
        ("server.app", "from clients.python import client"),
        ("server.app", "import training.nets"),
        ("clients.python.wire", "from streaming.types import Style"),
        ("training.export", "import server"),
        ("training.train", "import onnxruntime"),
        ("streaming.errors", "import tests.conftest"),
    ],
)
def test_a_wrong_arrow_is_found(module: str, source: str) -> None:
    assert violations(module, source)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("streaming.synthesis.grid", "import numpy as np\nfrom streaming.types import MelChunk"),
        ("streaming.engines.onnx", "import onnxruntime"),
        ("server.app", "from aiohttp import web\nfrom streaming import errors, types"),
        ("server.cli", "from clients.python import say"),
        ("training.corpus", "import torch\nfrom streaming.text.frontend import Frontend"),
    ],
)
def test_a_right_arrow_is_not(module: str, source: str) -> None:
    assert violations(module, source) == []
