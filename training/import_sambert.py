"""Convert one KAN-TTS / ModelScope voice to a bundle, and hold the result against the original networks.

Input   a `VoiceSource`, an empty folder, the user's choices
Output  the exported networks and `voice.yaml` in that folder
State   none
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from streaming.engines.bundle import BundleEngine
from streaming.engines.choice import Choice, EnginePlan
from streaming.manifest import NetworkName
from streaming.sambert_manifest import SambertManifest
from streaming.voice import MANIFEST_NAME, dump_manifest, file_sha256
from training.checkpoints import load_acoustic, load_vocoder
from training.export import Graph, check_network, export_network
from training.graphs import acoustic_graphs, vocoder_graph
from training.imported_manifest import ImportOptions, Progress, filled_pauses, imported_manifest
from training.nets.streaming_vocoder import StreamingVocoder
from training.quantise import QUANTISED, quantise_dynamically
from training.self_check import FORCED_FRAMES, Original, SelfCheck, refuse_deviation, self_check
from training.sources import VoiceSource
from training.untrusted import CheckpointError

INT8 = "int8-dynamic"
MAX_LISTED = 5  # problems in a message

Networks = dict[NetworkName, dict[str, str]]  # network to precision to file, as in a manifest


def import_sambert(
    source: VoiceSource, folder: Path, options: ImportOptions, progress: Progress
) -> SambertManifest:
    """Write the bundle of one voice into an empty folder; the folder's name is the voice's.

    Raises:
        CheckpointError: A file is damaged or does not fit its network, or the parts do not fit each other.
        ExportError: A graph differs from its network.
        SelfCheckError: The exported voice does not speak as the networks do.
    """
    progress(f"loading the weights (layout {source.generation}, {source.sample_rate} Hz)")
    acoustic, generator = load_acoustic(source), load_vocoder(source)
    original = Original(acoustic, generator, filled_pauses(source, acoustic, options))
    draft = _draft(folder.name, source, original, options)
    networks = _exported(_graphs(original, draft), draft, folder, progress)
    if INT8 in options.precisions:
        _add_int8(networks, folder, progress)
    checksums = {path.name: file_sha256(path) for path in sorted(folder.glob("*.onnx"))}
    manifest = draft.changed(networks=networks, sha256=checksums)
    manifest = manifest.changed(quality=_checked(original, manifest, folder, progress))
    (folder / MANIFEST_NAME).write_text(dump_manifest(manifest), encoding="utf-8")
    return manifest


def _draft(name: str, source: VoiceSource, original: Original, options: ImportOptions) -> SambertManifest:
    """Describe the voice; sizes that no bundle may have are the checkpoint's fault."""
    try:
        return imported_manifest(name, source, original, options)
    except ValidationError as error:
        problems = (
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:MAX_LISTED]
        )
        raise CheckpointError(f"no voice can be made of the configuration: {'; '.join(problems)}") from error


def _graphs(original: Original, manifest: SambertManifest) -> Mapping[NetworkName, Graph]:
    acoustic = original.acoustic
    graphs = acoustic_graphs(
        acoustic.network, acoustic.speaker_vector, manifest.emotions.get("neutral"), original.pauses
    )
    return {**graphs, "vocoder": vocoder_graph(StreamingVocoder(original.generator), manifest.n_mels)}


def _exported(
    graphs: Mapping[NetworkName, Graph], manifest: SambertManifest, folder: Path, progress: Progress
) -> Networks:
    networks: Networks = {}
    for name in manifest.network_names:
        path = folder / f"{name}.fp32.onnx"
        export_network(graphs[name], path)
        deviation = check_network(graphs[name], path)
        size_mb = path.stat().st_size / 1e6
        progress(f"{name} exported, {size_mb:.1f} MB, largest deviation from PyTorch {deviation:.1e}")
        networks[name] = {"fp32": path.name}
    return networks


def _add_int8(networks: Networks, folder: Path, progress: Progress) -> None:
    """Add the precision `int8-dynamic` to the networks that gain by it."""
    for name in QUANTISED:
        files = networks[name]
        files[INT8] = f"{name}.{INT8}.onnx"
        quantise_dynamically(folder / files["fp32"], folder / files[INT8])
        progress(f"{name} quantised, {(folder / files[INT8]).stat().st_size / 1e6:.1f} MB")


def _checked(
    original: Original, manifest: SambertManifest, folder: Path, progress: Progress
) -> dict[str, float]:
    """Speak in every precision; return the figures for the manifest.

    Only fp32 is held to a limit: what INT8 may cost is for the listener to say.
    """
    quality: dict[str, float] = {}
    for precision in manifest.precisions:
        check = self_check(
            original, manifest, BundleEngine(folder, manifest, EnginePlan(Choice(precision=precision)))
        )
        progress(f"{precision} {_described(check)}")
        if precision == "fp32":
            refuse_deviation(check)
            if check.is_paced:
                progress(
                    f"WARNING: {check.own_frames:.1f} frames a token are no speech; "
                    f"the voice was checked at {FORCED_FRAMES:.0f}"
                )
        quality |= {
            f"{precision}_deviation_mel": float(f"{check.mel:.2g}"),
            f"{precision}_deviation_audio": float(f"{check.audio:.2g}"),
            f"{precision}_rtf_at_import": round(check.rtf, 3),
        }
    return quality


def _described(check: SelfCheck) -> str:
    return (
        f"speaks: {check.n_sentences} sentences, {check.audio_s:.1f} s of audio, "
        f"largest deviation from PyTorch: log durations {check.log_durations:.1e}, mel {check.mel:.1e}, "
        f"audio {check.audio:.1e}; first sound after {check.first_block_ms:.0f} ms, "
        f"RTF {check.rtf:.3f} on one core"
    )
