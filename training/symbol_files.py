"""The symbols a checkpoint was trained with: read from the files beside it, held against its tables.

Input   folders that may hold PhoneSet.xml + tonelist.txt or *_dict.txt, rows of the embedding tables
Output  `VoiceSymbols`, speaker names
State   none
Not here: pronunciation (streaming/text/), weights

An id is a row of a table, so a list that does not have the table's length cannot be the list the voice was
trained with: it would speak, but other sounds. Such a list is an error, never a guess. Spec section 3.1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from streaming.text.symbols import (
    BREAKS,
    EMOTIONS,
    PINYIN_PHONES,
    PINYIN_TONES,
    SYLLABLE_FLAGS,
    WORD_SEGMENTS,
)
from training.nets.config import TableSizes
from training.untrusted import CheckpointError, inside, read_text, read_xml

DEFAULT_LANGUAGE = "PinYin"
N_BYTES = 256
SPECIALS = ("_", "~", "@[MASK]", "[MASK]")  # pad, end, mask; dict files may or may not list them
EMOTION_PREFIX = "emotion_"
MAX_NAME_CHARS = 100  # of a phone, a speaker, an emotion
MAX_LISTED = 12  # names in a message

# The codes of KAN-TTS's front end, by every spelling met in configurations and folder names.
_LANGUAGES = {
    "pinyin": "PinYin",
    "english": "English",
    "enus": "English",
    "british": "British",
    "engb": "British",
    "sichuan": "Sichuan",
    "zhhk": "ZhHK",
    "wuushanghai": "WuuShangHai",
    "korean": "Korean",
    "russian": "Russian",
}


@dataclass(frozen=True, slots=True)
class VoiceSymbols:
    """What the rows of a voice's tables mean.

    Attributes:
        inventory: `pinyin-v1`: exactly the built-in tables, with mask rows. `own`: the lists below. `bytes`:
            UTF-8 bytes. `unknown`: no list came with the checkpoint and the built-in ones do not fit.
        phones: In id order, without the breaks #1 to #4, which follow; None for `bytes` and `unknown`.
        tones: In id order; None likewise.
        has_mask: Whether every table ends in a mask row.
        emotions: In id order, without the prefix `emotion_`.
    """

    inventory: Literal["pinyin-v1", "own", "bytes", "unknown"]
    phones: tuple[str, ...] | None
    tones: tuple[str, ...] | None
    has_mask: bool
    emotions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SymbolLists:
    """Phones and tones as one pair of files has them; `phones` without the breaks."""

    phones: tuple[str, ...]
    tones: tuple[str, ...]
    files: tuple[Path, ...] = ()

    @property
    def origin(self) -> str:
        """The files, for messages."""
        return " and ".join(map(str, self.files)) or "the built-in PinYin inventory"


PINYIN = SymbolLists(PINYIN_PHONES, PINYIN_TONES)


@dataclass(frozen=True, slots=True)
class SymbolFiles:
    """Everything about symbols that was found beside a checkpoint.

    Attributes:
        candidates: Pairs of lists, the most authoritative first.
        emotions: Of emo_category_dict.txt, without the prefix; None if there is none.
        speakers: Of speaker_dict.txt; None if there is none.
        files: All of them.
    """

    candidates: tuple[SymbolLists, ...]
    emotions: tuple[str, ...] | None
    speakers: tuple[str, ...] | None
    files: tuple[Path, ...]


def canonical_language(language: str) -> str:
    """Return KAN-TTS's code of a language; one that is not known stays as it is."""
    return _LANGUAGES.get(language.strip().lower(), language.strip() or DEFAULT_LANGUAGE)


def read_phone_set(path: Path) -> tuple[str, ...]:
    """Read the phone names of a PhoneSet.xml, in file order.

    Raises:
        CheckpointError: The file cannot be read, or a phone is nameless or comes twice.
    """
    names = [(node.findtext("{*}name") or "").strip() for node in read_xml(path).findall("{*}phone")]
    if not names or "" in names:
        raise CheckpointError(f"{path} has no phones, or one without a name")
    return _distinct(names, path)


def read_tone_list(path: Path) -> tuple[str, ...]:
    """Read a tonelist.txt: a tone a line, an empty line for `tone_none`, order is id.

    Raises:
        CheckpointError: The file cannot be read, or a tone comes twice.
    """
    return _distinct([_tone(line) for line in _lines(path)], path)


def read_dict(path: Path) -> tuple[str, ...]:
    """Read a *_dict.txt: a symbol a line; the prefix `@` of phones and the special symbols are dropped.

    Raises:
        CheckpointError: The file cannot be read, has an empty line between symbols, or one comes twice.
    """
    symbols = _without_specials(_lines(path))
    if not symbols or "" in symbols:
        raise CheckpointError(f"{path} has no symbols, or an empty line between them")
    return _distinct([symbol.removeprefix("@") for symbol in symbols], path)


