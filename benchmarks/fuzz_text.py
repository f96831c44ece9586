"""Throw random text at segmenter, normaliser and pronunciation: no crash, no hang, nothing unbounded.

Every text is cut at random; its segments must be those of the whole text, and each must become words that
stand in it, or a clear error. Run with `python -m benchmarks.fuzz_text --minutes 10`. The last line printed
is one JSON object; the exit status is 1 if anything failed, and the texts that did are printed.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable

from streaming.errors import SsmlError, UnspeakableTextError
from streaming.text.explanation import explain
from streaming.text.frontend import Frontend
from streaming.text.segmenter import Segmenter, SegmentPolicy
from streaming.text.ssml import SsmlReader
from streaming.text.symbols import SymbolTables
from streaming.types import Segment, Style

SLOW_MS_PER_CHAR = 5.0  # of one segment; far beyond anything measured
KB_PER_MB = 1024

_PIECES = [
    *"。！？，、；：…—.,!?;:\"'“”‘’（）()[]{}<>|/\\*_#`~@$%^&=+- \n\t\r",
    "[[重|zhong4]]", "[[", "]]", "|", "<speak>", "</speak>", "<b>", "</b>", "<!--", "-->", "&lt;", "&#x41;",
    "https://a.b/c?d=e#f", "foo@bar.com", "3.14", "1,234,567", "2024-01-02", "12:30:45", "¥100", "-5℃", "50%",
    "3/4", "第12章", "RTX 4090", "v1.2.3", "京A12345", "13812345678", "XIV", "Dr.", "e.g.", "```", "**", "- ",
    "1. ", "👍", "👨‍👩‍👧", "é", "ﬁ", "①", "½", "\u200b", "\ufeff", "\u202e", "\x00", "\x1b", "\ue000",
    "\ud83d", "\udc4d", "か", "한", "Ж", "ا", "𠮷", "行", "长", "得", "儿", "一", "不", "了", "你好", "银行",
    "hello", "GPU", "iPhone",
]  # fmt: skip


_SSML = [
    "好", "。", "你好，世界！", " ", "\n", "&amp;", "&lt;", "&x;", "&#x4F60;", "<s>", "</s>", "<p>", "</p>",
    "<w>", "</w>", "<!-- c -->", "<![CDATA[<b>]]>",
    '<break time="1s"/>', "<break/>", '<break time="x"/>', '<prosody rate="1.2">', '<prosody pitch="+2st">',
    "</prosody>", '<emotion category="happy">', "</emotion>", '<sub alias="a">', "</sub>",
    '<phoneme ph="hao3">', "</phoneme>", '<say-as interpret-as="digits">', "</say-as>", "<x>", "</x>",
    "123", "[[重|",
]  # fmt: skip


def random_text(source: random.Random) -> str:
    """Return a text of one of several kinds, mostly short, sometimes of a hundred thousand characters."""
    kinds: tuple[Callable[[], str], ...] = (
        lambda: "".join(source.choice(_PIECES) for _ in range(source.randint(0, 60))),
        lambda: "".join(chr(source.randint(0x20, 0x9FFF)) for _ in range(source.randint(0, 80))),
        lambda: "".join(chr(source.randint(0, 0x10FFFF)) for _ in range(source.randint(0, 60))),
        lambda: "".join(
            source.choice("0123456789.,:-/%元个年月日点号第 ") for _ in range(source.randint(1, 50))
        ),
        lambda: "<speak>" + "".join(source.choice(_SSML) for _ in range(source.randint(0, 40))) + "</speak>",
        lambda: "<" * source.randint(1, 40) + "speak>" * source.randint(1, 40) + "好" * source.randint(0, 9),
        lambda: source.choice(_PIECES) * source.randint(1, 400),
    )
    return source.choice(kinds)()


def segments_of(text: str, cuts: list[int]) -> list[Segment]:
    """Push a text piece by piece."""
    segmenter = Segmenter()
    found: list[Segment] = []
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        found += segmenter.push(text[start:end])
    return [*found, *segmenter.flush()]


def check(text: str, frontend: Frontend, source: random.Random) -> str:
    """Return what is wrong with how a text is taken; "" if nothing is."""
    cuts = sorted(source.randint(0, len(text)) for _ in range(source.randint(0, 8)))
    reader = SsmlReader(Style(), SegmentPolicy())
    try:
        for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
            reader.push(text[start:end])
        reader.end()
    except SsmlError:
        pass
    except Exception as error:  # noqa: BLE001 -- any other is what is looked for
        return f"SSML {type(error).__name__}: {error}"
    whole = segments_of(text, [])
    if segments_of(text, cuts) != whole:
        return f"other segments when cut at {cuts}"
    for segment in whole:
        begun_s = time.perf_counter()
        try:
            words = frontend.spoken_words(segment.text)
        except UnspeakableTextError:
            continue
        except Exception as error:  # noqa: BLE001 -- any other is what is looked for
            return f"{type(error).__name__}: {error}"
        took_ms = 1000.0 * (time.perf_counter() - begun_s)
        if took_ms > 50.0 + SLOW_MS_PER_CHAR * len(segment.text):
            return f"{took_ms:.0f} ms for {len(segment.text)} characters"
        for word in words:
            if not 0 <= word.char_start < word.char_end <= len(segment.text):
                return f"word {word.text!r} stands at [{word.char_start}:{word.char_end}]"
    return ""


def long_line(frontend: Frontend) -> float:
    """Return the seconds that one line of a million characters takes, in segments."""
    text = "今天天气很好，" * 150_000
    begun_s = time.perf_counter()
    segments = Segmenter().push(text)
    frontend.spoken_words(segments[-1].text)
    return time.perf_counter() - begun_s


def main(arguments: list[str] | None = None) -> int:
    """Fuzz and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fuzz_text", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    source = random.Random(options.seed)
    frontend = Frontend(SymbolTables())
    frontend.warm_up()
    explain("你好。", frontend)
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KB_PER_MB
    line_s = long_line(frontend)
    until_s = time.monotonic() + 60.0 * options.minutes
    failures: Counter[str] = Counter()
    n_texts = n_chars = 0
    while time.monotonic() < until_s:
        text = random_text(source)
        n_texts, n_chars = n_texts + 1, n_chars + len(text)
        if wrong := check(text, frontend, source):
            kind = wrong.partition(":")[0]
            failures[kind] += 1
            if failures[kind] <= 3:
                sys.stdout.write(f"{wrong}\n   {text[:300]!r}\n")
    after_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KB_PER_MB
    result = {
        "benchmark": "fuzz_text", "seed": options.seed, "texts": n_texts, "chars": n_chars,
        "failures": dict(failures), "line_of_a_million_s": round(line_s, 2),
        "memory_mb": [round(before_mb), round(after_mb)],
    }  # fmt: skip
    sys.stdout.write(json.dumps(result) + "\n")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
