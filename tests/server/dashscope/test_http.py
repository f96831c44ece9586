"""DashScope's speech over HTTP: events, URLs, errors."""

from __future__ import annotations

import asyncio
import base64
import json
from itertools import product
from typing import Any

import aiohttp
import pytest

from server.config import AuthConfig, DashScopeConfig, ServerConfig
from server.dashscope.http import GENERATION_PATH, SPEECH_PATH
from streaming.engines.fake import FakeEngine
from tests.server.harness import LONG_TEXT, Gate, Server, ask, limits, running
from tests.server.test_connection import small_receiver

TEXT = "你好。再见。"
SSE = {"X-DashScope-SSE": "enable"}
Event = dict[str, Any]


def body(model: str = "cosyvoice-v3", text: str = TEXT, **fields: Any) -> dict[str, Any]:
    return {"model": model, "input": {"text": text, "voice": "longxiaochun", **fields}}


def qwen(text: str = TEXT, **fields: Any) -> dict[str, Any]:
    return body("qwen3-tts-flash", text, **{"voice": "Cherry", **fields})


async def native(server: Server, text: str = TEXT, rate: int = 24000) -> bytes:
    async with server.client() as client:
        await client.send("open", ctx=1, text=text, end=True, rate=rate)
        return b"".join(m["pcm"] for m in await client.until("done") if m["type"] == "audio")


async def events(server: Server, path: str, fields: dict[str, Any]) -> list[Event]:
    """The data of all events; every line is as the SDK compares it."""
    status, text = await ask(server, "POST", path, json=fields, headers=SSE)
    assert status == 200
    lines = [line for line in text.split("\n") if line]
    assert all(line.startswith(("event:result", "event:error", "status:", "data:{")) for line in lines)
    return [json.loads(line[5:]) for line in lines if line.startswith("data:")]


def audio_of(told: list[Event]) -> bytes:
    return b"".join(base64.b64decode(event["output"].get("audio", {}).get("data", "")) for event in told)


async def fetched(server: Server, url: str) -> tuple[str, bytes]:
    assert url.startswith(f"http://127.0.0.1:{server.port}/api/v1/audio/")
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.status == 200
        return response.content_type, await response.read()


async def test_an_answer_holds_the_url_of_the_audio() -> None:
    async with running() as server:
        status, told = await ask(server, "POST", SPEECH_PATH, json=body(format="wav", sample_rate=24000))
        assert status == 200
        assert told["request_id"]
        assert told["output"]["finish_reason"] == "stop"
        assert set(told["output"]["audio"]) == {"url", "id", "expires_at"}
        assert told["usage"] == {"characters": 10}
        kind, audio = await fetched(server, told["output"]["audio"]["url"])
        assert kind == "audio/wav"
        assert audio[44:] == await native(server)
        assert int.from_bytes(audio[40:44], "little") == len(audio) - 44


async def test_cosyvoice_tells_sentences_with_their_audio() -> None:
    async with running() as server:
        fields = body(format="pcm", sample_rate=16000, word_timestamp_enabled=True)
        *told, last = await events(server, SPEECH_PATH, fields)
        assert audio_of(told) == await native(server, rate=16000)
        kinds = [event["output"]["type"] for event in told]
        assert kinds[0] == "sentence-begin"
        assert kinds.count("sentence-end") == 2
        assert told[-1]["output"]["sentence"]["words"]
        assert "type" not in last["output"]
        assert last["output"]["finish_reason"] == "stop"
        assert len({event["request_id"] for event in [*told, last]}) == 1
        assert (await fetched(server, last["output"]["audio"]["url"]))[1] == audio_of(told)


async def test_qwen_tells_samples_and_ends_with_a_file() -> None:
    async with running() as server:
        *told, last = await events(server, GENERATION_PATH, qwen())
        assert audio_of(told) == await native(server)
        assert {event["output"]["finish_reason"] for event in told} == {"null"}
        kind, file = await fetched(server, last["output"]["audio"]["url"])
        assert kind == "audio/wav"
        assert file[44:] == audio_of(told)
        _, told_whole = await ask(server, "POST", GENERATION_PATH, json=qwen())
        assert (await fetched(server, told_whole["output"]["audio"]["url"]))[1] == file


async def test_mp3_is_the_format_of_cosyvoice_and_parameters_may_stand_apart() -> None:
    async with running() as server:
        fields = {**body(), "parameters": {"volume": 0, "rate": 2.0}}
        _, told = await ask(server, "POST", SPEECH_PATH, json=fields)
        kind, audio = await fetched(server, told["output"]["audio"]["url"])
        assert kind == "audio/mpeg"
        assert audio
        fields["input"]["format"] = "pcm"
        assert not any(audio_of(await events(server, SPEECH_PATH, fields)))


