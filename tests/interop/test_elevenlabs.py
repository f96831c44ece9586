"""The elevenlabs SDK, unmodified."""

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
    return run_client("elevenlabs", "elevenlabs_speech", TEXT)


@pytest.mark.parametrize("way", ["whole", "streamed", "document", "lines"])
def test_every_way_over_http_gives_the_native_samples(
    report: Report, server: RunningServer, way: str
) -> None:
    np.testing.assert_array_equal(samples(report[way]), native_pcm(server.port, TEXT))


def test_the_websocket_gives_the_native_samples_of_what_the_sdk_makes_of_the_text(
    report: Report, server: RunningServer
) -> None:
    # The SDK cuts tokens at marks and puts a space there: see its text_chunker.
    as_sent = "你好，世界。Hello there, this is a test. "
    np.testing.assert_array_equal(samples(report["realtime"]), native_pcm(server.port, as_sent))
    assert report["realtime_empty"] == 0
    print(f"first audio after {report['realtime_first_s'] * 1000:.0f} ms, with the connection")


def test_alignment_has_every_character_and_ends_with_the_audio(report: Report) -> None:
    alignment = report["alignment"]
    assert "".join(alignment["characters"]) == "".join(report["characters"]) == TEXT
    audio_s = len(samples(report["whole"])) / 24000
    assert alignment["character_end_times_seconds"][-1] == pytest.approx(audio_s, abs=0.001)
    starts = alignment["character_start_times_seconds"]
    assert starts == sorted(starts)


@pytest.mark.parametrize("name", ["mp3_44100_128", "mp3_22050_32", "opus_48000_64", "wav_24000"])
def test_every_format_is_the_same_speech(report: Report, server: RunningServer, name: str) -> None:
    with av.open(io.BytesIO(base64.b64decode(report["formats"][name]))) as container:
        rate = container.streams.audio[0].rate
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    decoded = np.concatenate([np.asarray(frame, np.float64).reshape(-1) for frame in frames])
    assert rate == int(name.split("_")[1])
    assert similarity(decoded, native_pcm(server.port, TEXT, rate)) > 0.95


def test_speed_is_heard(report: Report) -> None:
    assert report["slow"] / 2 / len(samples(report["whole"])) == pytest.approx(1 / 0.7, rel=0.1)


def test_voices_and_models_are_listed(report: Report) -> None:
    assert "shanquan" in report["voices"]
    assert "shanquan" in report["found"]
    assert report["voice"] == "shanquan"
    assert "zhiyin" in report["models"]
    assert report["tier"] == "zhiyin"


@pytest.mark.parametrize(
    ("error", "status", "kind", "name"),
    [
        ("voice", 404, "NotFoundError", "voice_not_found"),
        ("document", 404, "NotFoundError", "voice_not_found"),
        ("model", 400, "BadRequestError", "model_not_found"),
        ("empty", 400, "BadRequestError", "input_text_empty"),
        ("long", 400, "BadRequestError", "max_character_limit_exceeded"),
    ],
)
def test_errors_are_the_sdks_own(report: Report, error: str, status: int, kind: str, name: str) -> None:
    found = report["errors"][error]
    assert found["status"] == status
    assert found["body"]["detail"]["status"] == name
    assert found["type"] in (kind, "ApiError")


def test_what_is_malformed_is_a_validation_error(report: Report) -> None:
    found = report["errors"]["format"]
    assert (found["status"], found["type"]) == (422, "UnprocessableEntityError")


def test_an_error_of_the_websocket_is_an_error_of_the_sdk(report: Report) -> None:
    found = report["errors"]["realtime"]
    assert (found["status"], found["type"]) == (1008, "ApiError")
    assert "nobody" in str(found["body"])


def test_leaving_early_harms_nobody(report: Report) -> None:
    assert report["after"] == len(samples(report["whole"])) * 2
