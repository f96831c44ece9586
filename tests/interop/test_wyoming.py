"""The wyoming library, unmodified, doing what Home Assistant does."""

from __future__ import annotations

import numpy as np
import pytest

from tests.interop.conftest import Report, RunClient, RunningServer
from tests.interop.reference import native_pcm, samples

pytestmark = pytest.mark.timeout(180)

TEXT = "你好，世界。Hello there, this is a test."
RATE = 16000  # of the voice


@pytest.fixture(scope="module")
def report(run_client: RunClient, server: RunningServer) -> Report:
    return run_client("wyoming", "wyoming_client", TEXT, port=server.wyoming_port)


def test_info_shows_a_program_that_streams(report: Report) -> None:
    program = report["info"]["tts"][0]
    assert program["installed"] is program["supports_synthesize_streaming"] is True
    assert program["voices"][0]["name"] == "shanquan"
    assert program["voices"][0]["languages"] == ["zh-CN", "en-US"]
    assert report["info_s"] < 0.5
    assert report["pong"] == "still there?"


@pytest.mark.parametrize("way", ["whole", "streamed"])
def test_both_ways_give_the_native_samples(report: Report, server: RunningServer, way: str) -> None:
    np.testing.assert_array_equal(samples(report[way]), native_pcm(server.port, TEXT, RATE))


def test_all_audio_has_one_format(report: Report) -> None:
    assert report["formats"] == report["stream_formats"] == [[RATE, 2, 1]]


def test_a_stream_has_starts_and_stops_and_an_end(report: Report) -> None:
    kinds = report["stream_kinds"]
    assert kinds[-1] == "synthesize-stopped"
    assert kinds[:-1] == ["audio-start", "audio-chunk", "audio-stop"] * ((len(kinds) - 1) // 3)
    assert report["as_documented"] > RATE // 2


def test_voices_go_by_name_and_by_language(report: Report) -> None:
    assert report["chosen"] == report["by_language"] == len(samples(report["whole"])) * 2


@pytest.mark.parametrize(("error", "code"), [("voice", "voice-not-found"), ("long", "text-too-long")])
def test_errors_are_events_before_the_end(report: Report, error: str, code: str) -> None:
    found = report["errors"][error]
    assert (found["code"], found["closed"]) == (code, True)


def test_leaving_early_harms_nobody(report: Report) -> None:
    assert report["left_s"] < 2
    assert report["after"] == len(samples(report["whole"])) * 2
