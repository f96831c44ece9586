"""The command line of `zhiyin bench`.

Input   arguments
Output  Options; wrong usage ends with status 2 and a sentence
State   none
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from clients.bench.options import Load, LoadKind, Options, Outputs, Search
from clients.bench.plan import Mix
from clients.bench.targets import SCHEMES, WHOLE_TEXTS, TargetError, Voice, parse_targets
from clients.python.client import DEFAULT_RATE, DEFAULT_URL

DEFAULT_STREAMS = "1,2,4,8"
TOKEN_FLAG = "--token"


def parse(argv: Sequence[str]) -> Options:
    """Return what is asked for; exits with status 2 if it makes no sense."""
    parser = _parser()
    parsed = parser.parse_args(argv)
    try:
        targets = parse_targets(parsed.target, os.environ.get("ZHIYIN_URL", DEFAULT_URL), parsed.protocol)
    except TargetError as error:
        parser.error(str(error))
    options = Options(
        targets=targets,
        voice=Voice(
            parsed.token, parsed.voice, parsed.speaker, parsed.model, parsed.sample_rate, parsed.openai_rate
        ),
        texts=parsed.texts,
        seed=parsed.seed,
        mix=Mix(
            trickle_per_s=parsed.trickle,
            barge_in=parsed.barge_in,
            slow_readers=parsed.slow_readers,
            abort=parsed.abort,
            repeats=parsed.repeats,
            zipf=parsed.zipf,
            think_s=parsed.think,
        ),
        loads=_loads(parsed),
        search=Search(parsed.start, parsed.resolution, parsed.max_streams, parsed.min_utterances)
        if parsed.find_capacity
        else None,
        n_calibration=parsed.calibration,
        duration_s=parsed.duration,
        warm_up_s=parsed.warm_up,
        timeout_s=parsed.timeout,
        slow_factor=parsed.slow_factor,
        ttfc_limit_ms=parsed.ttfc_limit,
        multiplex=parsed.multiplex,
        outputs=Outputs(parsed.json, parsed.html, parsed.png, parsed.records),
    )
    _check(parser, options)
    return options


def public_command(argv: Sequence[str]) -> str:
    """Return the command line without secrets: the token, and what URLs carry besides host and path."""
    words, hide_next = ["zhiyin bench"], False
    for word in argv:
        if hide_next:
            words.append("...")
        elif word.startswith(f"{TOKEN_FLAG}="):
            words.append(f"{TOKEN_FLAG}=...")
        elif "://" in word:
            scheme, _, rest = word.partition("://")
            words.append(f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}")
        else:
            words.append(word)
        hide_next = word == TOKEN_FLAG
    return " ".join(words)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zhiyin bench",
        description="Drive a speech server as many users would, and measure what they hear. "
        "Without a load it runs --streams " + DEFAULT_STREAMS + ".",
        allow_abbrev=False,  # a shortened --token would be printed in the report
    )
    _add_target_flags(parser.add_argument_group("what is measured"))
    _add_load_flags(parser)
    _add_text_flags(parser.add_argument_group("what is said"))
    _add_mix_flags(parser.add_argument_group("what the users are like"))
    _add_search_flags(parser.add_argument_group("capacity"))
    _add_output_flags(parser.add_argument_group("reports (the table and a line of JSON always are)"))
    return parser


def _add_target_flags(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--target",
        action="append",
        default=[],
        metavar="[NAME:]KIND=URL",
        help="native=ws://host:port/v1/stream, openai=http://host:port/v1/audio/speech, or of another KIND: "
        f"{', '.join(SCHEMES)}; several are compared, level by level (native={DEFAULT_URL}, or ZHIYIN_URL)",
    )
    group.add_argument(
        "--protocol",
        action="append",
        default=[],
        choices=list(SCHEMES),
        help="that protocol of the server at ZHIYIN_URL, at its usual place; repeatable",
    )
    group.add_argument(TOKEN_FLAG, default=os.environ.get("ZHIYIN_TOKEN"), help="or ZHIYIN_TOKEN")
    group.add_argument("--voice", help="the server's own; where the protocol wants one, a usual one")
    group.add_argument("--speaker", help="of the voice, for native, http and wyoming targets")
    group.add_argument("--model", help="for openai (tts-1), dashscope and elevenlabs targets")
    group.add_argument(
        "--sample-rate",
        type=_positive_int,
        default=DEFAULT_RATE,
        help=f"asked of the server ({DEFAULT_RATE})",
    )
    group.add_argument(
        "--openai-rate",
        type=_positive_int,
        default=DEFAULT_RATE,
        help=f"of openai targets' PCM ({DEFAULT_RATE})",
    )
    group.add_argument(
        "--multiplex", type=_positive_int, default=1, metavar="N", help="utterances per native WebSocket (1)"
    )


def _add_load_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how much")
    load = group.add_mutually_exclusive_group()
    load.add_argument("--streams", metavar="N,N,..", help="open loop: concurrent real-time streams")
    load.add_argument("--rate", metavar="R,R,..", help="open loop: utterances per second")
    load.add_argument(
        "--clients", metavar="N,N,..", help="closed loop: users who listen to the end, then go on"
    )
    load.add_argument("--find-capacity", action="store_true", help="search the highest number of streams")
    group.add_argument(
        "--think", type=_seconds, default=0.0, metavar="S", help="mean pause of a user of --clients (0)"
    )
    group.add_argument(
        "--duration", type=_positive, default=20.0, metavar="S", help="measured, per level (20)"
    )
    group.add_argument(
        "--warm-up", type=_seconds, default=10.0, metavar="S", help="before it, not counted (10)"
    )
    group.add_argument(
        "--timeout", type=_positive, default=20.0, metavar="S", help="without a sign of life (20)"
    )
    group.add_argument(
        "--calibration", type=_count, metavar="N", help="texts spoken unloaded before (all, at most 50)"
    )
    group.add_argument("--seed", type=int, default=1, help="of arrivals, texts and mixes (1)")


def _add_text_flags(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--texts", default="zh", metavar="zh|en|mixed|FILE", help="built-in set, or one text per line (zh)"
    )
    group.add_argument(
        "--repeats", type=_share, default=0.0, metavar="SHARE", help="of requests repeat earlier ones (0)"
    )
    group.add_argument("--zipf", type=_seconds, default=1.0, metavar="S", help="exponent of which ones (1.0)")


def _add_mix_flags(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--trickle", type=_positive, metavar="TOKENS_PER_S", help="write the text as a language model does"
    )
    group.add_argument(
        "--barge-in", type=_share, default=0.0, metavar="SHARE", help="interrupt what is spoken"
    )
    group.add_argument("--slow-readers", type=_share, default=0.0, metavar="SHARE", help="do not keep up")
    group.add_argument(
        "--slow-factor",
        type=_positive,
        default=0.5,
        metavar="F",
        help="of real time, how fast they are (0.5)",
    )
    group.add_argument(
        "--abort", type=_share, default=0.0, metavar="SHARE", help="drop their connection in the middle"
    )


def _add_search_flags(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--ttfc-limit", type=_positive, default=300.0, metavar="MS", help="for p99, and for goodput (300)"
    )
    group.add_argument(
        "--start", type=_positive, default=4.0, metavar="N", help="first probe, in streams (4)"
    )
    group.add_argument("--resolution", type=_share, default=0.05, metavar="SHARE", help="when to stop (0.05)")
    group.add_argument(
        "--max-streams", type=_positive, default=10_000.0, metavar="N", help="never more (10000)"
    )
    group.add_argument(
        "--min-utterances",
        type=_count,
        default=100,
        metavar="N",
        help="probes last until so many were due (100)",
    )


def _add_output_flags(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--json", type=Path, metavar="FILE", help="every figure")
    group.add_argument("--records", type=Path, metavar="FILE", help="every utterance, as JSON lines")
    group.add_argument("--html", type=Path, metavar="FILE", help="a page with plots (needs matplotlib)")
    group.add_argument("--png", type=Path, metavar="FILE", help="the plots (needs matplotlib)")


def _loads(parsed: argparse.Namespace) -> tuple[Load, ...]:
    if parsed.find_capacity:
        return ()
    kinds: tuple[LoadKind, ...] = ("streams", "rate", "clients")
    for kind in kinds:
        text = getattr(parsed, kind)
        if text is not None:
            return tuple(Load(kind, value) for value in _values(text, kind))
    return tuple(Load("streams", value) for value in _values(DEFAULT_STREAMS, "streams"))


def _values(text: str, kind: str) -> list[float]:
    try:
        values = [float(word) for word in text.split(",")]
    except ValueError:
        values = []
    if not values or not all(0 < value < 1e6 for value in values):
        _parser().error(f"--{kind} wants positive numbers with commas between them, not {text!r}")
    if kind == "clients" and not all(value.is_integer() for value in values):
        _parser().error(f"--clients wants whole numbers, not {text!r}")
    return values


def _check(parser: argparse.ArgumentParser, options: Options) -> None:
    """Refuse combinations that mean nothing."""
    mix = options.mix
    if mix.trickle_per_s and any(target.kind in WHOLE_TEXTS for target in options.targets):
        parser.error("--trickle: HTTP takes the whole text at once; leave out http and openai targets")
    if mix.abort and options.multiplex > 1:
        parser.error("--abort with --multiplex: a dropped connection would take the others on it along")
    in_streams = options.search is not None or any(load.kind == "streams" for load in options.loads)
    if options.n_calibration == 0 and in_streams:
        parser.error("loads in streams need the calibration: it tells how long the texts are")
    if mix.think_s and not any(load.kind == "clients" for load in options.loads):
        parser.error("--think is for the users of --clients; arrivals of an open loop do not wait")


def _number(text: str, lowest: float, highest: float, words: str, *, open_end: bool = False) -> float:
    try:
        value = float(text)
    except ValueError:
        _refuse(text, words)
    if not lowest <= value <= highest or (open_end and value == lowest):
        _refuse(text, words)
    return value


def _positive(text: str) -> float:
    return _number(text, 0.0, 1e9, "a number above 0", open_end=True)


def _seconds(text: str) -> float:
    return _number(text, 0.0, 1e9, "a number from 0 on")


def _share(text: str) -> float:
    return _number(text, 0.0, 1.0, "a share from 0 to 1")


def _positive_int(text: str) -> int:
    return int(_number(text, 1, 1e6, "a whole number from 1 on"))


def _count(text: str) -> int:
    return int(_number(text, 0, 1e6, "a whole number from 0 on"))


def _refuse(text: str, words: str) -> NoReturn:
    raise argparse.ArgumentTypeError(f"{text!r} is not {words}")
