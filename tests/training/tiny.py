"""A training configuration small enough to run all of training/ in a test; a corpus that needs no teacher."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile
import yaml

from streaming.text.linguistics import SENTENCE_BREAK, spoken_word, to_phonemes
from streaming.text.symbols import SymbolTables
from streaming.types import FloatArray
from training.settings import TrainingSettings, load_settings

SHIPPED = Path(__file__).parents[2] / "configs" / "training" / "shanquan.yaml"

_SMALL: dict[str, dict[str, object]] = {
    "corpus": {"n_train": 10, "n_validation": 3},
    "vocoder": {
        "channels": 16,
        "segment_frames": 8,
        "batch_size": 2,
        "source_steps": 3,
        "body_steps": 3,
        "adversarial_after_steps": 1,
        "ships": "body",
    },
    "acoustic": {
        "embedding_dim": 16,
        "encoder_layers": 2,
        "encoder_heads": 2,
        "encoder_units": 16,
        "encoder_inner": 16,
        "projection_units": 8,
        "predictor_layers": 1,
        "predictor_units": 8,
        "predictor_inner": 8,
        "predictor_lstm_units": 8,
        "duration_units": 8,
        "decoder_prenet_units": 16,
        "decoder_layers": 2,
        "decoder_heads": 2,
        "decoder_units": 16,
        "decoder_inner": 16,
        "postnet_layers": 4,
        "postnet_units": 8,
        "postnet_inner": 8,
        "postnet_lstm_units": 8,
        "batch_frames": 2000,
        "steps": 3,
    },
    "recogniser": {"units": 16, "layers": 2, "steps": 3, "batch_frames": 2000},
}


def tiny_settings(path: Path) -> TrainingSettings:
    """Write the shipped configuration with small numbers to `path` and load it."""
    document = yaml.safe_load(SHIPPED.read_text("utf-8"))
    for section, values in _SMALL.items():
        document[section] |= values
    document["vocoder"]["source"] |= {"channels": 8, "n_layers": 2}
    document["name"] = "tiny"
    path.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
    return load_settings(path)


def harmonic_tone(f0_hz: float, n_samples: int, sample_rate: int = 16000) -> FloatArray:
    """A voice-like tone: ten harmonics, falling by 6 dB an octave."""
    time = np.arange(n_samples) / sample_rate
    tone = sum(np.sin(2 * np.pi * k * f0_hz * time) / k for k in range(1, 11))
    return np.asarray(0.2 * tone, np.float32)


def humming_corpus(settings: TrainingSettings, out: Path, n_train: int = 3, n_validation: int = 2) -> None:
    """Write a corpus of hums, each at its own pitch: validation first, as training/corpus.py writes it."""
    folder = out / "corpus"
    (folder / "wav").mkdir(parents=True)
    tokens = to_phonemes([spoken_word("妈", ["ma1"], SENTENCE_BREAK)], SymbolTables()).tokens
    rows = []
    for index in range(n_train + n_validation):
        n_samples = 4000 + 300 * index
        silence = np.zeros(1000, np.float32)
        audio = np.concatenate([harmonic_tone(150.0 + 20 * index, n_samples - 1000), silence])
        name = f"{index:05d}"
        soundfile.write(folder / "wav" / f"{name}.wav", audio, settings.audio.sample_rate, subtype="PCM_16")
        end = n_samples / settings.audio.sample_rate
        rows.append(
            {
                "id": name,
                "split": "validation" if index < n_validation else "train",
                "text": "妈。",
                "emotion": "neutral",
                "speaker": settings.corpus.speaker,
                "tokens": tokens,
                "boundaries_s": [0.0, 0.05, end - 1000 / settings.audio.sample_rate, end],
            }
        )
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    (folder / "manifest.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
