"""Names that other protocols' clients use, and which voice they mean here.

Input   the names of the configuration; a name of a request
Output  a voice, with a speaker and an emotion where the name says them
State   none
`shanquan:annie:happy` is a name, too: a voice, its speaker and its emotion, each of which may be empty. So
protocols that know only a voice can choose the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from server.config import NamesConfig
from streaming.errors import UnknownModelError, UnknownVoiceError

SEPARATOR = ":"


@dataclass(frozen=True, slots=True)
class NamedVoice:
    """Who speaks; what is empty is the default of the server or of the voice."""

    voice: str = ""
    speaker: str = ""
    emotion: str = ""


class VoiceNames:
    """Resolves names. Immutable."""

    def __init__(self, config: NamesConfig) -> None:
        self._voices = {**dict.fromkeys(config.default_voice, ""), **config.voices}
        self._models = config.models
        self._unknown_is_default = config.unknown == "default"

    @property
    def aliases(self) -> tuple[str, ...]:
        """The configured names of voices that are no patterns."""
        return _plain(self._voices)

    @property
    def models(self) -> tuple[str, ...]:
        """The configured models that are no patterns."""
        return _plain(self._models)

    def voice(self, name: str, own: Iterable[str]) -> NamedVoice:
        """Return what `name` means; `own` are the voices of this server, which always mean themselves.

        Raises:
            UnknownVoiceError: Neither a voice nor a configured name.
        """
        own = tuple(own)
        head, _, rest = name.partition(SEPARATOR)
        speaker, _, emotion = rest.partition(SEPARATOR)
        meant = head if not head or head in own else self._configured(head)
        if meant is None:
            known = (*own, *self._voices)
            raise UnknownVoiceError("voice", name, known)
        found = _parsed(meant)
        return NamedVoice(found.voice, speaker or found.speaker, emotion or found.emotion)

    def check_model(self, name: str, own: Iterable[str]) -> str:
        """Return the voice that a model's name stands for: one of our own, or "" where any may be meant.

        Raises:
            UnknownModelError: Neither a voice nor a configured model.
        """
        own = tuple(own)
        if name in own:
            return name
        if not name or self._unknown_is_default or any(fnmatchcase(name, known) for known in self._models):
            return ""
        raise UnknownModelError("model", name, (*self._models, *own))

    def _configured(self, name: str) -> str | None:
        if name in self._voices:
            return self._voices[name]
        for pattern, meant in self._voices.items():
            if fnmatchcase(name, pattern):
                return meant
        return "" if self._unknown_is_default else None


def _parsed(name: str) -> NamedVoice:
    voice, _, rest = name.partition(SEPARATOR)
    speaker, _, emotion = rest.partition(SEPARATOR)
    return NamedVoice(voice, speaker, emotion)


def _plain(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in names if not set(name) & set("*?["))
