"""The synthetic teacher: espeak-ng speaks phoneme tokens and tells where each one lies in the audio.

Input   spoken words (phones, tones, break levels) and a prosody style
Output  audio and one time boundary per token
State   the espeak-ng library of this process (it is global: one teacher per process)

The words are given to espeak-ng as phoneme mnemonics between `[[ ]]`, so what is said is what the
token sequence says: no dictionary, no reading rules and no sandhi of espeak-ng's own take part.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import espeakng_loader
import numpy as np
import soxr

from streaming.text.linguistics import SpokenWord
from streaming.text.syllables import Syllable
from streaming.types import FloatArray

INITIALS = {
    "b_c": "p", "p_c": "ph", "m_c": "m", "f_c": "f", "d_c": "t", "t_c": "th", "n_c": "n", "l_c": "l",
    "g_c": "k", "k_c": "kh", "h_c": "X", "j_c": "tS;", "q_c": "tS;h", "xx_c": "S;", "zh_c": "ts.",
    "ch_c": "ts.h", "sh_c": "s.", "r_c": "z.", "z_c": "ts", "c_c": "tsh", "s_c": "s", "y_c": "j",
    "w_c": "w", "ga": "", "ge": "", "go": "",
}  # fmt: skip

# final -> (glide before the stress mark, nucleus, coda); the tone digits follow the nucleus.
FINALS = {
    "a_c": ("", "A", ""), "ai_c": ("", "ai", ""), "an_c": ("", "a", "n"), "ang_c": ("", "A", "N"),
    "ao_c": ("", "Au", ""), "e_c": ("", "o-", ""), "ei_c": ("", "ei", ""), "en_c": ("", "@", "n"),
    "eng_c": ("", "@", "N"), "er_c": ("", "@r", ""), "i_c": ("", "i", ""), "ia_c": ("", "iA", ""),
    "ian_c": ("", "iE", "n"), "iang_c": ("", "iA", "N"), "iao_c": ("j", "Au", ""), "ie_c": ("", "iE", ""),
    "ih_c": ("", "i.", ""), "ii_c": ("", "i[", ""), "in_c": ("", "i", "n"), "ing_c": ("", "i", "N"),
    "iong_c": ("j", "ong", ""), "iou_c": ("", "iou", ""), "o_c": ("", "o", ""), "ong_c": ("", "ong", ""),
    "ou_c": ("", "ou", ""), "u_c": ("", "u", ""), "ua_c": ("w", "A", ""), "uai_c": ("", "uai", ""),
    "uan_c": ("", "ua", "n"), "uang_c": ("w", "A", "N"), "uei_c": ("", "uei", ""), "uen_c": ("", "u@", "n"),
    "uo_c": ("", "uo", ""), "v_c": ("", "y", ""), "van_c": ("", "y&", "n"), "ve_c": ("", "yE", ""),
    "vn_c": ("", "y@", "n"),
}  # fmt: skip

# Finals that sound different after the initials y and w (yan is ian, wen is uen).
AFTER_GLIDE = {
    ("y_c", "a_c"): "ia_c", ("y_c", "an_c"): "ian_c", ("y_c", "e_c"): "ie_c", ("y_c", "ou_c"): "iou_c",
    ("w_c", "en_c"): "uen_c",
}  # fmt: skip

# Erhua: the final whose nucleus takes the r (coda dropped), by the usual merger of Beijing speech.
ERHUA_NUCLEUS = {
    "a": ("", "A"), "ai": ("", "A"), "an": ("", "A"), "ang": ("", "A"), "ao": ("", "Au"), "e": ("", "o-"),
    "ei": ("", "@"), "en": ("", "@"), "eng": ("", "@"), "i": ("", "i"), "ia": ("", "iA"),
    "ian": ("", "iA"), "iang": ("", "iA"), "iao": ("j", "Au"), "ie": ("", "iE"), "ih": ("", "@"),
    "ii": ("", "@"), "in": ("", "i"), "ing": ("", "i"), "iong": ("j", "ong"), "iou": ("", "iou"),
    "o": ("", "o"), "ong": ("", "ong"), "ou": ("", "ou"), "u": ("", "u"), "ua": ("w", "A"),
    "uai": ("w", "A"), "uan": ("w", "A"), "uang": ("w", "A"), "uei": ("w", "@"), "uen": ("w", "@"),
    "uo": ("", "uo"), "v": ("", "y"), "van": ("", "y&"), "ve": ("", "yE"), "vn": ("", "y"),
}  # fmt: skip

TONES = {"tone1": "55", "tone2": "35", "tone3": "214", "tone4": "51", "tone5": "11"}

ENGLISH = {
    "aa": "A:", "ae": "a", "ah": "V", "ao": "O:", "aw": "aU", "ay": "aI", "b": "b", "ch": "tS", "d": "d",
    "dh": "D", "eh": "E", "er": "3:", "ey": "eI", "f": "f", "g": "g", "hh": "h", "ih": "I", "iy": "i:",
    "jh": "dZ", "k": "k", "l": "l", "m": "m", "n": "n", "ng": "N", "ow": "oU", "oy": "OI", "p": "p",
    "r": "r", "s": "s", "sh": "S", "t": "t", "th": "T", "uh": "U", "uw": "u:", "v": "v", "w": "w",
    "y": "j", "z": "z", "zh": "Z",
}  # fmt: skip
ENGLISH_VOWELS = frozenset("aa ae ah ao aw ay eh er ey ih iy ow oy uh uw".split())

ESPEAK_SAMPLE_RATE = 22050
_SYNCHRONOUS = 2
_EVENT_PHONEME = 7
_PHONEME_EVENTS = 1
_PHONEME_IPA = 2
_UTF8_AND_PHONEMES = 1 | 0x100
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4


class TeacherError(Exception):
    """espeak-ng said something else than it was asked to."""


@dataclass(frozen=True, slots=True)
class Prosody:
    """espeak-ng's prosody settings: words per minute, and 0-100 for the other three."""

    rate: int
    pitch: int
    pitch_range: int
    volume: int


