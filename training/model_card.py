"""Write the model card of an exported voice: measures, tone contours, how it was made.

    python -m training.model_card --config configs/training/shanquan.yaml --voices voices

Input   the bundle with its evaluation.json; the teacher, who says the same tone examples
Output  MODEL_CARD.md, tones.png and sandhi.png in the bundle; the measures in voice.yaml
State   none
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import yaml

from streaming.loaded_voice import LoadedVoice, load_voice
from streaming.text.frontend import Frontend
from streaming.text.linguistics import SpokenWord, spoken_word, to_phonemes
from streaming.text.symbols import SymbolTables
from streaming.types import FloatArray, Style
from streaming.voice import MANIFEST_NAME
from training.evaluate import EVALUATION_NAME, speak_phonemes
from training.mel import extract
from training.settings import TrainingSettings, load_settings
from training.teacher import Prosody, Teacher

mpl.use("Agg")
from matplotlib import pyplot as plt

CARRIER = (("这是", ("zhe4", "shi4")), ("字", ("zi4",)))  # the tone under test stands between these
TONES = (("ma1",), ("ma2",), ("ma3",), ("ma4",), ("ma1", "ma5"))
SANDHI_TEXTS = (
    "你好。",
    "我很好。",
    "一天。",
    "一个。",
    "第一。",
    "不是。",
    "不好。",
    "展览馆。",
    "好儿子。",
)
BARS = {
    "copy_log_mel_l1": "≤ 0.36",
    "copy_f0_cents": "≤ 20",
    "f0_correlation": "≥ 0.95",
    "voicing_error": "≤ 8 %",
    "error_rate": "≤ teacher's + 5 points",
}
LABELS = {
    "copy_log_mel_l1": "Copy synthesis, log-mel L1",
    "copy_f0_cents": "Copy synthesis, median F0 error (cents)",
    "mcd_db": "Mel-cepstral distortion after DTW (dB)",
    "f0_rmse_cents": "F0 RMSE on aligned voiced frames (cents)",
    "f0_correlation": "F0 correlation on aligned voiced frames",
    "voicing_error": "Voiced/unvoiced error",
    "duration_error_ms": "Mean absolute phone duration error (ms)",
    "teacher_error_rate": "Phone+tone error rate of the teacher's own recordings",
    "error_rate": "Phone+tone error rate of this voice",
}
SHARES = ("voicing_error", "teacher_error_rate", "error_rate")


@dataclass(frozen=True, slots=True)
class Contour:
    """F0 in Hz (NaN where unvoiced) of one stretch; its times run from 0 to 1."""

    f0_hz: FloatArray

    @property
    def times(self) -> FloatArray:
        """Positions of the frames, relative."""
        return np.linspace(0.0, 1.0, len(self.f0_hz), dtype=np.float32)

    def ends(self) -> tuple[float, float]:
        """F0 in Hz at a fifth and at four fifths of the voiced part."""
        voiced = self.f0_hz[~np.isnan(self.f0_hz)]
        if not len(voiced):
            return float("nan"), float("nan")
        return float(voiced[len(voiced) // 5]), float(voiced[(4 * len(voiced)) // 5])


class Speakers:
    """The teacher and the voice, saying the same words."""

    def __init__(self, settings: TrainingSettings, voice: LoadedVoice) -> None:
        self._settings = settings
        self._voice = voice
        corpus = settings.corpus
        style = corpus.emotions[next(iter(corpus.emotions))]
        self._prosody = Prosody(style.rate, style.pitch, style.pitch_range, style.volume)
        self._teacher = Teacher(
            corpus.espeak_voice, settings.audio.sample_rate, final_silence_s=corpus.final_silence_s
        )

    def contours(self, words: Sequence[SpokenWord], first: int, last: int) -> tuple[Contour, Contour]:
        """Say the words; return F0 of tokens first..last by the teacher and by the voice."""
        spoken = self._teacher.speak(words, self._prosody)
        ours = speak_phonemes(self._voice, to_phonemes(words, SymbolTables()), Style())
        starts = ours.token_starts / self._settings.audio.sample_rate
        return (
            self._cut(spoken.audio, spoken.boundaries_s[first], spoken.boundaries_s[last + 1]),
            self._cut(ours.audio, starts[first], starts[last + 1]),
        )

    def _cut(self, audio: FloatArray, start_s: float, end_s: float) -> Contour:
        features = extract(audio, self._settings.audio)
        rate = self._settings.audio.sample_rate / self._settings.audio.hop_length
        frames = slice(round(start_s * rate), max(round(end_s * rate), round(start_s * rate) + 1))
        voiced = features.voiced[frames] > 0
        return Contour(np.where(voiced, features.f0_hz[frames], np.nan).astype(np.float32))


def tone_words(tones: Sequence[str]) -> tuple[list[SpokenWord], int, int]:
    """Put a word into the carrier; return the words and the first and last token of its last syllable."""
    (before, before_pinyin), (after, after_pinyin) = CARRIER
    words = [
        spoken_word(before, before_pinyin),
        spoken_word("x" * len(tones), tones),
        spoken_word(after, after_pinyin),
    ]
    end = 2 * len(before_pinyin) + 1 + 2 * len(tones)  # two phones a syllable, one pause token a word
    return words, end - 2, end - 1


def draw(path: Path, titles: Sequence[str], pairs: Sequence[tuple[Contour, Contour]]) -> None:
    """Draw contours side by side: the teacher's dashed, the voice's solid."""
    figure, axes = plt.subplots(1, len(pairs), figsize=(2.2 * len(pairs), 2.6), sharey=True, squeeze=False)
    for axis, title, (teacher, ours) in zip(axes[0], titles, pairs, strict=True):
        axis.plot(teacher.times, teacher.f0_hz, "--", color="grey", label="teacher")
        axis.plot(ours.times, ours.f0_hz, color="tab:blue", label="voice")
        axis.set_title(title, fontsize=9)
        axis.set_xticks([])
        axis.grid(visible=True, alpha=0.3)
    axes[0, 0].set_ylabel("F0 (Hz)")
    axes[0, 0].legend(fontsize=7)
    figure.savefig(path, dpi=90, bbox_inches="tight")
    plt.close(figure)


def tone_table(titles: Sequence[str], pairs: Sequence[tuple[Contour, Contour]]) -> str:
    """Write where each contour starts and ends."""
    rows = ["| said | teacher, Hz | voice, Hz |", "|---|---|---|"]
    for title, (teacher, ours) in zip(titles, pairs, strict=True):
        (a, b), (c, d) = teacher.ends(), ours.ends()
        rows.append(f"| {title} | {a:.0f} → {b:.0f} | {c:.0f} → {d:.0f} |")
    return "\n".join(rows)


def measure_table(measures: dict[str, float]) -> str:
    """Write the measures with their bars."""
    rows = ["| measure | value | bar |", "|---|---|---|"]
    for name, label in LABELS.items():
        value = measures[name]
        text = f"{100 * value:.2f} %" if name in SHARES else f"{value:.3g}"
        rows.append(f"| {label} | {text} | {BARS.get(name, '')} |")
    return "\n".join(rows)


VOCODERS = {
    "source": (
        "the learned harmonic-plus-noise source alone: a pulse train at F0 and white noise, filtered\n"
        "per frame by a small conv net. A HiFi-GAN body on top of it follows once it measures better"
    ),
    "body": "a causal HiFi-GAN on a learned harmonic-plus-noise source",
}

CARD = """# Voice {name}