def read_tone_dict(path: Path) -> tuple[str, ...]:
    """Read a tone_dict.txt, whose lines are spelled out (`tone1`) or as in a tonelist.txt (`1`).

    Raises:
        CheckpointError: The file cannot be read, or a tone comes twice.
    """
    return _distinct([_tone(line) for line in _without_specials(_lines(path))], path)


def find_symbol_files(root: Path, folders: Iterable[Path], language: str) -> SymbolFiles:
    """Read the symbol files in `folders` and in their sub-folder for the language.

    Args:
        root: No file may lie outside, links followed.
        folders: Best first; they need not exist.
        language: As `canonical_language` returns it.

    Raises:
        CheckpointError: A file cannot be read or contradicts what all voices have in common.
    """
    folders = [inside(root, folder) for folder in folders if folder.is_dir()]
    places = [place for folder in folders for place in _places(folder, language)]
    dicts: dict[str, Path] = {}
    for place in places:
        for path in sorted(place.glob("*_dict.txt")):
            dicts.setdefault(path.name, inside(root, path))
    candidates = [_phone_set_lists(root, place) for place in places]
    candidates.append(_dict_lists(dicts))
    _check_common(dicts, "syllable_flag_dict.txt", SYLLABLE_FLAGS)
    _check_common(dicts, "word_segment_dict.txt", WORD_SEGMENTS)
    emotions = read_dict(dicts["emo_category_dict.txt"]) if "emo_category_dict.txt" in dicts else None
    found = tuple(lists for lists in candidates if lists)
    return SymbolFiles(
        candidates=found,
        emotions=emotions and tuple(name.removeprefix(EMOTION_PREFIX) for name in emotions),
        speakers=read_dict(dicts["speaker_dict.txt"]) if "speaker_dict.txt" in dicts else None,
        files=tuple(dict.fromkeys([*(path for lists in found for path in lists.files), *dicts.values()])),
    )


def fit_symbols(
    tables: TableSizes, files: SymbolFiles, language: str, stated_mask: bool | None
) -> VoiceSymbols:
    """Match the lists with the rows of the tables.

    Args:
        tables: Rows as the checkpoint has them.
        files: What came with the checkpoint.
        language: The built-in inventory is for PinYin only.
        stated_mask: What the configuration says of mask rows; None if nothing.

    Raises:
        CheckpointError: A list is not as long as its table needs, or tables and configuration disagree on the
            mask row. Names the table, its rows and the length of the list.
    """
    emotions = files.emotions or tuple(name.removeprefix(EMOTION_PREFIX) for name in EMOTIONS)
    masks = _common_masks(tables, len(emotions))
    has_mask = _agreed(masks, stated_mask)
    if tables.byte_index is not None:
        return VoiceSymbols("bytes", None, None, has_mask, emotions)
    lists = _fitting(tables, files.candidates, language, has_mask)
    if lists is None:
        return VoiceSymbols("unknown", None, None, has_mask, emotions)
    _agreed(masks | _list_masks(tables, lists), stated_mask)
    built_in = has_mask and (lists.phones, lists.tones) == (PINYIN.phones, PINYIN.tones)
    return VoiceSymbols("pinyin-v1" if built_in else "own", lists.phones, lists.tones, has_mask, emotions)


def fit_speakers(names: Sequence[str], n_rows: int, has_mask: bool) -> tuple[str, ...]:
    """Name every row of the speaker table but the special ones; a row without a name is `speaker_<id>`.

    Raises:
        CheckpointError: There are more names than rows, or no row at all; or a name comes twice or cannot
            be shown.
    """
    n_speakers = n_rows - 2 - has_mask
    names = _distinct(names, "the speaker list")
    if n_speakers < max(1, len(names)):
        raise CheckpointError(
            f"table speaker has {n_rows} rows, enough for {max(0, n_speakers)} speakers;"
            f" {len(names)} are listed: {_listed(names)}"
        )
    rest = (f"speaker_{index}" for index in range(len(names), n_speakers))
    return _distinct([*names, *rest], "the speaker list")


def _common_masks(tables: TableSizes, n_emotions: int) -> dict[str, bool]:
    """Mask rows of the tables whose symbols are the same in all voices, and of the emotions."""
    masks = {"emotion": _mask("emotion", tables.emotion, n_emotions, "the emotion list")}
    if tables.byte_index is not None:
        return masks | {"byte_index": _mask("byte_index", tables.byte_index, N_BYTES, "the list of bytes")}
    n_flags, n_segments = len(SYLLABLE_FLAGS), len(WORD_SEGMENTS)
    masks["syllable_flag"] = _mask("syllable_flag", tables.syllable_flag, n_flags, "the list of flags")
    masks["word_segment"] = _mask("word_segment", tables.word_segment, n_segments, "the list of segments")
    return masks


def _fitting(
    tables: TableSizes, candidates: Sequence[SymbolLists], language: str, has_mask: bool
) -> SymbolLists | None:
    """The first candidate that fits, else the first; if there is none, the built-in lists if they fit."""
    for lists in candidates:
        if _fits(tables, lists, has_mask):
            return lists
    if candidates:
        return candidates[0]
    return PINYIN if language == DEFAULT_LANGUAGE and _fits(tables, PINYIN, has_mask) else None


