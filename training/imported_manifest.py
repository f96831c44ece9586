"""What an imported checkpoint becomes in `voice.yaml`.

Input   a `VoiceSource`, its loaded networks, the user's choices
Output  a `SambertManifest` without files
State   none
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from streaming.manifest import MAX_NAME_LENGTH
from streaming.sambert_manifest import F0Rows, SambertManifest, SymbolLists, VocoderSizes
from streaming.text.symbols import SymbolTables
from streaming.voice import file_sha256
from training.checkpoints import AcousticModel
from training.graphs import acoustic_sizes, block_ramp
from training.nets.filled_pauses import EARLY_ORDER, PRESENT_ORDER, FilledPauses
from training.nets.hifigan import Generator
from training.nets.streaming_vocoder import StreamingVocoder
from training.self_check import Original
from training.sources import VoiceSource
from training.untrusted import CheckpointError

Progress = Callable[[str], None]
"""Told one line per step of an import."""

FilledPauseOrder = Literal["present", "early", "off"]

UNKNOWN_LICENCE = "unknown; ask whoever published the checkpoint"
ENGLISH_PHONES = frozenset({"ay", "hh", "iy", "th", "zh"})  # an inventory that has these reads English words
# KAN-TTS's codes of languages to language tags.
LANGUAGE_TAGS: Mapping[str, str] = {
    "PinYin": "zh-CN",
    "English": "en-US",
    "British": "en-GB",
    "Sichuan": "zh-CN-sichuan",
    "ZhHK": "yue-HK",
    "WuuShangHai": "wuu-CN",
    "Korean": "ko-KR",
    "Russian": "ru-RU",
}


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """The user's choices.

    Attributes:
        name: Name of the bundle; "" derives it from the checkpoint's.
        precisions: Alternatives to write; `fp32` is always among them.
        licence: Of the weights.
        language: Tag of the language, where the checkpoint does not say it right; "" believes the checkpoint.
        emotions: Names to offer; none offers every row of the table that has a name.
        filled_pauses: What the classes of an FP model say; `off` leaves pauses out.
    """

    name: str = ""
    precisions: tuple[str, ...] = ("fp32",)
    licence: str = UNKNOWN_LICENCE
    language: str = ""
    emotions: tuple[str, ...] = ()
    filled_pauses: FilledPauseOrder = "present"


def bundle_name(published: str) -> str:
    """Return a legal bundle name like the published one: `Zhitian emo` becomes `zhitian-emo`.

    Raises:
        CheckpointError: Nothing legal is left.
    """
    name = re.sub(r"[^a-z0-9_-]+", "-", published.lower()).strip("-_")[:MAX_NAME_LENGTH]
    if not name:
        raise CheckpointError(f"no name for the voice can be made of {published!r}; give one with --name")
    return name


def imported_manifest(
    name: str, source: VoiceSource, original: Original, options: ImportOptions
) -> SambertManifest:
    """Describe an imported voice; networks, checksums and measurements are added after the export.

    Raises:
        CheckpointError: Acoustic model, vocoder and options do not fit each other.
    """
    acoustic, generator = original.acoustic, original.generator
    _refuse_mismatch(source, acoustic, generator)
    config = acoustic.network.config
    vocoder = StreamingVocoder(generator)
    return SambertManifest(
        name=name,
        description=f"Imported from a KAN-TTS checkpoint, layout {source.generation}",
        languages=_languages(source, options),
        sample_rate=source.sample_rate,
        hop_length=generator.config.hop_length,
        n_mels=config.n_mels,
        speakers=source.speakers,
        emotions=_emotions(source, options),
        symbols=_symbols(source),
        acoustic=acoustic_sizes(acoustic.network, inserts_tokens=original.pauses is not None),
        f0=_f0_rows(acoustic),
        vocoder=VocoderSizes(
            kind="nsf" if generator.config.nsf else "plain",
            lookahead_frames=vocoder.lookahead_frames,
            state_size=vocoder.layout.size,
            takes_edges=vocoder.lookahead_frames > 0,
        ),
        block_frames=block_ramp(vocoder.lookahead_frames),
        licence=options.licence,
        provenance=provenance(source.name, {_three_last(path): path for path in source.files}),
    )


def filled_pauses(
    source: VoiceSource, acoustic: AcousticModel, options: ImportOptions
) -> FilledPauses | None:
    """Return the sounds that an FP model inserts, spelled in its own symbols; None where there are none."""
    if not acoustic.network.config.FP or options.filled_pauses == "off":
        return None
    symbols = source.symbols
    if symbols.phones is None or symbols.tones is None:
        raise CheckpointError(
            f"voice {source.name!r} inserts filled pauses, but its symbol lists are missing: "
            f"add its dict/ folder, or import with --filled-pauses off"
        )
    tables = SymbolTables.from_lists(symbols.phones, symbols.tones, has_mask=symbols.has_mask)
    order = PRESENT_ORDER if options.filled_pauses == "present" else EARLY_ORDER
    return FilledPauses.spelled(tables, order)


def _refuse_mismatch(source: VoiceSource, acoustic: AcousticModel, generator: Generator) -> None:
    mel, taken = acoustic.network.config.n_mels, generator.config.in_channels
    if mel != taken:
        raise CheckpointError(f"the acoustic model makes {mel} mel bins, the vocoder takes {taken}")
    if generator.config.nsf and acoustic.f0 is None:
        raise CheckpointError("the vocoder needs F0 (nsf_params), but the acoustic model has none (NSF)")
    if generator.config.nsf and generator.config.nsf.sampling_rate != source.sample_rate:
        raise CheckpointError(
            f"the vocoder's source runs at {generator.config.nsf.sampling_rate} Hz, the voice at "
            f"{source.sample_rate} Hz"
        )


def _languages(source: VoiceSource, options: ImportOptions) -> tuple[str, ...]:
    tag = options.language or LANGUAGE_TAGS.get(source.language, source.language)
    phones = frozenset(source.symbols.phones or ())
    reads_english = tag == "zh-CN" and phones >= ENGLISH_PHONES
    return (tag, "en-US") if reads_english else (tag,)


def _emotions(source: VoiceSource, options: ImportOptions) -> dict[str, int]:
    """Names to ids, the default first: neutral where there is such a row."""
    table = {name: index for index, name in enumerate(source.symbols.emotions)}
    if unknown := [name for name in options.emotions if name not in table]:
        raise CheckpointError(f"no emotion {', '.join(unknown)} in the checkpoint; known: {', '.join(table)}")
    wanted = options.emotions or tuple(sorted(table, key=lambda name: (name != "neutral", table[name])))
    return {name: table[name] for name in wanted}


def _symbols(source: VoiceSource) -> Literal["pinyin-v1", "bytes", "unknown"] | SymbolLists:
    symbols = source.symbols
    if symbols.inventory != "own":
        return symbols.inventory
    assert symbols.phones is not None  # it is what `own` means
    assert symbols.tones is not None
    return SymbolLists(phones=symbols.phones, tones=symbols.tones, has_mask=symbols.has_mask)


def _f0_rows(acoustic: AcousticModel) -> F0Rows | None:
    if acoustic.f0 is None:
        return None
    norm: Literal["global", "mean_std"] = (
        "global" if acoustic.network.config.nsf_norm_type == "global" else "mean_std"
    )
    return F0Rows(norm=norm, offset_hz=acoustic.f0.offset_hz, scale_hz=acoustic.f0.scale_hz)


def provenance(published_as: str, files: Mapping[str, Path]) -> dict[str, str]:
    """Where the weights came from: names of files with digests; paths of this machine stay out."""
    digests = {name: f"sha256:{file_sha256(path)}" for name, path in files.items()}
    return {"importer": f"zhiyin {version('zhiyin')}", "published_as": published_as, **digests}


def _three_last(path: Path) -> str:
    return "/".join(path.parts[-3:])