async def test_ssml_and_replacements() -> None:
    async with running() as server:
        fields = body(text="<speak>你好</speak>", enable_ssml=True, format="pcm", sample_rate=24000)
        assert audio_of(await events(server, SPEECH_PATH, fields)) == await native(server, "你好")
        fields = body(hot_fix={"replace": [{"再见": "你好"}]}, format="pcm", sample_rate=24000)
        told = await events(server, SPEECH_PATH, fields)
        assert audio_of(told) == await native(server, "你好。你好。")


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        (body("no-such"), 404, "ModelNotFound"),
        (body(voice="nobody"), 400, "InvalidParameter"),
        (body(format="midi"), 400, "InvalidParameter"),
        (body(text=" "), 400, "InvalidParameter"),
        (body(text="好" * 30_000), 400, "InvalidParameter"),
        (body(text="あ。"), 400, "InvalidParameter"),
        (body(rate=9), 400, "InvalidParameter"),
        ({"model": "cosyvoice-v3"}, 400, "InvalidParameter"),
        ({"model": "cosyvoice-v3", "input": {}}, 400, "InvalidParameter"),
    ],
    ids=range(9),
)
async def test_errors_before_the_first_audio(fields: dict[str, Any], status: int, code: str) -> None:
    async with running() as server:
        for path, headers in product((SPEECH_PATH, GENERATION_PATH), ({}, SSE)):
            found, error = await ask(server, "POST", path, json=fields, headers=headers)
            assert (found, error["code"]) == (status, code)
            assert set(error) == {"code", "message", "request_id"}


async def test_an_error_in_the_middle_is_an_event() -> None:
    async with running(engine=FakeEngine(fail_at={"vocoder": 3})) as server:
        status, text = await ask(server, "POST", SPEECH_PATH, json=body(text=LONG_TEXT), headers=SSE)
        assert status == 200
        last = text.rstrip("\n").split("\n\n")[-1].split("\n")
        assert last[:2] == ["event:error", "status:500"]
        assert json.loads(last[2].removeprefix("data:"))["code"] == "InternalError"


async def test_half_a_character_does_no_harm() -> None:
    async with running() as server:
        for text in ("你好\ud83d。", LONG_TEXT + "\ud83dあ。"):
            status, told = await ask(server, "POST", SPEECH_PATH, json=body(text=text), headers=SSE)
            assert status == 200
            assert "data:" in told


async def test_a_failing_model_fails_a_whole_answer() -> None:
    async with running(engine=FakeEngine(fail_at={"vocoder": 3})) as server:
        status, error = await ask(server, "POST", SPEECH_PATH, json=body(text=LONG_TEXT))
        assert (status, error["message"]) == (500, "synthesis failed")


async def test_without_a_valid_key() -> None:
    config = limits().model_copy(update={"auth": AuthConfig(tokens=("secret",))})  # type: ignore[arg-type]
    async with running(config) as server:
        status, error = await ask(server, "POST", SPEECH_PATH, json=body())
        assert (status, error["code"]) == (401, "InvalidApiKey")
        headers = {"Authorization": "Bearer secret"}
        status, _ = await ask(server, "POST", SPEECH_PATH, json=body(), headers=headers)
        assert status == 200


async def test_a_full_server_says_when_to_come_again() -> None:
    gate = Gate()
    async with running(limits(requests=1), FakeEngine(before_call=gate)) as server:
        first = asyncio.create_task(ask(server, "POST", SPEECH_PATH, json=body()))
        assert await asyncio.to_thread(gate.reached.wait, 10)
        status, error = await ask(server, "POST", SPEECH_PATH, json=body())
        assert (status, error["code"]) == (429, "Throttling.RateQuota")
        gate.opened.set()
        assert (await first)[0] == 200


def keeping(kept_mb: int, **values: Any) -> ServerConfig:
    return limits(**values).model_copy(update={"dashscope": DashScopeConfig(kept_mb=kept_mb)})


async def test_audio_that_is_too_long_to_keep_must_be_streamed() -> None:
    async with running(keeping(1)) as server:
        fields = body(text=LONG_TEXT, format="pcm", sample_rate=48000)
        status, error = await ask(server, "POST", SPEECH_PATH, json=fields)
        assert (status, error["code"]) == (400, "InvalidParameter")
        assert "stream" in error["message"]
        told = await events(server, SPEECH_PATH, fields)
        assert len(audio_of(told)) > 1_000_000
        assert told[-1]["output"] == {"finish_reason": "stop", "audio": {}}


