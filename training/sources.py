"""The voices in a folder or archive that KAN-TTS or ModelScope published, ready to be loaded.

Input   a folder or .zip of any layout that layouts.py knows
Output  `VoiceSource`: files, configurations in one form, symbols, speakers, sample rate
State   none, apart from what layouts.py unpacks into the caller's scratch folder
Not here: networks and their weights (checkpoints.py); of a checkpoint only the rows of its tables are seen
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from torch import Tensor

from training.layouts import Generation, VoiceFiles, find_voice_files, section
from training.nets.config import HifiganConfig, TableSizes
from training.symbol_files import (
    DEFAULT_LANGUAGE,
    VoiceSymbols,
    canonical_language,
    find_symbol_files,
    fit_speakers,
    fit_symbols,
)
from training.untrusted import CheckpointError
from training.weights import read_weights, table_sizes

SAMPLE_RATES = range(4000, 192_001)  # hertz; outside it is a mistake, not a voice
MAX_LANGUAGE_CHARS = 40
_RATE_OF_HOP = {100: 8000, 200: 16000, 240: 24000, 600: 48000}  # spec section 4.1


@dataclass(frozen=True, slots=True)
class VoiceSource:
    """One voice as it lies on disk.

    Attributes:
        name: As published.
        generation: Layout it was found in.
        acoustic_config: `Model.KanTtsSAMBERT.params` and `linguistic_unit`, whatever the layout.
        vocoder_config: `Model.Generator.params`.
        acoustic_checkpoint: File with the acoustic model's state_dict.
        vocoder_checkpoint: File with the generator's.
        sample_rate: Hertz.
        mvn: Mean and standard deviation of F0, if there is such a file.
        speaker_vector: Of an SE voice, if there is such a file.
        language: Code of KAN-TTS's front end (`PinYin`, `English`, `Sichuan`, ...).
        speakers: Name of every speaker id; one, the voice's own, for an SE voice.
        symbols: What the rows of the tables mean.
        files: All that makes the voice, for its provenance.
    """

    name: str
    generation: Generation
    acoustic_config: Mapping[str, Any]
    vocoder_config: Mapping[str, Any]
    acoustic_checkpoint: Path
    vocoder_checkpoint: Path
    sample_rate: int
    mvn: Path | None
    speaker_vector: Path | None
    language: str
    speakers: tuple[str, ...]
    symbols: VoiceSymbols
    files: tuple[Path, ...]


def acoustic_entry(generation: Generation) -> tuple[str, ...]:
    """Keys that lead to the acoustic model's state_dict in its file."""
    return ("fsnet",) if generation == "A" else ("model",)


def vocoder_entry(generation: Generation) -> tuple[str, ...]:
    """Keys that lead to the generator's state_dict in its file."""
    return ("generator",) if generation == "A" else ("model", "generator")


def find_sources(path: Path, scratch: Path) -> tuple[VoiceSource, ...]:
    """Find the voices in a folder or a .zip, the default voice first.

    Args:
        path: The folder or archive.
        scratch: An existing folder to unpack archives in; sources may point into it.

    Raises:
        CheckpointError: There is none, or the files of one are missing, damaged, not allowed or do not fit
            each other.
    """
    return tuple(map(_source, find_voice_files(path, scratch)))


def _source(files: VoiceFiles) -> VoiceSource:
    try:
        return _assembled(files)
    except CheckpointError as error:
        raise CheckpointError(f"voice {files.name}: {error}") from error


