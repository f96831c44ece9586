"""Find the files of the voices in whatever KAN-TTS and ModelScope have published.

Input   a model folder, a voice folder, a folder of a fine-tune, or a .zip of one of them
Output  `VoiceFiles`: which files make a voice, its configurations in one form
State   unpacked archives, in a scratch folder of the caller's
Not here: tensors; whether the files fit each other (sources.py)

    generation  acoustic model             vocoder                     configuration
    A           am/pytorch_model.bin       vocoder/pytorch_model.bin   configuration.json of the model folder
    B, C        am/ckpt/checkpoint_N.pth   voc/ckpt/checkpoint_N.pth   config.yaml in am/ and voc/
    bare        as B, or sambert/          as B, or hifigan/           the same; no audio_config.yaml
    custom      named by `custom_ckpt` in configuration.json

A model folder lists its voices in voices.json (voices/ may be packed as voices.zip); the first is the
default. Files must lie inside the folder that was given, links followed; only `custom_ckpt`, which its user
writes, may name others. resource/ belongs to the closed front end and may be missing. Spec section 5.
"""

from __future__ import annotations

import logging
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from training.archives import unpack_zip
from training.first_generation import acoustic_document, vocoder_document
from training.untrusted import CheckpointError, inside, read_json, read_yaml, require_file

logger = logging.getLogger(__name__)

Generation = Literal["A", "B", "C", "bare", "custom"]

MAX_DEPTH = 2  # folders between the one that is given and a voice: a zip's top folder, then basemodel_16k

