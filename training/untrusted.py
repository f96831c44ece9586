"""Read the small files that come with a checkpoint, trusting none of them.

Input   paths of YAML, JSON, XML, text and .npy files of unknown origin
Output  plain values: mappings, elements, lines, numbers
State   none
Not here: tensors (weights.py), archives (archives.py), what the values mean (sources.py)

Sizes are limited before anything is parsed, and whatever is wrong with a file ends in a `CheckpointError`
that names the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import yaml
from numpy.typing import NDArray

MAX_FILE_BYTES = 1 << 20  # the longest real one, a phone set, has 60 kB
# Values in a document with every YAML alias written out, and how deep they nest: a few hundred and 6 in real
# ones. Aliases can make a short file unfold to billions.
MAX_VALUES = 20_000
MAX_DEPTH = 32


class CheckpointError(ValueError):
    """A checkpoint or a file beside it is missing, damaged, hostile or of another architecture."""


def inside(root: Path, path: Path) -> Path:
    """Return `path` if, links followed, it lies inside `root`.

    Raises:
        CheckpointError: It leads outside.
    """
    if not path.resolve().is_relative_to(root.resolve()):
        raise CheckpointError(f"{path} leads outside {root}")
    return path


def require_file(path: Path) -> Path:
    """Return `path` if it is a regular file or a link to one.

    Raises:
        CheckpointError: It is missing or something else.
    """
    if not path.exists():
        raise CheckpointError(f"{path} is missing")
    if not path.is_file():
        raise CheckpointError(f"{path} is not a regular file")
    return path


def read_text(path: Path) -> str:
    """Read a short UTF-8 text, line ends made uniform.

    Raises:
        CheckpointError: The file is missing, longer than 1 MiB or not UTF-8.
    """
    _check_size(path)
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"cannot read {path}: {error}") from error


def read_yaml(path: Path) -> Mapping[str, Any]:
    """Read a YAML mapping; tags that would build objects are refused.

    Raises:
        CheckpointError: The file cannot be read, is not a mapping, or unfolds to too much.
    """
    text = read_text(path)
    try:
        document = _parsed_yaml(text, path)
    # PyYAML lets slip what int(), float() and re make of a hostile scalar.
    except CheckpointError:
        raise
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"cannot read {path}: {error}") from error
    return _mapping(document, path)


def read_json(path: Path) -> Mapping[str, Any]:
    """Read a JSON object.

    Raises:
        CheckpointError: The file cannot be read, is not an object, or unfolds to too much.
    """
    text = read_text(path)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"cannot read {path}: {error}") from error
    return _mapping(document, path)


def read_xml(path: Path) -> ElementTree.Element:
    """Read the root of an XML file that declares no entities.

    Raises:
        CheckpointError: The file cannot be read or has a document type.
    """
    text = read_text(path)
    # Entities are what makes XML dangerous, and they need a document type.
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise CheckpointError(f"{path} declares a document type; only plain XML is read")
    try:
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise CheckpointError(f"cannot read {path}: {error}") from error


def read_numbers(path: Path) -> NDArray[np.float64]:
    """Read the values of a .npy file as [n]; their shape, which writers disagree on, is dropped.

    Raises:
        CheckpointError: The file cannot be read, holds other things than numbers, or they are not finite.
    """
    _check_size(path)
    try:
        # Mapped, an array that the header claims and the file does not hold is an error, not an allocation.
        array = np.load(path, allow_pickle=False, mmap_mode="r")
    except (OSError, ValueError, EOFError, OverflowError, MemoryError) as error:
        raise CheckpointError(f"cannot read {path}: {error}") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise CheckpointError(f"{path} does not hold an array of numbers")
    values = np.array(array, dtype=np.float64).reshape(-1)
    if not np.isfinite(values).all():
        raise CheckpointError(f"{path} holds values that are not finite")
    return values


def _check_size(path: Path) -> None:
    n_bytes = require_file(path).stat().st_size
    if n_bytes > MAX_FILE_BYTES:
        raise CheckpointError(f"{path} has {n_bytes} bytes; at most {MAX_FILE_BYTES} are read")


def _mapping(document: Any, path: Path) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        raise CheckpointError(f"{path} is not a mapping")
    _check_extent(document, path)
    return document


def _parsed_yaml(text: str, path: Path) -> Any:
    """Build the document only after its nodes were counted: `<<` unfolds aliases while it is being built."""
    loader = _CountingLoader(text, path)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _check_extent(node, path)
        return loader.construct_document(node)
    finally:
        loader.dispose()


class _CountingLoader(yaml.SafeLoader):
    """A SafeLoader that gives up on long documents early: PyYAML takes ten seconds for 1 MiB of numbers."""

    def __init__(self, text: str, path: Path) -> None:
        super().__init__(text)
        self._path = path
        self._n_nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Count a node, or a reference to one, and read it."""
        self._n_nodes += 1
        if self._n_nodes > MAX_VALUES:
            raise CheckpointError(f"{self._path} unfolds to more than {MAX_VALUES} values")
        return super().compose_node(parent, index)


def _check_extent(document: Any, path: Path) -> None:
    """Walk the document as it would unfold; a cycle is endlessly deep."""
    pending, n_values = [(document, 1)], 0
    while pending:
        value, depth = pending.pop()
        n_values += 1
        if n_values > MAX_VALUES or depth > MAX_DEPTH:
            raise CheckpointError(
                f"{path} unfolds to more than {MAX_VALUES} values or {MAX_DEPTH} levels; aliases multiply"
            )
        pending += [(item, depth + 1) for item in _children(value)]


def _children(value: Any) -> Iterable[Any]:
    """What a plain value, or a node of YAML, consists of."""
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, yaml.MappingNode):
        return chain.from_iterable(value.value)
    if isinstance(value, yaml.SequenceNode):
        return value.value
    return value if isinstance(value, (list, tuple, set)) else ()
