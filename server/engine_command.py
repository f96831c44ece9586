"""`zhiyin engine build`: build a voice's engines for NVIDIA GPUs ahead of time.

Input   names of voices, flags
Output  engines in this user's cache; progress on standard error
State   none
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from server.flags import add_config_flags, config_of
from server.import_command import print_progress
from server.voices_command import folder_of_voice_or_default
from streaming.engines.choice import FILES
from streaming.engines.cuda_device import open_device
from streaming.engines.engine_cache import EngineCache, EngineKey, Range
from streaming.engines.tensorrt_build import RTX_TARGET, Library, build_engine, library_version
from streaming.errors import ConfigError
from streaming.manifest import NetworkName
from streaming.sambert_manifest import SambertManifest, as_sambert
from streaming.voice import load_manifest, verify_files

BUILT = tuple(FILES["tensorrt"].values())
LIBRARIES: tuple[Library, ...] = ("tensorrt", "tensorrt_rtx")
BATCHES = (1, 8, 32)  # of the networks that serve several streams at once
STACKABLE: tuple[NetworkName, ...] = ("decoder", "postnet", "vocoder")
MOST_TOKENS = 512
MOST_STEPS = 4096
MOST_FRAMES = 64


def add_engine(commands: Any) -> None:
    """Add `engine` and its actions to the commands of `zhiyin`."""
    engine = commands.add_parser("engine", help="engines for NVIDIA GPUs")
    actions = engine.add_subparsers(required=True, metavar="ACTION")
    build = actions.add_parser(
        "build",
        help="build the engines of a voice",
        description="Build TensorRT engines of every network of a voice, and keep them for this user. With "
        "tensorrt_rtx no GPU is needed: so it is known that NVIDIA's parser and builder accept the networks.",
    )
    build.add_argument("name", nargs="?", default="", help="the default voice if left out")
    build.add_argument("--library", choices=LIBRARIES, default="tensorrt")
    build.add_argument("--precision", default="fp32", choices=BUILT, help="as the voice has them (fp32)")
    build.add_argument(
        "--cache", type=Path, metavar="DIR", help="where engines are kept (voice.engine_folder)"
    )
    add_config_flags(build)
    build.set_defaults(run=build_engines)


def build_engines(parsed: argparse.Namespace) -> int:
    """Run `engine build`; return the exit status.

    Raises:
        EngineError: The library is not there, or does not accept a network.
        UnknownVoiceError: No such voice.
        VoiceBundleError: The voice is broken, or has no network in the precision.
    """
    config = config_of(parsed)
    folder = folder_of_voice_or_default(config, parsed.name)
    manifest = as_sambert(load_manifest(folder))
    verify_files(folder, manifest)
    cache = EngineCache(parsed.cache or config.voice.engines)
    version, target = library_version(parsed.library), _target(parsed.library)
    for network, file in _files(manifest, parsed.precision):
        sizes = network_sizes(manifest, network)
        batches = BATCHES if network in STACKABLE else BATCHES[:1]
        key = EngineKey(manifest.sha256[file], parsed.library, version, target, sizes, batches)
        if cache.read(key) is not None:
            sys.stdout.write(f"{file}: there already\n")
            continue
        begun_s = time.monotonic()
        built = build_engine(parsed.library, folder / file, sizes, batches, print_progress)
        try:
            cache.write(key, built)
        except OSError as error:
            raise ConfigError(f"--cache: {error}") from None
        took_s = time.monotonic() - begun_s
        sys.stdout.write(f"{file}: {len(built) / 1e6:.1f} MB in {took_s:.0f} s\n")
        sys.stdout.flush()
    return 0


def network_sizes(manifest: SambertManifest, network: NetworkName) -> dict[str, Range]:
    """Return the sizes that the axes of a network have while it serves, all but the batch."""
    acoustic, hop = manifest.acoustic, manifest.hop_length
    block = manifest.block_frames[-1]
    buckets = acoustic.window_buckets
    if network == "encoder":
        return {"tokens": (1, 40, MOST_TOKENS)}
    if network == "memory":
        return {"rows": (1, 64, MOST_STEPS)}
    if network == "decoder":
        return {"window": (buckets[0], buckets[len(buckets) // 2], buckets[-1])}
    if network == "postnet":
        return {"frames": (1, block, MOST_FRAMES)}
    return {"frames": (1, block, MOST_FRAMES), "samples": (hop, block * hop, MOST_FRAMES * hop)}


def _files(manifest: SambertManifest, precision: str) -> Iterator[tuple[NetworkName, str]]:
    """Yield the networks with the files of this precision; fp32 where a network has no other."""
    if precision not in manifest.precisions:
        manifest.network_file("vocoder", precision)  # says which there are
    for network, files in manifest.networks.items():
        yield network, files.get(precision, files["fp32"])


def _target(library: Library) -> str:
    """Return the compute capability that engines are built for."""
    if library == "tensorrt_rtx":
        return RTX_TARGET
    return open_device("cuda").compute_capability
