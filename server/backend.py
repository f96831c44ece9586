"""What all connections share: the voices and the threads that run them.

Input   the configuration
Output  utterances, ready to take text; facts about voices
State   the voice library, the loads under way, the worker threads, the cache of segments, who may enter
It does not know protocols, sockets or messages.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from server.config import CacheConfig, ServerConfig, TextConfig, VoiceConfig
from server.doors import Door
from server.segment_store import open_store
from server.voice_folders import voice_folders
from server.voice_names import VoiceNames
from streaming.audio.encoders import load_library
from streaming.engines.choice import MIN_SNR_DB, Choice, EnginePlan
from streaming.engines.tuned import read_tuned
from streaming.errors import (
    BadRequestError,
    ConfigError,
    OverloadedError,
    UnknownVoiceError,
    VoiceBundleError,
)
from streaming.events import TextPolicy
from streaming.loaded_voice import LoadedVoice
from streaming.scheduling.admission import Admission, AdmissionRules
from streaming.scheduling.cache import SegmentCache
from streaming.scheduling.capacity import Capacity
from streaming.scheduling.finisher import Finisher
from streaming.scheduling.schedule import NEVER, Tenant, Terms
from streaming.scheduling.scheduler import Scheduler
from streaming.text.lexicon import Lexicon
from streaming.text.pauses import Pauses
from streaming.text.segmenter import SegmentPolicy
from streaming.types import Style
from streaming.utterance import PendingVoice, Utterance
from streaming.voices import Reloaded, VoiceLibrary

if TYPE_CHECKING:  # its library is an extra
    from streaming.scheduling.store import DiskStore

ENCODERS = 2  # blocks of audio that lossy codecs code at a time
LOADERS = 2  # voices that are loaded at a time: each takes a core from those that speak
ALL_VOICES = "*"  # in voice.preload
BYTES_PER_MB = 1_000_000
LEAST_AHEAD_S = 0.5  # less than that in hand, and any delay is heard


class Backend:
    """The core, as the protocols see it. Belongs to one event loop."""

    def __init__(
        self,
        config: ServerConfig,
        library: VoiceLibrary,
        scheduler: Scheduler,
        store: DiskStore | None = None,
    ) -> None:
        self.config = config
        self.library = library
        self.scheduler = scheduler
        self.store = store
        self.lexicon = Lexicon(config.text.lexicon)
        self.names = VoiceNames(config.names)
        self.door = Door(config.limits.requests, config.limits.retry_after_ms)
        self.encoders = ThreadPoolExecutor(ENCODERS, "audio-encoder")
        self.cache = SegmentCache(config.cache.memory_mb * BYTES_PER_MB, store)
        self.finisher = Finisher(scheduler, max_finishing(config.cache))
        self.voices_changed = asyncio.Event()
        self.admission = Admission(Capacity(scheduler.n_cores), admission_rules(config))
        self._tenants = {key.name: Tenant(key.name, key.weight) for key in config.auth.keys}
        self._everybody = Tenant("")
        self._started_s = time.monotonic()
        self._loaders = ThreadPoolExecutor(LOADERS, "voice-loader")
        self._loads: dict[str, asyncio.Future[LoadedVoice]] = {}
        self._reloading = asyncio.Lock()

    @property
    def uptime_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started_s

    def voice(self, name: str, model: str = "", language: str = "") -> LoadedVoice | PendingVoice:
        """Return the voice that a request names ("" is the default), loaded or to be waited for.

        Raises:
            UnknownVoiceError: No such voice, it is broken, or `model` is not a voice.
            BadRequestError: The voice does not speak `language`.
        """
        library = self.library
        if model and model not in library.names:
            raise UnknownVoiceError("model", model, library.names)
        name = name or model
        try:
            manifest, voice = library.find(name)
        except VoiceBundleError as error:
            raise self._unusable(name or library.default_name, error) from None
        spoken = manifest.languages
        if language and not any(same_language(language, known) for known in spoken):
            raise BadRequestError(f"language: found {language!r}; allowed: {', '.join(spoken)}")
        return voice or PendingVoice(manifest, partial(self._load, manifest.name))

    def utterance(
        self,
        voice: LoadedVoice | PendingVoice,
        style: Style,
        *,
        key: str = "",
        max_delay_ms: int | None = None,
        sentence_pause_ms: int | None = None,
        paragraph_pause_ms: int | None = None,
        max_ahead_ms: int | None = None,
        lexicon: Mapping[str, str] | None = None,
        ssml: bool = False,
    ) -> Utterance:
        """Return an utterance that speaks with `voice`.

        Args:
            voice: Who speaks.
            style: How.
            key: Name of the key on whose account it is.
            max_delay_ms: Time after which unfinished text is spoken; None takes the configured one.
            sentence_pause_ms: Silence after a sentence besides the voice's own; None: as configured.
            paragraph_pause_ms: The same after a paragraph.
            max_ahead_ms: Audio that may be computed ahead of the listener; 0: all of it; None: as configured.
            lexicon: Words with readings of their own, besides those of the configuration.
            ssml: Whether its text is SSML.

        Raises:
            UnknownVoiceError: No such speaker or emotion.
            BadRequestError: The voice cannot be changed like this, or a reading is none.
        """
        policy = text_policy(
            self.config.text,
            self.config.limits.chars_per_context,
            max_delay_ms,
            sentence_pause_ms,
            paragraph_pause_ms,
        )
        policy = replace(policy, lexicon=self.lexicon.with_more(lexicon or {}), ssml=ssml)
        ahead_s = self.config.workers.max_ahead_s if max_ahead_ms is None else max_ahead_ms / 1000.0
        ahead_s = max(ahead_s, LEAST_AHEAD_S) if ahead_s else NEVER
        return Utterance(
            voice,
            self.scheduler,
            style=style,
            policy=policy,
            terms=Terms(self._tenants.get(key, self._everybody), ahead_s),
            cache=self.cache,
            finisher=self.finisher,
            admission=self.admission,
        )

    def idle_utterance(self, voice: LoadedVoice | PendingVoice, style: Style, max_chars: int) -> Utterance:
        """Return an utterance that is computed when nobody else wants to be.

        Raises:
            UnknownVoiceError: No such speaker or emotion.
            BadRequestError: The voice cannot be changed like this.
        """
        policy = replace(text_policy(self.config.text, max_chars, None), lexicon=self.lexicon)
        terms = Terms(self._everybody, idle=True)
        return Utterance(voice, self.scheduler, style=style, policy=policy, terms=terms, cache=self.cache)

    async def clear_cache(self, voice: str | None = None) -> int:
        """Forget the segments of a voice, or all, in memory and on disk; return how many there were."""
        n_cleared = self.cache.clear(voice)
        if self.store is not None:  # most of what is in memory lies on the disk, too
            n_cleared = max(n_cleared, await asyncio.to_thread(self.store.clear, voice))
        return n_cleared

    async def reload(self) -> Reloaded:
        """Look for voices that came, went or changed; running utterances keep theirs. One at a time."""
        async with self._reloading:
            reloaded = await asyncio.to_thread(self.library.rescan)
            self._loads.clear()  # loads of what was there before must not answer requests from now on
            if reloaded.added or reloaded.changed:
                self.voices_changed.set()
            return reloaded

    async def close(self) -> None:
        """Stop the threads; what runs finishes first."""
        await self.finisher.close()
        await asyncio.to_thread(self._loaders.shutdown, cancel_futures=True)
        await asyncio.to_thread(self.encoders.shutdown, cancel_futures=True)
        await asyncio.to_thread(self.scheduler.close)
        if self.store is not None:
            await asyncio.to_thread(self.store.close)

    async def _load(self, name: str) -> LoadedVoice:
        """Have a voice loaded, once for all who wait. Cancel-safe: the load goes on for the others.

        Raises:
            UnknownVoiceError: The voice is gone or broken.
            OverloadedError: It takes longer than `voice.load_s`.
        """
        load = self._loads.get(name)
        if load is None:
            load = asyncio.get_running_loop().run_in_executor(self._loaders, self.library.get, name)
            self._loads[name] = load
            load.add_done_callback(partial(self._forget_load, name))
        await asyncio.wait({load}, timeout=self.config.voice.load_s)
        if not load.done():
            text = f"voice {name!r} is still being loaded"
            raise OverloadedError(text, self.config.limits.retry_after_ms)
        try:
            return load.result()
        except VoiceBundleError as error:
            raise self._unusable(name, error) from None

    def _forget_load(self, name: str, load: asyncio.Future[LoadedVoice]) -> None:
        if self._loads.get(name) is load:
            del self._loads[name]
        if not load.cancelled():
            load.exception()  # those who waited may all be gone; the library has logged it

    def _unusable(self, name: str, error: VoiceBundleError) -> UnknownVoiceError:
        return UnknownVoiceError("voice", name, self.library.names, self.library.told(name, str(error)))


def open_library(config: ServerConfig) -> VoiceLibrary:
    """List the voices of the configuration; none is loaded yet.

    Raises:
        ConfigError: A folder does not exist.
    """
    for folder in config.voice.folders:
        if not folder.is_dir():
            raise ConfigError(f"voice.folders: no folder {folder}")
    return VoiceLibrary(
        voice_folders(config),
        plan=engine_plan(config.voice),
        default=config.voice.default,
        memory_limit_bytes=config.voice.memory_limit_mb * BYTES_PER_MB,
    )


def engine_plan(voice: VoiceConfig) -> EnginePlan:
    """Return what runs the networks, as the configuration wants it."""
    default = Choice(voice.engine, voice.precision, voice.device)
    networks = {
        network: Choice(
            chosen.engine or default.runtime,
            chosen.precision or default.precision,
            chosen.device or default.device,
        )
        for network, chosen in voice.networks.items()
    }
    limits = dict(MIN_SNR_DB) | {str(precision): limit for precision, limit in voice.min_snr_db.items()}
    return EnginePlan(
        default, networks, voice.on_failure, limits, voice.engines, partial(read_tuned, voice.engines)
    )


def start_backend(config: ServerConfig) -> Backend:
    """Load the default voice and those of `voice.preload`, then start the threads. Blocking, seconds.

    Raises:
        ConfigError: There is no voice that can speak, the default one cannot, or one to preload is unknown.
    """
    library = open_library(config)
    if not library.names:
        reasons = "; ".join(library.broken.values()) or "no bundle was found"
        folders = ", ".join(str(folder) for folder in voice_folders(config))
        raise ConfigError(f"no voice to speak with in {folders}: {reasons}")
    try:
        library.get()
    except UnknownVoiceError as error:
        raise ConfigError(f"voice.default: {error}") from None
    except VoiceBundleError as error:
        raise ConfigError(f"the default voice cannot speak: {error}") from None
    _preload(library, config.voice.preload)
    load_library()
    store = open_store(config.cache)
    scheduler = Scheduler(
        config.workers.n_threads,
        max_waiting=config.workers.max_queued,
        max_rows=config.workers.max_rows,
        niceness=config.workers.niceness,
    )
    return Backend(config, library, scheduler, store)


def _preload(library: VoiceLibrary, names: tuple[str, ...]) -> None:
    """Load voices; one that is broken is logged by the library, the others go on.

    Raises:
        ConfigError: No such voice.
    """
    for name in library.names if ALL_VOICES in names else names:
        try:
            library.get(name)
        except VoiceBundleError:
            continue
        except UnknownVoiceError as error:
            raise ConfigError(f"voice.preload: {error}") from None


def admission_rules(config: ServerConfig) -> AdmissionRules:
    """Return the rules that the configuration gives."""
    admission = config.admission
    return AdmissionRules(
        policy=admission.policy,
        max_load=admission.max_load,
        ttfc_s=admission.ttfc_ms / 1000.0,
        reserve=admission.reserve,
        max_queued=admission.max_queued,
        queue_s=admission.queue_s,
        max_chars=config.limits.chars_in_all,
    )


def max_finishing(cache: CacheConfig) -> int:
    """Return how many cancelled segments may be finished at a time: none where nothing could have them."""
    return cache.max_finishing if cache.on_cancel == "finish" and cache.memory_mb else 0


def text_policy(
    text: TextConfig,
    max_chars: int,
    max_delay_ms: int | None,
    sentence_pause_ms: int | None = None,
    paragraph_pause_ms: int | None = None,
) -> TextPolicy:
    """Return the policy of one utterance; what is None is as configured."""
    return TextPolicy(
        segments=SegmentPolicy(
            first_min_chars=text.first_min_chars,
            first_rest_min_chars=text.first_rest_min_chars,
            max_chars=text.max_segment_chars,
        ),
        max_chars=max_chars,
        max_delay_ms=text.max_delay_ms if max_delay_ms is None else max_delay_ms,
        pauses=Pauses(
            text.sentence_pause_ms if sentence_pause_ms is None else sentence_pause_ms,
            text.paragraph_pause_ms if paragraph_pause_ms is None else paragraph_pause_ms,
        ),
    )


def same_language(asked: str, known: str) -> bool:
    """Compare tags by what both state: `zh` is spoken by a `zh-CN` voice and the other way round."""
    a, b = (tag.lower().replace("_", "-").split("-") for tag in (asked, known))
    n_parts = min(len(a), len(b))
    return a[:n_parts] == b[:n_parts]
