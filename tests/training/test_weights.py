from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import pytest
import torch

from tests.training.published import Touch, acoustic_weights, save
from training.nets.config import TableSizes
from training.untrusted import CheckpointError
from training.weights import read_weights, table_sizes

ENTRY = ("model",)


@pytest.mark.parametrize("zipped", [True, False])
def test_both_formats_of_torch_are_read(tmp_path: Path, zipped: bool) -> None:
    weights = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2, dtype=torch.float16)}
    tree = {"model": {"generator": weights}, "steps": 3}
    torch.save(tree, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    found = read_weights(tmp_path / "a.pth", ("model", "generator"))
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[key], weights[key]) for key in weights)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_is_named_and_not_run(tmp_path: Path, zipped: bool) -> None:
    canary = tmp_path / "canary"
    path = tmp_path / "a.pth"
    torch.save({"model": Touch(canary)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(
        CheckpointError, match=r"a\.pth refers to posix\.system: .* tensors and plain values only"
    ):
        read_weights(path, ENTRY)
    assert not canary.exists()


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_plain_pickle_is_refused_and_not_run(tmp_path: Path, protocol: int) -> None:
    canary = tmp_path / "canary"
    (tmp_path / "a.pth").write_bytes(pickle.dumps({"model": Touch(canary)}, protocol))
    with pytest.raises(CheckpointError, match=r"a\.pth"):
        read_weights(tmp_path / "a.pth", ENTRY)
    assert not canary.exists()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("kept", [0, 1, 100, 600, 0.5, 0.99])
def test_a_truncated_checkpoint_is_refused(tmp_path: Path, zipped: bool, kept: float) -> None:
    path = tmp_path / "a.pth"
    torch.save({"model": {"a": torch.zeros(1000)}}, path, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    with pytest.raises(CheckpointError, match=r"a\.pth"):
        read_weights(path, ENTRY)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(b"\x08\x07onnx" * 100)
    with pytest.raises(CheckpointError, match=r"a\.pth is damaged or not a torch checkpoint"):
        read_weights(tmp_path / "a.pth", ENTRY)
    with zipfile.ZipFile(tmp_path / "b.pth", "w") as bundle:
        bundle.writestr("readme.txt", "hello")
    with pytest.raises(CheckpointError, match=r"b\.pth is damaged or not a torch checkpoint"):
        read_weights(tmp_path / "b.pth", ENTRY)


@pytest.mark.parametrize("tree", [{"weights": {}}, {"model": {"generator": 3}}, [1], {"model": [1]}])
def test_a_missing_entry_is_named(tmp_path: Path, tree: object) -> None:
    torch.save(tree, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"entry model\.generator"):
        read_weights(tmp_path / "a.pth", ("model", "generator"))


@pytest.mark.parametrize(
    ("tree", "found"),
    [
        ({"state_dict": {}, "steps": 3}, r"'state_dict', 'steps'$"),
        ({f"layer.{index}": 0.0 for index in range(9)}, r"'layer\.0', .*'layer\.4' and 4 more$"),
        ({"a" * 500: 0.0}, r"'a{79}$"),
        ({}, "nothing$"),
        ([1], "a list$"),
    ],
)
def test_what_stands_in_place_of_a_missing_entry_is_told(tmp_path: Path, tree: object, found: str) -> None:
    torch.save(tree, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=rf"no entry model: found {found}"):
        read_weights(tmp_path / "a.pth", ENTRY)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("text", "a is a str, expected a tensor"),
        (torch.zeros(2, dtype=torch.int64), r"a is torch\.int64"),
        (torch.zeros(2, 2).to_sparse(), "sparse_coo"),
        (torch.zeros(2, device="meta"), "on meta"),
    ],
)
def test_only_dense_floating_point_tensors_are_weights(tmp_path: Path, value: object, reason: str) -> None:
    path = save(tmp_path / "a.pth", {"model": {"a": value}})
    with pytest.raises(CheckpointError, match=reason):
        read_weights(path, ENTRY)


def test_keys_are_text(tmp_path: Path) -> None:
    path = save(tmp_path / "a.pth", {"model": {3: torch.zeros(1)}})
    with pytest.raises(CheckpointError, match="names a tensor 3"):
        read_weights(path, ENTRY)


def test_tensors_that_repeat_a_few_stored_values_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.pth", {"model": {"a": torch.zeros(1).expand(1 << 40)}})
    with pytest.raises(CheckpointError, match=r"claims 4398046511104 bytes of tensors and has \d+"):
        read_weights(path, ENTRY)


def test_rows_of_the_tables_are_counted() -> None:
    tables = TableSizes(sy=116, tone=9, emotion=35, speaker=7)
    assert table_sizes(acoustic_weights(tables)) == tables


def test_a_byte_model_has_one_linguistic_table() -> None:
    tables = TableSizes(byte_index=259, speaker=7)
    weights = acoustic_weights(tables)
    assert not [key for key in weights if "sy_emb" in key or "tone_emb" in key]
    assert table_sizes(weights) == tables


def test_an_se_model_has_no_speaker_table() -> None:
    weights = acoustic_weights(SE=True)
    assert "spk_tokenizer.weight" not in weights
    assert table_sizes(weights, has_speakers=False) == TableSizes()
    with pytest.raises(CheckpointError, match=r"missing spk_tokenizer\.weight"):
        table_sizes(weights)


@pytest.mark.parametrize("key", ["text_encoder.tone_emb.weight", "emo_tokenizer.weight"])
def test_a_missing_or_flat_table_is_named(key: str) -> None:
    weights = acoustic_weights()
    weights[key] = torch.zeros(10)
    with pytest.raises(CheckpointError, match=rf"{key} is \[10\], expected rows and columns"):
        table_sizes(weights)
    del weights[key]
    with pytest.raises(CheckpointError, match=f"missing {key}"):
        table_sizes(weights)
