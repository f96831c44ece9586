"""Read the tensors of a torch checkpoint without running anything that is in it.

Input   a .pth or .bin file of unknown origin, and the path of the state_dict in it
Output  the state_dict: names to tensors, not yet compared with a network
State   none; tensors of the zip format stay on disk (mapped) until they are copied
Not here: which network they fit (checkpoints.py)
"""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.archives import check_stored, is_zip
from training.nets.config import TableSizes
from training.untrusted import CheckpointError, require_file

MAX_CHECKPOINT_BYTES = 8 << 30  # the acoustic model with its optimizer has 150 MB
MAX_NAMES_TOLD = 5

_TABLE_KEYS = {
    "sy": "text_encoder.sy_emb.weight",
    "tone": "text_encoder.tone_emb.weight",
    "syllable_flag": "text_encoder.syllable_flag_emb.weight",
    "word_segment": "text_encoder.ws_emb.weight",
    "byte_index": "text_encoder.byte_index_emb.weight",
    "emotion": "emo_tokenizer.weight",
    "speaker": "spk_tokenizer.weight",
}
_LINGUISTIC_TABLES = {"sy", "tone", "syllable_flag", "word_segment"}
# What a damaged or hostile pickle makes the restricted unpickler and torch's rebuilding of tensors raise.
_DAMAGE = (
    pickle.UnpicklingError,
    RuntimeError,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    ImportError,
    MemoryError,
)
_FORBIDDEN = re.compile(r"GLOBAL (\S+)")
_UNPICKLER_REASON = re.compile(r"WeightsUnpickler error:\s*(\S.*)")


def read_weights(path: Path, entry: tuple[str, ...]) -> dict[str, Tensor]:
    """Read one state_dict.

    Args:
        path: The checkpoint.
        entry: Keys that lead to the state_dict, outermost first.

    Raises:
        CheckpointError: The file is missing, damaged, refers to anything but tensors and plain values, lacks
            the entry, or claims more tensor data than it has bytes.
    """
    tree = _load(path)
    for key in entry:
        if not isinstance(tree, Mapping) or key not in tree:
            raise CheckpointError(f"{path} has no entry {'.'.join(entry)}: found {_described_level(tree)}")
        tree = tree[key]
    if not isinstance(tree, Mapping):
        raise CheckpointError(f"{path}: entry {'.'.join(entry)} is not a mapping of tensors")
    for key, value in tree.items():
        _check_tensor(path, key, value)
    # One stored value can be made to look like any number of them.
    claimed, held = sum(value.numel() * value.element_size() for value in tree.values()), path.stat().st_size
    if claimed > held:
        raise CheckpointError(f"{path} claims {claimed} bytes of tensors and has {held}")
    return dict(tree)


def table_sizes(weights: Mapping[str, Tensor], *, has_speakers: bool = True) -> TableSizes:
    """Rows of the embedding tables as the checkpoint has them.

    Args:
        weights: An acoustic model's state_dict.
        has_speakers: False for an SE voice, which has a vector in place of the table.

    Raises:
        CheckpointError: A table is missing or not of two dimensions.
    """
    # A byte model has one table in place of the four linguistic ones.
    unused = set(_LINGUISTIC_TABLES if _TABLE_KEYS["byte_index"] in weights else {"byte_index"})
    unused |= set() if has_speakers else {"speaker"}
    used = {name: key for name, key in _TABLE_KEYS.items() if name not in unused}
    return TableSizes(**{name: _rows(weights, key) for name, key in used.items()})


def _rows(weights: Mapping[str, Tensor], key: str) -> int:
    if key not in weights:
        raise CheckpointError(f"missing {key}")
    if weights[key].dim() != 2:
        raise CheckpointError(f"{key} is {list(weights[key].shape)}, expected rows and columns")
    return weights[key].size(0)


def _described_level(tree: object) -> str:
    """What a level of a checkpoint holds in place of the wanted entry, in a few words of any size of file."""
    if not isinstance(tree, Mapping):
        return f"a {type(tree).__name__}"
    told = ", ".join(repr(key)[:80] for key in list(tree)[:MAX_NAMES_TOLD])
    untold = len(tree) - MAX_NAMES_TOLD
    return f"{told or 'nothing'}{f' and {untold} more' if untold > 0 else ''}"


def _load(path: Path) -> Any:
    n_bytes = require_file(path).stat().st_size
    if not 0 < n_bytes <= MAX_CHECKPOINT_BYTES:
        raise CheckpointError(f"{path} has {n_bytes} bytes; 1 to {MAX_CHECKPOINT_BYTES} are allowed")
    zipped = is_zip(path)
    if zipped:
        check_stored(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch comments on the file; the file is judged below
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except _DAMAGE as error:
        raise CheckpointError(_described(path, error)) from error


def _described(path: Path, error: BaseException) -> str:
    text = str(error).strip()
    if forbidden := _FORBIDDEN.search(text):
        return f"{path} refers to {forbidden[1]}: a checkpoint may hold tensors and plain values only"
    # Torch buries the reason under advice that no one should follow for a file of unknown origin.
    reason = _UNPICKLER_REASON.search(text)
    first_line = text.splitlines()[0] if text else type(error).__name__
    return f"{path} is damaged or not a torch checkpoint: {reason[1] if reason else first_line}"


def _check_tensor(path: Path, key: object, value: object) -> None:
    if not isinstance(key, str):
        raise CheckpointError(f"{path} names a tensor {key!r}, expected text")
    if not isinstance(value, Tensor):
        raise CheckpointError(f"{path}: {key} is a {type(value).__name__}, expected a tensor")
    if value.layout != torch.strided or value.device.type != "cpu" or not value.is_floating_point():
        kind = f"{value.dtype}, {value.layout} on {value.device}"
        raise CheckpointError(f"{path}: {key} is {kind}; expected dense floating point values")
