"""LiveKit's TTS plugins for ElevenLabs and OpenAI."""

from __future__ import annotations

import numpy as np
import pytest

from tests.interop.conftest import Report, RunClient, RunningServer
from tests.interop.reference import native_pcm, samples, similarity

pytestmark = pytest.mark.timeout(180)

TEXT = "你好，世界。Hello there, this is a test."
FRAME = 240  # samples: the plugins end with up to 10 ms of silence of their own
RATES = {"mp3": 22050, "mp3_http": 22050}


@pytest.fixture(scope="module")
def report(run_client: RunClient) -> Report:
    return run_client("livekit", "livekit_turns", TEXT)


def check_native(found: str, port: int) -> None:
    heard, native = samples(found), native_pcm(port, TEXT)
    assert 0 <= len(heard) - len(native) <= FRAME
    np.testing.assert_array_equal(heard[: len(native)], native)
    assert not heard[len(native) :].any()


@pytest.mark.parametrize("name", ["pcm", "words"])
def test_turns_on_one_connection_give_the_native_samples_also_after_an_interruption(
    report: Report, server: RunningServer, name: str
) -> None:
    found = report[name]
    check_native(found["first"], server.port)
    check_native(found["third"], server.port)
    assert 0 < found["interrupted_bytes"] < 48000
    print(f"{name}: first audio after {found['first_ms']} ms, on the open connection {found['third_ms']} ms")


@pytest.mark.parametrize(
    "name", ["pcm_http", "openai_pcm", "openai_pcm_after", "openai_events", "openai_events_after"]
)
def test_every_request_gives_the_native_samples(report: Report, server: RunningServer, name: str) -> None:
    check_native(report[name]["audio"], server.port)
    print(f"{name}: first audio after {report[name]['first_ms']} ms")


@pytest.mark.parametrize("name", ["mp3", "mp3_http", "openai_mp3"])
def test_what_is_decoded_is_the_same_speech(report: Report, server: RunningServer, name: str) -> None:
    heard = samples(report[name].get("first") or report[name]["audio"]).astype(np.float64)
    assert similarity(heard, native_pcm(server.port, TEXT, RATES.get(name, 24000))) > 0.95


@pytest.mark.parametrize("name", ["pcm", "mp3", "words"])
def test_the_words_are_those_of_the_text(report: Report, name: str) -> None:
    assert "".join(report[name]["words"]).replace(" ", "") == TEXT.replace(" ", "")


def test_voices_are_listed(report: Report) -> None:
    assert "shanquan" in report["voices"]


def test_an_unknown_voice_is_told_at_once_and_not_tried_again(report: Report) -> None:
    for name in ("refused", "refused_http"):
        assert "status_code=404, retryable=False" in report[name]


def test_the_plugins_complain_of_nothing(report: Report) -> None:
    assert report["warnings"] == []
