"""From what a request of another protocol asks for to an utterance that speaks it.

Input   a Wish: names, factors and an encoding, whatever the protocol called them
Output  a Rendering, ready to take text
State   none
Unlike the native protocol's, these utterances do not rest ahead of their listener: their clients collect
files as often as they play, and do not say which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from server.backend import Backend
from server.instructions import emotion_in
from server.rendering import Rendering
from streaming.audio.formats import Encoding
from streaming.manifest import SPEED_RANGE
from streaming.types import Style

NO_REST_MS = 0


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be spoken with, and how.

    Attributes:
        encoding: What the client gets.
        voice: A voice's name, here or there; "" is the default.
        model: A model's name; it must be known, and may be a voice of this server.
        instruction: Words about how it is to be spoken.
        style: Factors; speaker and emotion, where given, win over what the names say.
        ssml: Whether the text is SSML.
        lexicon: Words with readings of their own.
        max_delay_ms: Time after which unfinished text is spoken; None: as configured.
        key: On whose account.
    """

    encoding: Encoding
    voice: str = ""
    model: str = ""
    instruction: str = ""
    style: Style = field(default_factory=Style)
    ssml: bool = False
    lexicon: Mapping[str, str] = field(default_factory=dict)
    max_delay_ms: int | None = None
    key: str = ""


def possible_speed(speed: float) -> float:
    """Return what a voice can do of the speed that another protocol allows."""
    return min(max(speed, SPEED_RANGE[0]), SPEED_RANGE[1])


def begin(backend: Backend, wish: Wish) -> Rendering:
    """Return the utterance of a wish, without text yet.

    Raises:
        UnknownVoiceError: No such voice, speaker or emotion.
        UnknownModelError: No such model.
        BadRequestError: A factor is out of range, or a reading is none.
    """
    names, own = backend.names, backend.library.names
    model_voice = names.check_model(wish.model, own)
    named = names.voice(wish.voice or model_voice, own)
    voice = backend.voice(named.voice)
    emotion = wish.style.emotion or named.emotion
    if wish.instruction and not emotion:
        emotion = emotion_in(wish.instruction, voice.manifest.emotions)
    style = replace(wish.style, speaker=wish.style.speaker or named.speaker, emotion=emotion)
    utterance = backend.utterance(
        voice,
        style,
        key=wish.key,
        max_delay_ms=wish.max_delay_ms,
        max_ahead_ms=NO_REST_MS,
        lexicon=wish.lexicon,
        ssml=wish.ssml,
    )
    return Rendering(utterance, wish.encoding, backend.encoders)


def speak_whole(rendering: Rendering, text: str) -> None:
    """Give an utterance its whole text; where it cannot be spoken, nothing of it is left behind.

    Raises:
        SsmlError: It is SSML that is not understood.
        TextTooLongError: It is longer than an utterance may be.
        OverloadedError: Too much text waits to be spoken.
    """
    try:
        rendering.utterance.append(text)
        rendering.utterance.end()
    except BaseException:
        rendering.utterance.cancel()  # else its characters would count as waiting for ever
        raise
