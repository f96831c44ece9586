"""Unpack zip archives of unknown origin; look at the zip inside a torch checkpoint before torch does.

Input   a .zip, or a .pth of the zip format
Output  files in a folder of ours; nothing for a .pth but the verdict
State   none

Every entry is judged before the first is written: names that leave the folder, links, passwords, doubles
and sizes that only a bomb has are refused. Bytes are counted while writing, because headers may lie.
"""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from training.untrusted import CheckpointError, require_file

MAX_ENTRIES = 10_000
MAX_TOTAL_BYTES = 8 << 30  # the largest real one, a model of four voices with resource, has under 2 GiB
MAX_RATIO = 200  # weights hardly shrink; text by 10
RATIO_MATTERS_BYTES = 1 << 20
BLOCK_BYTES = 1 << 20

ZIP_MAGIC = b"PK\x03\x04"

_DAMAGE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError, NotImplementedError)
_DRIVE = re.compile(r"^[A-Za-z]:")
_ENCRYPTED = 0x1


def is_zip(path: Path) -> bool:
    """Whether a file starts like a zip archive, which is how torch tells its two formats apart."""
    with require_file(path).open("rb") as file:
        return file.read(len(ZIP_MAGIC)) == ZIP_MAGIC


def unpack_zip(archive: Path, target: Path) -> None:
    """Unpack an archive into `target`, a folder that exists and is empty.

    Raises:
        CheckpointError: The archive is damaged or an entry is not allowed; what has been written until then
            stays in `target`.
    """
    with _opened(archive) as bundle:
        members = [member for member in _checked_members(bundle, archive) if not member.is_dir()]
        left = MAX_TOTAL_BYTES
        for member in members:
            left -= _write(bundle, member, target.joinpath(*_parts(member)), left)


def check_stored(archive: Path) -> None:
    """Refuse a zip checkpoint with compressed entries; torch writes none, so they can only be a bomb.

    Raises:
        CheckpointError: As said, or the archive is damaged or otherwise not allowed.
    """
    with _opened(archive) as bundle:
        for member in _checked_members(bundle, archive):
            if member.compress_type != zipfile.ZIP_STORED:
                raise CheckpointError(
                    f"{archive}: entry {member.filename!r} is compressed, which torch never writes"
                )


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(require_file(archive)) as bundle:
            yield bundle
    except CheckpointError:
        raise
    except _DAMAGE as error:
        raise CheckpointError(f"cannot unpack {archive}: {error}") from error


def _checked_members(bundle: zipfile.ZipFile, archive: Path) -> list[zipfile.ZipInfo]:
    members = bundle.infolist()
    if len(members) > MAX_ENTRIES:
        raise CheckpointError(f"{archive} has {len(members)} entries; at most {MAX_ENTRIES} are allowed")
    total = sum(member.file_size for member in members)
    if total > MAX_TOTAL_BYTES:
        raise CheckpointError(f"{archive} unpacks to {total} bytes; at most {MAX_TOTAL_BYTES} are allowed")
    seen: set[str] = set()
    for member in members:
        # Some file systems take two spellings for one name.
        name = "/".join(_parts(member)).casefold()
        problem = _problem(member) or ("comes twice" if name in seen else "")
        if problem:
            raise CheckpointError(f"{archive}: entry {member.orig_filename!r} {problem}")
        seen.add(name)
    return members


def _parts(member: zipfile.ZipInfo) -> tuple[str, ...]:
    return PurePosixPath(member.filename).parts


def _problem(member: zipfile.ZipInfo) -> str:
    """What is wrong with an entry, or nothing."""
    name, kind = member.orig_filename, stat.S_IFMT(member.external_attr >> 16)
    if not name or "\\" in name or "\0" in name or _DRIVE.match(name):
        return "has a name that is not allowed"
    if name.startswith("/") or ".." in PurePosixPath(name).parts or not _parts(member):
        return "leads outside the archive"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a special file"
    if member.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if member.file_size > max(RATIO_MATTERS_BYTES, MAX_RATIO * member.compress_size):
        return f"grows from {member.compress_size} to {member.file_size} bytes"
    return ""


def _write(bundle: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, left_bytes: int) -> int:
    """Write one entry to a file that must not exist yet; return its bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    n_bytes = 0
    with bundle.open(member) as source, target.open("xb") as file:
        while block := source.read(BLOCK_BYTES):
            n_bytes += len(block)
            if n_bytes > min(left_bytes, member.file_size):
                raise CheckpointError(f"entry {member.filename!r} is larger than its header says")
            file.write(block)
    return n_bytes
