"""The voices as Wyoming's clients see them, and which of them a client means.

Input   the backend's voices; what a client asks for
Output  the answer to `describe`; a voice and its encoding
State   the answer, until the voices change
"""

from __future__ import annotations

from server.backend import Backend, same_language
from server.version import zhiyin_version
from server.wyoming.framing import WyomingEvent, encode
from server.wyoming.messages import VoiceChoice
from streaming.audio.formats import Codec, Encoding, nearest_rate
from streaming.errors import UnknownVoiceError
from streaming.manifest import VoiceManifest

ATTRIBUTION = {"name": "Zhiyin", "url": ""}
OTHER_PROGRAMS = ("asr", "handle", "intent", "wake", "mic", "snd")


class Info:
    """The answer to `describe`, ready before it is asked for: Home Assistant waits for a second."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._voices: list[VoiceManifest] = []
        self._answer = b""
        self.answer()

    def answer(self) -> bytes:
        """Return it, encoded; made anew only when voices have come, gone or changed."""
        voices = ordered_voices(self._backend)
        if not self._answer or list(map(id, voices)) != list(map(id, self._voices)):
            self._voices = voices
            self._answer = encode(info_event(voices))
        return self._answer


def info_event(voices: list[VoiceManifest]) -> WyomingEvent:
    """Return the answer to `describe`; clients take the first voice of a language as its default."""
    program = {
        "name": "zhiyin",
        "attribution": ATTRIBUTION,
        "installed": True,
        "description": "streaming text-to-speech",
        "version": zhiyin_version(),
        "voices": [_voice(manifest) for manifest in voices],
        "supports_synthesize_streaming": True,
    }
    return WyomingEvent("info", {"tts": [program], **{kind: [] for kind in OTHER_PROGRAMS}})


def ordered_voices(backend: Backend) -> list[VoiceManifest]:
    """Return what the voices say about themselves, the default one first."""
    default, manifests = backend.library.default_name, backend.library.manifests
    return sorted(manifests.values(), key=lambda manifest: manifest.name != default)


def chosen_voice(backend: Backend, asked: VoiceChoice) -> str:
    """Return the name of the voice that is meant, "" for the default; a name says more than a language.

    Raises:
        UnknownVoiceError: No voice speaks the language.
    """
    if asked.name or not asked.language:
        return asked.name or ""
    voices = ordered_voices(backend)
    for manifest in voices:
        if any(same_language(asked.language, known) for known in manifest.languages):
            return manifest.name
    known = dict.fromkeys(language for manifest in voices for language in manifest.languages)
    raise UnknownVoiceError("language", asked.language, tuple(known))


def own_encoding(backend: Backend, name: str) -> Encoding:
    """Return PCM at the rate of the voice that `name` means.

    Raises:
        UnknownVoiceError: No such voice.
    """
    voice = backend.voice(backend.names.voice(name, backend.library.names).voice)
    return Encoding(Codec.PCM_S16LE, nearest_rate(Codec.PCM_S16LE, voice.manifest.sample_rate))


def _voice(manifest: VoiceManifest) -> dict[str, object]:
    return {
        "name": manifest.name,
        "attribution": ATTRIBUTION,
        "installed": True,
        "description": manifest.description or manifest.name,
        "version": None,
        "languages": list(manifest.languages),
        "speakers": [{"name": speaker} for speaker in manifest.speakers],
    }
