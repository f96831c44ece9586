"""Read the voices that KAN-TTS and ModelScope publish.

Input   a voice folder: `am/{config.yaml, ckpt/checkpoint_<n>.pth, mvn.npy, se.npy}`, `voc/{config.yaml,
        ckpt/...}`
Output  networks with their weights, in evaluation mode, and the F0 normalisation of NSF voices
State   none

Loading is strict: a key that is missing, unexpected or of another shape is an error that names it. Tensors
are read with `weights_only=True`, so a checkpoint cannot run code. Spec sections 1.2, 2.1 and 5.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
import yaml
from torch import Tensor, nn

from training.nets.config import HifiganConfig, SambertConfig, TableSizes
from training.nets.f0 import F0Normalisation
from training.nets.hifigan import Generator
from training.nets.sambert import Sambert

Config = TypeVar("Config")

# Constants that released files may lack; the networks compute them.
RECOMPUTED_KEYS = frozenset(
    {
        "text_encoder.ling_enc.position_enc.position_enc",
        "variance_adaptor.dur_position_encoder.inv_timescales",
    }
)
# Parts that play no role in plain inference: the MAS aligner (training) and the filled-pause predictor.
IGNORED_PREFIXES = ("align_attention.", "FP_predictor.")

_TABLE_KEYS = {
    "sy": "text_encoder.sy_emb.weight",
    "tone": "text_encoder.tone_emb.weight",
    "syllable_flag": "text_encoder.syllable_flag_emb.weight",
    "word_segment": "text_encoder.ws_emb.weight",
    "emotion": "emo_tokenizer.weight",
    "speaker": "spk_tokenizer.weight",
}


class CheckpointError(ValueError):
    """A checkpoint or its configuration is missing, damaged or of another architecture."""


@dataclass(frozen=True, slots=True)
class AcousticModel:
    """A loaded acoustic model.

    Attributes:
        network: In evaluation mode.
        f0: How F0 rows become hertz; None for models without F0 rows.
        speaker_vector: [1, s] float32 of an SE voice, else None.
        document: The parsed config.yaml (linguistic units, speakers).
    """

    network: Sambert
    f0: F0Normalisation | None
    speaker_vector: Tensor | None
    document: Mapping[str, Any]


def load_acoustic(folder: Path) -> AcousticModel:
    """Load the acoustic model of a voice folder.

    Raises:
        CheckpointError: A file is missing or its contents do not fit the network.
    """
    document = _read_yaml(folder / "am" / "config.yaml")
    weights = _read_checkpoint(folder / "am" / "ckpt", ("model",))
    config = _configured(lambda: SambertConfig.from_yaml_dict(document, table_sizes(weights)))
    network = Sambert(config)
    kept = {key: value for key, value in weights.items() if not key.startswith(IGNORED_PREFIXES)}
    load_strict(network, kept, optional=RECOMPUTED_KEYS)
    vector = (
        torch.from_numpy(_read_array(folder / "am" / "se.npy")).float().reshape(1, -1) if config.SE else None
    )
    return AcousticModel(network.eval(), _f0_normalisation(folder, config), vector, document)


def load_vocoder(folder: Path) -> Generator:
    """Load the generator of a voice folder, weight norm still separate, in evaluation mode.

    Raises:
        CheckpointError: A file is missing or its contents do not fit the network.
    """
    config = _configured(lambda: HifiganConfig.from_yaml_dict(_read_yaml(folder / "voc" / "config.yaml")))
    network = Generator(config)
    load_strict(network, _read_checkpoint(folder / "voc" / "ckpt", ("model", "generator")))
    return network.eval()


def table_sizes(weights: Mapping[str, Tensor]) -> TableSizes:
    """Rows of the embedding tables as the checkpoint has them; a table it lacks keeps its default."""
    return TableSizes(**{name: weights[key].size(0) for name, key in _TABLE_KEYS.items() if key in weights})


def load_strict(network: nn.Module, weights: Mapping[str, Tensor], optional: Collection[str] = ()) -> None:
    """Copy weights into the network; only `optional` keys may be missing.

    Raises:
        CheckpointError: Names every key that is missing, unexpected or of another shape. Nothing is copied
            then.
    """
    expected = network.state_dict()
    problems = [f"missing {key}" for key in expected if key not in weights and key not in optional]
    problems += [f"unexpected {key}" for key in weights if key not in expected]
    problems += [
        f"{key} is {list(weights[key].shape)}, expected {list(value.shape)}"
        for key, value in expected.items()
        if key in weights and weights[key].shape != value.shape
    ]
    if problems:
        raise CheckpointError("weights do not fit the network: " + "; ".join(problems))
    network.load_state_dict(weights, strict=False)


def latest_checkpoint(folder: Path) -> Path:
    """The `checkpoint*_<n>.pth` of the highest n.

    Raises:
        CheckpointError: There is none.
    """
    found = [
        (int(match[1]), path) for path in folder.glob("checkpoint*.pth") if (match := _STEP.search(path.stem))
    ]
    if not found:
        raise CheckpointError(f"no checkpoint_<n>.pth in {folder}")
    return max(found)[1]


_STEP = re.compile(r"_(\d+)$")


def _read_checkpoint(folder: Path, keys: tuple[str, ...]) -> dict[str, Tensor]:
    path = latest_checkpoint(folder)
    tree = torch.load(path, map_location="cpu", weights_only=True)
    for key in keys:
        if not isinstance(tree, dict) or key not in tree:
            raise CheckpointError(f"{path} has no entry {'.'.join(keys)}")
        tree = tree[key]
    return dict(tree)


def _read_yaml(path: Path) -> Mapping[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise CheckpointError(f"cannot read {path}: {error}") from error
    if not isinstance(document, dict):
        raise CheckpointError(f"{path} is not a mapping")
    return document


def _read_array(path: Path) -> np.ndarray[Any, np.dtype[Any]]:
    try:
        array: np.ndarray[Any, np.dtype[Any]] = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot read {path}: {error}") from error
    return array


def _configured(build: Callable[[], Config]) -> Config:
    try:
        return build()
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"unusable configuration: {error}") from error


def _f0_normalisation(folder: Path, config: SambertConfig) -> F0Normalisation | None:
    if not config.NSF:
        return None
    if config.nsf_norm_type == "global":
        low, high = config.nsf_f0_global_minimum, config.nsf_f0_global_maximum
        return F0Normalisation(offset_hz=low, scale_hz=high - low)
    mvn = _read_array(folder / "am" / "mvn.npy").reshape(-1)
    if mvn.size != 2:
        raise CheckpointError(f"mvn.npy holds {mvn.size} values, expected mean and standard deviation")
    return F0Normalisation(offset_hz=float(mvn[0]), scale_hz=float(mvn[1]))
