"""Make networks of the checkpoints that KAN-TTS and ModelScope publish.

Input   a `VoiceSource`
Output  networks with their weights, in evaluation mode, and the F0 normalisation of NSF voices
State   none
Not here: where files lie (sources.py), what a file may hold (weights.py)

Loading is strict: a key that is missing, unexpected or of another shape is an error that names it, and so
are values that are not finite. Spec sections 1.2 and 2.1.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.first_generation import vocoder_weights
from training.nets.config import HifiganConfig, SambertConfig, TableSizes
from training.nets.f0 import F0Normalisation
from training.nets.hifigan import Generator
from training.nets.sambert import Sambert
from training.nets.variance import duration_timescales
from training.sources import SAMPLE_RATES, VoiceSource, acoustic_entry, vocoder_entry
from training.untrusted import CheckpointError, read_numbers
from training.weights import read_weights, table_sizes

Config = TypeVar("Config", SambertConfig, HifiganConfig)
Network = TypeVar("Network", bound=nn.Module)
Shape = tuple[int, ...]

TIMESCALES_KEY = "variance_adaptor.dur_position_encoder.inv_timescales"
TIMESCALES_TOLERANCE = 1e-3  # relative; half precision rounds by half of that
# Constants that released files may lack; the networks compute them.
RECOMPUTED_KEYS = frozenset({"text_encoder.ling_enc.position_enc.position_enc", TIMESCALES_KEY})
MAX_LISTED_PROBLEMS = 12  # a wrong width misshapes hundreds of tensors alike
# A configuration decides how much memory a network takes before the weights are looked at.
MAX_LAYERS = 64  # the most in one stack is 12
SIZES = range(1, 8193)  # of any width, kernel or length; the largest real one is 1024
# Ending of a name -> what it may be, where that is not a size.
RANGES = {"_layers": range(1, MAX_LAYERS + 1), "_shift": range(8193), "sampling_rate": SAMPLE_RATES}


@dataclass(frozen=True, slots=True)
class AcousticModel:
    """A loaded acoustic model.

    Attributes:
        network: In evaluation mode.
        f0: How F0 rows become hertz; None for models without F0 rows.
        speaker_vector: [1, s] float32 of an SE voice, else None.
        document: `VoiceSource.acoustic_config`.
    """

    network: Sambert
    f0: F0Normalisation | None
    speaker_vector: Tensor | None
    document: Mapping[str, Any]


def load_acoustic(source: VoiceSource) -> AcousticModel:
    """Load the acoustic model of a voice.

    The MAS aligner, which only training uses, is checked like the rest and then left out.

    Raises:
        CheckpointError: A file is missing or damaged, or its contents do not fit the network.
    """
    weights = read_weights(source.acoustic_checkpoint, acoustic_entry(source.generation))
    tables = table_sizes(weights, has_speakers=source.speaker_vector is None)
    config = _configured(lambda: SambertConfig.from_yaml_dict(source.acoustic_config, tables))
    network = _loaded(
        lambda: Sambert(config),
        weights,
        source.acoustic_checkpoint,
        optional=RECOMPUTED_KEYS,
        left_out=aligner_shapes(config) if config.MAS else {},
    )
    _use_computed_timescales(network, source.acoustic_checkpoint)
    vector = torch.from_numpy(_speaker_vector(source, config)).float() if config.SE else None
    return AcousticModel(network, _f0_normalisation(source, config), vector, source.acoustic_config)


def load_vocoder(source: VoiceSource) -> Generator:
    """Load the generator of a voice, weight norm still separate, in evaluation mode.

    Raises:
        CheckpointError: A file is missing or damaged, or its contents do not fit the network.
    """
    weights = read_weights(source.vocoder_checkpoint, vocoder_entry(source.generation))
    if source.generation == "A":
        weights = vocoder_weights(weights)
    config = _configured(lambda: HifiganConfig.from_yaml_dict(source.vocoder_config))
    return _loaded(lambda: Generator(config), weights, source.vocoder_checkpoint)


def load_strict(
    network: nn.Module,
    weights: Mapping[str, Tensor],
    optional: Collection[str] = (),
    left_out: Mapping[str, Shape] | None = None,
) -> None:
    """Copy weights into the network.

    Args:
        network: With parameters of real memory.
        weights: A state_dict.
        optional: Keys that may be missing.
        left_out: Keys and shapes that must be there although the network does not have them.

    Raises:
        CheckpointError: Names the keys that are missing, unexpected, of another shape or not finite. Nothing
            is copied then.
    """
    expected = _shapes(network)
    _check_shapes(expected | dict(left_out or {}), weights, optional)
    network.load_state_dict({key: value for key, value in weights.items() if key in expected}, strict=False)


def aligner_shapes(config: SambertConfig) -> dict[str, Shape]:
    """Keys and shapes of the MAS aligner (spec section 1.2)."""
    width, n_features = config.embedding_dim, config.num_mels
    convolutions = {
        "key_proj.0.conv": (2 * width, width, 3),
        "key_proj.2.conv": (n_features, 2 * width, 1),
        "query_proj.0.conv": (2 * n_features, n_features, 3),
        "query_proj.2.conv": (n_features, 2 * n_features, 1),
        "query_proj.4.conv": (n_features, n_features, 1),
    }
    shapes: dict[str, Shape] = {"attn_proj.weight": (1, n_features, 1, 1), "attn_proj.bias": (1,)}
    for name, shape in convolutions.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return {f"align_attention.{name}": shape for name, shape in shapes.items()}


def _loaded(
    build: Callable[[], Network],
    weights: Mapping[str, Tensor],
    path: Path,
    optional: Collection[str] = (),
    left_out: Mapping[str, Shape] | None = None,
) -> Network:
    try:
        expected = _planned_shapes(build)
        _check_shapes(expected | dict(left_out or {}), weights, optional)
        network = build()
        load_strict(network, weights, optional, left_out)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return network.eval()


def _use_computed_timescales(network: Sambert, path: Path) -> None:
    """Replace the stored timescales by the computed ones, which are what the host of a bundle uses."""
    stored = network.variance_adaptor.dur_position_encoder.inv_timescales
    computed = duration_timescales(stored.numel())
    error = (stored / computed - 1.0).abs()
    worst = int(error.argmax())
    if error[worst] > TIMESCALES_TOLERANCE:
        found, expected = stored[worst].item(), computed[worst].item()
        raise CheckpointError(
            f"{path}: {TIMESCALES_KEY} holds {found:g} in column {worst}; every voice has {expected:g}"
        )
    stored.copy_(computed)


def _planned_shapes(build: Callable[[], nn.Module]) -> dict[str, Shape]:
    """Shapes of a network that takes no memory: a wrong configuration must not fill it."""
    try:
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch comments on empty tensors; their shapes will not fit
            return _shapes(build())
    except (RuntimeError, ValueError, TypeError, LookupError, ArithmeticError) as error:
        raise CheckpointError(f"no network can be built from the configuration: {error}") from error


def _shapes(network: nn.Module) -> dict[str, Shape]:
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}


def _check_shapes(
    expected: Mapping[str, Shape], weights: Mapping[str, Tensor], optional: Collection[str]
) -> None:
    problems = [f"missing {key}" for key in expected if key not in weights and key not in optional]
    problems += [f"unexpected {key}" for key in weights if key not in expected]
    for key, shape in expected.items():
        if key not in weights:
            continue
        if weights[key].shape != shape:
            problems.append(f"{key} is {list(weights[key].shape)}, expected {list(shape)}")
        elif not torch.isfinite(weights[key]).all():
            problems.append(f"{key} holds values that are not finite")
    if problems:
        more = len(problems) - MAX_LISTED_PROBLEMS
        listed = [*problems[:MAX_LISTED_PROBLEMS], *([f"and {more} more"] if more > 0 else [])]
        raise CheckpointError("weights do not fit the network: " + "; ".join(listed))


def _configured(build: Callable[[], Config]) -> Config:
    try:
        config = build()
    except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise CheckpointError(f"unusable configuration: {error}") from error
    _check_values(config)
    return config


def _check_values(config: Any) -> None:
    """Compare every field with its default: same type, and for sizes a sane range."""
    for item in fields(config):
        value = getattr(config, item.name)
        if is_dataclass(value):
            if not isinstance(value, TableSizes):  # those were counted, not read
                _check_values(value)
        elif item.default is not MISSING and item.default is not None:
            _check_value(item.name, value, item.default)


def _check_value(name: str, value: Any, default: object) -> None:
    if isinstance(default, tuple) and isinstance(value, tuple):
        if not 0 < len(value) <= MAX_LAYERS:
            raise CheckpointError(f"{name} has {len(value)} entries; 1 to {MAX_LAYERS} are allowed")
        for entry in value:
            _check_value(name, entry, default[0])
    elif isinstance(default, float):
        if type(value) not in (int, float) or not isfinite(value):
            raise CheckpointError(f"{name} is {value!r}, expected a finite number")
    elif type(value) is not type(default):
        raise CheckpointError(f"{name} is {value!r}, expected a value like {default!r}")
    elif type(value) is int:
        allowed = next((values for ending, values in RANGES.items() if name.endswith(ending)), SIZES)
        if value not in allowed:
            raise CheckpointError(f"{name} is {value}; {allowed[0]} to {allowed[-1]} are allowed")


def _speaker_vector(source: VoiceSource, config: SambertConfig) -> NDArray[np.float64]:
    assert source.speaker_vector is not None  # find_sources refuses an SE voice without
    values = read_numbers(source.speaker_vector)
    if values.size != config.speaker_units:
        raise CheckpointError(
            f"{source.speaker_vector} holds {values.size} values; speaker_units is {config.speaker_units}"
        )
    return values.reshape(1, -1)


def _f0_normalisation(source: VoiceSource, config: SambertConfig) -> F0Normalisation | None:
    if not config.NSF:
        return None
    if config.nsf_norm_type == "global":
        low, high = config.nsf_f0_global_minimum, config.nsf_f0_global_maximum
        return F0Normalisation(offset_hz=low, scale_hz=high - low)
    if source.mvn is None:
        raise CheckpointError(f"there is no mvn.npy beside {source.acoustic_checkpoint}, which NSF needs")
    values = read_numbers(source.mvn)
    if values.size != 2 or values[1] <= 0:
        found = ", ".join(f"{value:g}" for value in values[:4])
        raise CheckpointError(f"{source.mvn} holds {found}; expected mean and standard deviation")
    return F0Normalisation(offset_hz=float(values[0]), scale_hz=float(values[1]))
