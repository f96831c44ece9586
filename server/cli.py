"""The command `zhiyin`: serve, say, voices.

Input   command-line arguments
Output  an exit status: 0 fine, 1 could not do it, 2 wrong usage
State   none
Each command's code is imported when it is asked for: `say` needs no server, `serve` no client.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from server.config import ServerConfig, load_config, unknown_environment
from server.version import zhiyin_version
from streaming.errors import StreamError

logger = logging.getLogger(__name__)

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["say"]:
        from clients.python.say import main as say

        return say(arguments[1:])
    parsed = _parser().parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except StreamError as error:
        sys.stderr.write(f"zhiyin: {error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="zhiyin", description="Streaming text-to-speech.")
    parser.add_argument("--version", action="version", version=f"zhiyin {zhiyin_version()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="run the server")
    serve.add_argument("--host", help="address to listen on (127.0.0.1)")
    serve.add_argument("--port", type=int, help="TCP port; 0 takes a free one and prints it (8080)")
    serve.add_argument("--workers", type=int, metavar="N", help="threads for the networks (one per core)")
    serve.add_argument("--engine", choices=("onnx", "fake"), help="fake speaks tones without any model")
    _add_config_flags(serve)
    serve.set_defaults(run=_serve)

    commands.add_parser("say", help="speak a text through a running server", add_help=False)

    voices = commands.add_parser("voices", help="look at the voices on this machine")
    actions = voices.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="one line per voice")
    _add_config_flags(listing)
    listing.set_defaults(run=_list_voices)
    show = actions.add_parser("show", help="everything about one voice")
    show.add_argument("name", nargs="?", default="", help="the default voice if left out")
    _add_config_flags(show)
    show.set_defaults(run=_show_voice)
    return parser


def _add_config_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="YAML file like configs/server.yaml")
    parser.add_argument(
        "--voices", type=Path, action="append", metavar="DIR", help="a further folder of voices, repeatable"
    )


def _config(parsed: argparse.Namespace) -> ServerConfig:
    """Read the configuration with the flags on top.

    Raises:
        ConfigError: See `load_config`.
    """
    names = {"host": "host", "port": "port", "workers": "workers.threads", "engine": "voice.engine"}
    flags: dict[str, Any] = {}
    for name, path in {**names, "voices": "voice.folders"}.items():
        value = getattr(parsed, name, None)
        if value is not None:
            section, _, key = path.rpartition(".")
            (flags.setdefault(section, {}) if section else flags)[key] = value
    return load_config(parsed.config, flags)


def _serve(parsed: argparse.Namespace) -> int:
    from server.serving import run

    config = _config(parsed)
    logging.basicConfig(level=config.log_level, format=LOG_FORMAT, stream=sys.stderr)
    for name in unknown_environment():
        logger.warning("environment variable %s names no setting and is ignored", name)
    run(config, _announce)
    return 0


def _list_voices(parsed: argparse.Namespace) -> int:
    from server.voices_command import list_voices

    sys.stdout.write(list_voices(_config(parsed)))
    return 0


def _show_voice(parsed: argparse.Namespace) -> int:
    from server.voices_command import show_voice

    sys.stdout.write(show_voice(_config(parsed), parsed.name))
    return 0


def _announce(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