_ACOUSTIC_FOLDERS = ("am", "sambert")
_VOCODER_FOLDERS = ("voc", "hifigan", "vocoder")
_FIRST_GENERATION_FILE = "pytorch_model.bin"
_CUSTOM_KEYS = ("voice_name", "am_ckpt", "voc_ckpt", "am_config", "voc_config")
_STEP = re.compile(r"_(\d+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceFiles:
    """The files of one voice and what its configurations say.

    Attributes:
        name: As published.
        generation: Layout it was found in.
        root: Folder that no symbol file may lie outside.
        acoustic_config: The acoustic `config.yaml`, whatever the layout.
        vocoder_config: The vocoder's.
        acoustic_checkpoint: File with the acoustic model's state_dict.
        vocoder_checkpoint: File with the generator's.
        audio_config: The section of that name; empty if there is none.
        mvn: Mean and standard deviation of F0, if there is such a file.
        speaker_vector: Of an SE voice, if there is such a file.
        symbol_folders: Where symbol files may lie, best first; they need not exist.
        language: Of configuration.json; "" if it says nothing.
        has_mask: Of configuration.json; None if it says nothing.
        configs: The configuration files that were read.
    """

    name: str
    generation: Generation
    root: Path
    acoustic_config: Mapping[str, Any]
    vocoder_config: Mapping[str, Any]
    acoustic_checkpoint: Path
    vocoder_checkpoint: Path
    audio_config: Mapping[str, Any]
    mvn: Path | None
    speaker_vector: Path | None
    symbol_folders: tuple[Path, ...]
    language: str
    has_mask: bool | None
    configs: tuple[Path, ...]


def is_model_folder(path: Path) -> bool:
    """Whether a folder has at its top what the layouts below consist of; nothing is read."""
    listings = (path / "voices" / "voices.json", path / "voices.zip")
    return any(listing.is_file() for listing in listings) or _looks_like_voice(path)


def find_voice_files(path: Path, scratch: Path) -> tuple[VoiceFiles, ...]:
    """Find the voices in a folder or a .zip, the default voice first.

    Args:
        path: The folder or archive.
        scratch: An existing folder to unpack archives in; the result may point into it.

    Raises:
        CheckpointError: There is none, or a file of one is missing, damaged or not allowed.
    """
    tree = _Tree(path, scratch, is_users_own=True) if path.is_dir() else _unpacked(path, scratch)
    voices = _voices_in(tree, tree.root, MAX_DEPTH)
    if not voices:
        raise CheckpointError(
            f"no voice in {path}: expected voices/voices.json, am/ and voc/ (or vocoder/), sambert/ and"
            " hifigan/, or custom_ckpt in configuration.json"
        )
    return voices


def latest_checkpoint(folder: Path) -> Path:
    """The `checkpoint*_<n>.pth` of the highest n in `folder`, else its only .pth.

    Raises:
        CheckpointError: There is none, or there are several without a number.
    """
    found = [
        (int(match[1]), path) for path in folder.glob("checkpoint*.pth") if (match := _STEP.search(path.stem))
    ]
    if found:
        return max(found)[1]
    others = sorted(folder.glob("*.pth"))
    if len(others) != 1:
        names = ", ".join(path.name for path in others) or "none"
        raise CheckpointError(f"no checkpoint_<n>.pth in {folder}; other .pth files there: {names}")
    return others[0]


def section(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the mapping under a key; an empty one if it is missing or something else."""
    value = document.get(name)
    return value if isinstance(value, Mapping) else {}


@dataclass(frozen=True, slots=True)
class _Tree:
    """Where files may lie.

    Attributes:
        root: The folder that was given, or what was unpacked.
        scratch: For archives inside it.
        is_users_own: False if it came out of an archive: then custom_ckpt may not name files elsewhere.
    """

    root: Path
    scratch: Path
    is_users_own: bool

    def file(self, *candidates: Path) -> Path | None:
        """The first of the candidates that exists; it must be a regular file inside."""
        for path in candidates:
            if path.exists():
                return require_file(inside(self.root, path))
        return None

    def needed(self, path: Path) -> Path:
        """A file that must exist."""
        return require_file(inside(self.root, path))

    def checkpoint(self, folder: Path) -> Path:
        """The latest checkpoint of a folder with ckpt/, or with the files themselves."""
        place = folder / "ckpt" if (folder / "ckpt").is_dir() else folder
        return self.needed(latest_checkpoint(inside(self.root, place)))


@dataclass(frozen=True, slots=True)
class _Card:
    """What the configuration.json of a model folder says; nothing if there is none."""

    folder: Path
    model: Mapping[str, Any]
    custom: Mapping[str, Any]
    files: tuple[Path, ...]

    @property
    def language(self) -> str:
        return str(self.model.get("lang_type", ""))

    @property
    def has_mask(self) -> bool | None:
        acoustic = section(self.model, "am")
        units = section(acoustic, "linguistic_unit") or section(section(acoustic, "am"), "linguistic_unit")
        stated = units.get("has_mask")
        return stated if isinstance(stated, bool) else None

    @property
    def sample_rate(self) -> Mapping[str, Any]:
        """As an audio_config.yaml would say it."""
        vocoder = section(self.model, "vocoder")
        rate = vocoder.get("sampling_rate", self.model.get("sample_rate"))
        return {} if rate is None else {"sampling_rate": rate}


def _voices_in(tree: _Tree, folder: Path, depth: int) -> tuple[VoiceFiles, ...]:
    card = _read_card(tree, folder)
    if card.custom:
        return (_custom_voice(tree, card),)
    card = card if card.files else _card_above(folder)
    if listing := tree.file(folder / "voices" / "voices.json", folder / "voices.json"):
        return _listed_voices(tree, listing, card)
    if packed := tree.file(folder / "voices.zip"):
        inner = _unpacked(packed, tree.scratch)
        return _listed_voices(inner, inner.needed(inner.root / "voices" / "voices.json"), card)
    if _looks_like_voice(folder):
        return (_voice(tree, folder, card),)
    if depth == 0:
        return ()
    children = sorted(child for child in folder.iterdir() if child.is_dir() and not child.is_symlink())
    return tuple(voice for child in children for voice in _voices_in(tree, child, depth - 1))


def _unpacked(archive: Path, scratch: Path) -> _Tree:
    # A voice that lies at the top of the archive is called like the archive.
    target = Path(tempfile.mkdtemp(dir=scratch)) / (re.sub(r"[^\w-]", "_", archive.stem) or "voice")
    target.mkdir()
    unpack_zip(archive, target)
    return _Tree(target, scratch, is_users_own=False)


def _read_card(tree: _Tree, folder: Path) -> _Card:
    file = tree.file(folder / "configuration.json")
    document: Mapping[str, Any] = read_json(file) if file else {}
    model = section(document, "model")
    custom = section(model, "custom_ckpt") or section(document, "custom_ckpt")
    return _Card(folder, model, custom, (file,) if file else ())


def _card_above(folder: Path) -> _Card:
    """The card of the model folder, for its `voices/` or one voice in there given by itself."""
    for voices in (folder.resolve(), folder.resolve().parent):
        if voices.name == "voices":
            return _read_card(_Tree(voices.parent, voices, is_users_own=True), voices.parent)
    return _Card(folder, {}, {}, ())


def _listed_voices(tree: _Tree, listing: Path, card: _Card) -> tuple[VoiceFiles, ...]:
    names = read_json(listing).get("voices")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise CheckpointError(f"{listing}: voices is {names!r}, expected a list of names")
    card = _Card(card.folder, card.model, card.custom, (*card.files, listing))
    voices = []
    for name in dict.fromkeys(names):
        if name in ("", ".", "..") or any(mark in name for mark in "/\\\0"):
            raise CheckpointError(f"{listing} names the voice {name!r}, expected a folder beside it")
        if (listing.parent / name).is_dir():
            voices.append(_voice(tree, listing.parent / name, card))
        else:
            logger.warning("%s names %s, but there is no such folder", listing, name)
    return tuple(voices)


def _looks_like_voice(folder: Path) -> bool:
    return any((folder / name).is_dir() for name in (*_ACOUSTIC_FOLDERS, *_VOCODER_FOLDERS))


def _part(folder: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (folder / name).is_dir():
            return folder / name
    raise CheckpointError(f"{folder} has no folder {' or '.join(names)}")


def _voice(tree: _Tree, folder: Path, card: _Card) -> VoiceFiles:
    acoustic, vocoder = _part(folder, _ACOUSTIC_FOLDERS), _part(folder, _VOCODER_FOLDERS)
    if (acoustic / _FIRST_GENERATION_FILE).exists():
        return _first_generation_voice(tree, folder, card)
    configs = (tree.needed(acoustic / "config.yaml"), tree.needed(vocoder / "config.yaml"))
    acoustic_config, vocoder_config = map(read_yaml, configs)
    audio = tree.file(folder / "audio_config.yaml")
    mvn = tree.file(acoustic / "mvn.npy", folder / "mvn.npy")
    vector = tree.file(acoustic / "se.npy", folder / "se.npy")
    is_recent = mvn or vector or "language" in section(acoustic_config, "linguistic_unit")
    return VoiceFiles(
        name=folder.name or folder.resolve().name,
        generation="bare" if audio is None else "C" if is_recent else "B",
        root=tree.root,
        acoustic_config=acoustic_config,
        vocoder_config=vocoder_config,
        acoustic_checkpoint=tree.checkpoint(acoustic),
        vocoder_checkpoint=tree.checkpoint(vocoder),
        audio_config=section(read_yaml(audio) if audio else acoustic_config, "audio_config"),
        mvn=mvn,
        speaker_vector=vector,
        symbol_folders=_symbol_folders(tree, folder, card),
        language=card.language,
        has_mask=card.has_mask,
        configs=(*card.files, *configs, *((audio,) if audio else ())),
    )


def _first_generation_voice(tree: _Tree, folder: Path, card: _Card) -> VoiceFiles:
    vocoder = _part(folder, ("vocoder", "voc"))
    return VoiceFiles(
        name=folder.name or folder.resolve().name,
        generation="A",
        root=tree.root,
        acoustic_config=acoustic_document(section(card.model, "am")),
        vocoder_config=vocoder_document(section(card.model, "vocoder")),
        acoustic_checkpoint=tree.needed(folder / "am" / _FIRST_GENERATION_FILE),
        vocoder_checkpoint=tree.needed(vocoder / _FIRST_GENERATION_FILE),
        audio_config=card.sample_rate,
        mvn=None,
        speaker_vector=None,
        symbol_folders=_symbol_folders(tree, folder, card),
        language=card.language,
        has_mask=card.has_mask,
        configs=card.files,
    )


def _symbol_folders(tree: _Tree, folder: Path, card: _Card) -> tuple[Path, ...]:
    resource = card.folder / "resource"
    is_ours = resource.resolve().is_relative_to(tree.root.resolve())
    return (folder / "dict", folder / "dicts", folder, *((resource,) if is_ours else ()))


def _custom_voice(tree: _Tree, card: _Card) -> VoiceFiles:
    if lacking := [key for key in _CUSTOM_KEYS if not isinstance(card.custom.get(key), str)]:
        raise CheckpointError(f"custom_ckpt in {card.files[0]} lacks {', '.join(lacking)}")
    configs = (_named(tree, card, "am_config"), _named(tree, card, "voc_config"))
    acoustic_config, vocoder_config = map(read_yaml, configs)
    audio = _named_or_default(tree, card, "audio_config", "audio_config.yaml")
    return VoiceFiles(
        name=card.custom["voice_name"],
        generation="custom",
        root=tree.root,
        acoustic_config=acoustic_config,
        vocoder_config=vocoder_config,
        acoustic_checkpoint=_named(tree, card, "am_ckpt"),
        vocoder_checkpoint=_named(tree, card, "voc_ckpt"),
        audio_config=section(read_yaml(audio) if audio else acoustic_config, "audio_config"),
        mvn=_named_or_default(tree, card, "mvn_file", "mvn.npy"),
        speaker_vector=_named_or_default(tree, card, "se_file", "se.npy"),
        symbol_folders=_symbol_folders(tree, card.folder, card),
        language=card.language,
        has_mask=card.has_mask,
        configs=(*card.files, *configs, *((audio,) if audio else ())),
    )


def _named(tree: _Tree, card: _Card, key: str) -> Path:
    """The file that custom_ckpt names; of a folder its latest checkpoint."""
    if "\0" in card.custom[key]:
        raise CheckpointError(f"{key} is {card.custom[key]!r}, which is no path")
    given = Path(card.custom[key])
    if given.is_absolute() and not tree.is_users_own:
        raise CheckpointError(f"{key} is {given}: a custom_ckpt in an archive may name only files in it")
    path = card.folder / given
    if not given.is_absolute():
        inside(tree.root, path)
    if path.is_dir() and key.endswith("_ckpt"):
        path = latest_checkpoint(path)
    return require_file(path) if given.is_absolute() else tree.needed(path)


def _named_or_default(tree: _Tree, card: _Card, key: str, default: str) -> Path | None:
    if isinstance(card.custom.get(key), str):
        return _named(tree, card, key)
    return tree.file(card.folder / default)
