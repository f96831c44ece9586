"""The voices of a server: listed, loaded when first asked for, dropped when memory runs short.

Input   folders of voice bundles
Output  LoadedVoice: manifest, engine and frontend, ready to speak
State   what is known of each bundle; the loaded voices, least recently used first
A broken bundle is reported under its name and does not keep the others from speaking. A voice that is
dropped, here or on disk, stays alive for the utterances that hold it.
"""

from __future__ import annotations

import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from streaming.bundles import Bundle, scan_bundles
from streaming.engines.choice import EnginePlan
from streaming.engines.fake import fake_manifest
from streaming.errors import UnknownVoiceError, VoiceBundleError
from streaming.loaded_voice import LoadedVoice, load_voice
from streaming.manifest import VoiceManifest
from streaming.memory import return_freed_memory
from streaming.voice import MANIFEST_NAME

logger = logging.getLogger(__name__)

_FOLDERS_OF_PATH = re.compile(r"(?<![\w./])/(?:[^/\s:]+/)+")

Load = Callable[[Path, EnginePlan], LoadedVoice]


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a rescan found.

    Attributes:
        added: Names that were not there before.
        removed: Names that are gone.
        changed: Names whose files are others than before; they are loaded anew when asked for.
        broken: Every bundle that cannot be used now, and why, with full paths.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    broken: Mapping[str, str]


@dataclass(slots=True)
class _Entry:
    """What is known of one bundle since the scan that found it."""

    bundle: Bundle
    reason: str  # why it cannot be used: its manifest, or the load that failed
    flight: Future[LoadedVoice] | None = None  # the load under way