Mandarin, one synthetic female speaker, emotions {emotions}; 16 kHz. A Sambert acoustic model with F0 and
voicing rows, and as vocoder {vocoder}.

**The teacher is synthetic.** The corpus is speech of espeak-ng ({provenance}). The voice says clearly what it
is told, and it sounds like a formant synthesiser, because its teacher is one. It is here so that the server
speaks out of the box and anyone can train it again. If you want a human voice, import a Sambert-HiFiGAN
checkpoint.

## Measured

{sentences} held-out sentences that no training saw, spoken by the files of this folder through the serving
code. `training/evaluate.py` states every definition. The recogniser is trained on the teacher's speech only.

{measures}

## Tones

Each in the carrier 这是…字, the neutral tone after a first tone. Grey: the teacher. F0 in Hz at one and at
four fifths of the syllable:

{tones}

![F0 of the five tones](tones.png)

Tone sandhi as the text frontend gives it (last syllables included, whole utterances):

![F0 of sandhi examples](sandhi.png)

{sandhi}

## Sizes

{sizes}

Licence: {licence}. Made by `training/`; docs/training.md says how to make it again.
"""


def write_card(settings: TrainingSettings, folder: Path) -> None:
    """Write the card, the plots, and the measures into the manifest."""
    measures = json.loads((folder / EVALUATION_NAME).read_text("utf-8"))
    document = yaml.safe_load((folder / MANIFEST_NAME).read_text("utf-8"))
    document["quality"] = {name: round(value, 4) for name, value in measures.items()}
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
    (folder / MANIFEST_NAME).write_text(text, "utf-8")
    voice = load_voice(folder)
    speakers = Speakers(settings, voice)
    tones = [speakers.contours(*tone_words(tone)) for tone in TONES]
    tone_titles = ["tone 1", "tone 2", "tone 3", "tone 4", "neutral"]
    draw(folder / "tones.png", tone_titles, tones)
    frontend = Frontend(SymbolTables())
    frontend.warm_up()
    sandhi, sandhi_titles = [], []
    for text in SANDHI_TEXTS:
        words = frontend.spoken_words(text)
        phones = sum(len(syllable.phones) for word in words for syllable in word.syllables)
        sandhi.append(speakers.contours(words, 0, phones + len(words) - 2))
        sandhi_titles.append(" ".join(syllable.spelling for word in words for syllable in word.syllables))
    draw(folder / "sandhi.png", sandhi_titles, sandhi)
    files = sorted(file for files in document["networks"].values() for file in files.values())
    card = CARD.format(
        name=settings.name,
        vocoder=VOCODERS[settings.vocoder.ships],
        emotions=", ".join(settings.corpus.emotions),
        provenance=voice.manifest.provenance,
        sentences=measures["sentences"],
        measures=measure_table(measures),
        tones=tone_table(tone_titles, tones),
        sandhi=tone_table(sandhi_titles, sandhi),
        sizes="\n".join(f"- `{file}` {(folder / file).stat().st_size / 1e6:.1f} MB" for file in files),
        licence=voice.manifest.licence,
    )
    (folder / "MODEL_CARD.md").write_text(card, "utf-8")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--voices", type=Path, default=Path("voices"))
    arguments = parser.parse_args()
    settings = load_settings(arguments.config)
    write_card(settings, arguments.voices / settings.name)


if __name__ == "__main__":
    main()
