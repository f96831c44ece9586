from __future__ import annotations

from pathlib import Path

import pytest

from streaming.text.symbols import BREAKS, PINYIN_PHONES, PINYIN_TONES, SymbolTables
from tests.training.published import SPEAKERS, write_dicts
from training.nets.config import TableSizes
from training.symbol_files import (
    SymbolFiles,
    SymbolLists,
    canonical_language,
    find_symbol_files,
    fit_speakers,
    fit_symbols,
    read_dict,
    read_phone_set,
    read_tone_dict,
    read_tone_list,
)
from training.untrusted import CheckpointError

NAMESPACE = "http://schemas.alibaba-inc.com/tts"
NOTHING = SymbolFiles((), None, None, ())
SICHUAN = SymbolLists(tuple(f"p{n}" for n in range(109)), PINYIN_TONES, (Path("PhoneSet.xml"),))


def write_phone_set(folder: Path, phones: tuple[str, ...], tones: tuple[str, ...] = ("1", "", "4")) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    nodes = "".join(f"<phone><id>{n}</id><name>{name}</name></phone>" for n, name in enumerate(phones))
    text = f'<?xml version="1.0" encoding="utf-8"?>\n<phoneSet xmlns="{NAMESPACE}">{nodes}</phoneSet>\n'
    (folder / "PhoneSet.xml").write_text(text, encoding="utf-8")
    (folder / "tonelist.txt").write_text("".join(f"{tone}\n" for tone in tones), encoding="utf-8")
    return folder


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def found_in(root: Path, language: str = "PinYin") -> SymbolFiles:
    return find_symbol_files(root, (root / "dict", root), language)


def with_lists(*lists: SymbolLists) -> SymbolFiles:
    return SymbolFiles(lists, None, None, ())


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("pinyin", "PinYin"),
        ("", "PinYin"),
        ("EnUS", "English"),
        ("WuuShanghai", "WuuShangHai"),
        ("Thai", "Thai"),
    ],
)
def test_languages_have_one_code(given: str, code: str) -> None:
    assert canonical_language(given) == code


def test_a_phone_set_is_read_in_file_order_with_and_without_namespace(tmp_path: Path) -> None:
    write_phone_set(tmp_path, ("b", "a"))
    assert read_phone_set(tmp_path / "PhoneSet.xml") == ("b", "a")
    path = write(tmp_path / "plain.xml", "<phoneSet><phone><name>x</name></phone></phoneSet>")
    assert read_phone_set(path) == ("x",)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<phoneSet/>", "no phones"),
        ("<phoneSet><phone/></phoneSet>", "without a name"),
        ("<s><phone><name>a</name></phone><phone><name>a</name></phone></s>", "lists a more than once"),
    ],
)
def test_an_unusable_phone_set_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(CheckpointError, match=reason):
        read_phone_set(write(tmp_path / "PhoneSet.xml", text))


@pytest.mark.parametrize(
    ("text", "tones"),
    [
        ("1\n\n4\n", ("tone1", "tone_none", "tone4")),
        ("1\n\n4", ("tone1", "tone_none", "tone4")),
        ("9\n\n", ("tone9", "tone_none")),
        ("1\r\n\r\n", ("tone1", "tone_none")),
    ],
)
def test_an_empty_line_of_a_tone_list_is_no_tone_even_as_the_last(
    tmp_path: Path, text: str, tones: tuple[str, ...]
) -> None:
    path = tmp_path / "tonelist.txt"
    path.write_bytes(text.encode())
    assert read_tone_list(path) == tones


def test_a_tone_that_comes_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="lists tone_none more than once"):
        read_tone_list(write(tmp_path / "tonelist.txt", "1\n\n\n"))


@pytest.mark.parametrize("text", ["a\nb\n", "@a\n@b\n_\n~\n@[MASK]\n", "a\nb\n\n\n", " a\nb \n"])
def test_a_dict_loses_prefixes_and_special_symbols(tmp_path: Path, text: str) -> None:
    assert read_dict(write(tmp_path / "sy_dict.txt", text)) == ("a", "b")


@pytest.mark.parametrize("text", ["", "\n", "a\n\nb\n", "a\na\n"])
def test_an_unusable_dict_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(CheckpointError, match=r"sy_dict\.txt"):
        read_dict(write(tmp_path / "sy_dict.txt", text))


@pytest.mark.parametrize("text", ["tone1\ntone_none\ntone4\n", "1\n\n4\n", "tone1\nnone\ntone4\n_\n~\n"])
def test_a_tone_dict_may_be_spelled_either_way(tmp_path: Path, text: str) -> None:
    assert read_tone_dict(write(tmp_path / "tone_dict.txt", text)) == ("tone1", "tone_none", "tone4")