@dataclass(frozen=True, slots=True)
class Utterance:
    """What the teacher said.

    Attributes:
        audio: [n_samples] float32 in [-1, 1] at `sample_rate`, starting with the first phone.
        sample_rate: In Hz.
        boundaries_s: [n_tokens + 1] float64, seconds; token i lies in boundaries[i]..[i + 1].
    """

    audio: FloatArray
    sample_rate: int
    boundaries_s: np.ndarray


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int), ("unique_identifier", ctypes.c_uint), ("text_position", ctypes.c_int),
        ("length", ctypes.c_int), ("audio_position", ctypes.c_int), ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p), ("id", _EventId),
    )  # fmt: skip


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class Espeak:
    """The espeak-ng library, synchronous, with phoneme events."""

    def __init__(self, voice: str) -> None:
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data_path = str(espeakng_loader.get_data_path()).encode()
        self._library.espeak_Initialize.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
        self._library.espeak_Terminate()  # started twice, it goes on reading what the second start has freed
        rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, data_path, _PHONEME_EVENTS | _PHONEME_IPA)
        if rate != ESPEAK_SAMPLE_RATE:
            raise TeacherError(f"espeak-ng gave a sample rate of {rate}; expected {ESPEAK_SAMPLE_RATE}")
        self._voice = voice.encode()
        self._pieces: list[np.ndarray] = []
        self._events: list[tuple[int, str]] = []
        self._callback = _Callback(self._collect)  # kept: the library holds only a C pointer to it
        self._library.espeak_SetSynthCallback(self._callback)

    def _collect(self, wave: object, n_samples: int, events: object) -> int:
        if wave and n_samples > 0:
            self._pieces.append(np.ctypeslib.as_array(wave, (n_samples,)).copy())  # type: ignore[arg-type]
        index = 0
        while events[index].type != 0:  # type: ignore[index]
            event = events[index]  # type: ignore[index]
            if event.type == _EVENT_PHONEME:
                name = event.id.string.split(b"\0")[0].decode("utf-8", "replace")
                self._events.append((event.sample, name.strip("ˈˌ")))
            index += 1
        return 0

    def speak(self, text: str, prosody: Prosody) -> tuple[np.ndarray, list[tuple[int, str]]]:
        """Synthesise; return int16 samples and (sample, phoneme name) events."""
        self._pieces.clear()
        self._events.clear()
        if self._library.espeak_SetVoiceByName(self._voice) != 0:
            raise TeacherError(f"espeak-ng has no voice {self._voice.decode()!r}")
        for parameter, value in (
            (_RATE, prosody.rate),
            (_VOLUME, prosody.volume),
            (_PITCH, prosody.pitch),
            (_RANGE, prosody.pitch_range),
        ):
            self._library.espeak_SetParameter(parameter, value, 0)
        data = text.encode()
        size = ctypes.c_size_t(len(data) + 1)
        self._library.espeak_Synth(data, size, 0, 1, 0, _UTF8_AND_PHONEMES, None, None)
        audio = np.concatenate(self._pieces) if self._pieces else np.zeros(0, np.int16)
        return audio, list(self._events)


