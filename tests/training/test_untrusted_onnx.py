from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from training import untrusted_onnx
from training.untrusted import CheckpointError
from training.untrusted_onnx import read_onnx


def tensor(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [2])


def sum_model() -> onnx.ModelProto:
    """Output = input + weight, and a branch that reads a weight of its own."""
    branch = helper.make_graph(
        [helper.make_node("Constant", [], ["chosen"], value=weight("inner"))],
        "branch",
        [],
        [tensor("chosen")],
    )
    nodes = [
        helper.make_node("Add", ["input", "weight"], ["sum"]),
        helper.make_node("Constant", [], ["yes"], value=helper.make_tensor("yes", TensorProto.BOOL, [], [1])),
        helper.make_node("If", ["yes"], ["side"], then_branch=branch, else_branch=branch),
        helper.make_node("Mul", ["sum", "side"], ["output"]),
    ]
    graph = helper.make_graph(nodes, "sum", [tensor("input")], [tensor("output")], [weight("weight")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)


def weight(name: str) -> onnx.TensorProto:
    return helper.make_tensor(name, TensorProto.FLOAT, [2], [1.0, 2.0])


def move_out(stored: onnx.TensorProto, place: str) -> None:
    stored.ClearField("float_data")
    stored.data_location = TensorProto.EXTERNAL
    stored.external_data.add(key="location", value=place)


def inner_weight(model: onnx.ModelProto) -> onnx.TensorProto:
    branch = next(a.g for a in model.graph.node[2].attribute if a.name == "else_branch")
    found: onnx.TensorProto = branch.node[0].attribute[0].t
    return found


def call_a_stranger(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = "com.example"


def import_a_stranger(model: onnx.ModelProto) -> None:
    model.opset_import.add(domain="com.example", version=1)


def call_a_stranger_inside(model: onnx.ModelProto) -> None:
    branch = next(a.g for a in model.graph.node[2].attribute if a.name == "else_branch")
    branch.node[0].domain = "com.microsoft"


def define_a_function(model: onnx.ModelProto) -> None:
    node = helper.make_node("Identity", ["x"], ["y"])
    model.functions.append(helper.make_function("", "Mine", ["x"], ["y"], [node], model.opset_import))


def add_a_sparse_tensor(model: onnx.ModelProto) -> None:
    model.graph.sparse_initializer.add()


def read_what_nobody_makes(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[1] = "nothing"


def test_a_sound_model_is_read(tmp_path: Path) -> None:
    onnx.save(sum_model(), tmp_path / "sum.onnx")
    assert read_onnx(tmp_path / "sum.onnx") == sum_model()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (call_a_stranger, r"uses operators of com\.example; allowed are those of ONNX itself"),
        (import_a_stranger, r"uses operators of com\.example"),
        (call_a_stranger_inside, r"uses operators of com\.microsoft"),
        (define_a_function, "defines functions of its own: Mine"),
        (add_a_sparse_tensor, "sparse"),
        (read_what_nobody_makes, "is not a valid ONNX model"),
        (lambda model: move_out(model.graph.initializer[0], "../../etc/passwd"), r"'\.\./\.\./etc/passwd'"),
        (lambda model: move_out(inner_weight(model), "/etc/passwd"), "keeps 'inner' in another file"),
    ],
)
def test_what_is_not_a_model_of_its_own_is_refused(
    tmp_path: Path, change: Callable[[onnx.ModelProto], None], message: str
) -> None:
    model = sum_model()
    change(model)
    (tmp_path / "bad.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(CheckpointError, match=message) as refused:
        read_onnx(tmp_path / "bad.onnx")
    assert "bad.onnx" in str(refused.value)


def test_a_file_outside_is_not_even_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "weights")  # opening it would wait for a writer
    model = sum_model()
    move_out(model.graph.initializer[0], "weights")
    (tmp_path / "bad.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(CheckpointError, match="weights"):
        read_onnx(tmp_path / "bad.onnx")


def test_damaged_missing_and_huge_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.onnx"
    with pytest.raises(CheckpointError, match=r"x\.onnx is missing"):
        read_onnx(path)
    path.write_bytes(sum_model().SerializeToString()[:-20])
    with pytest.raises(CheckpointError, match=r"cannot read .*x\.onnx"):
        read_onnx(path)
    monkeypatch.setattr(untrusted_onnx, "MAX_MODEL_BYTES", 100)
    with pytest.raises(CheckpointError, match="at most 100 are read"):
        read_onnx(path)
