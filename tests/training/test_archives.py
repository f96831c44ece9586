from __future__ import annotations

import stat
import struct
import zipfile
from pathlib import Path

import pytest
import torch

from training import archives
from training.archives import check_stored, is_zip, unpack_zip
from training.untrusted import CheckpointError


def entry(name: str, mode: int = 0) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("placeholder")
    info.filename = name  # the constructor would clean the name
    info.external_attr = mode << 16
    return info


def write_zip(path: Path, entries: list[tuple[zipfile.ZipInfo | str, bytes]], compression: int = 0) -> Path:
    with zipfile.ZipFile(path, "w", compression) as bundle:
        for name, content in entries:
            bundle.writestr(name, content)
    return path


def unpacked(path: Path, *entries: tuple[zipfile.ZipInfo | str, bytes], compression: int = 0) -> Path:
    target = path / "target"
    target.mkdir()
    unpack_zip(write_zip(path / "a.zip", list(entries), compression), target)
    return target


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_files_and_folders_come_out_as_they_went_in(tmp_path: Path, compression: int) -> None:
    target = unpacked(
        tmp_path, ("a/", b""), ("a/b/c.txt", b"one"), ("d", b"two" * 1000), compression=compression
    )
    assert (target / "a" / "b" / "c.txt").read_bytes() == b"one"
    assert (target / "d").read_bytes() == b"two" * 1000


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../evil", "leads outside"),
        ("a/../../evil", "leads outside"),
        ("/evil", "leads outside"),
        ("a\\..\\evil", "not allowed"),
        ("C:/evil", "not allowed"),
        ("evil\0.txt", "not allowed"),
        ("", "not allowed"),
    ],
)
def test_a_name_that_leads_outside_is_refused_and_nothing_written(
    tmp_path: Path, name: str, reason: str
) -> None:
    with pytest.raises(CheckpointError, match=reason):
        unpacked(tmp_path, ("good", b"x"), (entry(name), b"x"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "target"]
    assert not list((tmp_path / "target").iterdir())


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(tmp_path: Path, kind: int) -> None:
    with pytest.raises(CheckpointError, match="'link' is a link or a special file"):
        unpacked(tmp_path, (entry("link", kind | 0o777), b"/etc/passwd"))


def test_regular_modes_are_no_special_files(tmp_path: Path) -> None:
    target = unpacked(tmp_path, (entry("a", stat.S_IFREG | 0o777), b"x"))
    assert (target / "a").read_bytes() == b"x"
    assert not (target / "a").stat().st_mode & stat.S_IXUSR


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["a", "A", "a/"])
def test_a_name_that_comes_twice_is_refused(tmp_path: Path, second: str) -> None:
    with pytest.raises(CheckpointError, match="comes twice"):
        unpacked(tmp_path, ("a", b"x"), (entry(second), b""))


def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"cannot unpack .*a\.zip"):
        unpacked(tmp_path, ("a", b"x"), ("a/b", b"x"))


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", [("a", b"x")])
    content = path.read_bytes()
    flags = content.index(b"PK\x01\x02") + 8
    path.write_bytes(content[:flags] + struct.pack("<H", 1) + content[flags + 2 :])
    with pytest.raises(CheckpointError, match="'a' is encrypted"):
        unpack_zip(path, tmp_path)


def test_an_entry_that_grows_like_a_bomb_is_refused(tmp_path: Path) -> None:
    bomb = b"\0" * (2 << 20)
    with pytest.raises(CheckpointError, match=r"'bomb' grows from \d+ to 2097152 bytes"):
        unpacked(tmp_path, ("bomb", bomb), compression=zipfile.ZIP_DEFLATED)


def test_more_entries_or_bytes_than_a_voice_has_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_zip(tmp_path / "a.zip", [("a", b"123"), ("b", b"456")])
    monkeypatch.setattr(archives, "MAX_TOTAL_BYTES", 5)
    with pytest.raises(CheckpointError, match="unpacks to 6 bytes; at most 5"):
        unpack_zip(path, tmp_path)
    monkeypatch.setattr(archives, "MAX_ENTRIES", 1)
    with pytest.raises(CheckpointError, match="has 2 entries; at most 1"):
        unpack_zip(path, tmp_path)


def test_a_header_that_lies_about_the_size_is_found_out(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", [("a", b"\0" * 5000)], zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    size = content.index(b"PK\x01\x02") + 24  # of the central directory, which zipfile believes
    content[size : size + 4] = struct.pack("<I", 10)
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"a\.zip"):
        unpack_zip(path, tmp_path)


@pytest.mark.parametrize("cut", [0, 10, 60, -5])
def test_a_truncated_archive_is_refused(tmp_path: Path, cut: int) -> None:
    path = write_zip(tmp_path / "a.zip", [("a", b"x" * 100)])
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(CheckpointError, match=r"cannot unpack .*a\.zip"):
        unpack_zip(path, tmp_path)


def test_damaged_content_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", [("a", b"x" * 100)])
    path.write_bytes(path.read_bytes().replace(b"xxxx", b"yyyy", 1))
    with pytest.raises(CheckpointError, match="CRC"):
        unpack_zip(path, tmp_path)


def test_what_torch_writes_is_stored(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1000)}, tmp_path / "a.pth")
    assert is_zip(tmp_path / "a.pth")
    check_stored(tmp_path / "a.pth")


def test_a_compressed_checkpoint_is_refused(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.pth", [("archive/data.pkl", b"\0" * 100)], zipfile.ZIP_DEFLATED)
    with pytest.raises(CheckpointError, match=r"'archive/data\.pkl' is compressed"):
        check_stored(tmp_path / "a.pth")
