"""Time from `speak()` to the first audible sample in Chromium, and its parts.

`zhiyin serve` runs as a process of its own, with the embedded voice; the browser client in the system's
Chromium, headless, on a page of that server. Texts are spoken one after the other on one warm connection,
each heard to its end; no two begin alike, so that nothing comes from the cache. A few are spoken unmeasured
first. Parts, in the clock of the page:

    send      speak() -> the request is handed to the WebSocket
    server    the receipt's ttfc_ms
    network   request sent -> first audio received, less `server`: loopback, and the page's own event loop
    client    first audio received -> the page learns that its first sample has left the worklet; the wait
              for the cushion is in it, if the first frame does not fill it
    device    the latency of the output, as Chromium reports it
    silence   what the audio begins with (docs/metrics.md)

`audible` is the time of the first audible sample, as the client measures it. The last line printed is one
JSON object.

Run with `make bench-browser`, or `python -m benchmarks.browser --help`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks.machine import Machine, describe_machine
from benchmarks.sentences import MAX_REPETITIONS, sentence, warmed_up
from benchmarks.server import running_server

PHONES = 20
REPETITIONS = 30
LIMIT_MS = 25.0  # of `client`, beyond the cushion
PARTS = ("send", "server", "network", "client", "device", "silence", "audible")
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--autoplay-policy=no-user-gesture-required", "--no-sandbox", "--disable-gpu")
DISTRIBUTIONS = ("zhiyin", "onnxruntime", "aiohttp", "uvloop", "playwright")

SPEAK = """async (text) => {
    const { connect } = await import("/browser/index.js");
    const client = (globalThis.measured ??= connect(new URL("/v1/stream", location.href)));
    await client.prepare();
    const cushionMs = client.player.cushion.ms;
    const began = performance.now();
    const speech = client.speak(text);
    let rendered = null;
    const stop = client.on("level", ({ playing }) => {
        if (playing) rendered ??= performance.now() - began;
    });
    const { timing, receipt, leadingSilenceMs, underruns } = await speech.finished;
    stop();
    return {
        send: timing.sent,
        server: receipt.ttfc_ms,
        network: timing.received - timing.sent - receipt.ttfc_ms,
        client: rendered - timing.received,
        device: client.player.output.latencyMs,
        silence: leadingSilenceMs,
        audible: timing.audible,
        cushion: cushionMs,
        cached: receipt.cached,
        underruns,
    };
}"""

Sample = dict[str, Any]


async def measure(address: str, browser: str, repetitions: int) -> tuple[list[Sample], str]:
    """Speak the texts in a page of the server; return what each took, and the browser's version.

    Raises:
        RuntimeError: An answer came from the cache.
    """
    from playwright.async_api import async_playwright  # of the extra `browser`

    samples: list[Sample] = []
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=browser, args=list(FLAGS))
        page = await chromium.new_page()
        await page.goto(f"http://{address}/browser/page/seal.svg")  # the origin, and nothing that runs
        for repetition in warmed_up(repetitions):
            sample = await page.evaluate(SPEAK, sentence(PHONES, repetition))
            if sample["cached"]:
                raise RuntimeError("an answer came from the cache; is the server a fresh one?")
            if repetition < repetitions:
                samples.append(sample)
        version = chromium.version
        await chromium.close()
    return samples, version


def summarise(samples: list[Sample]) -> dict[str, dict[str, float]]:
    """Return p50 and p95 of each part."""
    values = {part: [float(sample[part]) for sample in samples] for part in (*PARTS, "cushion")}
    return {
        part: {f"p{percent}_ms": round(float(np.percentile(numbers, percent)), 1) for percent in (50, 95)}
        for part, numbers in values.items()
    }


def report(samples: list[Sample], version: str, machine: Machine, command: str) -> str:
    """Lay out the head, the table and the closing JSON line."""
    parts = summarise(samples)
    within = parts["client"]["p50_ms"] <= LIMIT_MS
    verdict = f"client p50 {parts['client']['p50_ms']} ms, {'within' if within else 'OVER'} {LIMIT_MS:g} ms"
    result = {
        "benchmark": "browser",
        "repetitions": len(samples),
        "parts": parts,
        "underruns": sum(sample["underruns"] for sample in samples),
        "within_limit": within,
        "browser": version,
        **asdict(machine),
    }
    lines = [
        *machine.head(command),
        f"browser   Chromium {version}, headless",
        f"texts     {len(samples)} of about {PHONES} phones",
        "",
        "| part | p50 ms | p95 ms |",
        "| --- | --- | --- |",
        *(f"| {part} | {values['p50_ms']} | {values['p95_ms']} |" for part, values in parts.items()),
        "",
        verdict,
        json.dumps(result, ensure_ascii=False),
    ]
    return "\n".join(lines)


def find_browser() -> str | None:
    """Return `CHROMIUM`, or what the system has."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; the exit status tells whether the client kept within its limit."""
    parser = argparse.ArgumentParser(prog="benchmarks.browser", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--repetitions", type=int, default=REPETITIONS, help=f"texts, 1 to {MAX_REPETITIONS} ({REPETITIONS})"
    )
    options = parser.parse_args(arguments)
    if not 1 <= options.repetitions <= MAX_REPETITIONS:
        parser.error(f"--repetitions is {options.repetitions}; allowed: 1 to {MAX_REPETITIONS}")
    browser = find_browser()
    if browser is None:
        parser.error(f"no Chromium: install one, or set CHROMIUM; looked for {', '.join(NAMES)}")
    machine = describe_machine(DISTRIBUTIONS)
    with running_server([]) as address:
        samples, version = asyncio.run(measure(address, browser, options.repetitions))
    command = "python -m benchmarks.browser" + (f" --repetitions {options.repetitions}" if arguments else "")
    print(report(samples, version, machine, command))  # noqa: T201 -- its purpose
    return 0 if max(0.0, summarise(samples)["client"]["p50_ms"]) <= LIMIT_MS else 1


if __name__ == "__main__":
    sys.exit(main())
