"""The openai SDK, unmodified."""

from __future__ import annotations

import base64
import io

import av
import numpy as np
import pytest

from tests.interop.conftest import Report, RunClient, RunningServer
from tests.interop.reference import native_pcm, samples, similarity

pytestmark = pytest.mark.timeout(180)

TEXT = "你好，世界。Hello there, this is a test."


@pytest.fixture(scope="module")
def report(run_client: RunClient) -> Report:
    return run_client("openai", "openai_speech", TEXT)


def test_all_three_ways_give_the_native_samples(report: Report, server: RunningServer) -> None:
    native = native_pcm(server.port, TEXT)
    for way in ("whole", "streamed", "events"):
        np.testing.assert_array_equal(samples(report[way]), native)


def test_headers_and_last_event(report: Report) -> None:
    assert report["content_type"] == "audio/pcm"
    assert report["request_id"].startswith("req_")
    usage = report["last_event"]["usage"]
    assert usage["input_tokens"] + usage["output_tokens"] == usage["total_tokens"] > 0


@pytest.mark.parametrize("name", ["mp3", "opus", "aac", "flac", "wav"])
def test_every_format_is_the_same_speech(report: Report, server: RunningServer, name: str) -> None:
    with av.open(io.BytesIO(base64.b64decode(report["formats"][name]))) as container:
        rate = container.streams.audio[0].rate
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    decoded = np.concatenate([np.asarray(frame, np.float64).reshape(-1) for frame in frames])
    assert similarity(decoded, native_pcm(server.port, TEXT, rate)) > 0.95


def test_speed_and_instructions_are_heard(report: Report) -> None:
    n_bytes = len(samples(report["whole"])) * 2
    assert 1.7 < report["slow"] / n_bytes < 2.3
    assert report["cheerful"] != report["whole"]


def test_models_are_listed(report: Report) -> None:
    assert {"tts-1", "shanquan"} <= set(report["models"])


@pytest.mark.parametrize(
    ("error", "status", "kind", "param", "code"),
    [
        ("voice", 400, "BadRequestError", "voice", "voice_not_found"),
        ("model", 404, "NotFoundError", "model", "model_not_found"),
        ("format", 400, "BadRequestError", "response_format", "unsupported_format"),
        ("empty", 400, "BadRequestError", "input", "invalid_value"),
        ("long", 400, "BadRequestError", "input", "string_above_max_length"),
    ],
)
def test_errors_are_the_sdks_own(
    report: Report, error: str, status: int, kind: str, param: str, code: str
) -> None:
    found = report["errors"][error]
    assert (found["status"], found["type"], found["param"], found["code"]) == (status, kind, param, code)


def test_leaving_early_harms_nobody(report: Report) -> None:
    assert report["left_s"] < 2
    assert report["after"] == len(samples(report["whole"])) * 2
