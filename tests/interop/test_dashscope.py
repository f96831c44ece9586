"""The dashscope SDK, unmodified: its 2.x and its 1.x."""

from __future__ import annotations

import base64
import io
import wave

import av
import numpy as np
import pytest

from tests.interop.conftest import Report, RunClient, RunningServer
from tests.interop.reference import Samples, native_pcm, samples, similarity

pytestmark = pytest.mark.timeout(300)

TEXT = "你好，世界。Hello there, this is a test."
N_CHARACTERS = 38  # a Hanzi counts as two


@pytest.fixture(scope="module", params=["dashscope", "dashscope1"])
def sdk(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def sockets(run_client: RunClient, sdk: str) -> Report:
    return run_client(sdk, "dashscope_sockets", TEXT)


@pytest.fixture(scope="module")
def requests(run_client: RunClient, sdk: str) -> Report:
    return run_client(sdk, "dashscope_requests", TEXT)


@pytest.fixture(scope="module")
def native(server: RunningServer) -> Samples:
    return native_pcm(server.port, TEXT)


def wav_samples(encoded: str) -> Samples:
    with wave.open(io.BytesIO(base64.b64decode(encoded))) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


def test_sambert_and_cosyvoice_give_the_native_samples(sockets: Report, native: Samples) -> None:
    for way in ("sambert", "timed", "call", "client", "client_shared"):
        if way in sockets:
            np.testing.assert_array_equal(samples(sockets[way]), native)


def test_sambert_tells_times_only_if_asked(sockets: Report, native: Samples) -> None:
    assert (sockets["sambert_status"], sockets["sambert_timestamps"]) == (200, [])
    sentences = sockets["timed_timestamps"]
    assert sockets["timed_response"] == 200
    assert len(sentences) == 2
    for sentence in sentences:
        assert {"begin_time", "end_time", "words"} <= set(sentence)
        assert all(word["phonemes"] for word in sentence["words"])
    assert sentences[-1]["end_time"] <= 1000 * len(native) / 24000


def test_formats_that_nobody_chose(sockets: Report, server: RunningServer) -> None:
    wav = wav_samples(sockets["sambert_default"])
    np.testing.assert_array_equal(wav, native_pcm(server.port, TEXT, 16000))
    for way, rate in (("default", 22050), ("opus", 48000)):  # opus is decoded at its own rate
        with av.open(io.BytesIO(base64.b64decode(sockets[way]))) as container:
            assert container.streams.audio[0].rate == rate
            frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
        decoded = np.concatenate([np.asarray(frame, np.float64).reshape(-1) for frame in frames])
        assert similarity(decoded, native_pcm(server.port, TEXT, rate)) > 0.95


def test_ssml_is_read(sockets: Report, native: Samples) -> None:
    assert sockets["sambert_ssml"] == 2 * (len(native) + 24000)  # with a second of silence


def test_refusals_have_the_vendors_codes(sockets: Report) -> None:
    assert sockets["refused"][:2] == [44, "ModelNotFound"]
    assert sockets["wrong"] == [
        44,
        "InvalidParameter",
        "volume: found 200; allowed: less than or equal to 100",
    ]
    for name, code in (("unknown_voice", "InvalidParameter"), ("unknown_model", "ModelNotFound")):
        assert any(code in said for said in sockets[name])


def test_streamed_text_with_a_flush(sockets: Report, native: Samples) -> None:
    assert sockets["streaming_done"]
    assert sockets["streaming_errors"] == []
    assert sockets["first_package_ms"] > 0
    spoken = samples(sockets["streaming"])
    np.testing.assert_array_equal(spoken[: len(native)], native)  # then it comes again
    assert len(spoken) > 2 * len(native)
    outputs = [event["payload"]["output"] for event in sockets["streaming_events"]]
    ends = [output for output in outputs if output["type"] == "sentence-end"]
    assert "".join(end["original_text"] for end in ends) == TEXT * 2
    assert all(end["sentence"]["words"] for end in ends)
    assert sockets["last_response"]["payload"]["usage"]["characters"] == 2 * N_CHARACTERS


def test_a_cancel_returns_at_once(sockets: Report, native: Samples) -> None:
    assert sockets["cancel_s"] < 1
    assert sockets["cancelled"] < 100 * 2 * len(native)
    assert sockets.get("client_cancelled", 0) < 100 * 2 * len(native)


def test_pooled_sockets_hold_nothing_of_the_task_before(sockets: Report, native: Samples) -> None:
    assert len(sockets["pooled"]) == 3
    for audio in sockets["pooled"]:
        np.testing.assert_array_equal(samples(audio), native)


def test_http_gives_the_native_samples(requests: Report, native: Samples) -> None:
    for way in ("streamed", "streamed_last", "streamed_url", "qwen_streamed", "client", "client_qwen"):
        if way in requests:
            np.testing.assert_array_equal(samples(requests[way]), native)
    for way in ("whole", "qwen", "qwen_url", "client_whole"):
        if way in requests:
            np.testing.assert_array_equal(wav_samples(requests[way]), native)


def test_http_answers_are_complete(requests: Report) -> None:
    assert requests["whole_id"][0].startswith("audio_")
    assert requests["whole_id"][1] > 1_700_000_000
    assert {sentence["index"] for sentence in requests["sentences"]} == {0, 1}
    assert requests["qwen_reason"] == requests["qwen_reasons"][-1] == "stop"
    assert set(requests["qwen_reasons"][:-1]) == {"null"}
    assert requests["qwen_refused"][:2] == [400, "InvalidParameter"]
    assert "404" in requests["refused"]
    for way in ("client_final", "client_qwen_final"):
        assert requests.get(way, [True, True, {"characters": N_CHARACTERS}]) == [
            True,
            True,
            {"characters": N_CHARACTERS},
        ]


def test_realtime_with_server_commit(requests: Report, native: Samples) -> None:
    session = requests["server_commit"]
    np.testing.assert_array_equal(samples(session["audio"]), native)
    assert session["kinds"][:2] == ["session.created", "session.updated"]
    assert session["kinds"][-1] == "session.finished"
    assert [done["status"] for done in session["done"]] == ["completed"]
    assert (session["errors"], session["codes"]) == ([], [1000])
    assert requests["first_audio_ms"] > 0


def test_realtime_with_commit_and_cancel(requests: Report, native: Samples) -> None:
    session = requests["commit"]
    assert [done["status"] for done in session["done"]] == ["completed", "cancelled", "completed"]
    sizes = requests["commit_sizes"]
    assert sizes[0] == sizes[2] == 2 * len(native)
    assert sizes[1] < 100 * len(native)
    assert (session["errors"], session["codes"]) == ([], [1000])
