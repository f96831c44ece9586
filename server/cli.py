"""The command `zhiyin`: serve, say, demo, bench, voices.

Input   command-line arguments
Output  an exit status: 0 fine, 1 could not do it, 2 wrong usage
State   none
Each command's code is imported when it is asked for: `say` and `bench` need no server, `serve` no client.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from server.config import unknown_environment
from server.engine_command import add_engine
from server.flags import add_config_flags, config_of
from server.text_command import add_text
from server.tune_command import add_tune
from server.version import zhiyin_version
from server.voices_cli import add_voices
from streaming.errors import StreamError

logger = logging.getLogger(__name__)

INTERRUPTED = 128 + 2  # as shells tell SIGINT
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["say"]:
        from clients.python.say import main as say

        return say(arguments[1:])
    if arguments[:1] == ["bench"]:
        from clients.bench.command import main as bench

        return bench(arguments[1:])
    if arguments[:1] == ["demo"]:
        from clients.demo.command import main as demo

        return demo(arguments[1:])
    parsed = _parser().parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except StreamError as error:
        sys.stderr.write(f"zhiyin: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("zhiyin: interrupted\n")
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="zhiyin", description="Streaming text-to-speech.")
    parser.add_argument("--version", action="version", version=f"zhiyin {zhiyin_version()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="run the server")
    serve.add_argument("--host", help="address to listen on (127.0.0.1)")
    serve.add_argument("--port", type=int, help="TCP port; 0 takes a free one and prints it (8080)")
    serve.add_argument("--workers", type=int, metavar="N", help="threads for the networks (one per core)")
    serve.add_argument("--engine", choices=("onnx", "fake"), help="fake speaks tones without any model")
    add_config_flags(serve)
    serve.set_defaults(run=_serve)

    commands.add_parser("say", help="speak a text through a running server", add_help=False)
    commands.add_parser("demo", help="a page in the browser that speaks what one types", add_help=False)
    commands.add_parser("bench", help="put load on a running server and measure it", add_help=False)

    add_voices(commands)
    add_engine(commands)
    add_text(commands)
    add_tune(commands)
    return parser


def _serve(parsed: argparse.Namespace) -> int:
    from server.serving import run

    config = config_of(parsed)
    logging.basicConfig(level=config.log_level, format=LOG_FORMAT, stream=sys.stderr)
    for name in unknown_environment():
        logger.warning("environment variable %s names no setting and is ignored", name)
    run(config, _announce)
    return 0


def _announce(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