def test_no_files_are_no_files(tmp_path: Path) -> None:
    assert found_in(tmp_path) == NOTHING


def test_dicts_give_lists_emotions_and_speakers(tmp_path: Path) -> None:
    write_dicts(tmp_path / "dict")
    files = found_in(tmp_path)
    assert files.candidates[0].phones == PINYIN_PHONES
    assert files.candidates[0].tones == PINYIN_TONES
    assert files.speakers == SPEAKERS
    assert files.emotions == SymbolTables().emotions
    assert len(files.files) == 6


def test_breaks_must_end_the_phones(tmp_path: Path) -> None:
    write_dicts(tmp_path, sy="\n".join((*BREAKS, "a")))
    with pytest.raises(CheckpointError, match=r"sy_dict\.txt lists #1, #2, #3, #4; #1 to #4 must come last"):
        found_in(tmp_path)


@pytest.mark.parametrize("name", ["syllable_flag", "word_segment"])
def test_flags_in_another_order_are_refused(tmp_path: Path, name: str) -> None:
    write_dicts(tmp_path, **{name: "s_end\ns_begin"})
    with pytest.raises(CheckpointError, match=rf"{name}_dict\.txt lists s_end, s_begin; expected"):
        found_in(tmp_path)


def test_the_phone_set_of_the_language_comes_before_dicts(tmp_path: Path) -> None:
    write_phone_set(tmp_path / "dict" / "PinYin", ("wrong",))
    write_phone_set(tmp_path / "dict" / "WuuShanghai", ("right",))
    write_dicts(tmp_path / "dict")
    files = found_in(tmp_path, "WuuShangHai")
    assert [lists.phones[0] for lists in files.candidates] == ["right", PINYIN_PHONES[0]]
    assert files.candidates[0].tones == ("tone1", "tone_none", "tone4")


def test_the_only_phone_set_counts_whatever_its_folder_is_called(tmp_path: Path) -> None:
    write_phone_set(tmp_path / "dict" / "lang7", ("a",))
    assert found_in(tmp_path).candidates[0].phones == ("a",)


def test_a_symbol_file_that_leads_outside_is_refused(tmp_path: Path) -> None:
    write_dicts(tmp_path / "elsewhere")
    (tmp_path / "voice").mkdir()
    (tmp_path / "voice" / "dict").symlink_to("../elsewhere")
    with pytest.raises(CheckpointError, match="leads outside"):
        found_in(tmp_path / "voice")


def test_the_built_in_inventory_serves_pinyin_voices_without_lists() -> None:
    symbols = fit_symbols(TableSizes(), NOTHING, "PinYin", None)
    assert (symbols.inventory, symbols.has_mask) == ("pinyin-v1", True)
    assert symbols.phones == PINYIN_PHONES
    assert symbols.emotions[:2] == ("none", "neutral")


def test_old_voices_have_the_same_symbols_and_no_mask_rows() -> None:
    tables = TableSizes(sy=146, tone=9, syllable_flag=7, word_segment=7, emotion=35)
    symbols = fit_symbols(tables, NOTHING, "PinYin", stated_mask=False)
    assert (symbols.inventory, symbols.has_mask, symbols.phones) == ("own", False, PINYIN_PHONES)


@pytest.mark.parametrize(
    ("sy", "tone", "language"), [(116, 10, "PinYin"), (147, 9, "PinYin"), (147, 10, "English")]
)
def test_tables_that_nothing_explains_leave_the_symbols_unknown(sy: int, tone: int, language: str) -> None:
    symbols = fit_symbols(TableSizes(sy=sy, tone=tone), NOTHING, language, None)
    assert (symbols.inventory, symbols.phones, symbols.tones) == ("unknown", None, None)
    assert symbols.has_mask


def test_the_voices_own_lists_are_taken_when_they_fit() -> None:
    symbols = fit_symbols(TableSizes(sy=116), with_lists(SICHUAN), "Sichuan", None)
    assert (symbols.inventory, symbols.phones) == ("own", SICHUAN.phones)


def test_the_first_lists_that_fit_are_taken() -> None:
    longer = SymbolLists((*SICHUAN.phones, "more"), PINYIN_TONES, (Path("old.xml"),))
    symbols = fit_symbols(TableSizes(sy=116, tone=10), with_lists(longer, SICHUAN), "Sichuan", None)
    assert symbols.phones == SICHUAN.phones


