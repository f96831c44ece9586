"""What a Sambert-HiFiGAN voice says about itself: sizes, symbols, grid.

Input   the parsed `voice.yaml`
Output  SambertManifest
State   none
Not here: running the networks (engines/), pronouncing text (text/)
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from streaming.errors import VoiceBundleError
from streaming.manifest import NetworkName, NonNegativeInt, PositiveInt, Strict, VoiceManifest

SAMBERT_NETWORKS: tuple[NetworkName, ...] = ("encoder", "memory", "decoder", "postnet", "vocoder")

# With a share v of voiced frames whose F0 has mean m and spread s, mean/std over all frames is
# v m / sqrt((v - v^2) m^2 + v s^2): 1.15 for v = 0.6 and s = 0.22 m; 0.95 to 1.4 for v = 0.5 to 0.7.
PITCH_MEAN_OVER_STD = 1.15


class AcousticSizes(Strict):
    """Widths of the acoustic networks; letters as in streaming/synthesis/engine.py."""

    outputs_per_step: PositiveInt = 3
    """r: frames that one decoder step emits."""
    text_width: PositiveInt
    """p: width of a token's text row (and of the duration position code)."""
    speaker_width: PositiveInt
    emotion_width: PositiveInt
    n_features: PositiveInt
    """F: mel bands, plus 2 (F0, U/V) where `f0` is given."""
    decoder_layers: PositiveInt
    decoder_heads: PositiveInt
    decoder_head_dim: PositiveInt
    window_buckets: tuple[PositiveInt, ...]
    """Attention window sizes that the decoder may be called with, ascending."""
    postnet_state_size: NonNegativeInt
    postnet_delay_frames: NonNegativeInt = 12
    inserts_tokens: bool = False
    """Whether the encoder adds rows of its own (filled pauses) and returns the token of each row."""

    @property
    def memory_width(self) -> int:
        """D: r text rows, one speaker row, one emotion row."""
        return self.outputs_per_step * self.text_width + self.speaker_width + self.emotion_width

    @model_validator(mode="after")
    def _buckets_ascend(self) -> Self:
        buckets = self.window_buckets
        if not buckets or list(buckets) != sorted(set(buckets)) or buckets[0] < 2:
            msg = f"window_buckets must ascend and start at 2 or more, found {list(buckets)}"
            raise ValueError(msg)
        return self


class F0Rows(Strict):
    """How the last two feature rows become F0 in Hz and U/V (spec section 1.6)."""

    norm: Literal["mean_std", "global"]
    offset_hz: float
    """`mean_std`: the mean; `global`: the minimum."""
    scale_hz: Annotated[float, Field(gt=0)]
    """`mean_std`: the standard deviation; `global`: maximum - minimum."""
    floor_hz: Annotated[float, Field(gt=0)] = 30.0
    uv_threshold: float = 0.6


class VocoderSizes(Strict):
    """What the vocoder network takes, keeps and how far it looks ahead."""

    kind: Literal["plain", "harmonic_noise", "nsf"]
    lookahead_frames: NonNegativeInt = 0
    """Frames that must follow a frame before its samples come out."""
    state_size: NonNegativeInt
    takes_f0: bool = False
    """Whether the network has the `f0` input (log F0 in Hz and U/V per frame)."""
    takes_edges: bool = False
    """Whether the network has the `edges` input and pads at the true ends of a segment itself."""


class SymbolLists(Strict):
    """The symbol lists of a voice that brings its own, in file order."""

    phones: tuple[str, ...]
    """Without the break symbols, which are appended."""
    tones: tuple[str, ...]
    has_mask: bool = True


class SambertManifest(VoiceManifest):
    """`voice.yaml` of a Sambert-HiFiGAN voice.

    Attributes:
        symbols: A built-in inventory (`pinyin-v1`), UTF-8 bytes (`bytes`), the voice's own lists, or
            `unknown`: the checkpoint came without them, and the voice cannot be given text.
        pitch_mean_over_std: Mean over standard deviation of F0 in the training data, zeros of unvoiced frames
            included, by which a pitch factor acts on the normalised pitch of a voice without F0 rows.
        block_frames: The vocoder's grid: frames of the first blocks; the last repeats.
    """

    network_names: ClassVar[tuple[NetworkName, ...]] = SAMBERT_NETWORKS

    family: Literal["sambert"] = "sambert"
    hop_length: PositiveInt
    n_mels: PositiveInt
    emotions: Annotated[dict[str, NonNegativeInt], Field(min_length=1)]
    symbols: Literal["pinyin-v1", "bytes", "unknown"] | SymbolLists = "pinyin-v1"
    acoustic: AcousticSizes
    f0: F0Rows | None = None
    pitch_mean_over_std: Annotated[float, Field(gt=0)] = PITCH_MEAN_OVER_STD
    vocoder: VocoderSizes
    block_frames: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _sizes_agree(self) -> Self:
        expected = self.n_mels + (2 if self.f0 else 0)
        if self.acoustic.n_features != expected:
            msg = f"acoustic.n_features is {self.acoustic.n_features}; n_mels and f0 say {expected}"
            raise ValueError(msg)
        if self.f0 is None and (self.vocoder.kind != "plain" or self.vocoder.takes_f0):
            msg = f"vocoder.kind {self.vocoder.kind!r} needs the f0 section"
            raise ValueError(msg)
        if self.block_frames[0] <= self.vocoder.lookahead_frames:
            msg = f"block_frames[0] must exceed vocoder.lookahead_frames, found {self.block_frames[0]}"
            raise ValueError(msg)
        return self


def as_sambert(manifest: VoiceManifest) -> SambertManifest:
    """Return the manifest of a voice that has to be of this family.

    Raises:
        VoiceBundleError: It is of another.
    """
    if not isinstance(manifest, SambertManifest):
        msg = f"voice {manifest.name!r} is of family {manifest.family!r}; needed is 'sambert'"
        raise VoiceBundleError(msg)
    return manifest
