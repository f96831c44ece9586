"""Flags that several commands share, and the configuration that they lead to.

Input   parsed arguments
Output  ServerConfig
State   none
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from server.config import ServerConfig, load_config

FLAG_SETTINGS = {
    "host": "host",
    "port": "port",
    "workers": "workers.threads",
    "engine": "voice.engine",
    "voices": "voice.folders",
}


def add_config_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say where the configuration and the voices are."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="YAML file like configs/server.yaml")
    parser.add_argument(
        "--voices", type=Path, action="append", metavar="DIR", help="a further folder of voices, repeatable"
    )


def config_of(parsed: argparse.Namespace) -> ServerConfig:
    """Read the configuration with the flags on top.

    Raises:
        ConfigError: See `load_config`.
    """
    flags: dict[str, Any] = {}
    for name, path in FLAG_SETTINGS.items():
        value = getattr(parsed, name, None)
        if value is not None:
            section, _, key = path.rpartition(".")
            (flags.setdefault(section, {}) if section else flags)[key] = value
    return load_config(parsed.config, flags)