def test_lists_equal_to_the_built_in_ones_are_those() -> None:
    lists = SymbolLists(PINYIN_PHONES, PINYIN_TONES, (Path("sy_dict.txt"),))
    assert fit_symbols(TableSizes(), with_lists(lists), "PinYin", None).inventory == "pinyin-v1"


@pytest.mark.parametrize(
    ("tables", "reason"),
    [
        (
            TableSizes(sy=120),
            r"table sy has 120 rows; PhoneSet\.xml has 113 symbols \(with #1 to #4\), .* 115 or 116",
        ),
        (
            TableSizes(sy=116, tone=12),
            r"table tone has 12 rows; PhoneSet\.xml has 7 symbols, which need 9 or 10",
        ),
        (TableSizes(sy=115), "disagree on the mask row: .* syllable_flag, .* have it, sy do not"),
        (TableSizes(sy=116, emotion=40), "table emotion has 40 rows; the emotion list has 33"),
        (TableSizes(sy=116, emotion=35), "disagree on the mask row: .* emotion do not"),
    ],
)
def test_lists_that_do_not_fit_their_tables_are_refused(tables: TableSizes, reason: str) -> None:
    with pytest.raises(CheckpointError, match=reason):
        fit_symbols(tables, with_lists(SICHUAN), "Sichuan", None)


@pytest.mark.parametrize(
    ("tables", "stated", "reason"),
    [
        (TableSizes(), False, "has_mask is false in the configuration, but the tables have"),
        (
            TableSizes(byte_index=258, emotion=35),
            True,
            "has_mask is true in the configuration, but the tables lack",
        ),
    ],
)
def test_a_configuration_that_contradicts_the_tables_is_refused(
    tables: TableSizes, stated: bool, reason: str
) -> None:
    with pytest.raises(CheckpointError, match=reason):
        fit_symbols(tables, NOTHING, "PinYin", stated)


@pytest.mark.parametrize(("rows", "emotion", "has_mask"), [(259, 36, True), (258, 35, False)])
def test_a_byte_model_needs_no_lists(rows: int, emotion: int, has_mask: bool) -> None:
    symbols = fit_symbols(TableSizes(byte_index=rows, emotion=emotion), NOTHING, "PinYin", None)
    assert (symbols.inventory, symbols.phones, symbols.has_mask) == ("bytes", None, has_mask)


def test_a_byte_table_of_another_size_is_refused() -> None:
    with pytest.raises(CheckpointError, match="table byte_index has 260 rows; the list of bytes has 256"):
        fit_symbols(TableSizes(byte_index=260), NOTHING, "PinYin", None)


@pytest.mark.parametrize(
    ("names", "n_rows", "has_mask", "speakers"),
    [
        (("F7", "M7"), 5, True, ("F7", "M7")),
        (("F7", "M7"), 4, False, ("F7", "M7")),
        (("F7",), 6, True, ("F7", "speaker_1", "speaker_2")),
        ((), 4, True, ("speaker_0",)),
    ],
)
def test_every_speaker_row_has_a_name(
    names: tuple[str, ...], n_rows: int, has_mask: bool, speakers: tuple[str, ...]
) -> None:
    assert fit_speakers(names, n_rows, has_mask) == speakers


@pytest.mark.parametrize(
    ("names", "n_rows", "reason"),
    [
        (("a", "b"), 4, "table speaker has 4 rows, enough for 1 speakers; 2 are listed: a, b"),
        ((), 3, "table speaker has 3 rows, enough for 0 speakers"),
        (("a", "a"), 5, "lists a more than once"),
        (tuple("abcdefghijklmn"), 5, "14 are listed: a, b, c, d, e, f, g, h, i, j, k, l, and 2 more"),
        (("a\x1b[2J",), 5, r"lists 'a\\x1b\[2J'; a name is at most 100 characters long"),
        (("a" * 101,), 5, "a name is at most 100 characters long"),
    ],
)
def test_speakers_that_do_not_fit_their_table_are_refused(
    names: tuple[str, ...], n_rows: int, reason: str
) -> None:
    with pytest.raises(CheckpointError, match=reason):
        fit_speakers(names, n_rows, has_mask=True)


def test_a_dict_of_the_greatest_size_is_judged_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "speaker_dict.txt"
    path.write_text("\n".join(f"s{index}" for index in range(100_000)) + "\ns7\n")
    with pytest.raises(CheckpointError, match=r"speaker_dict\.txt lists s7 more than once"):
        read_dict(path)
