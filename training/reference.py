"""A voice in plain PyTorch, whole utterance at once: what streaming is measured against.

Input   a shipped voice: its saved weights (training/state) and training configuration; or an imported one:
        its checkpoint
Output  a function from phoneme ids and style to samples
State   the networks
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from streaming.sambert_manifest import SambertManifest, as_sambert
from streaming.synthesis.excitation import HarmonicNoiseExcitation, pitch_of_frames
from streaming.text.symbols import SymbolTables
from streaming.types import FloatArray, IntArray, Style
from streaming.voice import load_manifest
from training.checkpoints import load_acoustic, load_vocoder
from training.export_voice import STATE_FOLDER, TrainedVoice, load_saved
from training.nets.source import soft_limit
from training.self_check import whole_audio
from training.settings import TrainingSettings, load_settings
from training.sources import find_sources
from training.untrusted import CheckpointError

CONFIG_FOLDER = Path(__file__).parent.parent / "configs" / "training"

Reference = Callable[[IntArray, Style], FloatArray]


def load_reference(voice_folder: Path) -> Reference:
    """Load a shipped voice's networks in PyTorch.

    Returns:
        A function `(ids [n_tokens, 4], style) -> samples [n_samples] float32`: the whole sentence in one go.

    Raises:
        FileNotFoundError: The voice has no saved weights: it was not trained here.
    """
    manifest = as_sambert(load_manifest(voice_folder))
    settings = load_settings(CONFIG_FOLDER / f"{manifest.name}.yaml")
    return speaker_of(settings, load_saved(settings, STATE_FOLDER / f"{manifest.name}.pt"), manifest)


def load_imported_reference(checkpoint: Path, manifest: SambertManifest) -> Reference:
    """Load the networks of the only voice in a KAN-TTS checkpoint folder.

    Returns:
        A function as `load_reference` returns; it knows the default speaker and emotion only.

    Raises:
        CheckpointError: The folder does not hold exactly one voice, or it is damaged.
    """
    with tempfile.TemporaryDirectory() as scratch:
        sources = find_sources(checkpoint, Path(scratch))
        if len(sources) != 1:
            raise CheckpointError(f"{checkpoint} holds {len(sources)} voices; one is needed")
        acoustic, generator = load_acoustic(sources[0]), load_vocoder(sources[0])
    generator.fuse()

    @torch.no_grad()
    def speak(ids: IntArray, style: Style) -> FloatArray:
        tokens = torch.from_numpy(ids)[None]
        emotion = torch.full(tokens.shape[:2], manifest.emotion_id(""))
        speaker = torch.zeros_like(emotion) if acoustic.speaker_vector is None else acoustic.speaker_vector
        frames = acoustic.network.infer(tokens, emotion, speaker).postnet_outputs[0].numpy()
        return whole_audio(generator, manifest, frames, style.seed)

    return speak


def speaker_of(settings: TrainingSettings, voice: TrainedVoice, manifest: SambertManifest) -> Reference:
    """Build the reference from the networks."""
    acoustic, vocoder = voice.acoustic, voice.vocoder
    emotions = {name: SymbolTables().emotion_id(name) for name in settings.corpus.emotions}
    rows, lookahead, n_mels = manifest.f0, manifest.vocoder.lookahead_frames, manifest.n_mels
    if rows is None:
        raise ValueError(f"voice {manifest.name} has no F0 rows")

    @torch.no_grad()
    def speak(ids: IntArray, style: Style) -> FloatArray:
        tokens = torch.from_numpy(ids)[None]
        emotion = torch.full(tokens.shape[:2], emotions[style.emotion or next(iter(emotions))])
        output = acoustic.infer(tokens, emotion, torch.zeros_like(emotion))
        frames = output.postnet_outputs[0].numpy()
        frames = np.concatenate([frames, np.repeat(frames[-1:], lookahead, axis=0)])
        pitch = pitch_of_frames(frames, rows, style.pitch)
        excitation = HarmonicNoiseExcitation(manifest.hop_length, manifest.sample_rate, style.seed).push(
            pitch
        )
        f0 = np.stack([np.log(pitch.f0_hz), pitch.voiced], 1).astype(np.float32)
        mel: Tensor = torch.from_numpy(np.ascontiguousarray(frames[:, :n_mels]))
        audio = vocoder(mel[None], torch.from_numpy(f0)[None], torch.from_numpy(excitation)[None])
        return np.asarray(soft_limit(audio[0, lookahead * manifest.hop_length :]).numpy(), np.float32)

    return speak
