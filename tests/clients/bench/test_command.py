"""`zhiyin bench` in this process, against real servers."""

from __future__ import annotations

import asyncio
import json
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from clients.bench import command
from clients.bench.arguments import parse
from clients.bench.progress import Progress
from clients.bench.record import Record
from clients.bench.runner import Runner
from clients.bench.tally import Tally
from clients.bench.texts import load_texts
from server.config import ServerConfig
from tests.clients.bench.doubles import (
    bench,
    document,
    measured,
    native_server,
    pcm_answer,
    silent,
    speech_server,
    texts_file,
)
from tests.server.harness import limits, running

QUICK = ("--duration", "0.6", "--warm-up", "0.1")


async def test_an_open_loop_reports_every_level_and_ends_with_one_line_of_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / name for name in ("a.json", "a.jsonl")]
    async with running() as server:
        target = f"native={server.url}"
        arguments = ("--target", target, "--texts", texts_file(tmp_path), "--streams", "4,8", *QUICK)
        assert await bench(*arguments, "--json", str(files[0]), "--records", str(files[1])) == 0
    output = capsys.readouterr().out
    for word in ("zhiyin bench --target", "idle", "4 streams", "8 streams", "TTFC p99.9", "C100", "goodput"):
        assert word in output
    report = json.loads(output.rstrip("\n").rpartition("\n")[2])
    assert json.loads(files[0].read_text(encoding="utf-8")) == report
    idle, *levels = report["levels"]
    assert (idle["purpose"], idle["figures"]["counts"]["ok"]) == ("idle", 3)
    assert [level["load"] for level in levels] == [4, 8]
    mean_s = report["run"]["mean_audio_s"]
    assert levels[0]["rate_per_s"] == pytest.approx(4 / mean_s, abs=1e-3)
    assert levels[1]["figures"]["counts"]["sent"] > levels[0]["figures"]["counts"]["sent"] > 0
    for level in levels:
        counts = level["figures"]["counts"]
        assert counts["ok"] == counts["sent"]
        assert level["figures"]["latency"]["ttfc_ms"]["p50"] > 0
        assert level["figures"]["speed"]["source"] == "receipt"
        assert level["figures"]["cached_share"] == 0.0
    records = [json.loads(line) for line in files[1].read_text(encoding="utf-8").splitlines()]
    assert len(records) >= 3 + sum(level["figures"]["counts"]["sent"] for level in levels)
    assert {"ttfc_ms", "gaps_ms", "late_ms", "outcome"} <= set(records[0])
    assert report["targets"][0]["server"]
    assert report["run"]["machine"]["cores"] >= 1


async def test_a_closed_loop_listens_to_the_end_before_it_speaks_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = tmp_path / "records"
    async with running() as server:
        arguments = (
            "--target",
            server.url,
            "--texts",
            texts_file(tmp_path, "好。\n"),
            "--clients",
            "1",
            "--think",
            "0.01",
        )
        assert await bench(*arguments, *QUICK, "--calibration", "0", "--records", str(records)) == 0
    spoken = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
    assert len(spoken) > 1
    for earlier, later in pairwise(spoken):
        assert later["scheduled_s"] >= earlier["playback_end_s"] - 1e-6
    (level,) = document(capsys)["levels"]
    assert 0 < level["figures"]["flow"]["streams"] <= 1.01