def _fits(tables: TableSizes, lists: SymbolLists, has_mask: bool) -> bool:
    try:
        return set(_list_masks(tables, lists).values()) == {has_mask}
    except CheckpointError:
        return False


def _list_masks(tables: TableSizes, lists: SymbolLists) -> dict[str, bool]:
    return {
        "sy": _mask("sy", tables.sy, len(lists.phones) + len(BREAKS), lists.origin),
        "tone": _mask("tone", tables.tone, len(lists.tones), lists.origin),
    }


def _mask(table: str, n_rows: int, n_symbols: int, origin: str) -> bool:
    """Whether a table has a mask row after its symbols, pad and end."""
    if n_rows - n_symbols - 2 not in (0, 1):
        breaks = " (with #1 to #4)" if table == "sy" else ""
        raise CheckpointError(
            f"table {table} has {n_rows} rows; {origin} has {n_symbols} symbols{breaks},"
            f" which need {n_symbols + 2} or {n_symbols + 3}"
        )
    return n_rows == n_symbols + 3


def _agreed(masks: Mapping[str, bool], stated: bool | None) -> bool:
    having, lacking = ([name for name, has in masks.items() if has is wanted] for wanted in (True, False))
    if having and lacking:
        raise CheckpointError(
            f"tables disagree on the mask row: {', '.join(having)} have it, {', '.join(lacking)} do not"
        )
    if stated is not None and stated != bool(having):
        raise CheckpointError(
            f"has_mask is {str(stated).lower()} in the configuration, but the tables"
            f" {'have' if having else 'lack'} the mask row"
        )
    return bool(having)


def _places(folder: Path, language: str) -> list[Path]:
    """Sub-folders for the language, or the only ones with a phone set; then the folder itself."""
    with_phones = sorted(path.parent for path in folder.glob("*/PhoneSet.xml"))
    matching = [place for place in with_phones if canonical_language(place.name) == language]
    return [*(matching or (with_phones if len(with_phones) == 1 else [])), folder]


def _phone_set_lists(root: Path, place: Path) -> SymbolLists | None:
    phones, tones = place / "PhoneSet.xml", place / "tonelist.txt"
    if not (phones.exists() and tones.exists()):
        return None
    files = (inside(root, phones), inside(root, tones))
    return SymbolLists(read_phone_set(phones), read_tone_list(tones), files)


def _dict_lists(dicts: Mapping[str, Path]) -> SymbolLists | None:
    if not {"sy_dict.txt", "tone_dict.txt"} <= dicts.keys():
        return None
    phones, tones = dicts["sy_dict.txt"], dicts["tone_dict.txt"]
    return SymbolLists(_without_breaks(read_dict(phones), phones), read_tone_dict(tones), (phones, tones))


def _without_breaks(symbols: tuple[str, ...], path: Path) -> tuple[str, ...]:
    """Cut the breaks off the end of the phones: their ids follow the last phone's."""
    listed = tuple(symbol for symbol in symbols if symbol in BREAKS)
    if listed and symbols[-len(BREAKS) :] != BREAKS:
        raise CheckpointError(f"{path} lists {_listed(listed)}; #1 to #4 must come last and in order")
    return symbols[: len(symbols) - len(listed)]


def _check_common(dicts: Mapping[str, Path], name: str, expected: tuple[str, ...]) -> None:
    if name in dicts and (found := read_dict(dicts[name])) != expected:
        raise CheckpointError(f"{dicts[name]} lists {_listed(found)}; expected {', '.join(expected)}")


def _without_specials(lines: Sequence[str]) -> list[str]:
    """Strip all lines; drop special symbols and empty lines at the end."""
    symbols = [line.strip() for line in lines]
    while symbols and (not symbols[-1] or symbols[-1] in SPECIALS):
        symbols.pop()
    return symbols


def _tone(line: str) -> str:
    name = line.strip().removeprefix("tone").lstrip("_")
    return f"tone{name}" if name and name != "none" else "tone_none"


def _lines(path: Path) -> list[str]:
    """Lines of a text; only the last line's end may be missing, so that an empty last line still counts."""
    return read_text(path).removesuffix("\n").split("\n")


def _distinct(names: Sequence[str], origin: Path | str) -> tuple[str, ...]:
    """Return the names if each can be shown in one line and none comes twice."""
    for name in names:
        if len(name) > MAX_NAME_CHARS or not name.isprintable():
            raise CheckpointError(
                f"{origin} lists {name[:MAX_NAME_CHARS]!r}; a name is at most {MAX_NAME_CHARS} characters "
                f"long and has no control characters"
            )
    doubles = sorted(name for name, count in Counter(names).items() if count > 1)
    if doubles:
        raise CheckpointError(f"{origin} lists {_listed(doubles)} more than once")
    return tuple(names)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MAX_LISTED
    return ", ".join([*names[:MAX_LISTED], *([f"and {more} more"] if more > 0 else [])])
