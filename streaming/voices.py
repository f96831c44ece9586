"""The voices of a server: listed at the start, loaded when first asked for.

Input   folders of voice bundles
Output  LoadedVoice: manifest, engine and frontend, ready to speak
State   the loaded voices
A broken bundle is reported under its name and does not keep the others from speaking.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Protocol

from streaming.engines.fake import FakeEngine, fake_manifest
from streaming.engines.onnx import OnnxEngine
from streaming.errors import UnknownVoiceError, VoiceBundleError
from streaming.synthesis.engine import Engine
from streaming.synthesis.segment import SegmentSynthesis
from streaming.text.frontend import Frontend
from streaming.text.symbols import SymbolTables
from streaming.types import Phonemes, Style
from streaming.voice import SymbolLists, VoiceManifest, find_voices, load_manifest, verify_files

logger = logging.getLogger(__name__)

EngineName = Literal["onnx", "fake"]
WARM_UP_TEXT = "你好，欢迎。"  # long enough for two blocks, so that every network has run


class PhonemeSource(Protocol):
    """What a voice needs of a frontend. Thread-safe."""

    def phonemes(self, text: str) -> Phonemes | None:
        """Phonemes of one segment, or None when nothing in it can be spoken."""
        ...


@dataclass(frozen=True, slots=True)
class LoadedVoice:
    """A voice that can speak; shared by any number of utterances and threads."""

    manifest: VoiceManifest
    engine: Engine
    frontend: PhonemeSource

    def warm_up(self) -> None:
        """Speak one short sentence into the void, so that the first user does not pay for it.

        Raises:
            VoiceBundleError: The networks fail or are not those of the manifest.
        """
        phonemes = self.frontend.phonemes(WARM_UP_TEXT)
        if phonemes is None:
            return
        synthesis = SegmentSynthesis(self.engine, self.manifest, phonemes, Style())
        try:
            while synthesis.advance() is not None:
                pass
        except Exception as error:  # a bundle whose sizes disagree fails in whatever touches them first
            msg = f"voice {self.manifest.name!r} cannot speak: {error}"
            raise VoiceBundleError(msg) from error


def symbol_tables(manifest: VoiceManifest) -> SymbolTables:
    """Return the symbol tables that the manifest names or brings."""
    if isinstance(manifest.symbols, SymbolLists):
        lists = manifest.symbols
        return SymbolTables.from_lists(lists.phones, lists.tones, has_mask=lists.has_mask)
    return SymbolTables()


def fake_voice() -> LoadedVoice:
    """Return the voice of `engines/fake.py` with the real frontend."""
    manifest = fake_manifest()
    return LoadedVoice(manifest, FakeEngine(), _warm_frontend(manifest))


def load_voice(folder: Path, engine: EngineName = "onnx", precision: str = "fp32") -> LoadedVoice:
    """Load a bundle: check its files, load its networks, speak once. Blocking, about a second.

    Raises:
        VoiceBundleError: The bundle is broken, changed, or lacks the precision.
    """
    if engine == "fake":
        return fake_voice()
    manifest = load_manifest(folder)
    verify_files(folder, manifest)
    voice = LoadedVoice(manifest, OnnxEngine(folder, manifest, precision), _warm_frontend(manifest))
    voice.warm_up()
    return voice


def _warm_frontend(manifest: VoiceManifest) -> Frontend:
    frontend = Frontend(symbol_tables(manifest))
    frontend.warm_up()  # its dictionaries load once per process, about a second
    return frontend


class VoiceLibrary:
    """All voices of a server, by name. Thread-safe."""

    def __init__(
        self,
        folders: Iterable[Path],
        *,
        engine: EngineName = "onnx",
        precision: str = "fp32",
        default: str = "",
    ) -> None:
        """List the bundles and read their manifests; no network is loaded yet.

        Args:
            folders: Folders of bundles; a later one replaces voices of the same name.
            engine: Runtime; `fake` has exactly one voice, `fake`, and reads no folder.
            precision: Which alternative of a bundle's networks is loaded.
            default: The voice that "" means; "" is the first by name.

        Raises:
            UnknownVoiceError: The default voice does not exist.
        """
        self._engine: EngineName = engine
        self._precision = precision
        self._folders: dict[str, Path] = {}
        self._manifests: dict[str, VoiceManifest] = {}
        self._broken: dict[str, VoiceBundleError] = {}
        self._loaded: dict[str, LoadedVoice] = {}
        self._lock = threading.Lock()
        if engine == "fake":
            manifest = fake_manifest()
            self._manifests[manifest.name] = manifest
            self._folders[manifest.name] = Path()
        else:
            self._list(find_voices(folders))
        if default and default not in self._manifests:
            raise UnknownVoiceError("voice", default, self.names)
        self._default = default or next(iter(self.names), "")

    def _list(self, folders: Mapping[str, Path]) -> None:
        for name, folder in sorted(folders.items()):
            try:
                self._manifests[name] = load_manifest(folder)
                self._folders[name] = folder
            except VoiceBundleError as error:
                self._note_broken(name, error)

    def _note_broken(self, name: str, error: VoiceBundleError) -> None:
        logger.error("voice %s is left out: %s", name, error)
        self._broken[name] = error

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the voices that can be asked for, sorted."""
        return tuple(sorted(self._manifests))

    @property
    def default_name(self) -> str:
        """The voice that "" means; "" when there is none."""
        return self._default

    @property
    def manifests(self) -> Mapping[str, VoiceManifest]:
        """Manifests by name, loaded or not."""
        return MappingProxyType(self._manifests)

    @property
    def broken(self) -> Mapping[str, VoiceBundleError]:
        """Bundles that cannot be used, and why."""
        return MappingProxyType(self._broken)

    def get(self, name: str = "") -> LoadedVoice:
        """Return a voice, loading it at the first call (blocking, about a second).

        Raises:
            UnknownVoiceError: No such voice.
            VoiceBundleError: The bundle is broken.
        """
        name = name or self._default
        with self._lock:
            if name in self._loaded:
                return self._loaded[name]
            if name in self._broken:
                raise self._broken[name]
            if name not in self._manifests:
                raise UnknownVoiceError("voice", name, self.names)
            voice = load_voice(self._folders[name], self._engine, self._precision)
            self._loaded[name] = voice
            return voice

    def load_all(self) -> None:
        """Load every voice now; one that fails is moved to `broken`, the others go on. Blocking."""
        for name in self.names:
            try:
                self.get(name)
            except VoiceBundleError as error:
                self._note_broken(name, error)
                del self._manifests[name]
