"""What the text frontend costs and how well it reads: ms per segment, its share of TTFC, polyphones, pauses.

Everything in this process on one thread, after warm-up. TTFC is that of the shipped voice without a socket,
text to first samples. Run with `python -m benchmarks.frontend`. The last line printed is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe_machine
from benchmarks.sentences import sentence
from benchmarks.ttfc import choose_voice
from streaming.engines.bundle import BundleEngine
from streaming.frontends import symbol_tables
from streaming.sambert_manifest import as_sambert
from streaming.synthesis.segment import SegmentSynthesis
from streaming.text.explanation import pinyin_of
from streaming.text.frontend import Frontend
from streaming.text.linguistics import MINOR_BREAK
from streaming.types import Style
from streaming.voice import load_manifest

DISTRIBUTIONS = ("zhiyin", "wetext", "jieba", "pypinyin", "onnxruntime", "numpy")
TEXTS = {
    "10 characters": "今天的天气非常好啊。",
    "30 characters": "请稍等，我帮你查一下明天从上海到杭州的高铁还有没有座位。",
    "30, with numbers": "2024年5月1日上午9:30，气温25℃，约3.5万人参加。",
    "30, English in it": "这个API的latency只有20ms，比OpenAI快得多。",
    "80 characters": "如果网络不稳定，请先检查路由器的指示灯是不是绿色，然后关掉电源，等上十秒钟再打开，"
    "要是还不行，就打电话给客服，他们会派人来看，通常第二天上午就能到您家里。",
}
TEXTS_WITH_LABELS = Path(__file__).parent.parent / "tests" / "data" / "text"
POLYPHONE_SETS = {
    "tuned on": "polyphones.tsv",
    "held out, then mended for": "polyphones_held_out.tsv",
    "fresh, then mended for": "polyphones_fresh.tsv",
    "fresh, not mended for": "polyphones_fresh_second.tsv",
    "fresh, by someone else, not mended for": "polyphones_fresh_third.tsv",
}


def times_ms(work: Callable[[], object], repetitions: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the time of each repetition."""
    found = np.empty(repetitions)
    for index in range(repetitions):
        begun_s = time.perf_counter()
        work()
        found[index] = 1000.0 * (time.perf_counter() - begun_s)
    return found


def polyphone_accuracy(frontend: Frontend, path: Path) -> dict[str, Any]:
    """Return how many labelled characters are read right; a third tone may have risen before another."""
    n_cases = n_right = 0
    for line in path.read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        marked, pinyin = line.split("\t")
        text = marked.replace("[", "").replace("]", "")
        places = (match.start() - 2 * index for index, match in enumerate(re.finditer(r"\[", marked)))
        found = {
            word.char_start + index: entry
            for word in frontend.spoken_words(text)
            for index, entry in enumerate(pinyin_of(word.syllables) or ())
        }
        for place, wanted in zip(places, pinyin.split(), strict=True):
            spoken = found.get(place, "")
            n_cases += 1
            n_right += spoken == wanted or (wanted[-1] == "3" and spoken == f"{wanted[:-1]}2")
    return {"cases": n_cases, "right": n_right, "accuracy": round(n_right / n_cases, 4)}


def placed_borders(frontend: Frontend, path: Path) -> dict[str, Any]:
    """Return how many #2 were put where the labels say that they are good, may be, or are wrong."""
    counts = {"good": 0, "may_be": 0, "wrong": 0}
    for line in path.read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        pieces = re.split("([|/])", line)
        ends = accumulate(map(len, pieces[::2]))
        labels = dict(zip(ends, pieces[1::2], strict=False))
        for word in frontend.spoken_words("".join(pieces[::2])):
            if word.break_level == MINOR_BREAK:
                counts[{"|": "good", "/": "may_be"}.get(labels.get(word.char_end, ""), "wrong")] += 1
    return counts


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.frontend", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--repetitions", type=int, default=200)
    options = parser.parse_args(arguments)
    folder = choose_voice(None, Path()).folder
    manifest = as_sambert(load_manifest(folder))
    begun_s = time.perf_counter()
    frontend = Frontend(symbol_tables(manifest))
    frontend.warm_up()
    cold_s = time.perf_counter() - begun_s
    rows: dict[str, dict[str, float]] = {}
    for name, text in TEXTS.items():
        frontend.phonemes(text)
        found = times_ms(lambda text=text: frontend.phonemes(text), options.repetitions)  # type: ignore[misc]
        p50, p95 = np.percentile(found, (50, 95))
        rows[name] = {"p50_ms": round(float(p50), 3), "p95_ms": round(float(p95), 3)}
    engine = BundleEngine(folder, manifest)
    text = sentence(60, 0)
    of_text = float(np.median(times_ms(lambda: frontend.phonemes(text), 50)))

    def first_samples() -> None:
        phonemes = frontend.phonemes(text)
        assert phonemes is not None
        SegmentSynthesis(engine, manifest, phonemes, Style()).advance()

    ttfc_ms = float(np.median(times_ms(first_samples, 50)))
    polyphones = {
        name: polyphone_accuracy(frontend, TEXTS_WITH_LABELS / file) for name, file in POLYPHONE_SETS.items()
    }
    borders = {
        name: placed_borders(frontend, TEXTS_WITH_LABELS / file)
        for name, file in (("tuned on", "prosody.txt"), ("held out", "prosody_held_out.txt"))
    }
    machine = describe_machine(DISTRIBUTIONS)
    command = shlex.join(["python", "-m", "benchmarks.frontend", *(arguments or sys.argv[1:])])
    lines = [*machine.head(command), f"dictionaries and rules loaded in {cold_s:.1f} s", ""]
    lines += ["| segment | p50 ms | p95 ms |", "| --- | --- | --- |"]
    lines += [f"| {name} | {row['p50_ms']:.2f} | {row['p95_ms']:.2f} |" for name, row in rows.items()]
    lines += ["", f"share of TTFC at 60 phones: {of_text:.2f} of {ttfc_ms:.1f} ms, {of_text / ttfc_ms:.0%}"]
    lines += [
        f"polyphones, {name}: {one['right']} of {one['cases']}, {one['accuracy']:.1%}"
        for name, one in polyphones.items()
    ]
    lines += [f"#2, {name}: {one}" for name, one in borders.items()]
    result = {
        "benchmark": "frontend", "rows": rows, "cold_s": round(cold_s, 2), "ttfc_ms": round(ttfc_ms, 2),
        "frontend_of_ttfc": round(of_text / ttfc_ms, 4), "polyphones": polyphones, "borders": borders,
        **asdict(machine), "command": command,
    }  # fmt: skip
    sys.stdout.write("\n".join([*lines, "", json.dumps(result, ensure_ascii=False)]) + "\n")


if __name__ == "__main__":
    main()
