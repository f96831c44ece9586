from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from tests.training.published import Touch
from training.untrusted import (
    MAX_FILE_BYTES,
    MAX_VALUES,
    CheckpointError,
    inside,
    read_json,
    read_numbers,
    read_text,
    read_xml,
    read_yaml,
    require_file,
)

BILLION_LAUGHS = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
)

# `<<` copies the pairs of what it names, so that every line is ten times as long as the one before.
MERGED_LAUGHS = "\n".join(
    ["a0: &a0 {k: 1}"] + [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 12)]
)


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_link_may_stay_inside_but_not_lead_outside(tmp_path: Path) -> None:
    (tmp_path / "voice").mkdir()
    write(tmp_path / "secret", "x")
    write(tmp_path / "voice" / "file", "x")
    (tmp_path / "voice" / "good").symlink_to("file")
    (tmp_path / "voice" / "bad").symlink_to("../secret")
    assert inside(tmp_path / "voice", tmp_path / "voice" / "good")
    for path in (tmp_path / "voice" / "bad", tmp_path / "voice" / ".." / "secret"):
        with pytest.raises(CheckpointError, match="leads outside"):
            inside(tmp_path / "voice", path)


def test_only_a_regular_file_is_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CheckpointError, match="pipe is not a regular file"):
        require_file(tmp_path / "pipe")
    with pytest.raises(CheckpointError, match="absent is missing"):
        require_file(tmp_path / "absent")


def test_line_ends_and_byte_order_mark_do_not_matter(tmp_path: Path) -> None:
    assert read_text(write(tmp_path / "a.txt", b"\xef\xbb\xbfa\r\nb")) == "a\nb"


def test_a_long_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(CheckpointError, match=rf"long\.yaml has {MAX_FILE_BYTES + 1} bytes"):
        read_yaml(path)


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"cannot read .*a\.txt"):
        read_text(write(tmp_path / "a.txt", "你好".encode("gbk")))


def test_yaml_and_json_give_mappings(tmp_path: Path) -> None:
    assert read_yaml(write(tmp_path / "a.yaml", "a: &x [1, 2]\nb: *x")) == {"a": [1, 2], "b": [1, 2]}
    assert read_json(write(tmp_path / "a.json", '{"a": [1]}')) == {"a": [1]}


@pytest.mark.parametrize(
    "text",
    [
        "[1, 2",
        "- 1",
        "a: !!python/object/apply:os.system ['true']",
        "a: !!int ''",
        "a: !!timestamp x",
        f"a: {'9' * 5000}",
        "[" * 5000,
        "? [1]\n: 2",
    ],
    ids=lambda text: text[:20],
)
def test_yaml_that_is_not_a_plain_mapping_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(CheckpointError, match=r"a\.yaml"):
        read_yaml(write(tmp_path / "a.yaml", text))


@pytest.mark.parametrize(
    "text", [BILLION_LAUGHS, MERGED_LAUGHS, "a: &a {b: *a}", "a: [" + "1, " * MAX_VALUES + "]"]
)
def test_yaml_that_unfolds_to_too_much_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(CheckpointError, match=r"a\.yaml unfolds to more than"):
        read_yaml(write(tmp_path / "a.yaml", text))


@pytest.mark.parametrize(
    "text", ["{", "[1]", "[" * 100_000, f'{{"a": {"9" * 5000}}}', '{"a": ' * 40 + "1" + "}" * 40]
)
def test_json_that_is_not_a_plain_object_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(CheckpointError, match=r"a\.json"):
        read_json(write(tmp_path / "a.json", text))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', "declares a document type"),
        ("<x><y></x>", "cannot read"),
        ("", "cannot read"),
        ("<x>&a;</x>", "cannot read"),
    ],
)
def test_xml_with_entities_or_damage_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(CheckpointError, match=reason):
        read_xml(write(tmp_path / "a.xml", text))


def test_xml_in_an_encoding_that_hides_its_document_type_is_refused(tmp_path: Path) -> None:
    text = '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'
    with pytest.raises(CheckpointError):
        read_xml(write(tmp_path / "a.xml", text.encode("utf-16")))


@pytest.mark.parametrize("shape", [(2,), (2, 1), (1, 2)])
def test_numbers_come_flat_whatever_their_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "a.npy", np.array([190.0, 55.0], np.float32).reshape(shape))
    assert read_numbers(tmp_path / "a.npy").tolist() == [190.0, 55.0]


def test_an_array_of_objects_is_refused_and_not_run(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    np.save(tmp_path / "a.npy", np.array([Touch(canary)], dtype=object), allow_pickle=True)
    write(tmp_path / "b.npy", pickle.dumps(Touch(canary)))
    for name in ("a.npy", "b.npy"):
        with pytest.raises(CheckpointError, match=name):
            read_numbers(tmp_path / name)
    assert not canary.exists()


def test_an_array_that_claims_more_than_the_file_holds_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(3))
    content = (tmp_path / "a.npy").read_bytes().replace(b"(3,), }          ", b"(3000000000,), } ")
    with pytest.raises(CheckpointError, match=r"cannot read .*a\.npy"):
        read_numbers(write(tmp_path / "a.npy", content))


@pytest.mark.parametrize("values", [np.array(["x"]), np.array([np.nan]), np.array([np.inf])])
def test_an_array_of_other_things_than_finite_numbers_is_refused(tmp_path: Path, values: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(CheckpointError, match=r"a\.npy"):
        read_numbers(tmp_path / "a.npy")


def test_an_archive_of_arrays_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(2))
    with pytest.raises(CheckpointError, match="array of numbers"):
        read_numbers(tmp_path / "a.npz")
