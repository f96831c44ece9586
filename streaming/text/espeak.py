"""espeak-ng as a library: text to IPA, clause by clause.

Input   text in any language that espeak-ng speaks
Output  Clause: IPA with stress and length marks, and the punctuation that ended it
State   the espeak-ng library of this process: it has one voice at a time, so every call holds one lock
Unaware of voices of this project and of what becomes of the phonemes.

espeak-ng is under the GPL, which this project is not: it is an extra of its own, loaded when a voice needs
it.
"""

from __future__ import annotations

import ctypes
import re
import threading
from dataclasses import dataclass
from functools import lru_cache

from streaming.errors import VoiceBundleError

MISSING = "this voice needs espeak-ng, which is not installed: pip install zhiyin[piper]"

_SYNCHRONOUS = 2  # no audio device
_DONT_EXIT = 0x8000  # a failed start is an error code, not the end of the process
_UTF8 = 1
_IPA = 2

# The mark that ended a clause: espeak-ng consumes it, closing quotes, white space and one character more.
# White space parts them; a mark with a character right after it is part of a word or number (3.5, a:b).
_CLAUSE_END = re.compile(r"([.,:;!?–—…]+)[\"'”’»)\]}]*(?:\s+\S?)?$")
_LANGUAGE_SWITCH = re.compile(r"\([^)]+\)")  # (en) before a word that is read as English, (de) after it
_DASHES = "–—"
_STARTING = threading.Lock()  # voices are loaded by several threads


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause as espeak-ng reads it.

    Attributes:
        ipa: Phonemes as IPA, words parted by spaces; "" where nothing is spoken.
        mark: The punctuation after it, one of `. , : ; ! ?`, or "" for none (and for an ellipsis).
    """

    ipa: str
    mark: str


class Espeak:
    """The library. Thread-safe; use `espeak()`, because a process has one."""

    def __init__(self) -> None:
        """Load and start the library.

        Raises:
            VoiceBundleError: The package is not installed, or the library does not start.
        """
        try:
            import espeakng_loader
        except ImportError as error:
            raise VoiceBundleError(MISSING) from error
        try:
            self._library = ctypes.CDLL(espeakng_loader.get_library_path())
            data_path = espeakng_loader.get_data_path().encode()
        except (OSError, RuntimeError) as error:
            msg = f"espeak-ng cannot be loaded: {error}"
            raise VoiceBundleError(msg) from error
        self._declare()
        self._library.espeak_Terminate()  # whoever else started it: twice started, it reads what it has freed
        if self._library.espeak_Initialize(_SYNCHRONOUS, 0, data_path, _DONT_EXIT) < 0:
            msg = f"espeak-ng does not start with its data in {data_path.decode()}"
            raise VoiceBundleError(msg)
        self._lock = threading.Lock()

    def _declare(self) -> None:
        initialize = self._library.espeak_Initialize
        initialize.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
        self._library.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
        to_phonemes = self._library.espeak_TextToPhonemes
        to_phonemes.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_int, ctypes.c_int]
        to_phonemes.restype = ctypes.c_char_p

    def check_voice(self, voice: str) -> None:
        """Check that espeak-ng has a voice.

        Raises:
            VoiceBundleError: It has not.
        """
        with self._lock:
            self._set_voice(voice)

    def clauses(self, text: str, voice: str) -> list[Clause]:
        """Return the clauses of a text as a voice of espeak-ng reads them.

        Raises:
            VoiceBundleError: espeak-ng has no such voice.
        """
        content = text.replace("\0", " ").encode("utf-8", errors="replace")  # NUL ends a C string
        buffer = ctypes.create_string_buffer(content)
        start = ctypes.addressof(buffer)
        position = ctypes.c_void_p(start)
        clauses: list[Clause] = []
        done = 0
        with self._lock:
            self._set_voice(voice)
            while position.value is not None:
                ipa = self._library.espeak_TextToPhonemes(ctypes.byref(position), _UTF8, _IPA) or b""
                read = len(content) if position.value is None else position.value - start
                clauses.append(_clause(ipa, content[done:read]))
                done = read
        return clauses

    def _set_voice(self, voice: str) -> None:
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            msg = f"espeak-ng has no voice {voice!r}"
            raise VoiceBundleError(msg)


def espeak() -> Espeak:
    """Return the library of this process, started at the first call. Thread-safe.

    Raises:
        VoiceBundleError: As `Espeak`; the next call tries again.
    """
    with _STARTING:
        return _started()


@lru_cache(maxsize=1)
def _started() -> Espeak:
    return Espeak()


def _clause(ipa: bytes, source: bytes) -> Clause:
    phonemes = _LANGUAGE_SWITCH.sub("", ipa.decode("utf-8", errors="replace"))
    return Clause(phonemes, _mark(source.decode("utf-8", errors="ignore")) if phonemes else "")


def _mark(source: str) -> str:
    """Return the mark that ended a clause which was read from `source`."""
    match = _CLAUSE_END.search(source)
    if match is None:
        return ""
    marks = match[1]
    if marks[0] == "…" or marks.startswith(".."):
        return ""
    return ";" if marks[0] in _DASHES else marks[0]
