"""The training configuration of a voice: one YAML file that every command of training/ reads."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AudioSettings(_Settings):
    """Feature extraction (sambert-hifigan spec section 4); frequencies in Hz, lengths in samples."""

    sample_rate: int
    hop_length: int
    win_length: int
    n_fft: int
    n_mels: int
    fmin: float
    fmax: float
    f0_floor_hz: float
    f0_ceil_hz: float


class EmotionSettings(_Settings):
    """espeak-ng prosody of one emotion and its share of the corpus."""

    rate: int
    pitch: int
    pitch_range: int
    volume: int
    share: float


class CorpusSettings(_Settings):
    """What the teacher says, and how often in which emotion."""

    espeak_voice: str
    speaker: str
    n_train: int
    n_validation: int
    final_silence_s: float
    english_share: float
    english_sentence_share: float = 0.0
    drill_share: float
    emotions: dict[str, EmotionSettings]


class SourceSettings(_Settings):
    """The learned harmonic-plus-noise source (training/nets/source.py)."""

    channels: int
    kernel_size: int
    n_layers: int
    n_bins: int


class VocoderSettings(_Settings):
    """The embedded vocoder and its training."""

    lookahead_frames: int
    source: SourceSettings
    channels: int
    segment_frames: int
    batch_size: int
    source_steps: int
    source_learning_rate: float
    body_steps: int
    body_learning_rate: float
    adversarial_after_steps: int
    ships: Literal["source", "body"]


class AcousticSettings(_Settings):
    """Sizes of the embedded Sambert and its training."""

    embedding_dim: int
    encoder_layers: int
    encoder_heads: int
    encoder_units: int
    encoder_inner: int
    projection_units: int
    speaker_units: int
    emotion_units: int
    predictor_layers: int
    predictor_filter: int
    predictor_units: int
    predictor_inner: int
    predictor_lstm_units: int
    duration_units: int
    decoder_prenet_units: int
    decoder_layers: int
    decoder_heads: int
    decoder_units: int
    decoder_inner: int
    postnet_layers: int
    postnet_units: int
    postnet_inner: int
    postnet_lstm_units: int
    dropout: float
    prenet_dropout: float
    own_feedback_share: float
    batch_frames: int
    steps: int
    learning_rate: float
    warmup_steps: int


class RecogniserSettings(_Settings):
    """The phone recogniser that measures intelligibility, trained on teacher audio only."""

    units: int
    layers: int
    steps: int
    batch_frames: int
    learning_rate: float


class TrainingSettings(_Settings):
    """The whole file."""

    name: str
    seed: int
    audio: AudioSettings
    corpus: CorpusSettings
    vocoder: VocoderSettings
    acoustic: AcousticSettings
    recogniser: RecogniserSettings


def load_settings(path: Path) -> TrainingSettings:
    """Read and validate a training configuration; unknown keys are refused."""
    return TrainingSettings.model_validate(yaml.safe_load(path.read_text("utf-8")))