class VoiceLibrary:
    """All voices of a server, by name. Thread-safe: no lock is held while a voice or a disk is at work."""

    def __init__(
        self,
        folders: Iterable[Path],
        *,
        plan: EnginePlan | None = None,
        default: str = "",
        memory_limit_bytes: int = 0,
        load: Load = load_voice,
    ) -> None:
        """List the bundles and read their manifests; no network is loaded yet.

        Args:
            folders: Folders of bundles; a later one replaces voices of the same name.
            plan: What runs the networks, and how; the runtime `fake` has exactly one voice, `fake`, and reads
                no folder.
            default: The voice that "" means; "" is the first by name.
            memory_limit_bytes: What the loaded voices may take together, by estimate; 0 is unlimited. A voice
                that exceeds it alone is loaded all the same.
            load: How a bundle is loaded.
        """
        self._folders = tuple(folders)
        self._plan = EnginePlan() if plan is None else plan
        self._chosen_default = default
        self._memory_limit_bytes = memory_limit_bytes
        self._load = load
        self._default = default
        self._entries: dict[str, _Entry] = {}
        self._loaded: OrderedDict[str, LoadedVoice] = OrderedDict()
        self._lock = threading.Lock()  # for the three above
        self._scanning = threading.Lock()
        self.rescan()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the voices that can be asked for, sorted."""
        return tuple(self.manifests)

    @property
    def default_name(self) -> str:
        """The voice that "" means; "" when there is none."""
        with self._lock:
            return self._default

    @property
    def manifests(self) -> Mapping[str, VoiceManifest]:
        """Manifests by name of the voices that can be asked for, loaded or not."""
        with self._lock:
            return self._usable()

    @property
    def broken(self) -> Mapping[str, str]:
        """Bundles that cannot be used, and why, with full paths."""
        with self._lock:
            return self._broken()

    @property
    def loaded_names(self) -> tuple[str, ...]:
        """Names of the voices in memory, least recently used first."""
        with self._lock:
            return tuple(self._loaded)

    def find(self, name: str = "") -> tuple[VoiceManifest, LoadedVoice | None]:
        """Return what a voice says about itself and, if it is in memory, the voice. Never blocks.

        Raises:
            UnknownVoiceError: No such voice.
            VoiceBundleError: The bundle is broken.
        """
        with self._lock:
            return self._find(name or self._default)

    def get(self, name: str = "") -> LoadedVoice:
        """Return a voice, loading it if need be (blocking, about a second).

        Any number of threads may ask: a voice is loaded once, and those in memory can be had meanwhile.

        Raises:
            UnknownVoiceError: No such voice.
            VoiceBundleError: The bundle is broken; it stays refused until a rescan finds it changed.
        """
        with self._lock:
            manifest, voice = self._find(name or self._default)
            if voice is not None:
                return voice
            entry = self._entries[manifest.name]
            under_way = entry.flight
            flight = entry.flight = under_way or Future()
        if under_way is None:
            self._fly(entry, flight)
        return flight.result()

    def told(self, name: str, reason: str) -> str:
        """Return why a bundle cannot be used as strangers may read it: file names, but not where they lie."""
        for folder in self._folders:
            reason = reason.replace(f"{folder / name}/", "")
        return _FOLDERS_OF_PATH.sub("", reason)

    def rescan(self) -> Reloaded:
        """Look at the folders again. Voices whose files changed are loaded anew when next asked for.

        What was known of the others stays, and so do the voices that utterances hold. One at a time.
        """
        with self._scanning:
            bundles = self._scan()
            with self._lock:
                reloaded = self._adopt(bundles)
        logger.info(
            "voices: added %s; removed %s; changed %s",
            *(", ".join(names) or "none" for names in (reloaded.added, reloaded.removed, reloaded.changed)),
        )
        return reloaded

    def _scan(self) -> dict[str, Bundle]:
        if self._plan.default.runtime == "fake":
            manifest = fake_manifest()
            return {manifest.name: Bundle(manifest.name, Path(), manifest)}
        return scan_bundles(self._folders)

    def _adopt(self, bundles: Mapping[str, Bundle]) -> Reloaded:
        """Replace what is known of bundles that came, went or changed; the rest is kept. Under the lock."""
        before, self._entries = self._entries, {}
        for name, bundle in bundles.items():
            known = before.get(name)
            is_same = known is not None and known.bundle == bundle
            self._entries[name] = known if known is not None and is_same else _Entry(bundle, bundle.reason)
            if not is_same and bundle.reason:
                logger.error("voice %s is left out: %s", name, bundle.reason)
        changed = [
            name for name in before if name in self._entries and self._entries[name] is not before[name]
        ]
        removed = [name for name in before if name not in self._entries]
        for name in (*changed, *removed):
            self._loaded.pop(name, None)
        if not self._chosen_default and self._default not in self._usable():
            self._default = next(iter(self._usable()), "")
        added = [name for name in self._entries if name not in before]
        return Reloaded(tuple(added), tuple(removed), tuple(changed), self._broken())

    def _find(self, name: str) -> tuple[VoiceManifest, LoadedVoice | None]:
        """Look a voice up and note that it was asked for. Under the lock."""
        entry = self._entries.get(name)
        if entry is None:
            raise UnknownVoiceError("voice", name, tuple(self._usable()))
        if entry.reason or entry.bundle.manifest is None:
            raise VoiceBundleError(entry.reason)  # a new one: a raised error holds the frames it came through
        if name in self._loaded:
            self._loaded.move_to_end(name)
        return entry.bundle.manifest, self._loaded.get(name)

    def _usable(self) -> dict[str, VoiceManifest]:
        manifests = {name: entry.bundle.manifest for name, entry in self._entries.items() if not entry.reason}
        return {name: manifest for name, manifest in manifests.items() if manifest is not None}

    def _broken(self) -> dict[str, str]:
        return {name: entry.reason for name, entry in self._entries.items() if entry.reason}

    def _fly(self, entry: _Entry, flight: Future[LoadedVoice]) -> None:
        """Load a voice and give it, or the error, to everybody who waits for `flight`."""
        try:
            voice = self._load(entry.bundle.folder, self._plan)
            if voice.manifest != entry.bundle.manifest:
                path = entry.bundle.folder / MANIFEST_NAME
                msg = f"{path}: changed since it was listed; the voices have to be reloaded"
                raise VoiceBundleError(msg)
        except BaseException as error:
            with self._lock:
                entry.flight = None
                if isinstance(error, VoiceBundleError):  # other failures may pass: out of memory, interrupted
                    entry.reason = str(error)
                    logger.error("voice %s cannot be used: %s", entry.bundle.name, error)
            flight.set_exception(error)
            raise
        with self._lock:
            entry.flight = None
            if self._entries.get(entry.bundle.name) is entry:  # not if a rescan replaced it meanwhile
                self._loaded[entry.bundle.name] = voice
                self._make_room()
        flight.set_result(voice)
        return_freed_memory()  # loading leaves much behind, and so does what was dropped before

    def _make_room(self) -> None:
        """Drop voices, least recently used first, until the limit is kept or one is left. Under the lock."""
        costs = {name: self._entries[name].bundle.resident_bytes(self._plan) for name in self._loaded}
        while self._memory_limit_bytes and len(costs) > 1 and sum(costs.values()) > self._memory_limit_bytes:
            name, _ = self._loaded.popitem(last=False)
            del costs[name]
            logger.info("voice %s is dropped: the loaded voices exceed the memory limit", name)
