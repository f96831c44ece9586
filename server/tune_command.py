"""`zhiyin tune`: find out what runs each network of a voice fastest on this machine, and say why.

Input   the name of a voice, flags
Output  a table; the settings, kept for `engine: auto`, and as a piece of configuration
State   none
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from server.flags import add_config_flags, config_of
from server.voices_command import folder_of_voice_or_default
from streaming.engines.choice import REFERENCE, Choice, EnginePlan
from streaming.engines.tuned import write_tuned
from streaming.errors import ConfigError
from streaming.manifest import NetworkName
from streaming.recorded_calls import TEXTS, record_calls
from streaming.tuning import WORTH, Tried, best, try_network, whole_sentences
from streaming.voice import load_manifest, verify_files

SECONDS = 20.0
N_TEXTS = 4


def add_tune(commands: Any) -> None:
    """Add the command to those of `zhiyin`."""
    tune = commands.add_parser(
        "tune",
        help="measure what runs a voice's networks fastest here",
        description="Time every runtime and precision that a voice and this machine have, network by "
        "network, on calls of real sentences, and print the settings that are fastest among those that agree "
        "with fp32. They are kept for this user, and used with `voice.engine: auto`. "
        "`zhiyin voices optimize` makes more precisions to choose from.",
    )
    tune.add_argument("name", nargs="?", default="", help="the default voice if left out")
    tune.add_argument("--device", default="cpu", help="what to try besides fp32 on the processor: cpu, cuda")
    tune.add_argument("--seconds", type=float, default=SECONDS, help=f"to measure ({SECONDS:.0f})")
    tune.add_argument(
        "--write", type=Path, metavar="FILE", help="write the settings to a new file, for --config"
    )
    add_config_flags(tune)
    tune.set_defaults(run=run_tune)


def run_tune(parsed: argparse.Namespace) -> int:
    """Run the command; return the exit status.

    Raises:
        ConfigError: A file exists, or cannot be written.
        UnknownVoiceError: No such voice.
        VoiceBundleError: The voice is broken.
    """
    if parsed.write is not None and parsed.write.exists():
        raise ConfigError(f"--write: {parsed.write} exists already")
    config = config_of(parsed)
    folder = folder_of_voice_or_default(config, parsed.name)
    manifest = load_manifest(folder)
    verify_files(folder, manifest)
    calls = record_calls(folder, manifest, TEXTS[:N_TEXTS])
    chosen: dict[NetworkName, Tried] = {}
    for network in manifest.network_names:
        seconds = parsed.seconds / len(manifest.network_names)
        tried = try_network(
            folder, manifest, network, calls[network], seconds,
            device=parsed.device, engines=config.voice.engines,
        )  # fmt: skip
        chosen[network] = best(tried)
        sys.stdout.write(_lines(network, tried, chosen[network]))
        sys.stdout.flush()
    choices = {network: tried.choice for network, tried in chosen.items()}
    why = "fp32 on ONNX Runtime is as fast as anything"
    if any(choice != REFERENCE for choice in choices.values()):
        plan = EnginePlan(networks=choices, engines=config.voice.engines)
        share = whole_sentences(folder, manifest, plan, TEXTS[:N_TEXTS], parsed.seconds / 4)
        why = f"whole sentences with these take {share:.0%} of the time of fp32"
        if share > WORTH:
            choices = dict.fromkeys(choices, REFERENCE)
    settings = settings_of(choices)
    sys.stdout.write(f"{why}\n\n" + (settings or "the defaults are as fast: nothing to set\n"))
    try:
        kept = write_tuned(config.voice.engines, manifest, choices, why)
    except OSError as error:
        raise ConfigError(f"voice.engine_folder: {error}") from None
    sys.stdout.write(f"\nfor voice.engine: auto, kept in {kept}\n")
    if parsed.write is not None and settings:
        try:
            parsed.write.write_text(f"# zhiyin tune {manifest.name}\n{settings}", encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"--write: {error}") from None
    return 0


def settings_of(choices: Mapping[NetworkName, Choice]) -> str:
    """Return the configuration of the choices; "" if all are the default."""
    networks = {
        network: {"engine": choice.runtime, "precision": choice.precision, "device": choice.device}
        for network, choice in choices.items()
        if choice != REFERENCE
    }
    return yaml.safe_dump({"voice": {"networks": networks}}, sort_keys=False) if networks else ""


def _lines(network: NetworkName, tried: list[Tried], chosen: Tried) -> str:
    lines = [f"{network}\n"]
    for one in tried:
        mark = "*" if one is chosen else " "
        figures = "" if one.ms_per_call != one.ms_per_call else f"{one.ms_per_call:8.3f} ms a call"
        agreement = f", {one.agreement_db:.0f} dB" if figures and one.choice != REFERENCE else ""
        reason = f"; {one.reason}" if one.reason else ""
        lines.append(f" {mark} {one.choice.name:<24}{figures}{agreement}{reason}\n")
    return "".join(lines)
