from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from streaming.bundles import FRONTEND_BYTES, RESIDENT_PER_FILE_BYTE, scan_bundles
from streaming.engines.choice import Choice, EnginePlan
from streaming.voice import MANIFEST_NAME
from tests.streaming.doubles import VOICES, write_bundle

NETWORK = "postnet.fp32.onnx"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(VOICES / "tiny_16k", tmp_path / "tiny_16k")
    return tmp_path / "tiny_16k"


def test_a_scan_reads_manifests_and_says_why_one_cannot_be_used(tmp_path: Path, folder: Path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / MANIFEST_NAME).write_text("format: 9\n")
    found = scan_bundles([tmp_path])
    assert list(found) == ["broken", "tiny_16k"]
    assert found["broken"].manifest is None
    assert "format is 9" in found["broken"].reason
    assert found["tiny_16k"].manifest is not None
    assert (found["tiny_16k"].folder, found["tiny_16k"].reason) == (folder, "")


def test_nothing_touched_is_the_same_bundle(tmp_path: Path, folder: Path):
    before = scan_bundles([tmp_path])
    os.utime(folder / MANIFEST_NAME, (1, 1))  # the manifest is compared by its text
    assert scan_bundles([tmp_path]) == before


def rewrite(path: Path) -> None:
    path.write_bytes(path.read_bytes())
    os.utime(path, (1, 1))


def replace(path: Path) -> None:
    stat = path.stat()
    shutil.copy(path, path.with_suffix(".new"))
    os.utime(path.with_suffix(".new"), ns=(stat.st_atime_ns, stat.st_mtime_ns))
    path.with_suffix(".new").replace(path)


@pytest.mark.parametrize(
    ("change", "name"),
    [(rewrite, NETWORK), (replace, NETWORK), (Path.unlink, NETWORK), (Path.unlink, MANIFEST_NAME)],
)
def test_a_file_that_was_written_replaced_or_lost_is_another_bundle(
    tmp_path: Path, folder: Path, change: object, name: str
):
    before = scan_bundles([tmp_path])
    assert callable(change)
    change(folder / name)
    assert scan_bundles([tmp_path]) != before


def test_another_manifest_is_another_bundle_even_with_the_same_meaning(tmp_path: Path, folder: Path):
    before = scan_bundles([tmp_path])
    with (folder / MANIFEST_NAME).open("a") as file:
        file.write("# a comment\n")
    assert scan_bundles([tmp_path]) != before


def test_an_unreadable_manifest_is_a_reason_not_an_accident(tmp_path: Path):
    (tmp_path / "odd" / MANIFEST_NAME).mkdir(parents=True)
    assert "voice.yaml" in scan_bundles([tmp_path])["odd"].reason


def test_memory_is_estimated_from_the_networks_of_the_precision_alone(tmp_path: Path, folder: Path):
    (folder / "MODEL_CARD.md").write_text("x" * 1000)
    bundle = scan_bundles([tmp_path])["tiny_16k"]
    size_bytes = sum(path.stat().st_size for path in folder.glob("*.fp32.onnx"))
    assert bundle.resident_bytes(EnginePlan()) == FRONTEND_BYTES + round(RESIDENT_PER_FILE_BYTE * size_bytes)
    assert bundle.resident_bytes(EnginePlan(Choice(precision="fp16"))) == FRONTEND_BYTES
    write_bundle(tmp_path, "empty")
    assert scan_bundles([tmp_path])["empty"].resident_bytes(EnginePlan()) == FRONTEND_BYTES
