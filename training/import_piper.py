"""Convert one Piper voice to a bundle, and hold the result against the original network.

Input   `NAME.onnx` with `NAME.onnx.json` beside it, an empty folder, the user's choices
Output  encoder, decoder and `voice.yaml` in that folder
State   none
Not here: where the graph is cut (piper_graphs.py), what the check consists of (piper_check.py)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import onnx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streaming.engines.bundle import BundleEngine
from streaming.frontends import make_frontend
from streaming.manifest import NetworkName
from streaming.piper_manifest import PiperManifest
from streaming.voice import MANIFEST_NAME, dump_manifest, file_sha256
from training.imported_manifest import ImportOptions, Progress, provenance
from training.piper_check import check_piper, refuse_deviation
from training.piper_graphs import PiperGraphs, cut_piper
from training.untrusted import CheckpointError, read_json
from training.untrusted_onnx import read_onnx

CONFIG_SUFFIX = ".json"
# First sound after 16 frames (0.19 s of audio), which with their context cost about as much as 30.
BLOCK_FRAMES = (16, 32, 64)
UNCUT_BLOCK_SAMPLES = (4096, 8192, 16384)
ONE_SPEAKER = ("default",)


@dataclass(frozen=True, slots=True)
class PiperSource:
    """A Piper voice on disk.

    Attributes:
        network: The `.onnx` file.
        config: The `.onnx.json` file that belongs to it, whether it exists or not.
    """

    network: Path
    config: Path

    @property
    def name(self) -> str:
        """The published name: `en_US-joe-medium`."""
        return self.network.stem


class _Lenient(BaseModel):
    """A section of the JSON file, whose other keys are of no interest here."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Audio(_Lenient):
    sample_rate: Annotated[int, Field(ge=8_000, le=192_000)]


class _EspeakVoice(_Lenient):
    voice: str


class _Language(_Lenient):
    code: str = ""


class _Inference(_Lenient):
    noise_scale: float = 0.667
    length_scale: float = 1.0
    noise_w: float = 0.8


class _Config(_Lenient):
    """What Piper writes beside a network; keys and defaults are Piper's."""

    audio: _Audio
    espeak: _EspeakVoice | None = None
    language: _Language = _Language()
    inference: _Inference = _Inference()
    phoneme_type: Literal["espeak", "text"] = "espeak"
    phoneme_id_map: dict[str, tuple[int, ...]]
    phoneme_map: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    vowel_clusters: tuple[tuple[str, ...], ...] = ()
    num_speakers: Annotated[int, Field(ge=1, le=100_000)] = 1
    speaker_id_map: dict[str, int] = Field(default_factory=dict)
    dataset: str = ""
    piper_version: str = ""


def find_piper(path: Path) -> tuple[PiperSource, ...]:
    """Return the Piper voices that a path stands for; () if it is something else.

    Args:
        path: A folder with `.onnx` files in it, or a `.onnx` or `.onnx.json` file.
    """
    if path.is_dir():
        networks = sorted(path.glob("*.onnx"))
    else:
        network = path.with_suffix("") if path.name.endswith(f".onnx{CONFIG_SUFFIX}") else path
        networks = [network] if network.suffix == ".onnx" else []
    return tuple(PiperSource(found, Path(f"{found}{CONFIG_SUFFIX}")) for found in networks)


def import_piper(
    source: PiperSource, folder: Path, options: ImportOptions, progress: Progress
) -> PiperManifest:
    """Write the bundle of one voice into an empty folder; the folder's name is the voice's.

    Raises:
        CheckpointError: A file is missing, damaged, hostile or not that of a Piper voice.
        SelfCheckError: The cut networks do not speak as the original does.
        VoiceBundleError: espeak-ng lacks the voice's language.
    """
    if options.emotions:
        raise CheckpointError(f"emotions were named, but a Piper voice has none: {source.network}")
    config = _read_config(source.config)
    progress(f"reading {source.network.name}")
    original = read_onnx(source.network)
    whole = original.SerializeToString()  # cutting changes the model
    graphs = _cut(original, source)
    progress(_cut_described(graphs))
    if "int8-dynamic" in options.precisions:
        progress("int8-dynamic is left out: most of a Piper voice are convolutions, which it slows down")
    manifest = _manifest(folder.name, source, config, graphs, options)
    make_frontend(manifest)  # a language that espeak-ng lacks is to be known now, not when the voice loads
    networks, checksums = _written(graphs, folder)
    manifest = manifest.changed(networks=networks, sha256=checksums)
    manifest = manifest.changed(quality=_checked(whole, manifest, folder, progress))
    (folder / MANIFEST_NAME).write_text(dump_manifest(manifest), encoding="utf-8")
    return manifest


