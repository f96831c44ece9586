"""pipecat's TTS services for ElevenLabs and OpenAI, in a real pipeline."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.interop.conftest import Report, RunClient, RunningServer
from tests.interop.reference import native_pcm, samples

pytestmark = pytest.mark.timeout(180)

SENTENCES = ("你好，世界。", "Hello there, this is a test.")
TEXT = "".join(SENTENCES)
SERVICES = pytest.mark.parametrize(
    "service", ["elevenlabs", "elevenlabs_tokens", "elevenlabs_http", "openai"]
)
FEW_BYTES = 5 * 48000  # before pipecat has acted on the first audio more may come; the text is minutes long


@pytest.fixture(scope="module")
def report(run_client: RunClient) -> Report:
    return run_client("pipecat", "pipecat_turns", TEXT)


def native(port: int, service: str) -> np.ndarray[Any, np.dtype[np.int16]]:
    """A WebSocket's context is one utterance; over HTTP each sentence is a request of its own."""
    if service in ("elevenlabs", "elevenlabs_tokens"):
        return native_pcm(port, TEXT)
    return np.concatenate([native_pcm(port, sentence) for sentence in SENTENCES])


@SERVICES
def test_a_turn_gives_the_native_samples(report: Report, server: RunningServer, service: str) -> None:
    found = report[service]
    np.testing.assert_array_equal(samples(found["first"]), native(server.port, service))
    assert found["errors"] == []
    print(f"{service}: first audio after {found['first_ms']} ms, all after {found['whole_ms']} ms")


@SERVICES
def test_after_an_interruption_the_next_turn_is_heard_and_nothing_else(report: Report, service: str) -> None:
    found = report[service]
    assert 0 < found["interrupted_bytes"] <= FEW_BYTES
    assert found["third"] == found["first"]
    assert found["third_contexts"] == 1


@SERVICES
def test_the_words_are_those_of_the_text(report: Report, service: str) -> None:
    words = report[service]["words"]
    assert "".join(word for word, _ in words).replace(" ", "") == TEXT.replace(" ", "")
    if service != "openai":  # which has no times
        times = [time for _, time in words]
        assert times == sorted(times)
        assert times[-1] - times[0] > 1e9  # nanoseconds
