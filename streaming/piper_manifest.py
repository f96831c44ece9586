"""What a Piper (VITS) voice says about itself: phoneme ids, scales, how its decoder is cut.

Input   the parsed `voice.yaml`
Output  PiperManifest
State   none
Not here: running the networks (engines/), pronouncing text (text/)
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from streaming.errors import BadRequestError
from streaming.manifest import NetworkName, NonNegativeInt, PositiveInt, VoiceManifest
from streaming.types import Style

PIPER_NETWORKS: tuple[NetworkName, ...] = ("encoder", "decoder")
START, PAD, END = "^", "_", "$"  # the phonemes that frame every sentence


class PiperManifest(VoiceManifest):
    """`voice.yaml` of a Piper voice.

    Attributes:
        phoneme_type: Whether the phonemes are IPA of espeak-ng or the letters of the text.
        espeak_voice: The espeak-ng voice that turns text into phonemes; "" where it is not asked.
        phoneme_ids: Phoneme (a code point, or a cluster) to the ids that stand for it.
        phoneme_map: Phoneme to those that are looked up in its place.
        vowel_clusters: Phonemes in a row that count as one.
        noise_scale: Standard deviation of the noise in the latent frames.
        length_scale: Factor of all durations at speed 1.
        noise_w: Standard deviation of the noise in the durations.
        n_noises: Rows of noise that the encoder takes.
        hop_length: Samples per latent frame; 1 where the decoder could not be cut off, so that a latent
            frame is a sample of finished audio.
        context_frames: Frames that the decoder is given on each side of a block, so that the block comes out
            as in the whole utterance.
        block_frames: Frames of the first blocks; the last repeats.
    """

    network_names: ClassVar[tuple[NetworkName, ...]] = PIPER_NETWORKS

    family: Literal["piper"] = "piper"
    phoneme_type: Literal["espeak", "text"] = "espeak"
    # No slash: espeak-ng opens a file of this name.
    espeak_voice: Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9+_-]{0,39})?$")] = ""
    phoneme_ids: dict[str, tuple[NonNegativeInt, ...]]
    phoneme_map: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    vowel_clusters: tuple[tuple[str, ...], ...] = ()
    noise_scale: Annotated[float, Field(ge=0)] = 0.667
    length_scale: Annotated[float, Field(gt=0)] = 1.0
    noise_w: Annotated[float, Field(ge=0)] = 0.8
    n_noises: NonNegativeInt
    hop_length: PositiveInt
    context_frames: NonNegativeInt
    block_frames: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _phonemes_are_complete(self) -> Self:
        missing = [phoneme for phoneme in (START, PAD, END) if not self.phoneme_ids.get(phoneme)]
        if missing:
            msg = f"phoneme_ids lacks {' '.join(missing)}"
            raise ValueError(msg)
        if self.phoneme_type == "espeak" and not self.espeak_voice:
            msg = "phoneme_type 'espeak' needs espeak_voice"
            raise ValueError(msg)
        return self

    def check_style(self, style: Style) -> None:
        """Refuse what VITS cannot change: there is no pitch in it, and Piper trains no emotions.

        Raises:
            UnknownVoiceError: No such speaker, or an emotion is asked for.
            BadRequestError: A factor is out of range, or the pitch is not 1.
        """
        VoiceManifest.check_style(self, style)
        if style.pitch != 1.0:
            msg = f"pitch is {style.pitch}; voice {self.name!r} has a fixed pitch, allowed is 1.0"
            raise BadRequestError(msg)