async def test_a_server_that_keeps_nothing_still_streams() -> None:
    async with running(keeping(0)) as server:
        for path, fields in ((SPEECH_PATH, body(format="pcm")), (GENERATION_PATH, qwen())):
            assert audio_of(await events(server, path, fields))


async def test_a_file_is_sent_in_pieces_with_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.dashscope.http.FILE_PIECE_BYTES", 1000)
    async with running() as server, aiohttp.ClientSession() as session:
        _, told = await ask(server, "POST", SPEECH_PATH, json=body(format="wav", sample_rate=24000))
        url = told["output"]["audio"]["url"]
        _, audio = await fetched(server, url)
        assert audio[44:] == await native(server)
        for method in ("GET", "HEAD"):
            async with session.request(method, url) as response:
                assert response.content_length == len(audio)
                assert response.headers["Cache-Control"] == "no-store"
                assert await response.read() == (audio if method == "GET" else b"")


async def test_a_file_takes_a_place_behind_the_door() -> None:
    gate = Gate()
    async with running(limits(requests=1), FakeEngine(before_call=gate)) as server:
        first = asyncio.create_task(ask(server, "POST", SPEECH_PATH, json=body()))
        assert await asyncio.to_thread(gate.reached.wait, 10)
        status, error = await ask(server, "GET", "/api/v1/audio/guess.wav")
        assert (status, error["code"]) == (429, "Throttling.RateQuota")
        gate.opened.set()
        assert (await fetched(server, (await first)[1]["output"]["audio"]["url"]))[1]


async def test_a_client_that_does_not_read_its_file_is_cut() -> None:
    async with running(limits(slow_reader_s=0.1)) as server:
        fields = body(text=LONG_TEXT * 2, format="pcm", sample_rate=48000)
        _, told = await ask(server, "POST", SPEECH_PATH, json=fields)
        name = told["output"]["audio"]["url"].rpartition("/")[2]
        with small_receiver(server.port) as client:
            request = f"GET /api/v1/audio/{name} HTTP/1.1\r\nHost: x\r\n\r\n"
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(client, request.encode())
            assert await loop.sock_recv(client, 8) == b"HTTP/1.1"
            assert server.backend.door.n_inside == 1
            await server.backend.door._empty.wait()


@pytest.mark.parametrize("text", ["<speak><dance/></speak>", "<speak>你好"])
async def test_text_that_is_refused_waits_for_nothing(text: str) -> None:
    async with running() as server:
        status, _ = await ask(server, "POST", SPEECH_PATH, json=body(text=text, enable_ssml=True))
        assert status == 400
        assert server.backend.admission.statistics().chars == 0


async def test_audio_that_is_not_there() -> None:
    async with running() as server:
        status, error = await ask(server, "GET", "/api/v1/audio/guess.wav")
        assert (status, error["code"]) == (404, "NotFound")


async def test_a_proxy_that_speaks_tls_is_named_in_the_url() -> None:
    async with running() as server:
        headers = {"X-Forwarded-Proto": "https", "Host": "tts.example"}
        _, told = await ask(server, "POST", SPEECH_PATH, json=body(), headers=headers)
        assert told["output"]["audio"]["url"].startswith("https://tts.example/api/v1/audio/")


@pytest.mark.parametrize("headers", [{}, SSE], ids=["whole", "events"])
async def test_a_client_that_leaves_stops_the_model(headers: dict[str, str]) -> None:
    gate = Gate(at_call=20)
    async with running(engine=FakeEngine(before_call=gate)) as server:
        asking = asyncio.create_task(
            ask(server, "POST", SPEECH_PATH, json=body(text=LONG_TEXT * 10), headers=headers)
        )
        assert await asyncio.to_thread(gate.reached.wait, 10)
        asking.cancel()
        await asyncio.wait([asking])
        gate.opened.set()
        await server.backend.door._empty.wait()
        assert len(server.engine.calls) < 500


async def test_replacements_cannot_make_a_text_too_long() -> None:
    async with running() as server:
        fields = body(text="好" * 1000, hot_fix={"replace": [{"好": "好" * 256}]})
        for headers in ({}, SSE):
            status, error = await ask(server, "POST", SPEECH_PATH, json=fields, headers=headers)
            assert (status, error["code"]) == (400, "InvalidParameter")
            assert "the limit is 20000" in error["message"]
