"""How many listeners one machine serves: our scheduler against first-come-first-served and one at a time.

`zhiyin serve` runs as a process of its own, pinned to some of the cores, and `zhiyin bench` on the others, so
that neither slows the other down. In one run:

bound      cores of the server / RTF of a single stream: what the cores could do one block after the other
capacity   the highest number of concurrent real-time streams (docs/metrics.md), found by bisection with
           admission off; then TTFC at 25, 50, 75 and 90 % of it, and at 150 % with admission on
fifo       the same 75 % with blocks computed in the order in which they were asked for
serial     the same with one request at a time, as servers do that hold a lock around the model
cache      a workload of which a third are repeats (Zipf), with the cache on and off

The last line printed is one JSON object with every figure. Run with `make bench-load`, or
`python -m benchmarks.load --help`.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Self

from benchmarks.machine import Machine, describe_machine
from benchmarks.server import NO_CACHE, running_server

DISTRIBUTIONS = ("zhiyin", "onnxruntime", "numpy", "aiohttp", "uvloop", "websockets")
NO_ADMISSION = {"ZHIYIN_ADMISSION__POLICY": "off"}
LATENCIES = ("ttfc_p50_ms", "ttfc_p99_ms", "cached_ttfc_p99_ms")
SHARES = (0.25, 0.5, 0.75, 0.9)
OVERLOAD = 1.5
CACHE_WINDOWS = 4  # times as long, since only a third of the utterances come from the cache
Figures = dict[str, Any]


def split_cores(cores: list[int], n_server: int | None) -> tuple[list[int], list[int]]:
    """Return the cores of the server and of the generator: all but one, and that one, unless told otherwise.

    Raises:
        SystemExit: There are not enough.
    """
    if len(cores) < 2 or (n_server is not None and not 0 < n_server < len(cores)):
        raise SystemExit(f"{len(cores)} cores; the server and the generator need one each at least")
    n_server = n_server or len(cores) - 1
    return cores[:n_server], cores[n_server:]


@contextmanager
def server_on(cores: list[int], environment: dict[str, str], order: str = "") -> Iterator[str]:
    """Run a server on these cores for the time of the `with` block; `order` replaces its scheduler."""
    module = ["benchmarks.baselines", order] if order else None
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        with running_server([], environment, module=module) as address:
            os.sched_setaffinity(0, before)
            yield address
    finally:
        os.sched_setaffinity(0, before)


def bench(address: str, cores: list[int], *flags: str) -> Figures:
    """Run `zhiyin bench` on these cores against a server; return its closing JSON."""
    command = [
        sys.executable,
        "-m",
        "server",
        "bench",
        "--target",
        f"native=ws://{address}/v1/stream",
        *flags,
    ]
    with tempfile.TemporaryFile() as output:
        subprocess.run(
            ["taskset", "-c", ",".join(map(str, cores)), *command], stdout=output, stderr=None, check=True
        )
        output.seek(0)
        result: Figures = json.loads(output.read().splitlines()[-1])
    return result


def told(address: str) -> Figures:
    """Return what the server says of its load."""
    with urllib.request.urlopen(f"http://{address}/v1/load", timeout=10) as answer:
        found: Figures = json.load(answer)
    return found


class CpuMeter:
    """Tells how many cores the server kept busy since it was made."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._begun_s, self._begun_cpu_s = time.monotonic(), told(address)["cpu_s"]

    def read(self) -> Figures:
        """Return what the server says of its load, with `busy_cores`."""
        load = told(self._address)
        busy_cores = (load["cpu_s"] - self._begun_cpu_s) / (time.monotonic() - self._begun_s)
        return {**load, "busy_cores": round(busy_cores, 2)}


class MemoryLog:
    """Asks the server for its memory every few seconds, from a thread, for the time of the `with` block."""

    def __init__(self, address: str, every_s: float = 10.0) -> None:
        self.megabytes: list[float] = []
        self._address = address
        self._every_s = every_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(self._every_s):
            self.megabytes.append(told(self._address)["memory_mb"])


def summary(name: str, level: Figures, load: Figures) -> Figures:
    """Reduce a level of the generator's report, and the server's own words, to a row."""
    figures, latency = level["figures"], level["figures"]["latency"]
    counts = figures["counts"]
    return {
        "name": name,
        "streams": level["load"],
        "trustworthy": level["trustworthy"],
        "utterances": counts["sent"],
        "ok": counts["ok"],
        "refused": counts["refused"],
        "errors": counts["error"],
        "ttfc_p50_ms": latency["ttfc_ms"]["p50"],
        "ttfc_p99_ms": latency["ttfc_ms"]["p99"],
        "audible_p50_ms": latency["audible_ttfc_ms"]["p50"],
        "c100": figures["continuity"]["c100"],
        "playing": figures["flow"]["streams"],
        "refused_after_p99_ms": figures["refusals"]["answered_ms"]["p99"],
        "cached_ttfc_p99_ms": latency["cached_ttfc_ms"]["p99"],
        "loop_lag_p99_ms": load["loop_lag"]["p99_ms"],
        "peak_memory_mb": load["peak_memory_mb"],
        "busy_cores": load["busy_cores"],
        "figures": figures,
    }


