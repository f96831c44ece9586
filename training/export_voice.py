"""Export the trained embedded voice as a bundle.

    python -m training.export_voice --config configs/training/shanquan.yaml --out build/shanquan
    python -m training.export_voice --config configs/training/shanquan.yaml --from training/state/shanquan.pt

Input   acoustic/ and the vocoder that `vocoder.ships` names, of the training folder; or the weights that an
        earlier export saved, where only the form of the graphs has changed
Output  VOICES/NAME: five ONNX graphs and voice.yaml; training/state/NAME.pt: the weights they were made of,
        from which training goes on and with which PyTorch speaks (training/reference.py)
State   none
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from streaming.manifest import NEUTRAL
from streaming.sambert_manifest import F0Rows, SambertManifest, VocoderSizes
from streaming.text.symbols import SymbolTables
from training.export import EXAMPLE_LENGTH, Graph, write_bundle
from training.features import Statistics, load_statistics
from training.graphs import acoustic_graphs, acoustic_sizes
from training.nets.embedded_streaming import StreamingEmbeddedVocoder
from training.nets.embedded_vocoder import EmbeddedVocoder
from training.nets.sambert import Sambert
from training.nets.source import HarmonicNoiseSource
from training.settings import TrainingSettings, load_settings
from training.train_acoustic import acoustic_config
from training.train_vocoder import has_body, new_source, new_vocoder

STATE_FOLDER = Path(__file__).parent / "state"
# Frames fed per vocoder block. The look-ahead of 3 leaves 3 frames (37.5 ms) of sound in the first one.
BLOCK_FRAMES = (6, 8, 16)
F0_FLOOR_HZ = 30.0
DESCRIPTION = "Mandarin and English, synthetic female voice; trained by this project on speech of espeak-ng"


@dataclass(frozen=True, slots=True)
class TrainedVoice:
    """The networks of an embedded voice, and the statistics of what they were trained on."""

    acoustic: Sambert
    vocoder: EmbeddedVocoder | HarmonicNoiseSource
    statistics: Statistics


def load_trained(settings: TrainingSettings, out: Path) -> TrainedVoice:
    """Load what the trainings in `out` have come to."""
    return TrainedVoice(load_acoustic(settings, out), load_vocoder(settings, out), load_statistics(out))


def load_saved(settings: TrainingSettings, path: Path) -> TrainedVoice:
    """Load what `save_state` wrote."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    acoustic = Sambert(acoustic_config(settings.acoustic, settings.audio))
    acoustic.load_state_dict(state["acoustic"])
    vocoder = new_vocoder(settings) if has_body(state["vocoder"]) else new_source(settings)
    vocoder.load_state_dict(state["vocoder"])
    return TrainedVoice(acoustic.eval(), vocoder.eval(), Statistics(**state["statistics"]))


def load_acoustic(settings: TrainingSettings, out: Path) -> Sambert:
    """Load the averaged weights of the acoustic model."""
    net = Sambert(acoustic_config(settings.acoustic, settings.audio))
    net.load_state_dict(_checkpoint(out / "acoustic")["average"])
    return net.eval()


def load_vocoder(settings: TrainingSettings, out: Path) -> EmbeddedVocoder | HarmonicNoiseSource:
    """Load the vocoder that the configuration ships: the source alone, or with its body."""
    if settings.vocoder.ships == "body":
        vocoder = new_vocoder(settings)
        vocoder.load_state_dict(_checkpoint(out / "vocoder-body")["average"])
        return vocoder.eval()
    source = new_source(settings)
    source.load_state_dict(_checkpoint(out / "vocoder-source")["net"])
    return source.eval()


