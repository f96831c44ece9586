"""Which frontend pronounces text for a voice.

Input   a manifest
Output  a PhonemeSource: text to Phonemes
State   none
A voice whose language no frontend here pronounces gets one that refuses every text and says why: reading
its text by the rules of another language would be a wrong sound, not speech.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from streaming.errors import UnspeakableTextError
from streaming.manifest import VoiceManifest
from streaming.piper_manifest import PiperManifest
from streaming.sambert_manifest import SambertManifest, SymbolLists
from streaming.text.byte_frontend import ByteFrontend
from streaming.text.espeak import espeak
from streaming.text.explanation import WordSource
from streaming.text.frontend import Frontend
from streaming.text.piper_frontend import PiperFrontend, ipa, letters
from streaming.text.symbols import SymbolTables
from streaming.types import Phonemes

# What streaming/text/frontend.py reads: Mandarin with English in it, and English alone.
PRONOUNCED_LANGUAGES = frozenset({"zh", "zh-CN", "cmn", "en", "en-US", "en-GB"})


class PhonemeSource(Protocol):
    """What a voice needs of a frontend. Thread-safe."""

    def phonemes(self, text: str) -> Phonemes | None:
        """Phonemes of one segment, or None when nothing in it can be spoken.

        Raises:
            UnspeakableTextError: The voice or the frontend cannot pronounce the text.
        """
        ...


@dataclass(frozen=True, slots=True)
class MuteFrontend:
    """Refuses every text, with the reason why the voice cannot be given any."""

    reason: str

    def phonemes(self, text: str) -> Phonemes | None:
        """Refuse.

        Raises:
            UnspeakableTextError: Always.
        """
        del text
        raise UnspeakableTextError(self.reason)


def reads_marks(frontend: PhonemeSource) -> bool:
    """Tell whether a frontend reads `[[word|reading]]`."""
    return isinstance(frontend, WordSource)


def make_frontend(manifest: VoiceManifest) -> PhonemeSource:
    """Return the frontend of a voice, its dictionaries loaded (once per process, about a second).

    Raises:
        VoiceBundleError: The voice needs espeak-ng, which is not installed or lacks its language.
    """
    if isinstance(manifest, SambertManifest):
        return _sambert_frontend(manifest)
    if isinstance(manifest, PiperManifest):
        return _piper_frontend(manifest)
    msg = f"voice {manifest.name!r} is of family {manifest.family!r}, which has no frontend here"
    raise TypeError(msg)


def symbol_tables(manifest: SambertManifest) -> SymbolTables:
    """Return the symbol tables that the manifest names or brings."""
    if isinstance(manifest.symbols, SymbolLists):
        lists = manifest.symbols
        return SymbolTables.from_lists(lists.phones, lists.tones, has_mask=lists.has_mask)
    return SymbolTables()


def _sambert_frontend(manifest: SambertManifest) -> PhonemeSource:
    if manifest.symbols == "bytes":
        return ByteFrontend()
    if manifest.symbols == "unknown":
        return MuteFrontend(
            f"voice {manifest.name!r} was imported without its symbol lists (the checkpoint's dict/ folder), "
            f"so no text can be given to it"
        )
    if PRONOUNCED_LANGUAGES.isdisjoint(manifest.languages):
        return MuteFrontend(
            f"voice {manifest.name!r} speaks {', '.join(manifest.languages)}, which cannot be pronounced "
            f"yet; pronounced are {', '.join(sorted(PRONOUNCED_LANGUAGES))}"
        )
    frontend = Frontend(symbol_tables(manifest))
    frontend.warm_up()
    return frontend


def _piper_frontend(manifest: PiperManifest) -> PhonemeSource:
    tables = (manifest.phoneme_ids, manifest.phoneme_map, manifest.vowel_clusters)
    if manifest.phoneme_type == "text":
        return PiperFrontend(letters, *tables)
    library, voice = espeak(), manifest.espeak_voice
    library.check_voice(voice)
    return PiperFrontend(lambda text: ipa(library.clauses(text, voice)), *tables)