def _assembled(files: VoiceFiles) -> VoiceSource:
    acoustic, vocoder = _acoustic_config(files), _vocoder_config(files)
    has_vector = bool(acoustic["Model"]["KanTtsSAMBERT"]["params"].get("SE"))
    if has_vector and files.speaker_vector is None:
        raise CheckpointError(f"SE is on, but there is no se.npy beside {files.acoustic_checkpoint}")
    weights = read_weights(files.acoustic_checkpoint, acoustic_entry(files.generation))
    tables = _table_sizes(weights, files.acoustic_checkpoint, has_speakers=not has_vector)
    units = acoustic["linguistic_unit"]
    language = _language(units.get("language") or files.language or DEFAULT_LANGUAGE)
    symbol_files = find_symbol_files(files.root, files.symbol_folders, language)
    symbols = fit_symbols(tables, symbol_files, language, _stated_mask(units.get("has_mask"), files.has_mask))
    names = _listed_speakers(units) or symbol_files.speakers or ()
    kept = (files.mvn, files.speaker_vector if has_vector else None)
    checkpoints = (files.acoustic_checkpoint, files.vocoder_checkpoint)
    return VoiceSource(
        name=files.name,
        generation=files.generation,
        acoustic_config=acoustic,
        vocoder_config=vocoder,
        acoustic_checkpoint=files.acoustic_checkpoint,
        vocoder_checkpoint=files.vocoder_checkpoint,
        sample_rate=_sample_rate(files, vocoder["Model"]["Generator"]["params"]),
        mvn=kept[0],
        speaker_vector=kept[1],
        language=language,
        speakers=(files.name,) if has_vector else fit_speakers(names, tables.speaker, symbols.has_mask),
        symbols=symbols,
        files=(*files.configs, *checkpoints, *filter(None, kept), *symbol_files.files),
    )


def _table_sizes(weights: Mapping[str, Tensor], checkpoint: Path, *, has_speakers: bool) -> TableSizes:
    try:
        return table_sizes(weights, has_speakers=has_speakers)
    except CheckpointError as error:
        raise CheckpointError(f"{checkpoint}: {error}") from error


def _acoustic_config(files: VoiceFiles) -> dict[str, Any]:
    params = _params(files.acoustic_config, "KanTtsSAMBERT")
    units = section(files.acoustic_config, "linguistic_unit")
    return {"Model": {"KanTtsSAMBERT": {"params": params}}, "linguistic_unit": units}


def _vocoder_config(files: VoiceFiles) -> dict[str, Any]:
    return {"Model": {"Generator": {"params": _params(files.vocoder_config, "Generator")}}}


def _params(document: Mapping[str, Any], model: str) -> Mapping[str, Any]:
    inner = section(section(document, "Model"), model)
    if not isinstance(inner.get("params"), Mapping):
        raise CheckpointError(f"the configuration has no Model.{model}.params")
    return section(inner, "params")


def _language(stated: object) -> str:
    if not isinstance(stated, str) or len(stated) > MAX_LANGUAGE_CHARS or not stated.isprintable():
        raise CheckpointError(
            f"linguistic_unit.language is {str(stated)[:MAX_LANGUAGE_CHARS]!r}, expected a name"
        )
    return canonical_language(stated)


def _stated_mask(*statements: object) -> bool | None:
    """One `false` is enough: the original takes the row away for either."""
    stated = [statement for statement in statements if isinstance(statement, bool)]
    return all(stated) if stated else None


def _listed_speakers(units: Mapping[str, Any]) -> tuple[str, ...]:
    listed = units.get("speaker_list") or ""
    names = listed.split(",") if isinstance(listed, str) else listed
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise CheckpointError(f"linguistic_unit.speaker_list is {listed!r}, expected names and commas")
    return tuple(filter(None, (name.strip() for name in names)))


def _sample_rate(files: VoiceFiles, generator: Mapping[str, Any]) -> int:
    """Of the audio configuration, of the NSF source, or by the hop that the upsampling makes."""
    scales = generator.get("upsample_scales", HifiganConfig().upsample_scales)
    if not isinstance(scales, (list, tuple)) or not all(isinstance(scale, int) for scale in scales):
        raise CheckpointError(f"upsample_scales is {scales!r}, expected a list of whole numbers")
    hop, stated_hop = prod(scales), files.audio_config.get("hop_length")
    if stated_hop not in (None, hop):
        raise CheckpointError(f"hop_length is {stated_hop!r}, but upsample_scales make {hop}")
    rate = files.audio_config.get("sampling_rate") or section(generator, "nsf_params").get("sampling_rate")
    rate = rate or _RATE_OF_HOP.get(hop)
    if not isinstance(rate, int) or rate not in SAMPLE_RATES:
        allowed = f"{SAMPLE_RATES[0]} to {SAMPLE_RATES[-1]}"
        raise CheckpointError(f"the sample rate is {rate!r}, expected {allowed} Hz; the hop is {hop} samples")
    return rate
