"""Imported voices held against the original code's numbers: what several tests of the importer share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from streaming.engines.bundle import BundleEngine
from streaming.sambert_manifest import SambertManifest
from streaming.synthesis.acoustic import AcousticStream
from streaming.synthesis.excitation import NsfExcitation, Pitch, harmonic_phase, nsf_excitation
from streaming.synthesis.segment import grid_of
from streaming.synthesis.steps import run_steps
from streaming.synthesis.vocoder import VocoderStream
from streaming.types import FloatArray, MelChunk, Phonemes, Style

PARITY = Path(__file__).parents[1] / "data" / "parity"
PARITY_VOICES = ("tiny_16k", "tiny_16k_noncausal", "tiny_16k_nsf", "tiny_24k_nsf_causal")
SENTENCES = ("e1", "e3", "e5")

Numbers = Mapping[str, np.ndarray]


def reference(name: str, sentence: str) -> Numbers:
    """The original's numbers for one sentence."""
    return dict(np.load(PARITY / name / f"{sentence}.npz"))


def phonemes_of(expected: Numbers) -> Phonemes:
    """The sentence's tokens."""
    return Phonemes(("",) * expected["ling"].shape[1], expected["ling"][0])


def style_of(manifest: SambertManifest, expected: Numbers) -> Style:
    """The sentence's speaker and emotion, which are the same for every token."""
    emotion = next(name for name, index in manifest.emotions.items() if index == expected["emotion"][0, 0])
    return Style(speaker=manifest.speakers[expected["speaker"][0, 0]], emotion=emotion)


def streamed_mel(engine: BundleEngine, manifest: SambertManifest, expected: Numbers) -> FloatArray:
    """Feature frames [T, F], block by block on the voice's grid; checks T and the band width on the way."""
    stream = AcousticStream(manifest, phonemes_of(expected), style_of(manifest, expected))
    plan = run_steps(engine, stream.encode())
    assert plan.n_frames == expected["n_frames"]
    assert plan.band_width == expected["band_width"]
    grid = grid_of(manifest)
    blocks = range(grid.n_blocks(plan.n_frames))
    return np.concatenate([run_steps(engine, stream.frames(grid.block(index))).frames for index in blocks])


def streamed_audio(engine: BundleEngine, manifest: SambertManifest, mel: FloatArray) -> FloatArray:
    """Samples of given frames, block by block on the voice's grid."""
    stream = VocoderStream(manifest, Style(), mel.shape[0])
    stream.push(MelChunk(mel, 0))
    grid = grid_of(manifest)
    blocks = range(grid.n_blocks(mel.shape[0]))
    return np.concatenate([run_steps(engine, stream.block(grid.block(index))).samples for index in blocks])


class RecordedDraws(NsfExcitation):
    """Uses the random draws of the reference run, padded with silence beyond its end."""

    def __init__(self, manifest: SambertManifest, expected: Numbers) -> None:
        super().__init__(manifest.hop_length, manifest.sample_rate, 0)
        self._initial_phase = expected["nsf_phase"][0, :, 0].astype(np.float64)
        self._initial_phase[0] = 0.0
        self._noise = np.pad(expected["nsf_noise"][0], ((0, 0), (0, 64 * manifest.hop_length)))

    def push(self, pitch: Pitch) -> FloatArray:
        phase, self._carry_cycles = harmonic_phase(
            pitch.f0_hz, self._carry_cycles, self._hop_length, self._sample_rate
        )
        noise = self._noise[:, self._next_sample : self._next_sample + phase.shape[1]]
        self._next_sample += phase.shape[1]
        return nsf_excitation(phase, self._initial_phase, noise, np.repeat(pitch.voiced, self._hop_length))
