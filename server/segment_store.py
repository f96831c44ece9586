"""The cache's tier on disk, as the configuration wants it.

Input   the configuration
Output  a DiskStore, or none
State   none
"""

from __future__ import annotations

import sqlite3
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_path

from server.config import CacheConfig
from server.version import zhiyin_version
from streaming.errors import ConfigError

if TYPE_CHECKING:  # the library is an extra
    from streaming.scheduling.store import DiskStore

BYTES_PER_MB = 1_000_000
# What reads text and runs networks: another version may give the same voice another sound.
LIBRARIES = ("espeakng-loader", "jieba", "onnxruntime", "onnxruntime-gpu", "pypinyin", "wetext")


def open_store(config: CacheConfig) -> DiskStore | None:
    """Open the tier on disk; None where there shall be none. Blocking.

    Raises:
        ConfigError: Its library is not installed, or the folder cannot be used.
    """
    if not config.disk_mb:
        return None
    try:
        from streaming.scheduling.store import DiskStore
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"cache.disk_mb: {error.name} is not installed; pip install 'zhiyin[disk]'"
        ) from None
    folder = default_folder() if config.folder is None else config.folder
    try:
        return DiskStore(folder, config.disk_mb * BYTES_PER_MB, release())
    except (OSError, sqlite3.Error, ValueError) as error:
        raise ConfigError(
            f"cache.folder: {folder} cannot be used ({error}); what is in it may be deleted"
        ) from None


def default_folder() -> Path:
    """Return where segments are kept if the configuration does not say."""
    return user_cache_path("zhiyin", appauthor=False) / "segments"


def release() -> str:
    """Return a text that changes with every version of what turns text into sound."""
    versions = [f"zhiyin {zhiyin_version()}"]
    for library in LIBRARIES:
        try:
            versions.append(f"{library} {version(library)}")
        except PackageNotFoundError:
            continue
    return ", ".join(versions)
