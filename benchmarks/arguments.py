"""The arguments that benchmarks of sentences share.

Input   a parser with a benchmark's own arguments; a command line
Output  the options: `repetitions`, `phones`, `server_flags` besides its own
State   none
"""

from __future__ import annotations

import argparse

from benchmarks.sentences import MAX_REPETITIONS, TEMPLATES


def parse_with_texts(
    parser: argparse.ArgumentParser, arguments: list[str] | None, *, repetitions: int
) -> argparse.Namespace:
    """Add what every benchmark of sentences asks, `repetitions` texts per row unless told, and parse.

    Raises:
        SystemExit: Wrong usage.
    """
    parser.add_argument(
        "--repetitions", type=int, default=repetitions, help=f"texts per row, 1 to {MAX_REPETITIONS}"
    )
    parser.add_argument("--phones", type=int, nargs="+", default=list(TEMPLATES), choices=list(TEMPLATES))
    parser.add_argument("--server-flags", default="", help="more flags for `zhiyin serve`, in one string")
    options = parser.parse_args(arguments)
    if not 1 <= options.repetitions <= MAX_REPETITIONS:
        parser.error(f"--repetitions is {options.repetitions}; allowed: 1 to {MAX_REPETITIONS}")
    return options
