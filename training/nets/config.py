"""Hyperparameters of the two networks, as frozen values.

Input   the parsed `config.yaml` of a KAN-TTS checkpoint, or keyword arguments
Output  `SambertConfig`, `HifiganConfig`: field names are KAN-TTS's own, so a YAML file reads like the
        constructor
State   none; knows nothing about torch, files or weights

Defaults are the shipped 16 kHz configuration. Every width may be changed: a small voice is the same network
with smaller numbers.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import prod
from typing import Any, Self

logger = logging.getLogger(__name__)

NSF_EXTRA_FEATURES = 2  # rows after the mel bins of an NSF acoustic model: normalised F0, then U/V


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSizes:
    """Rows of the embedding tables; by default the PinYin inventory with mask rows and one speaker.

    Where `byte_index` is given the voice reads UTF-8 bytes: one table in place of the first four.
    """

    sy: int = 147
    tone: int = 10
    syllable_flag: int = 8
    word_segment: int = 8
    emotion: int = 36
    speaker: int = 4
    byte_index: int | None = None

    @property
    def ling_columns(self) -> int:
        """Ids per token: phone, tone and two flags, or one byte."""
        return 4 if self.byte_index is None else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SambertConfig:
    """Hyperparameters of the acoustic model."""

    tables: TableSizes = field(default_factory=TableSizes)
    max_len: int = 800
    embedding_dim: int = 512
    encoder_num_layers: int = 8
    encoder_num_heads: int = 8
    encoder_num_units: int = 128
    encoder_ffn_inner_dim: int = 1024
    encoder_dropout: float = 0.1
    encoder_attention_dropout: float = 0.1
    encoder_relu_dropout: float = 0.1
    encoder_projection_units: int = 32
    speaker_units: int = 32
    emotion_units: int = 32
    predictor_filter_size: int = 41
    predictor_fsmn_num_layers: int = 3
    predictor_num_memory_units: int = 128
    predictor_ffn_inner_dim: int = 256
    predictor_dropout: float = 0.1
    predictor_shift: int = 0
    predictor_lstm_units: int = 128
    dur_pred_prenet_units: tuple[int, ...] = (128, 128)
    dur_pred_lstm_units: int = 128
    decoder_prenet_units: tuple[int, ...] = (256, 256)
    decoder_num_layers: int = 12
    decoder_num_heads: int = 8
    decoder_num_units: int = 128
    decoder_ffn_inner_dim: int = 1024
    decoder_dropout: float = 0.1
    decoder_attention_dropout: float = 0.1
    decoder_relu_dropout: float = 0.1
    prenet_dropout: float = 0.5  # fixed in KAN-TTS; ordinary dropout, so off at inference
    outputs_per_step: int = 3
    num_mels: int = 80
    postnet_filter_size: int = 41
    postnet_fsmn_num_layers: int = 4
    postnet_num_memory_units: int = 256
    postnet_ffn_inner_dim: int = 512
    postnet_dropout: float = 0.1
    postnet_shift: int = 17
    postnet_lstm_units: int = 128
    SE: bool = False
    NSF: bool = False
    FP: bool = False
    MAS: bool = False
    nsf_norm_type: str = "mean_std"
    nsf_f0_global_minimum: float = 30.0
    nsf_f0_global_maximum: float = 730.0

    def __post_init__(self) -> None:
        for part in ("encoder", "decoder"):
            units, heads = getattr(self, f"{part}_num_units"), getattr(self, f"{part}_num_heads")
            if units % heads:
                raise ValueError(f"{part}_num_units is {units}, not a multiple of {heads} heads")
        if self.embedding_dim % 2 or self.encoder_projection_units % 2:
            raise ValueError("embedding_dim and encoder_projection_units must be even (sine and cosine)")
        if self.nsf_norm_type not in {"mean_std", "global"}:
            raise ValueError(f"nsf_norm_type is {self.nsf_norm_type!r}, expected 'mean_std' or 'global'")

    @property
    def variance_units(self) -> int:
        """Width V of [text | speaker | emotion], the input of the predictors."""
        return self.encoder_projection_units + self.speaker_units + self.emotion_units

    @property
    def memory_units(self) -> int:
        """Width D of one decoder memory row."""
        text = self.outputs_per_step * self.encoder_projection_units
        return text + self.speaker_units + self.emotion_units

    @property
    def n_mels(self) -> int:
        """Mel bins of a frame: its features less F0 and U/V."""
        return self.num_mels - NSF_EXTRA_FEATURES if self.NSF else self.num_mels

    @classmethod
    def from_yaml_dict(cls, document: Mapping[str, Any], tables: TableSizes | None = None) -> Self:
        """Read a parsed KAN-TTS acoustic `config.yaml`.

        `tables` comes from the checkpoint, never from the file: old voices have no mask rows.

        Raises:
            ValueError: Not an acoustic configuration, or values that do not fit together.
        """
        params = _params(document, "KanTtsSAMBERT")
        return cls(**_known(cls, params), tables=tables or TableSizes())


@dataclass(frozen=True, slots=True, kw_only=True)
class NsfConfig:
    """The sine source of an NSF generator."""

    nb_harmonics: int = 7  # above the fundamental
    sampling_rate: int = 16000
    alpha: float = 0.1  # amplitude of a voiced sine
    sigma: float = 0.003  # standard deviation of the noise


@dataclass(frozen=True, slots=True, kw_only=True)
class HifiganConfig:
    """Hyperparameters of the generator."""

    in_channels: int = 80
    out_channels: int = 1
    channels: int = 256
    kernel_size: int = 7
    upsample_scales: tuple[int, ...] = (10, 5, 2, 2)
    upsample_kernel_sizes: tuple[int, ...] = (20, 10, 4, 4)
    resblock_kernel_sizes: tuple[int, ...] = (3, 7, 11)
    resblock_dilations: tuple[tuple[int, ...], ...] = ((1, 3, 5, 7),) * 3
    causal: bool = True
    negative_slope: float = 0.1
    nsf: NsfConfig | None = None

    def __post_init__(self) -> None:
        if len(self.upsample_scales) != len(self.upsample_kernel_sizes):
            raise ValueError("upsample_scales and upsample_kernel_sizes differ in length")
        if len(self.resblock_kernel_sizes) != len(self.resblock_dilations):
            raise ValueError("resblock_kernel_sizes and resblock_dilations differ in length")
        if any(
            kernel < scale
            for scale, kernel in zip(self.upsample_scales, self.upsample_kernel_sizes, strict=True)
        ):
            raise ValueError("an upsample kernel is smaller than its scale")
        if self.out_channels != 1:
            raise ValueError(f"out_channels is {self.out_channels}; multi-band output is not supported")
        if self.nsf and not self.causal and any(factor % 2 for factor in self.source_factors[:-1]):
            raise ValueError("a non-causal NSF generator needs even source factors")

    @property
    def hop_length(self) -> int:
        """Samples per mel frame."""
        return prod(self.upsample_scales)

    @property
    def source_factors(self) -> tuple[int, ...]:
        """Samples per column of each stage: the product of the later scales."""
        return tuple(prod(self.upsample_scales[i + 1 :]) for i in range(len(self.upsample_scales)))

    def stage_channels(self, stage: int) -> int:
        """Channels after upsampling stage `stage`; -1 is the input of the first."""
        return self.channels // 2 ** (stage + 1)

    @classmethod
    def from_yaml_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read a parsed KAN-TTS vocoder `config.yaml`.

        Raises:
            ValueError: Not a generator configuration, or one this network cannot express.
        """
        params = dict(_params(document, "Generator"))
        if not params.pop("repeat_upsample", True):
            raise ValueError("repeat_upsample is false; only generators with the repeat branch are supported")
        params.pop("bias", None)  # ignored by KAN-TTS: always on
        params.pop("use_weight_norm", None)
        if (activation := params.pop("nonlinear_activation", "LeakyReLU")) != "LeakyReLU":
            raise ValueError(f"nonlinear_activation is {activation!r}, expected 'LeakyReLU'")
        slope = params.pop("nonlinear_activation_params", {}).get("negative_slope", 0.1)
        kernels = params.pop("upsample_kernal_sizes", None)  # sic: the spelling of the files
        if kernels is not None:
            params["upsample_kernel_sizes"] = kernels
        nsf = params.pop("nsf_params", None)
        values = _known(cls, params)
        return cls(**values, negative_slope=slope, nsf=NsfConfig(**_known(NsfConfig, nsf)) if nsf else None)


def _params(document: Mapping[str, Any], model: str) -> Mapping[str, Any]:
    try:
        params = document["Model"][model]["params"]
    except (KeyError, TypeError) as error:
        raise ValueError(f"the configuration has no Model.{model}.params") from error
    if not isinstance(params, Mapping):
        raise ValueError(f"Model.{model}.params is a {type(params).__name__}, expected a mapping")
    return params


def _known(cls: type[Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the keys `cls` has, lists made tuples; name the others in the log (training-only options).

    Raises:
        ValueError: A number, a word or a list is expected where something else stands.
    """
    defaults = {item.name: item.default for item in fields(cls) if item.name != "tables"}
    if unknown := sorted(set(params) - set(defaults)):
        logger.warning("configuration keys without a meaning here: %s", ", ".join(unknown))
    values = {key: _frozen(value) for key, value in params.items() if key in defaults}
    for key, value in values.items():
        allowed = (int, float) if isinstance(defaults[key], float) else type(defaults[key])
        if defaults[key] is not None and not isinstance(value, allowed):
            raise ValueError(f"{key} is {value!r}, expected a value like {defaults[key]!r}")
    return values


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
