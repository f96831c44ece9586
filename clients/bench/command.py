"""`zhiyin bench`: drive a speech server as many users would, and measure what they hear.

Input   arguments
Output  a table and one line of JSON on standard output; files that were asked for; an exit status
State   none after it returns
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from clients.bench.arguments import parse, public_command
from clients.bench.options import Options, Outputs
from clients.bench.progress import Progress
from clients.bench.records_file import write_records
from clients.bench.report import Report
from clients.bench.runner import BenchError, Runner
from clients.bench.table import render
from clients.bench.texts import TextError, TextSet, load_texts

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def main(argv: Sequence[str] | None = None, clock: Callable[[], float] = time.perf_counter) -> int:
    """Run the command and return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    options = parse(arguments)
    try:
        _check_outputs(options.outputs)
        texts = load_texts(options.texts, options.seed)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            report = runner.run(_measure(options, texts, public_command(arguments), clock))
        _write(report, options.outputs)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except (BenchError, TextError, OSError) as error:
        sys.stderr.write(f"zhiyin bench: {error}\n")
        return EXIT_FAILED
    return _status(report)


async def _measure(options: Options, texts: TextSet, command: str, clock: Callable[[], float]) -> Report:
    runner = Runner(options, texts, command, Progress(sys.stderr, clock), clock)
    if threading.current_thread() is threading.main_thread():
        loop = asyncio.get_running_loop()

        def stop() -> None:
            runner.stop.set()
            loop.remove_signal_handler(signal.SIGINT)  # the second Ctrl-C ends it without a report

        with suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(signal.SIGINT, stop)
    return await runner.run()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # Windows has none
        return None
    return uvloop.new_event_loop


def _check_outputs(outputs: Outputs) -> None:
    """Find out before the run, not after, what would be in the way of the report.

    Raises:
        BenchError: matplotlib is missing, or a folder is.
    """
    if (outputs.html or outputs.png) and importlib.util.find_spec("matplotlib") is None:
        raise BenchError("--html and --png need matplotlib: pip install 'zhiyin[bench]'")
    for path in (outputs.json, outputs.html, outputs.png, outputs.records):
        if path is not None and not path.absolute().parent.is_dir():
            raise BenchError(f"cannot write {path}: no such folder")


def _write(report: Report, outputs: Outputs) -> None:
    document = json.dumps(report.document(), ensure_ascii=False)
    if outputs.records is not None:
        write_records(outputs.records, report.records)
    if outputs.json is not None:
        _write_text(outputs.json, json.dumps(report.document(), ensure_ascii=False, indent=1) + "\n")
    if outputs.png is not None or outputs.html is not None:
        from clients.bench import plots

        if outputs.png is not None:
            outputs.png.write_bytes(plots.png(report))
        if outputs.html is not None:
            from clients.bench.page import render_page

            _write_text(outputs.html, render_page(report, plots.svgs(report)))
    sys.stdout.write(f"{render(report)}\n{document}\n")
    sys.stdout.flush()


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _status(report: Report) -> int:
    if report.interrupted:
        return EXIT_INTERRUPTED
    is_spoken = any(
        record.outcome not in ("error", "refused") for record in report.records if record.level >= 0
    )
    return 0 if is_spoken else EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
