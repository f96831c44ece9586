"""A voice bundle on disk: `voice.yaml` and the files it names.

Input   a folder
Output  VoiceManifest: what the voice is, its sizes, its grid, which file holds which network
State   none
Not here: running networks (engines/), pronouncing text (text/), keeping voices loaded (voices.py)

The manifest is strict: an unknown key, a missing file or a wrong checksum is a `VoiceBundleError`
that names the file and the key, so that a damaged bundle never speaks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from streaming.errors import BadRequestError, UnknownVoiceError, VoiceBundleError
from streaming.types import Style

MANIFEST_NAME = "voice.yaml"
FORMAT_VERSION = 1
HASH_BLOCK_BYTES = 1 << 20  # read size while hashing; a bundle need not fit into memory

NetworkName = Literal["encoder", "memory", "decoder", "postnet", "vocoder"]
NETWORK_NAMES: tuple[NetworkName, ...] = ("encoder", "memory", "decoder", "postnet", "vocoder")

PositiveInt = Annotated[int, Field(gt=0)]
NonNegativeInt = Annotated[int, Field(ge=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AcousticSizes(_Strict):
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


class F0Rows(_Strict):
    """How the last two feature rows become F0 in Hz and U/V (spec section 1.6)."""

    norm: Literal["mean_std", "global"]
    offset_hz: float
    """`mean_std`: the mean; `global`: the minimum."""
    scale_hz: Annotated[float, Field(gt=0)]
    """`mean_std`: the standard deviation; `global`: maximum - minimum."""
    floor_hz: Annotated[float, Field(gt=0)] = 30.0
    uv_threshold: float = 0.6


class VocoderSizes(_Strict):
    """What the vocoder network takes, keeps and how far it looks ahead."""

    kind: Literal["plain", "harmonic_noise", "nsf"]
    lookahead_frames: NonNegativeInt = 0
    """Frames that must follow a frame before its samples come out."""
    state_size: NonNegativeInt
    takes_f0: bool = False
    """Whether the network has the `f0` input (log F0 in Hz and U/V per frame)."""


class SymbolLists(_Strict):
    """The symbol lists of a voice that brings its own, in file order."""

    phones: tuple[str, ...]
    """Without the break symbols, which are appended."""
    tones: tuple[str, ...]
    has_mask: bool = True


class VoiceManifest(_Strict):
    """`voice.yaml`: everything about a voice except the weights.

    Attributes:
        speakers: Names; a speaker's id is its position. The first is the default.
        emotions: Name to id. The first is the default.
        symbols: A built-in inventory (`pinyin-v1`), or the voice's own lists.
        block_frames: The vocoder's grid: frames of the first blocks; the last repeats.
        networks: Network to precision to file name.
        sha256: File name to hex digest; every file of `networks` must be listed.
    """

    format: Literal[1] = 1
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    description: str = ""
    languages: tuple[str, ...]
    sample_rate: PositiveInt
    hop_length: PositiveInt
    n_mels: PositiveInt
    speakers: Annotated[tuple[str, ...], Field(min_length=1)]
    emotions: Annotated[dict[str, NonNegativeInt], Field(min_length=1)]
    symbols: Literal["pinyin-v1"] | SymbolLists = "pinyin-v1"
    acoustic: AcousticSizes
    f0: F0Rows | None = None
    vocoder: VocoderSizes
    block_frames: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    networks: dict[NetworkName, dict[str, str]] = {}
    sha256: dict[str, str] = {}
    licence: str
    provenance: str = ""
    quality: dict[str, float | int | str] = {}

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

    @model_validator(mode="after")
    def _files_are_listed(self) -> Self:
        for files in self.networks.values():
            for file in files.values():
                if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts:
                    msg = f"networks: {file!r} must lie inside the bundle"
                    raise ValueError(msg)
                if file not in self.sha256:
                    msg = f"sha256 lacks {file!r}"
                    raise ValueError(msg)
        return self

    def network_file(self, network: NetworkName, precision: str) -> str:
        """Return the file name of one network.

        Raises:
            VoiceBundleError: The bundle has no such network or not in this precision.
        """
        files = self.networks.get(network, {})
        if precision not in files:
            known = ", ".join(files) or "none"
            msg = f"voice {self.name!r} has no {network} in precision {precision!r}; known: {known}"
            raise VoiceBundleError(msg)
        return files[precision]

    def speaker_id(self, speaker: str) -> int:
        """Return the id of a speaker ("" is the first).

        Raises:
            UnknownVoiceError: No such speaker.
        """
        if not speaker:
            return 0
        if speaker not in self.speakers:
            raise UnknownVoiceError("speaker", speaker, self.speakers)
        return self.speakers.index(speaker)

    def emotion_id(self, emotion: str) -> int:
        """Return the id of an emotion ("" is the first).

        Raises:
            UnknownVoiceError: No such emotion.
        """
        if not emotion:
            return next(iter(self.emotions.values()))
        if emotion not in self.emotions:
            raise UnknownVoiceError("emotion", emotion, tuple(self.emotions))
        return self.emotions[emotion]

    def check_style(self, style: Style) -> None:
        """Refuse a style that this voice cannot speak, before any work is done.

        Raises:
            UnknownVoiceError: No such speaker or emotion.
            BadRequestError: A factor is out of range, or the voice has no F0 to change.
        """
        self.speaker_id(style.speaker)
        self.emotion_id(style.emotion)
        for label, value, low, high in (
            ("speed", style.speed, 0.5, 2.0),
            ("pitch", style.pitch, 0.5, 2.0),
            ("volume", style.volume, 0.0, 100.0),
        ):
            if not low <= value <= high:  # also false for NaN
                msg = f"{label} is {value}; allowed is {low} to {high}"
                raise BadRequestError(msg)
        if style.pitch != 1.0 and self.f0 is None:
            msg = f"pitch is {style.pitch}; voice {self.name!r} has no F0 to change, only 1.0 is allowed"
            raise BadRequestError(msg)


def file_sha256(path: Path) -> str:
    """Return the hex SHA-256 of a file, read block by block."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def load_manifest(folder: Path) -> VoiceManifest:
    """Read and validate `voice.yaml`; the files themselves are checked by `verify_files`.

    Raises:
        VoiceBundleError: The manifest is missing, is not YAML, has an unknown key or format, or
            its name differs from the folder's.
    """
    path = folder / MANIFEST_NAME
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        msg = f"{path}: {error}"
        raise VoiceBundleError(msg) from error
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT_VERSION:
        msg = f"{path}: format is {found!r}; this version reads {FORMAT_VERSION}"
        raise VoiceBundleError(msg)
    try:
        manifest = VoiceManifest.model_validate(content)
    except ValidationError as error:
        details = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'voice'}: {item['msg']}"
            for item in error.errors()
        )
        msg = f"{path}: {details}"
        raise VoiceBundleError(msg) from error
    if manifest.name != folder.resolve().name:
        msg = f"{path}: name is {manifest.name!r}, the folder is {folder.resolve().name!r}; they must agree"
        raise VoiceBundleError(msg)
    return manifest


def verify_files(folder: Path, manifest: VoiceManifest) -> None:
    """Check that every listed file is there and unchanged.

    Raises:
        VoiceBundleError: A file is missing or its SHA-256 differs from the manifest's.
    """
    for name, expected in manifest.sha256.items():
        try:
            found = file_sha256(folder / name)
        except OSError as error:
            msg = f"{folder / name}: {error.strerror or error}"
            raise VoiceBundleError(msg) from error
        if found != expected:
            msg = f"{folder / name}: sha256 is {found}; {MANIFEST_NAME} says {expected}"
            raise VoiceBundleError(msg)


def find_voices(folders: Iterable[Path]) -> dict[str, Path]:
    """List the bundles in the given folders by name; nothing is read yet.

    A bundle is a sub-folder that holds a `voice.yaml`; its name is the sub-folder's. Where two
    folders hold the same name the later one counts, so that a user's folder can replace a shipped
    voice.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        if folder.is_dir():
            manifests = sorted(folder.glob(f"*/{MANIFEST_NAME}"))
            found.update({path.parent.name: path.parent for path in manifests})
    return found