def _read_config(path: Path) -> _Config:
    try:
        return _Config.model_validate(read_json(path))
    except ValidationError as error:
        raise CheckpointError(f"{path}: {_problems(error)}") from error


def _problems(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:5])


def _cut(model: onnx.ModelProto, source: PiperSource) -> PiperGraphs:
    try:
        return cut_piper(model)
    except CheckpointError as error:
        raise CheckpointError(f"{source.network}: {error}") from error


def _cut_described(graphs: PiperGraphs) -> str:
    if graphs.uncut_because:
        return f"the decoder cannot run in blocks ({graphs.uncut_because}): a sentence is computed as a whole"
    return (
        f"decoder cut off: {graphs.hop_length} samples per frame; a block needs {graphs.context_frames} more "
        f"frames on each side"
    )


def _written(graphs: PiperGraphs, folder: Path) -> tuple[dict[NetworkName, dict[str, str]], dict[str, str]]:
    """Write the networks; return their files and the files' checksums."""
    networks: dict[NetworkName, dict[str, str]] = {}
    models: Mapping[NetworkName, onnx.ModelProto] = {"encoder": graphs.encoder, "decoder": graphs.decoder}
    for name, model in models.items():
        file = f"{name}.fp32.onnx"
        onnx.save_model(model, folder / file)
        networks[name] = {"fp32": file}
    return networks, {path.name: file_sha256(path) for path in sorted(folder.glob("*.onnx"))}


def _manifest(
    name: str, source: PiperSource, config: _Config, graphs: PiperGraphs, options: ImportOptions
) -> PiperManifest:
    """Describe the voice; networks, checksums and measurements are added after the export.

    Raises:
        CheckpointError: The configuration contradicts itself or the network.
    """
    espeak_voice = config.espeak.voice if config.espeak and config.phoneme_type == "espeak" else ""
    language = options.language or config.language.code.replace("_", "-") or espeak_voice or "und"
    try:
        return PiperManifest(
            name=name,
            description="Imported from a Piper voice",
            languages=(language,),
            sample_rate=config.audio.sample_rate,
            speakers=_speakers(config, graphs, source),
            phoneme_type=config.phoneme_type,
            espeak_voice=espeak_voice,
            phoneme_ids=config.phoneme_id_map,
            phoneme_map=config.phoneme_map,
            vowel_clusters=config.vowel_clusters,
            noise_scale=config.inference.noise_scale,
            length_scale=config.inference.length_scale,
            noise_w=config.inference.noise_w,
            n_noises=graphs.n_noises,
            hop_length=graphs.hop_length,
            context_frames=graphs.context_frames,
            block_frames=UNCUT_BLOCK_SAMPLES if graphs.uncut_because else BLOCK_FRAMES,
            licence=options.licence,
            provenance=_provenance(source, config),
        )
    except ValidationError as error:
        raise CheckpointError(f"{source.config}: {_problems(error)}") from error


def _speakers(config: _Config, graphs: PiperGraphs, source: PiperSource) -> tuple[str, ...]:
    """Names in the order of their ids; the number stands for a speaker without a name."""
    if config.num_speakers == 1:
        return ONE_SPEAKER
    if not graphs.takes_speaker:
        raise CheckpointError(
            f"{source.config}: num_speakers is {config.num_speakers}, but {source.network.name} takes no sid"
        )
    names = {number: name for name, number in config.speaker_id_map.items()}
    if beyond := sorted(set(names).difference(range(config.num_speakers))):
        raise CheckpointError(
            f"{source.config}: speaker_id_map has id {beyond[0]}; num_speakers is {config.num_speakers}"
        )
    return tuple(names.get(number, str(number)) for number in range(config.num_speakers))


def _provenance(source: PiperSource, config: _Config) -> dict[str, str]:
    """Where the weights came from, and what the configuration tells of it."""
    told = {"dataset": config.dataset, "piper_version": config.piper_version}
    files = {path.name: path for path in (source.network, source.config)}
    return {**provenance(source.name, files), **{key: value for key, value in told.items() if value}}


def _checked(whole: bytes, manifest: PiperManifest, folder: Path, progress: Progress) -> dict[str, float]:
    """Speak with the bundle; return the figures for the manifest."""
    check = check_piper(whole, manifest, BundleEngine(folder, manifest))
    progress(
        f"speaks: largest deviation from the original {check.original:.1e}, "
        f"of blocks from the whole {check.blocks:.1e}; "
        f"first sound after {check.first_block_ms:.0f} ms, RTF {check.rtf:.3f} on one core"
    )
    refuse_deviation(check)
    return {
        "fp32_deviation_audio": float(f"{check.original:.2g}"),
        "fp32_deviation_blocks": float(f"{check.blocks:.2g}"),
        "fp32_rtf_at_import": round(check.rtf, 3),
    }
