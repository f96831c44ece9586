"""Where voices lie on this machine.

Input   the configuration, the environment
Output  folders of bundles, in the order in which later ones replace earlier ones
State   none
Not here: what is in the folders (streaming/bundles.py)
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from platformdirs import user_data_path

from server.config import ServerConfig, folders_of_environment

EMBEDDED_VOICES = Path(__file__).resolve().parents[1] / "voices"


def user_voices() -> Path:
    """Return the folder for this user's own voices, whether it exists or not."""
    return user_data_path("zhiyin", appauthor=False) / "voices"


def voice_folders(config: ServerConfig) -> tuple[Path, ...]:
    """Return the folders that hold voices; a later one replaces voices of the same name."""
    embedded = (EMBEDDED_VOICES,) if config.voice.embedded else ()
    return (*embedded, user_voices(), *config.voice.folders)


def import_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where an imported voice is written: the first folder of `ZHIYIN_VOICES`, else the user's own."""
    return next(iter(folders_of_environment(environment)), user_voices())
