"""The folder of engines that this project built, each beside a description with its checksum.

Input   what an engine depends on; a serialised engine
Output  the same engine, if it is what was written
State   the files

Engines are read from this folder only, and only if they match their checksum: deserialising one runs what it
contains. Several processes may share it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

Range = tuple[int, int, int]

KEY_FIELDS = ("onnx_sha256", "library", "version", "compute_capability")


@dataclass(frozen=True, slots=True)
class EngineKey:
    """What an engine depends on; engines of equal keys are interchangeable.

    Attributes:
        onnx_sha256: Of the network's file, and with it its precision.
        library: Which library built it.
        version: Its version: engines of another are not loaded.
        compute_capability: Of the GPU, as `SM90`.
        sizes: Symbol of an axis to its least, best and largest size.
        batches: Largest number of rows of each optimisation profile, ascending.
    """

    onnx_sha256: str
    library: str
    version: str
    compute_capability: str
    sizes: Mapping[str, Range]
    batches: tuple[int, ...]

    @property
    def name(self) -> str:
        """A file name without its ending."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


class EngineCache:
    """A folder of engines that this project wrote."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; it is made when something is written, for its owner only."""
        self._folder = folder

    def read(self, key: EngineKey) -> bytes | None:
        """Return an engine; None if there is none, or if it is not what was written."""
        return self._read(self._engine(key), self._description(key))

    def find(self, onnx_sha256: str, library: str, version: str, compute_capability: str) -> bytes | None:
        """Return the engine that was built last of a network, whatever the sizes; None if there is none."""
        wanted = (onnx_sha256, library, version, compute_capability)
        found = [
            path
            for path in self._folder.glob("*.json")
            if tuple(map(read_description(path).get, KEY_FIELDS)) == wanted
        ]
        for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True):
            engine = self._read(path.with_suffix(".engine"), path)
            if engine is not None:
                return engine
        return None

    def write(self, key: EngineKey, engine: bytes) -> None:
        """Keep an engine; readers see all of it or nothing.

        Raises:
            OSError: The folder cannot be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        described = {**asdict(key), "sha256": hashlib.sha256(engine).hexdigest()}
        write_at_once(self._engine(key), engine)
        write_at_once(self._description(key), json.dumps(described, indent=2).encode())

    def _engine(self, key: EngineKey) -> Path:
        return self._folder / f"{key.name}.engine"

    def _description(self, key: EngineKey) -> Path:
        return self._folder / f"{key.name}.json"

    @staticmethod
    def _read(path: Path, description: Path) -> bytes | None:
        try:
            engine = path.read_bytes()
        except OSError:
            return None
        stated = read_description(description).get("sha256")
        if hashlib.sha256(engine).hexdigest() != stated:
            logger.warning("engine %s is damaged and will not be used", path)
            return None
        return engine


def read_description(path: Path) -> dict[str, Any]:
    """Return what a JSON file says; nothing if there is none."""
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def write_at_once(path: Path, content: bytes) -> None:
    """Write a file; readers see all of it or nothing."""
    building = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        building.write_bytes(content)
        os.replace(building, path)
    finally:
        building.unlink(missing_ok=True)
