"""What a voice says about itself, whatever family of networks speaks it.

Input   the parsed `voice.yaml`
Output  VoiceManifest: names, rates, files; which speaker, emotion and style a request may ask for
State   none
Not here: what one family needs besides (sambert_manifest.py, piper_manifest.py), files (voice.py)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from streaming.errors import BadRequestError, UnknownVoiceError, VoiceBundleError
from streaming.types import Style

NetworkName = Literal["encoder", "memory", "decoder", "postnet", "vocoder"]

PositiveInt = Annotated[int, Field(gt=0)]
NonNegativeInt = Annotated[int, Field(ge=0)]

EMOTION_INTENSITY_RANGE = (0.0, 2.0)
MAX_NAME_LENGTH = 64
SPEED_RANGE = (0.5, 2.0)
PITCH_RANGE = (0.5, 2.0)
VOLUME_RANGE = (0.0, 100.0)

NEUTRAL = "neutral"
# What hosted services call the emotions that KAN-TTS names otherwise.
EMOTION_ALIASES: Mapping[str, str] = {
    "anxious": "anxiety",
    "cheerful": "happy",
    "disgusted": "disgust",
    "envious": "jealousy",
    "fearful": "fear",
    "relaxed": "relax",
    "surprised": "surprise",
}


class Strict(BaseModel):
    """A frozen section of a manifest that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class VoiceManifest(Strict):
    """`voice.yaml`: everything about a voice except the weights. Each family has its subclass.

    Attributes:
        family: Which networks these are: `sambert` or `piper`.
        speakers: Names; a speaker's id is its position. The first is the default.
        emotions: Name to id. The first is the default; empty where the networks know none.
        networks: Network to precision to file name.
        sha256: File name to hex digest; every file of `networks` must be listed.
    """

    network_names: ClassVar[tuple[NetworkName, ...]]

    format: Literal[2] = 2
    family: str
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=MAX_NAME_LENGTH)]
    description: str = ""
    languages: Annotated[tuple[str, ...], Field(min_length=1)]
    sample_rate: PositiveInt
    speakers: Annotated[tuple[str, ...], Field(min_length=1)]
    emotions: dict[str, NonNegativeInt] = {}
    networks: dict[NetworkName, dict[str, str]] = {}
    sha256: dict[str, str] = {}
    licence: str
    provenance: str | dict[str, str] = ""
    quality: dict[str, float | int | str] = {}

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

    @property
    def precisions(self) -> tuple[str, ...]:
        """Precisions that one of the networks has at least, in the order of their first appearance."""
        files = (self.networks.get(network, {}) for network in self.network_names)
        return tuple(dict.fromkeys(name for names in files for name in names))

    def changed(self, **changes: object) -> Self:
        """Return a copy with other values, validated like one that is read."""
        return type(self).model_validate({**self.model_dump(mode="python"), **changes})

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
        """Return the id of an emotion ("" is the first, 0 where the voice has none).

        `happy`, `emotion_happy` and, where the voice has none of that name, an alias of `EMOTION_ALIASES`.

        Raises:
            UnknownVoiceError: No such emotion.
        """
        if not emotion:
            return next(iter(self.emotions.values()), 0)
        name = emotion.removeprefix("emotion_")
        for candidate in (emotion, name, EMOTION_ALIASES.get(name, name)):
            if candidate in self.emotions:
                return self.emotions[candidate]
        raise UnknownVoiceError("emotion", emotion, tuple(self.emotions))

    def check_style(self, style: Style) -> None:
        """Refuse a style that this voice cannot speak, before any work is done.

        Raises:
            UnknownVoiceError: No such speaker or emotion.
            BadRequestError: A factor is out of range, or this voice cannot be changed so.
        """
        self.speaker_id(style.speaker)
        self.emotion_id(style.emotion)
        for label, value, (low, high) in (
            ("emotion_intensity", style.emotion_intensity, EMOTION_INTENSITY_RANGE),
            ("speed", style.speed, SPEED_RANGE),
            ("pitch", style.pitch, PITCH_RANGE),
            ("volume", style.volume, VOLUME_RANGE),
        ):
            if not low <= value <= high:  # also false for NaN
                msg = f"{label} is {value}; allowed is {low} to {high}"
                raise BadRequestError(msg)
        if style.emotion_intensity != 1.0 and NEUTRAL not in self.emotions:
            known = ", ".join(self.emotions) or "none"
            msg = (
                f"emotion_intensity is {style.emotion_intensity}; voice {self.name!r} has no {NEUTRAL!r} to "
                f"measure it from (emotions: {known}), only 1.0 is allowed"
            )
            raise BadRequestError(msg)