def _checkpoint(folder: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(folder / "checkpoint.pt", map_location="cpu", weights_only=True)
    return state


def embedded_vocoder_graph(vocoder: StreamingEmbeddedVocoder, n_mels: int) -> Graph:
    """The `vocoder` network of an embedded voice."""
    n_samples = EXAMPLE_LENGTH * vocoder.hop_length
    frames = {0: "batch", 1: "frames"}
    inputs: dict[str, Tensor] = {
        "mel": torch.randn(1, EXAMPLE_LENGTH, n_mels),
        "excitation": torch.randn(1, 2, n_samples),
        "f0": torch.randn(1, EXAMPLE_LENGTH, 2),
        "state": vocoder.initial_state(1),
    }
    axes: dict[str, dict[int, str]] = {
        "mel": frames,
        "f0": frames,
        "excitation": {0: "batch", 2: "samples"},
        "audio": {0: "batch", 1: "samples"},
        "state": {0: "batch"},
    }
    return Graph(vocoder.eval(), inputs, ("audio", "state"), axes)


def embedded_manifest(
    settings: TrainingSettings, statistics: Statistics, model: Sambert, vocoder: StreamingEmbeddedVocoder
) -> SambertManifest:
    """Describe the voice; every number comes from the configuration, the statistics or the networks."""
    tables = SymbolTables()
    return SambertManifest(
        name=settings.name,
        description=DESCRIPTION,
        languages=("zh-CN", "en-US"),
        sample_rate=settings.audio.sample_rate,
        hop_length=settings.audio.hop_length,
        n_mels=settings.audio.n_mels,
        speakers=(settings.corpus.speaker,),
        emotions={name: tables.emotion_id(name) for name in settings.corpus.emotions},
        acoustic=acoustic_sizes(model),
        f0=F0Rows(
            norm="mean_std", offset_hz=statistics.f0_mean, scale_hz=statistics.f0_std, floor_hz=F0_FLOOR_HZ
        ),
        vocoder=VocoderSizes(
            kind="harmonic_noise",
            state_size=vocoder.layout.size,
            lookahead_frames=settings.vocoder.lookahead_frames,
            takes_f0=True,
        ),
        block_frames=BLOCK_FRAMES,
        licence="Apache-2.0",
        provenance=(
            f"{settings.corpus.n_train} sentences spoken by espeak-ng 1.52, voice "
            f"{settings.corpus.espeak_voice}; seed {settings.seed}; made by training/, see docs/training.md"
        ),
    )


def export_voice(settings: TrainingSettings, voice: TrainedVoice, voices: Path) -> Path:
    """Write the bundle; return its folder.

    Raises:
        ExportError: A graph differs from its network.
    """
    folder = voices / settings.name
    streaming = StreamingEmbeddedVocoder(voice.vocoder)
    manifest = embedded_manifest(settings, voice.statistics, voice.acoustic, streaming)
    graphs = acoustic_graphs(voice.acoustic, neutral_emotion=manifest.emotions.get(NEUTRAL))
    graphs["vocoder"] = embedded_vocoder_graph(streaming, settings.audio.n_mels)
    write_bundle(folder, graphs, manifest)
    return folder


def save_state(settings: TrainingSettings, voice: TrainedVoice, folder: Path = STATE_FOLDER) -> Path:
    """Write the weights and statistics that further training and the PyTorch reference start from."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{settings.name}.pt"
    state = {
        "acoustic": voice.acoustic.state_dict(),
        "vocoder": voice.vocoder.state_dict(),
        "statistics": asdict(voice.statistics),
    }
    torch.save(state, path)
    return path


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--config", type=Path, required=True)
    weights = parser.add_mutually_exclusive_group(required=True)
    weights.add_argument("--out", type=Path, help="the training folder")
    weights.add_argument(
        "--from", type=Path, dest="saved", metavar="STATE", help="weights saved by an export"
    )
    parser.add_argument("--voices", type=Path, default=Path("voices"))
    arguments = parser.parse_args()
    settings = load_settings(arguments.config)
    if arguments.saved is not None:
        voice = load_saved(settings, arguments.saved)
    else:
        voice = load_trained(settings, arguments.out)
        sys.stdout.write(f"weights in {save_state(settings, voice)}\n")
    folder = export_voice(settings, voice, arguments.voices)
    size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    sys.stdout.write(f"exported {folder}: {size / 1e6:.1f} MB\n")


if __name__ == "__main__":
    main()