def mandarin_parts(syllable: Syllable) -> tuple[str, str]:
    """Return the mnemonics of the initial and of the final (with tone) of a Mandarin syllable."""
    initial, final = syllable.phones
    final = AFTER_GLIDE.get((initial, final), final)
    tone = TONES[syllable.tone_name]
    stress = "" if syllable.tone_name == "tone5" else "'"
    stem = final.removesuffix("_c")
    if final in FINALS:
        glide, nucleus, coda = FINALS[final]
        if final == "e_c" and syllable.tone_name == "tone5":
            nucleus = "@"
        return INITIALS[initial], f"{glide}{stress}{nucleus}{tone}{coda}"
    if stem.endswith("r") and stem[:-1] in ERHUA_NUCLEUS:
        glide, nucleus = ERHUA_NUCLEUS[stem[:-1]]
        if initial in ("y_c", "w_c"):
            glide = ""
        return INITIALS[initial], f"{glide}{stress}{nucleus}{tone}@r"
    raise TeacherError(f"no mnemonic for final {final!r}")


def english_mnemonics(syllable: Syllable) -> list[str]:
    """Return one mnemonic per ARPAbet phone of an English syllable."""
    stressed = syllable.tone_name == "tone1"
    mnemonics = []
    for phone in syllable.phones:
        mnemonic = ENGLISH[phone]
        if phone == "ah" and not stressed:
            mnemonic = "@"
        if phone in ENGLISH_VOWELS and stressed:
            mnemonic = "'" + mnemonic
        mnemonics.append(mnemonic)
    return mnemonics


def is_english(word: SpokenWord) -> bool:
    """Tell whether the word is made of ARPAbet phones."""
    return word.syllables[0].phones[0] in ENGLISH


