"""How well the recogniser understands a voice on texts of a kind: Chinese, mixed with English, English.

    python -m training.evaluate_texts --config configs/training/shanquan.yaml --out build/shanquan

Input   the bundle as it is shipped, spoken through the serving code; the recogniser of a training folder
Output  phone and tone error rates on the terminal, of the voice and of its teacher
State   none
The texts are natural ones, not of the corpus; the teacher says the same phonemes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from streaming.loaded_voice import LoadedVoice, load_voice
from streaming.sambert_manifest import as_sambert
from streaming.synthesis.segment import SegmentSynthesis
from streaming.text.frontend import Frontend
from streaming.text.linguistics import to_phonemes
from streaming.text.symbols import SymbolTables
from streaming.types import FloatArray, Phonemes, Style
from training.features import load_statistics
from training.mel import extract
from training.recogniser import edit_distance, recogniser_input, sentence_units
from training.settings import TrainingSettings, load_settings
from training.teacher import Prosody, Teacher, TeacherError
from training.train_recogniser import load_recogniser

TEXTS = {
    "Chinese": (
        "请稍等，我帮你查一下。", "今天天气怎么样？", "这本书写得非常好。", "他在银行工作了二十年。",
        "明天早上八点在门口集合。", "春天来了，花都开了。", "谢谢你的帮助。", "我们一起去公园散步吧。",
        "这个问题很难回答。", "孩子们在院子里玩。",
    ),
    "mixed": (
        "这个API的latency只有二十毫秒。", "请打开WiFi，然后连接server。", "我们用Python写了一个demo。",
        "明天的meeting改到下午三点。", "这个model的accuracy是百分之九十八。", "把email发给我，谢谢。",
        "他买了一台新的iPhone。", "GPU的price又涨了。", "我很喜欢music和movie。",
        "OK，没问题，see you tomorrow。",
    ),
    "English": (
        "Hello, how are you today?", "The quick brown fox jumps over the lazy dog.",
        "Please open the window and turn on the light.", "I would like a cup of coffee with milk.",
        "The meeting starts at half past nine.", "Thank you very much for your help.",
        "Machine learning models need a lot of data.", "What is the weather like in Beijing tomorrow?",
        "Can you tell me the way to the station?", "This is a simple test of the English voice.",
    ),
}  # fmt: skip


def speak(voice: LoadedVoice, phonemes: Phonemes) -> FloatArray:
    """Return the samples of a sentence."""
    synthesis = SegmentSynthesis(voice.engine, as_sambert(voice.manifest), phonemes, Style())
    pieces: list[FloatArray] = []
    while (chunk := synthesis.advance()) is not None:
        pieces.append(chunk.samples)
    return np.concatenate(pieces)


Speak = Callable[[str], tuple[Phonemes, FloatArray]]


def by_voice(voice: LoadedVoice) -> Speak:
    """Return the voice as a function of a text."""

    def say(text: str) -> tuple[Phonemes, FloatArray]:
        phonemes = voice.frontend.phonemes(text)
        assert phonemes is not None
        return phonemes, speak(voice, phonemes)

    return say


def by_teacher(settings: TrainingSettings) -> Speak:
    """Return the teacher as a function of a text, in the first emotion."""
    corpus, tables = settings.corpus, SymbolTables()
    frontend = Frontend(tables)
    teacher = Teacher(corpus.espeak_voice, settings.audio.sample_rate, final_silence_s=corpus.final_silence_s)
    style = next(iter(corpus.emotions.values()))
    prosody = Prosody(style.rate, style.pitch, style.pitch_range, style.volume)

    def say(text: str) -> tuple[Phonemes, FloatArray]:
        words = frontend.spoken_words(text)
        return to_phonemes(words, tables), teacher.speak(words, prosody).audio

    return say


def error_rate(settings: TrainingSettings, out: Path, say: Speak, texts: Sequence[str]) -> tuple[int, int]:
    """Return how many units the recogniser gets wrong, and how many there are."""
    recogniser, statistics = load_recogniser(settings, out), load_statistics(out)
    n_wrong = n_units = 0
    for text in texts:
        try:
            phonemes, audio = say(text)
        except TeacherError:
            continue  # espeak-ng joins two of its phones: there are no boundaries, but nothing else is wrong
        heard = recogniser.transcribe(recogniser_input(extract(audio, settings.audio), statistics))
        expected = sentence_units(phonemes.tokens)
        n_wrong += edit_distance(expected, heard)
        n_units += len(expected)
    return n_wrong, n_units


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="with the recogniser and the statistics")
    parser.add_argument("--voices", type=Path, default=Path("voices"))
    options = parser.parse_args(arguments)
    settings = load_settings(options.config)
    speakers = {
        "voice": by_voice(load_voice(options.voices / settings.name)),
        "teacher": by_teacher(settings),
    }
    for name, texts in TEXTS.items():
        for speaker, say in speakers.items():
            n_wrong, n_units = error_rate(settings, options.out, say, texts)
            share = n_wrong / max(n_units, 1)
            sys.stdout.write(
                f"{name:<8} {speaker:<8} {n_wrong} of {n_units} phones and tones wrong: {share:.1%}\n"
            )


if __name__ == "__main__":
    main()
