"""What all connections share: the voices and the threads that run them.

Input   the configuration
Output  utterances, ready to take text; facts about voices
State   the voice library, the worker threads
It does not know protocols, sockets or messages.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from server.config import ServerConfig, TextConfig
from streaming.errors import BadRequestError, ConfigError, UnknownVoiceError
from streaming.events import TextPolicy
from streaming.scheduling.workers import Workers
from streaming.text.segmenter import SegmentPolicy
from streaming.types import Style
from streaming.utterance import Utterance
from streaming.voice import VoiceManifest
from streaming.voices import LoadedVoice, VoiceLibrary

EMBEDDED_VOICES = Path(__file__).resolve().parents[1] / "voices"


class Backend:
    """The core, as the protocols see it. Belongs to one event loop."""

    def __init__(self, config: ServerConfig, library: VoiceLibrary, workers: Workers) -> None:
        self.config = config
        self.library = library
        self.workers = workers
        self._started_s = time.monotonic()

    @property
    def uptime_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started_s

    def voice(self, name: str, model: str = "", language: str = "") -> LoadedVoice:
        """Return the voice that a request names ("" is the default).

        Raises:
            UnknownVoiceError: No such voice, or `model` is not a voice.
            BadRequestError: The voice does not speak `language`.
        """
        library = self.library
        if model and model not in library.names:
            raise UnknownVoiceError("model", model, library.names)
        voice = library.get(name or model)
        spoken = voice.manifest.languages
        if language and not any(_same_language(language, known) for known in spoken):
            raise BadRequestError(f"language: found {language!r}; allowed: {', '.join(spoken)}")
        return voice

    def utterance(self, voice: LoadedVoice, style: Style, max_delay_ms: int | None = None) -> Utterance:
        """Return an utterance that speaks with `voice`; None takes the configured delay.

        Raises:
            UnknownVoiceError: No such speaker or emotion.
            BadRequestError: The voice cannot be changed like this.
        """
        policy = text_policy(self.config.text, self.config.limits.chars_per_context, max_delay_ms)
        return Utterance(voice, self.workers, style=style, policy=policy)

    def manifests(self) -> list[VoiceManifest]:
        """Return the manifests of all voices, sorted by name."""
        return [self.library.manifests[name] for name in self.library.names]

    async def close(self) -> None:
        """Stop the worker threads; what runs finishes first."""
        await asyncio.to_thread(self.workers.close)


def voice_folders(config: ServerConfig) -> tuple[Path, ...]:
    """Return the folders that hold voices; a later one replaces voices of the same name."""
    embedded = (EMBEDDED_VOICES,) if config.voice.embedded else ()
    return (*embedded, *config.voice.folders)


def open_library(config: ServerConfig) -> VoiceLibrary:
    """List the voices of the configuration; none is loaded yet.

    Raises:
        ConfigError: A folder does not exist, or the default voice is unknown.
    """
    for folder in config.voice.folders:
        if not folder.is_dir():
            raise ConfigError(f"voice.folders: no folder {folder}")
    try:
        return VoiceLibrary(
            voice_folders(config),
            engine=config.voice.engine,
            precision=config.voice.precision,
            default=config.voice.default,
        )
    except UnknownVoiceError as error:
        raise ConfigError(f"voice.default: {error}") from None


def start_backend(config: ServerConfig) -> Backend:
    """Load and warm up every voice, then start the threads. Blocking, seconds.

    Raises:
        ConfigError: There is no voice that can speak, or the default one cannot.
    """
    library = open_library(config)
    library.load_all()
    if not library.names:
        reasons = "; ".join(str(error) for error in library.broken.values()) or "no bundle was found"
        folders = ", ".join(str(folder) for folder in voice_folders(config))
        raise ConfigError(f"no voice to speak with in {folders or 'no folder'}: {reasons}")
    if library.default_name not in library.names:
        raise ConfigError(f"the default voice cannot speak: {library.broken[library.default_name]}")
    for name in library.names:
        library.get(name).warm_up()
    return Backend(config, library, Workers(config.workers.n_threads, max_waiting=config.workers.max_queued))


def text_policy(text: TextConfig, max_chars: int, max_delay_ms: int | None) -> TextPolicy:
    """Return the policy of one utterance."""
    return TextPolicy(
        segments=SegmentPolicy(
            first_min_chars=text.first_min_chars,
            first_rest_min_chars=text.first_rest_min_chars,
            max_chars=text.max_segment_chars,
        ),
        max_chars=max_chars,
        max_delay_ms=text.max_delay_ms if max_delay_ms is None else max_delay_ms,
    )


def _same_language(asked: str, known: str) -> bool:
    """Compare tags by what both state: `zh` is spoken by a `zh-CN` voice and the other way round."""
    a, b = (tag.lower().replace("_", "-").split("-") for tag in (asked, known))
    n_parts = min(len(a), len(b))
    return a[:n_parts] == b[:n_parts]