async def test_the_mixes_end_as_they_should(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = tmp_path / "records"
    mixes = (
        "--barge-in",
        "0.4",
        "--abort",
        "0.3",
        "--slow-readers",
        "0.3",
        "--slow-factor",
        "3",
        "--trickle",
        "200",
    )
    async with running() as server:
        arguments = ("--target", server.url, "--texts", texts_file(tmp_path), "--rate", "30", *QUICK, *mixes)
        assert await bench(*arguments, "--records", str(records)) == 0
        await server.no_connections()
    (level,) = measured(document(capsys))
    counts, slow = level["figures"]["counts"], level["figures"]["slow"]
    assert counts["cancelled"] > 0
    assert counts["aborted"] > 0
    assert counts["ok"] > 0
    assert counts["error"] == slow["counts"]["error"] == 0
    assert slow["counts"]["sent"] > 0
    lines = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
    assert all(line["is_trickled"] for line in lines)
    interrupted = [line for line in lines if line["outcome"] == "cancelled"]
    assert all(line["playback_end_s"] is not None for line in interrupted)


async def test_repeats_are_answered_from_the_cache_and_shown_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(ServerConfig()) as server:
        arguments = ("--target", server.url, "--texts", texts_file(tmp_path), "--rate", "30", *QUICK)
        assert await bench(*arguments, "--repeats", "0.5") == 0
    report = document(capsys)
    (level,) = measured(report)
    assert level["figures"]["cached_share"] > 0.2
    latency = level["figures"]["latency"]
    assert (
        latency["cached_ttfc_ms"]["n"] + latency["computed_ttfc_ms"]["n"] == level["figures"]["counts"]["ok"]
    )
    assert report["warnings"] == [] or "cache" not in " ".join(report["warnings"])


async def test_a_second_run_with_the_same_seed_is_warned_of_the_cache(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(ServerConfig()) as server:
        arguments = ("--target", server.url, "--texts", texts_file(tmp_path), "--rate", "9", *QUICK)
        assert await bench(*arguments) == 0
        assert not [warning for warning in document(capsys)["warnings"] if "cache" in warning]
        assert await bench(*arguments) == 0
    assert [warning for warning in document(capsys)["warnings"] if "take another --seed" in warning]


async def test_refusals_are_no_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with running(limits(connections=1, retry_after_ms=900)) as server:
        server.engine.delay_s = 0.005
        arguments = ("--target", server.url, "--texts", texts_file(tmp_path), "--rate", "40", *QUICK)
        assert await bench(*arguments) == 0
    (level,) = measured(document(capsys))
    figures = level["figures"]
    assert figures["counts"]["refused"] > 0
    assert figures["counts"]["error"] == 0
    assert figures["counts"]["refusals"] == {"overloaded": figures["counts"]["refused"]}
    assert figures["refusals"]["answered_ms"]["max"] > 0
    assert figures["refusals"]["retry_after_ms"]["p50"] == 900
    assert figures["continuity"]["c200"] == 1.0


async def test_two_protocols_are_measured_side_by_side_with_the_same_schedule(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append((await request.json())["input"])
        return await pcm_answer(request, bytes(4800), b"\x00\x40" * 4800)

    records = tmp_path / "records"
    async with running() as server, speech_server(answer) as url:
        arguments = ("--target", f"ours:native={server.url}", "--target", f"theirs:openai={url}")
        texts = (
            "--texts",
            texts_file(tmp_path),
            "--rate",
            "9,12",
            "--duration",
            "0.4",
            "--warm-up",
            "0.1",
            "--records",
            str(records),
        )
        assert await bench(*arguments, *texts) == 0
    output = capsys.readouterr().out
    assert "ratio" in output
    report = json.loads(output.rstrip("\n").rpartition("\n")[2])
    order = [(level["target"], level["load"]) for level in measured(report)]
    assert order == [("ours", 9), ("theirs", 9), ("ours", 12), ("theirs", 12)]
    assert [target["kind"] for target in report["targets"]] == ["native", "openai"]
    lines = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]

    def schedule(target: str) -> list[Any]:
        return [
            (line["level"], line["number"], round(line["scheduled_s"], 4), line["chars"])
            for line in lines
            if line["target"] == target and line["level"] >= 0
        ]

    assert schedule("ours") == schedule("theirs") != []
    assert len(set(asked)) == len(asked)
    theirs = next(level for level in measured(report) if level["target"] == "theirs")
    assert theirs["figures"]["speed"]["source"] == "wall"


async def test_capacity_is_searched_confirmed_and_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running() as server:
        arguments = (
            "--target",
            server.url,
            "--texts",
            texts_file(tmp_path),
            "--find-capacity",
            "--start",
            "2",
        )
        quick = ("--max-streams", "4", "--min-utterances", "0", "--ttfc-limit", "20000", *QUICK)
        assert await bench(*arguments, *quick) == 0
    output = capsys.readouterr().out
    assert "capacity at least 4 concurrent real-time streams" in output
    report = json.loads(output.rstrip("\n").rpartition("\n")[2])
    assert report["capacity"] == [{"target": "native", "streams": 4, "at_least": True}]
    probes = [(level["purpose"], level["load"], level["passed"]) for level in measured(report)]
    assert probes == [("doubling", 2, True), ("doubling", 4, True), ("confirming", 4, True)]


async def test_a_server_that_never_answers_is_given_up_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with native_server(silent) as url:
        arguments = ("--target", url, "--texts", texts_file(tmp_path), "--rate", "9", *QUICK)
        assert await bench(*arguments, "--calibration", "0", "--timeout", "0.2") == 1
    (level,) = document(capsys)["levels"]
    figures = level["figures"]
    assert figures["counts"]["errors"] == {"timeout": figures["counts"]["sent"]} != {"timeout": 0}
    assert figures["continuity"]["c100"] == 0.0
    assert figures["latency"]["ttfc_ms"]["p50"] >= 200


async def test_a_server_that_speaks_no_text_ends_the_run_in_the_calibration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running() as server:
        arguments = ("--target", server.url, "--texts", texts_file(tmp_path), "--voice", "nobody")
        assert await bench(*arguments, *QUICK) == 1
    assert "speaks none of the texts: unknown_voice" in capsys.readouterr().err


async def test_no_server_has_status_1_and_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running() as server:
        pass
    assert await bench("--target", server.url, "--texts", texts_file(tmp_path)) == 1
    captured = capsys.readouterr()
    assert captured.err == f"zhiyin bench: cannot measure {server.url}: no server answers\n"
    assert captured.out == ""


def test_what_would_spoil_the_report_is_found_before_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--json", "/nonexistent/a.json"]) == 1
    assert "cannot write /nonexistent/a.json: no such folder" in capsys.readouterr().err
    assert command.main(["--texts", "/nonexistent"]) == 1
    assert "cannot read /nonexistent" in capsys.readouterr().err
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert command.main(["--html", "a.html"]) == 1
    assert "pip install 'zhiyin[bench]'" in capsys.readouterr().err


async def test_a_generator_that_is_late_is_flagged_loudly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def hurried() -> float:
        return 20 * time.perf_counter()  # each of its delays looks 20 times as long

    async with running() as server:
        arguments = ["--target", server.url, "--texts", texts_file(tmp_path), "--rate", "9", *QUICK]
        assert await asyncio.to_thread(command.main, [*arguments, "--calibration", "0"], hurried) == 0
    output = capsys.readouterr().out
    assert "UNSURE" in output
    assert "WARNING: do not trust native, 9 utterances/s: the generator" in output
    report = json.loads(output.rstrip("\n").rpartition("\n")[2])
    assert report["trustworthy"] is False
    assert report["levels"][0]["trustworthy"] is False


class StopsAfterTheFirst(Progress):
    """Sets `stop` as soon as an utterance was heard to its end."""

    stop: asyncio.Event

    async def show(self, label: str, tally: Tally) -> None:
        end = tally.end

        def noted(record: Record) -> None:
            end(record)
            if record.outcome == "ok":
                self.stop.set()

        tally.end = noted  # type: ignore[method-assign]


async def test_a_run_that_is_stopped_reports_what_it_has(tmp_path: Path) -> None:
    """As Ctrl-C does it; what was under way is left, and nothing remains open."""
    async with running() as server:
        arguments = [
            "--target",
            server.url,
            "--texts",
            texts_file(tmp_path),
            "--rate",
            "20",
            "--duration",
            "99",
        ]
        options = parse([*arguments, "--warm-up", "0"])
        texts = load_texts(options.texts, 1)
        with (tmp_path / "progress").open("w", encoding="utf-8") as stream:
            progress = StopsAfterTheFirst(stream, time.perf_counter)
            runner = Runner(options, texts, "bench", progress, time.perf_counter)
            progress.stop = runner.stop
            report = await runner.run()
        await server.no_connections()
    assert report.interrupted
    assert report.levels[-1].interrupted
    assert 0 < report.levels[-1].figures.counts.ok < 99
    assert report.levels[-1].figures.window_s < 90
    assert command._status(report) == command.EXIT_INTERRUPTED
