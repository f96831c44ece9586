"""Import a voice that KAN-TTS or ModelScope published: checkpoint folder in, voice bundle out.

Input   a voice folder (am/, voc/, audio_config.yaml)
Output  a bundle
State   none

Run as `python -m training.import_voice FOLDER BUNDLE --licence NAME`.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import Literal

import yaml

from streaming.text.symbols import SymbolTables
from streaming.voice import F0Rows, VocoderSizes, VoiceManifest
from training.checkpoints import AcousticModel, load_acoustic, load_vocoder
from training.export import write_bundle
from training.graphs import acoustic_graphs, acoustic_sizes, vocoder_graph
from training.nets.hifigan import Generator
from training.nets.streaming_vocoder import StreamingVocoder

BLOCK_FRAMES = (4, 8, 16)


def imported_manifest(
    name: str, acoustic: AcousticModel, generator: Generator, sample_rate: int, licence: str
) -> VoiceManifest:
    """Describe an imported KAN-TTS voice; the files are added by `write_bundle`."""
    config = acoustic.network.config
    speakers = str(acoustic.document.get("linguistic_unit", {}).get("speaker_list", "default")).split(",")
    vocoder = StreamingVocoder(generator)
    f0 = None
    if acoustic.f0 is not None:
        norm: Literal["global", "mean_std"] = "global" if config.nsf_norm_type == "global" else "mean_std"
        f0 = F0Rows(norm=norm, offset_hz=acoustic.f0.offset_hz, scale_hz=acoustic.f0.scale_hz)
    emotions = {emotion: index for index, emotion in enumerate(SymbolTables().emotions)}
    emotions = {"neutral": emotions.pop("neutral"), **emotions}  # the default comes first
    return VoiceManifest(
        name=name,
        description="Imported from a KAN-TTS checkpoint",
        languages=("zh-CN",),
        sample_rate=sample_rate,
        hop_length=generator.config.hop_length,
        n_mels=config.n_mels,
        speakers=tuple(speaker.strip() for speaker in speakers),
        emotions=emotions,
        acoustic=acoustic_sizes(acoustic.network),
        f0=f0,
        vocoder=VocoderSizes(kind="nsf" if generator.config.nsf else "plain", state_size=vocoder.layout.size),
        block_frames=BLOCK_FRAMES,
        licence=licence,
    )


def import_voice(source: Path, target: Path, licence: str) -> VoiceManifest:
    """Turn a KAN-TTS voice folder into a bundle named like the target folder.

    Raises:
        CheckpointError: The source is not a voice this project can read.
        ValueError: Its vocoder is not causal.
        ExportError: A graph differs from its network.
    """
    acoustic, generator = load_acoustic(source), load_vocoder(source)
    audio = yaml.safe_load((source / "audio_config.yaml").read_text(encoding="utf-8"))["audio_config"]
    manifest = imported_manifest(target.name, acoustic, generator, int(audio["sampling_rate"]), licence)
    graphs = acoustic_graphs(acoustic.network, acoustic.speaker_vector)
    graphs["vocoder"] = vocoder_graph(StreamingVocoder(generator), manifest.n_mels)
    return write_bundle(target, graphs, manifest)


def main(arguments: list[str] | None = None) -> int:
    """Command line: import one voice folder."""
    parser = argparse.ArgumentParser(prog="python -m training.import_voice", description=main.__doc__)
    parser.add_argument("source", type=Path, help="KAN-TTS voice folder (am/, voc/, audio_config.yaml)")
    parser.add_argument("target", type=Path, help="bundle folder to write; its name becomes the voice's")
    parser.add_argument("--licence", required=True, help="licence of the weights, for the manifest")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    import_voice(options.source, options.target, options.licence)
    return 0


if __name__ == "__main__":
    sys.exit(main())
