"""Make the corpus: pseudo-sentences, spoken by the teacher in several emotions, with exact token boundaries.

    python -m training.corpus --config configs/training/shanquan.yaml --out build/shanquan

Input   the training configuration; jieba's dictionary for words and their frequencies
Output  corpus/manifest.jsonl (one sentence a line) and corpus/wav/*.wav, 16 bit
State   none; the same seed gives the same corpus in every process (espeak-ng keeps a little state inside one)

Words are drawn by the square root of their frequency, so that rare syllables are heard too; a share of the
sentences is made of random valid syllables, and another carries English words and letters.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import jieba
import numpy as np
import soundfile
from pypinyin import Style as PinyinStyle
from pypinyin import lazy_pinyin
from tqdm import tqdm

from streaming.errors import UnspeakableTextError
from streaming.text.english import EnglishLexicon
from streaming.text.linguistics import (
    MAJOR_BREAK,
    MINOR_BREAK,
    SENTENCE_BREAK,
    WORD_BREAK,
    SpokenWord,
    spoken_word,
    spoken_word_en,
    to_phonemes,
)
from streaming.text.sandhi import Reading, surface_tones
from streaming.text.syllables import PLAIN_SYLLABLES, is_syllable
from streaming.text.symbols import SymbolTables
from training.settings import CorpusSettings, TrainingSettings, load_settings
from training.teacher import Prosody, Teacher, TeacherError

_PHRASES = (1, 3)
_WORDS_PER_PHRASE = (2, 5)
_MINOR_BREAK_SHARE = 0.15
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PARTICLES = ("的", "了", "吗", "呢", "吧", "着", "过")
_MAX_ENGLISH_PHONES = 9
_ENGLISH_WORDS_PER_PHRASE = (3, 6)
_COMMON_ENGLISH = tuple(
    """
    the be to of and in that have it for not on with he as you do at this but his by from they we
    say her she or an will my one all would there their what so up out if about who get which go me
    when make can like time no just him know take people into year your good some could them see
    other than then now look only come its over think also back after use two how our work first
    well way even new want because any these give day most us is are was were has had did been more
    very much many please thank hello yes today tomorrow meeting open close help data model
    """.split()
)


class WordSource:
    """Draws words with their readings."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        jieba.setLogLevel(60)
        jieba.initialize()
        entries = [
            (word, count)
            for word, count in jieba.dt.FREQ.items()
            if count > 0 and len(word) <= 4 and _is_hanzi(word)
        ]
        self._words = [word for word, _ in entries]
        self._cumulative = np.cumsum(np.sqrt([count for _, count in entries])).tolist()
        self._syllables = sorted(PLAIN_SYLLABLES)
        self._english = EnglishLexicon()
        self._english.warm_up()
        self._english_words = [
            word
            for word, symbols in sorted(self._english.entries().items())
            if word.isascii() and word.isalpha() and 1 < len(symbols.split()) <= _MAX_ENGLISH_PHONES
        ]

    def word(self) -> tuple[Reading, ...]:
        """Draw a dictionary word, by the square root of its frequency."""
        while True:
            text = self._rng.choices(self._words, cum_weights=self._cumulative)[0]
            readings = read_word(text)
            if readings:
                return readings

    def drill(self) -> tuple[Reading, ...]:
        """Draw a word of one to three random syllables."""
        count = self._rng.choice((1, 2, 2, 3))
        syllables = []
        for index in range(count):
            tone = self._rng.choice((1, 2, 3, 4, 5) if index else (1, 2, 3, 4))
            erhua = self._rng.choice(self._syllables) + "r" if self._rng.random() < 0.06 else ""
            base = erhua if erhua and is_syllable(erhua) else self._rng.choice(self._syllables)
            syllables.append(Reading("", f"{base}{tone}"))
        return tuple(syllables)

    def particle(self) -> tuple[Reading, ...]:
        """Draw a particle in the neutral tone."""
        return read_word(self._rng.choice(_PARTICLES))

    def english(self) -> list[SpokenWord]:
        """Draw an English word or a letter; its spoken parts."""
        text = (
            self._rng.choice(_LETTERS) if self._rng.random() < 0.3 else self._rng.choice(self._english_words)
        )
        return self._pronounced(text)

    def english_in_english(self) -> list[SpokenWord]:
        """Draw a word of an English sentence: as often as not one of the commonest."""
        common = self._rng.random() < 0.5
        return self._pronounced(self._rng.choice(_COMMON_ENGLISH if common else self._english_words))

    def _pronounced(self, text: str) -> list[SpokenWord]:
        return [spoken_word_en(part.text, part.arpabet) for part in self._english.pronounce(text)]


def read_word(text: str) -> tuple[Reading, ...]:
    """Read a word in citation tones; empty if a character has no Mandarin reading."""
    syllables = lazy_pinyin(text, style=PinyinStyle.TONE3, neutral_tone_with_five=True, v_to_u=False)
    if len(syllables) != len(text):
        return ()
    spelled = [
        s.replace("u", "v", 1) if s[0] in "jqxy" and s[1] == "u" else s for s in syllables if len(s) > 1
    ]
    if len(spelled) != len(text) or not all(is_syllable(s[:-1]) for s in spelled):
        return ()
    return tuple(Reading(hanzi, pinyin) for hanzi, pinyin in zip(text, spelled, strict=True))


