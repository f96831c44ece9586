"""A voice in memory: manifest, engine and frontend, ready to speak.

Input   a bundle's folder
Output  LoadedVoice
State   the networks; nothing of any utterance
Not here: which voices there are and how long they stay (voices.py)
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from streaming.engines.bundle import BundleEngine
from streaming.engines.choice import REFERENCE, EnginePlan
from streaming.engines.fake import FakeEngine, fake_manifest
from streaming.errors import UnspeakableTextError, VoiceBundleError
from streaming.frontends import PhonemeSource, make_frontend
from streaming.manifest import VoiceManifest
from streaming.sambert_manifest import SambertManifest
from streaming.synthesis.calibration import rows_that_pay
from streaming.synthesis.engine import Engine, NetworkName
from streaming.synthesis.family import new_synthesis
from streaming.synthesis.steps import NetworkCall, Progress, perform
from streaming.types import AudioChunk, Phonemes, StageTimes, Style
from streaming.voice import load_manifest, verify_files

logger = logging.getLogger(__name__)

WARM_UP_TEXTS = ("你好，欢迎。", "Hello, welcome.")  # long enough for two blocks: every network runs
WARM_UP_TOKENS = 12  # where no text can be pronounced
SILENT_FIELDS = {"description", "licence", "provenance", "quality"}  # of the manifest: they shape no sound


@dataclass(frozen=True, slots=True)
class LoadedVoice:
    """A voice that can speak; shared by any number of utterances and threads.

    Attributes:
        content: Digest of what its sound depends on: manifest with the checksums of all files, runtime and
            precision. Voices with equal digests give equal samples.
        max_rows: Rows that pay off in one call of a network on this machine; others run alone.
    """

    manifest: VoiceManifest
    engine: Engine
    frontend: PhonemeSource
    max_rows: Mapping[NetworkName, int] = field(default_factory=dict)
    content: str = field(init=False)

    def __post_init__(self) -> None:
        """Compute the digest once: every segment that is spoken is looked up by it."""
        heard = f"{self.engine.name}\n{self.manifest.model_dump_json(exclude=SILENT_FIELDS)}"
        object.__setattr__(self, "content", hashlib.sha256(heard.encode()).hexdigest())

    def warm_up(self) -> list[NetworkCall]:
        """Speak one short sentence into the void, so that the first user does not pay for it.

        Returns:
            One call of each network: the largest after its first, which has no state behind it yet.

        Raises:
            VoiceBundleError: The networks fail or are not those of the manifest.
        """
        calls: dict[NetworkName, list[NetworkCall]] = {}
        synthesis = new_synthesis(self.engine, self.manifest, self._warm_up_phonemes(), Style())
        try:
            spoken: AudioChunk | None = AudioChunk(np.zeros(0, np.float32), 0, last=False)
            while spoken is not None:
                progress = Progress(synthesis.steps(), StageTimes())
                progress.resume()
                while (call := progress.call) is not None:
                    assert isinstance(call, NetworkCall)  # the frontend has spoken already
                    calls.setdefault(call.network, []).append(call)
                    progress.resume(perform(self.engine, call))
                spoken = progress.result
            return [max(made[1:] or made, key=lambda call: call.size) for made in calls.values()]
        except Exception as error:  # a bundle whose sizes disagree fails in whatever touches them first
            msg = f"voice {self.manifest.name!r} cannot speak: {error}"
            raise VoiceBundleError(msg) from error

    def _warm_up_phonemes(self) -> Phonemes:
        for text in WARM_UP_TEXTS:
            try:
                phonemes = self.frontend.phonemes(text)
            except UnspeakableTextError:
                continue
            if phonemes is not None:
                return phonemes
        symbols = self.manifest.symbols if isinstance(self.manifest, SambertManifest) else "bytes"
        n_columns = 1 if symbols == "bytes" else 4
        return Phonemes(("",) * WARM_UP_TOKENS, np.zeros((WARM_UP_TOKENS, n_columns), np.int64))


def fake_voice() -> LoadedVoice:
    """Return the voice of `engines/fake.py` with the real frontend."""
    manifest = fake_manifest()
    return LoadedVoice(manifest, FakeEngine(), make_frontend(manifest))


def load_voice(folder: Path, plan: EnginePlan | None = None) -> LoadedVoice:
    """Load a bundle: check its files, load its networks, speak once. Blocking, about a second.

    Networks that are not run like the reference are held against it first.

    Raises:
        EngineError: A network cannot be run as the plan says.
        VoiceBundleError: The bundle is broken, changed, or lacks the precision.
    """
    plan = EnginePlan() if plan is None else plan
    if plan.default.runtime == "fake":
        return fake_voice()
    manifest = load_manifest(folder)
    verify_files(folder, manifest)
    engine, frontend = BundleEngine(folder, manifest, plan), make_frontend(manifest)
    if any(choice != REFERENCE for choice in engine.choices.values()):
        reference = BundleEngine(folder, manifest)
        calls = LoadedVoice(manifest, reference, frontend).warm_up()
        engine.test(reference, {call.network: call.example() for call in calls})
    logger.info("voice %s: %s", manifest.name, engine.name)
    voice = LoadedVoice(manifest, engine, frontend)
    calls = voice.warm_up()
    voice = replace(voice, max_rows=rows_that_pay(voice.engine, calls))
    rows = ", ".join(f"{network} {n_rows}" for network, n_rows in voice.max_rows.items())
    logger.info("voice %s: streams per call: %s", manifest.name, rows or "one")
    return voice