class Runs:
    """Loads, each measured by a run of the generator of its own, with the server's figures right after it."""

    def __init__(self, cores: list[int], options: argparse.Namespace) -> None:
        self._cores = cores
        self._options = options
        self.mean_audio_s = 0.0

    def idle(self, address: str) -> tuple[Figures, Figures]:
        """Speak alone, and search the capacity unless it was given; return the report and a row."""
        load = ["--clients", "1"]
        if self._options.capacity is None:
            load = ["--find-capacity", "--start", str(self._options.start)]
        meter = CpuMeter(address)
        found = bench(address, self._cores, *load, *self._window(), "--calibration", str(self._options.texts))
        self.mean_audio_s = found["run"]["mean_audio_s"]
        return found, summary("idle", found["levels"][0], meter.read())

    def at(self, address: str, name: str, streams: float, *flags: str, duration_s: float = 0) -> Figures:
        """Measure one load; every run has the same mean duration of speech, so that loads can be compared."""
        rate, meter = streams / self.mean_audio_s, CpuMeter(address)
        found = bench(
            address,
            self._cores,
            "--rate",
            f"{rate:.3f}",
            "--calibration",
            "1",
            *self._window(duration_s),
            *flags,
        )
        return summary(name, {**found["levels"][-1], "load": streams}, meter.read())

    def _window(self, duration_s: float = 0) -> tuple[str, ...]:
        duration = str(duration_s or self._options.duration)
        return ("--duration", duration, "--warm-up", str(self._options.warm_up))


def run(options: argparse.Namespace) -> Figures:
    """Measure everything."""
    own, others = split_cores(sorted(os.sched_getaffinity(0)), options.server_cores)
    runs = Runs(others, options)
    environment = {**NO_CACHE, **NO_ADMISSION}
    with server_on(own, environment) as address:
        found, idle = runs.idle(address)
        capacity = options.capacity or found["capacity"][0]["streams"]
        rows = [idle, *(runs.at(address, f"{share:.0%}", share * capacity) for share in (*SHARES, 1.0))]
    for order in ("fifo", "serial"):
        with server_on(own, environment, order) as address:
            rows.append(runs.at(address, f"75%, {order}", 0.75 * capacity))
    with server_on(own, NO_CACHE) as address, MemoryLog(address) as memory:
        long_s = options.overload_duration
        rows.append(runs.at(address, "150%, admission", OVERLOAD * capacity, duration_s=long_s))
    for name, cache in (("on", {}), ("off", NO_CACHE)):
        with server_on(own, {**cache, **NO_ADMISSION}) as address:
            title, long_s = f"50%, 30 % repeats, cache {name}", CACHE_WINDOWS * options.duration
            rows.append(runs.at(address, title, 0.5 * capacity, "--repeats", "0.3", duration_s=long_s))
    return {
        "capacity": capacity,
        "rtf": idle["figures"]["speed"]["mean"],
        "server_cores": len(own),
        "overload_memory_mb": memory.megabytes,
        "rows": rows,
    }


TITLES = (
    "load | streams | ok | refused | errors | TTFC p50 ms | TTFC p99 ms | from cache p99 ms | C100"
    " | loop lag p99 ms | cores | MB"
).split(" | ")


def report(result: Figures, machine: Machine, command: str) -> str:
    """Lay out the head, the table and the closing JSON line."""
    bound = result["server_cores"] / result["rtf"]
    lines = [
        *machine.head(command),
        f"pinning   server on {result['server_cores']} core(s), generator on the rest",
        f"capacity  {result['capacity']:.1f} concurrent real-time streams; compute bound {bound:.1f} "
        f"(RTF {result['rtf']:.4f}), ratio {result['capacity'] / bound:.2f}",
        f"memory    at 150 %, every ten seconds: {_course(result['overload_memory_mb'])}",
        "",
        f"| {' | '.join(TITLES)} |",
        f"|{' --- |' * len(TITLES)}",
        *(f"| {' | '.join(_cells(row))} |" for row in result["rows"]),
        "",
        json.dumps(
            {"benchmark": "load", **result, **asdict(machine), "command": command}, ensure_ascii=False
        ),
    ]
    return "\n".join(lines)


def _course(megabytes: list[float]) -> str:
    """Say how memory went: at six moments from the first to the last."""
    last = len(megabytes) - 1
    moments = sorted({round(last * part / 5) for part in range(6)}) if megabytes else []
    return ", ".join(f"{megabytes[moment]:.0f}" for moment in moments) + " MB"


def _cells(row: Figures) -> list[str]:
    return [
        row["name"] + ("" if row["trustworthy"] else " (generator late)"),
        f"{row['streams']:.0f}",
        *(str(row[name]) for name in ("ok", "refused", "errors")),
        *("-" if row[name] is None else f"{row[name]:.1f}" for name in LATENCIES),
        "-" if row["c100"] is None else f"{100 * row['c100']:.1f} %",
        f"{row['loop_lag_p99_ms']:.1f}",
        f"{row['busy_cores']:.2f}",
        f"{row['peak_memory_mb']:.0f}",
    ]


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.load", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--server-cores", type=int, help="cores of the server (all but one)")
    parser.add_argument("--capacity", type=float, help="do not search: use this number of streams")
    parser.add_argument("--start", type=float, default=32, help="streams of the first probe")
    parser.add_argument("--duration", type=float, default=30, help="seconds measured per load")
    parser.add_argument("--overload-duration", type=float, default=0, help="the same at 150 %% (--duration)")
    parser.add_argument("--warm-up", type=float, default=12, help="seconds before that")
    parser.add_argument(
        "--texts", type=int, default=20, help="texts that are spoken alone, for RTF and idle TTFC"
    )
    options = parser.parse_args(arguments)
    machine = describe_machine(DISTRIBUTIONS)  # first: the load is that of the machine, not of this run
    given = sys.argv[1:] if arguments is None else arguments
    command = shlex.join(["python", "-m", "benchmarks.load", *given])
    sys.stdout.write(report(run(options), machine, command) + "\n")


if __name__ == "__main__":
    main()
