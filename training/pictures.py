"""Pictures and audio for people who follow a training run."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import soundfile

from streaming.types import FloatArray
from training.mel import extract
from training.settings import AudioSettings

mpl.use("Agg")
from matplotlib import pyplot as plt


def save_comparison(stem: Path, real: FloatArray, generated: FloatArray, settings: AudioSettings) -> None:
    """Write STEM.wav (generated), STEM-real.wav and STEM.png: both mel spectrograms with F0."""
    soundfile.write(stem.with_suffix(".wav"), np.clip(generated, -1, 1), settings.sample_rate)
    soundfile.write(stem.with_name(stem.name + "-real.wav"), real, settings.sample_rate)
    figure, axes = plt.subplots(2, 1, figsize=(10, 6), sharex=True)
    for axis, audio, title in zip(axes, (real, generated), ("teacher", "generated"), strict=True):
        features = extract(audio, settings)
        axis.imshow(features.mel.T, origin="lower", aspect="auto", vmin=0.0, vmax=1.0)
        axis.set_title(title)
        f0_axis = axis.twinx()
        f0_axis.plot(np.where(features.voiced > 0, features.f0_hz, np.nan), color="white", linewidth=1)
        f0_axis.set_ylim(settings.f0_floor_hz, settings.f0_ceil_hz)
    figure.savefig(stem.with_suffix(".png"), dpi=80, bbox_inches="tight")
    plt.close(figure)


def save_mel_comparison(path: Path, real: FloatArray, generated: FloatArray) -> None:
    """Draw two normalised mel spectrograms [n_frames, n_mels + 2] with their F0 rows."""
    figure, axes = plt.subplots(3, 1, figsize=(10, 8), sharex=True)
    for axis, frames, title in zip(axes, (real, generated), ("teacher", "generated"), strict=False):
        axis.imshow(frames[:, :-2].T, origin="lower", aspect="auto", vmin=-2.0, vmax=2.0)
        axis.set_title(title)
    for frames, title in ((real, "teacher"), (generated, "generated")):
        axes[2].plot(frames[:, -2], label=f"F0, {title}")
        axes[2].plot(frames[:, -1], label=f"U/V, {title}", alpha=0.5)
    axes[2].legend(fontsize=7)
    figure.savefig(path, dpi=80, bbox_inches="tight")
    plt.close(figure)