class Teacher:
    """Speaks spoken words; one instance per process."""

    def __init__(self, voice: str, sample_rate: int, *, final_silence_s: float = 0.2) -> None:
        self._espeak = Espeak(voice)
        self._sample_rate = sample_rate
        self._final_silence_s = final_silence_s
        self._known_names: dict[str, tuple[str, ...]] = {}

    def event_names(self, mnemonic: str) -> tuple[str, ...]:
        """Names of the phoneme events of one Mandarin syllable said alone."""
        if mnemonic not in self._known_names:
            self._known_names[mnemonic] = self._names_alone(mnemonic)
        return self._known_names[mnemonic]

    def _names_alone(self, mnemonic: str) -> tuple[str, ...]:
        _, events = self._espeak.speak(f"[[{mnemonic}]]", Prosody(175, 50, 50, 100))
        return tuple(name for _, name in events if name)

    def speak(self, words: Sequence[SpokenWord], prosody: Prosody) -> Utterance:
        """Say the words.

        Raises:
            TeacherError: The phoneme events do not fit the tokens (the caller drops the sentence).
        """
        audio, events = self._espeak.speak(mnemonic_text(words), prosody)
        starts = self._align(words, events)
        end = starts[-1] + round(self._final_silence_s * ESPEAK_SAMPLE_RATE)
        samples = audio[starts[0] : end].astype(np.float32) / 32768.0
        samples = np.pad(samples, (0, end - starts[0] - len(samples)))
        resampled = soxr.resample(samples, ESPEAK_SAMPLE_RATE, self._sample_rate, quality="VHQ")
        boundaries = (np.array([*starts, end], np.float64) - starts[0]) / ESPEAK_SAMPLE_RATE
        return Utterance(resampled.astype(np.float32), self._sample_rate, boundaries)

    def _align(self, words: Sequence[SpokenWord], events: list[tuple[int, str]]) -> list[int]:
        """Return the start sample of every token, pause tokens included."""
        phones = _PhoneEvents(events)
        starts: list[int] = []
        for word in words:
            for syllable in word.syllables:
                if is_english(word):
                    starts += [phones.take(1) for _ in syllable.phones]
                    continue
                initial, final = mandarin_parts(syllable)
                names = self.event_names(initial + final)
                phones.expect(names)
                if initial:
                    starts.append(phones.take(1))
                    starts.append(phones.take(len(names) - 1))
                else:
                    onset = phones.take(len(names))
                    starts += [onset, onset]
            if word.break_level:
                starts.append(phones.pause(long=word.break_level > 1))
        phones.expect_end()
        return starts


class _PhoneEvents:
    """The phones of an utterance, each with the blank (closure or pause) that precedes it."""

    def __init__(self, events: list[tuple[int, str]]) -> None:
        self._names: list[str] = []
        self._starts: list[int] = []  # of the phone together with its closure
        self._pause_starts: list[int] = []  # of everything silent before the phone
        blanks: list[int] = []
        for sample, name in events:
            if not name or name.startswith("("):
                blanks.append(sample)
                continue
            self._names.append(name)
            self._starts.append(blanks[-1] if blanks else sample)
            self._pause_starts.append(blanks[0] if blanks else sample)
            blanks = []
        if not blanks:
            raise TeacherError("the utterance has no end")
        self._end = blanks[0]
        self._next = 0
        self._after_long_pause = True

    def take(self, count: int) -> int:
        """Consume `count` phones; return the start sample of the first."""
        if self._next + count > len(self._names):
            raise TeacherError("fewer phoneme events than tokens")
        index, self._next = self._next, self._next + count
        start = self._starts[index] if self._after_long_pause else self._pause_starts[index]
        self._after_long_pause = False
        return start

    def expect(self, names: tuple[str, ...]) -> None:
        """Check what the next phones are called."""
        found = tuple(self._names[self._next : self._next + len(names)])
        if found != names:
            raise TeacherError(f"phoneme events {found}; expected {names}")

    def pause(self, *, long: bool) -> int:
        """Return the start of the pause here; a short one (a word border) has no length of its own."""
        self._after_long_pause = long
        return self._pause_starts[self._next] if self._next < len(self._names) else self._end

    def expect_end(self) -> None:
        """Check that every phone was consumed."""
        if self._next != len(self._names):
            raise TeacherError("more phoneme events than tokens")


def mnemonic_text(words: Sequence[SpokenWord]) -> str:
    """Write words as espeak-ng phoneme input: clauses in `[[ ]]`, split at breaks of level 3 and 4."""
    clauses: list[str] = []
    current: list[str] = []
    english = False
    for word in words:
        if is_english(word) != english:
            english = not english
            current.append("_^_en-us" if english else "_^_cmn")
        if english:
            current.append("".join("".join(english_mnemonics(s)) for s in word.syllables))
        else:
            current.append("".join("".join(mandarin_parts(s)) for s in word.syllables))
        if word.break_level == 2:
            current.append("_:")
        if word.break_level >= 3:
            if english:
                current.append("_^_cmn")
                english = False
            clauses.append(f"[[{' '.join(current)}]]")
            current = []
    if current:
        clauses.append(f"[[{' '.join(current)}]]")
    return ", ".join(clauses) + "."