def _is_hanzi(word: str) -> bool:
    return all("\u4e00" <= char <= "\u9fff" for char in word)


class SentenceSource:
    """Draws whole sentences as spoken words with surface tones and break levels."""

    def __init__(self, settings: CorpusSettings, rng: random.Random) -> None:
        self._settings = settings
        self._rng = rng
        self._words = WordSource(rng)

    def sentence(self) -> list[SpokenWord]:
        """Draw one sentence; the last word's break is #4."""
        draw = self._rng.random()
        drill = draw < self._settings.drill_share
        only_english = self._settings.english_sentence_share > self._rng.random() and not drill
        english = draw > 1.0 - self._settings.english_share
        n_phrases = self._rng.randint(*_PHRASES)
        words: list[SpokenWord] = []
        for _ in range(n_phrases):
            phrase = self._english_phrase() if only_english else self._phrase(drill=drill, english=english)
            words.extend(phrase)
            words[-1] = replace(words[-1], break_level=MAJOR_BREAK)
        words[-1] = replace(words[-1], break_level=SENTENCE_BREAK)
        return words

    def _english_phrase(self) -> list[SpokenWord]:
        count = self._rng.randint(*_ENGLISH_WORDS_PER_PHRASE)
        return self._with_minor_breaks(
            [part for _ in range(count) for part in self._words.english_in_english()]
        )

    def _phrase(self, *, drill: bool, english: bool) -> list[SpokenWord]:
        count = self._rng.randint(*_WORDS_PER_PHRASE)
        readings = [self._words.drill() if drill else self._words.word() for _ in range(count)]
        if self._rng.random() < 0.3:
            readings.insert(self._rng.randint(1, count), self._words.particle())
        phrase = [
            spoken_word("".join(r.hanzi for r in word) or "-", [r.pinyin for r in word])
            for word in surface_tones(readings)
        ]
        if english:
            for _ in range(self._rng.randint(1, 2)):
                place = self._rng.randint(0, len(phrase))
                phrase[place:place] = self._words.english()
        return self._with_minor_breaks(phrase)

    def _with_minor_breaks(self, phrase: Sequence[SpokenWord]) -> list[SpokenWord]:
        return [
            replace(word, break_level=MINOR_BREAK if self._rng.random() < _MINOR_BREAK_SHARE else WORD_BREAK)
            for word in phrase
        ]


def emotion_cycle(settings: CorpusSettings, rng: random.Random) -> Iterator[str]:
    """Yield emotions for ever, by their shares."""
    names = list(settings.emotions)
    weights = [settings.emotions[name].share for name in names]
    while True:
        yield rng.choices(names, weights)[0]


def sentence_text(words: Sequence[SpokenWord]) -> str:
    """Write the sentence for people to read."""
    marks = {MAJOR_BREAK: "，", SENTENCE_BREAK: "。"}
    return "".join(word.text + marks.get(word.break_level, "") for word in words)


def make_corpus(settings: TrainingSettings, out: Path) -> int:
    """Speak all sentences; return how many were dropped because the teacher said something else."""
    rng = random.Random(settings.seed)
    corpus = settings.corpus
    sentences = SentenceSource(corpus, rng)
    emotions = emotion_cycle(corpus, rng)
    tables = SymbolTables()
    teacher = Teacher(corpus.espeak_voice, settings.audio.sample_rate, final_silence_s=corpus.final_silence_s)
    folder = out / "corpus"
    (folder / "wav").mkdir(parents=True, exist_ok=True)
    total = corpus.n_train + corpus.n_validation
    dropped = 0
    with (
        (folder / "manifest.jsonl").open("w", encoding="utf-8") as manifest,
        tqdm(total=total, desc="corpus", unit="sentence") as progress,
    ):
        index = 0
        while index < total:
            words, emotion = sentences.sentence(), next(emotions)
            style = corpus.emotions[emotion]
            try:
                spoken = teacher.speak(
                    words, Prosody(style.rate, style.pitch, style.pitch_range, style.volume)
                )
                phonemes = to_phonemes(words, tables)
            except (TeacherError, UnspeakableTextError):
                dropped += 1
                continue
            name = f"{index:05d}"
            soundfile.write(
                folder / "wav" / f"{name}.wav", spoken.audio, spoken.sample_rate, subtype="PCM_16"
            )
            row = {
                "id": name,
                "split": "validation" if index < corpus.n_validation else "train",
                "text": sentence_text(words),
                "emotion": emotion,
                "speaker": corpus.speaker,
                "tokens": phonemes.tokens,
                "boundaries_s": [round(float(b), 5) for b in spoken.boundaries_s],
            }
            manifest.write(json.dumps(row, ensure_ascii=False) + "\n")
            index += 1
            progress.update()
    return dropped


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    dropped = make_corpus(load_settings(arguments.config), arguments.out)
    sys.stdout.write(f"corpus in {arguments.out / 'corpus'}; {dropped} sentences dropped\n")


if __name__ == "__main__":
    main()
