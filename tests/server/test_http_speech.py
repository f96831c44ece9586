"""Speech over HTTP: OpenAI's endpoint and the plain one, with what their clients hide."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientPayloadError

from server.config import AuthConfig, LimitConfig, NamesConfig, ServerConfig
from streaming.engines.fake import FakeEngine
from tests.server.harness import LONG_TEXT, Gate, Server, ask, limits, running

TEXT = "你好，欢迎使用语音合成服务。"
SPEECH = "/v1/audio/speech"
TTS = "/v1/tts"


@asynccontextmanager
async def speech(server: Server, **fields: Any) -> AsyncIterator[aiohttp.ClientResponse]:
    body = {"model": "tts-1", "voice": "alloy", "input": TEXT, **fields}
    url = f"http://127.0.0.1:{server.port}{SPEECH}"
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
        yield response


async def spoken(server: Server, **fields: Any) -> bytes:
    async with speech(server, **fields) as response:
        assert response.status == 200, await response.text()
        return await response.read()


async def refused(server: Server, **fields: Any) -> tuple[int, dict[str, Any]]:
    async with speech(server, **fields) as response:
        assert response.content_type == "application/json"
        error = (await response.json())["error"]
        assert set(error) == {"message", "type", "param", "code"}
        return response.status, error


async def native(server: Server, **fields: Any) -> bytes:
    async with server.client() as client:
        await client.send("open", ctx=1, text=TEXT, end=True, **fields)
        return b"".join(m["pcm"] for m in await client.until("done") if m["type"] == "audio")


async def test_pcm_is_what_the_native_protocol_sends() -> None:
    async with running() as server:
        assert await spoken(server, response_format="pcm") == await native(server)
        async with aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{server.port}{TTS}"
            async with session.get(url, params={"text": TEXT, "format": "pcm", "rate": 16000}) as response:
                assert await response.read() == await native(server, rate=16000)


async def test_audio_is_sent_while_it_is_computed() -> None:
    gate = Gate(at_call=30)
    async with (
        running(engine=FakeEngine(before_call=gate)) as server,
        speech(server, input=LONG_TEXT, response_format="pcm") as response,
    ):
        assert len(await response.content.readany()) > 100
        assert not gate.opened.is_set()
        gate.opened.set()


@pytest.mark.parametrize(
    ("response_format", "content_type", "magic"),
    [
        ("mp3", "audio/mpeg", b"\xff"),
        ("opus", "audio/ogg", b"OggS"),
        ("aac", "audio/aac", b"\xff\xf1"),
        ("flac", "audio/flac", b"fLaC"),
        ("wav", "audio/wav", b"RIFF"),
        ("pcm", "audio/pcm", b""),
    ],
)
async def test_each_format_says_what_it_is(response_format: str, content_type: str, magic: bytes) -> None:
    async with running() as server, speech(server, response_format=response_format) as response:
        assert response.headers["Content-Type"] == content_type
        assert response.headers["Transfer-Encoding"] == "chunked"
        assert response.headers["x-request-id"].startswith("req_")
        assert (await response.read()).startswith(magic)


async def test_events_carry_the_same_bytes_and_end_with_the_usage() -> None:
    async with running() as server:
        async with speech(server, response_format="pcm", stream_format="sse") as response:
            assert response.content_type == "text/event-stream"
            lines = (await response.text()).split("\n\n")
        assert lines.pop() == ""
        assert all(line.startswith("data: ") for line in lines)
        events = [json.loads(line[6:]) for line in lines]
        assert b"".join(base64.b64decode(event["audio"]) for event in events[:-1]) == await native(server)
        assert {event["type"] for event in events[:-1]} == {"speech.audio.delta"}
        assert events[-1]["type"] == "speech.audio.done"
        assert set(events[-1]["usage"]) == {"input_tokens", "output_tokens", "total_tokens"}


@pytest.mark.parametrize("voice", ["fake", "nova", {"id": "nova"}, None])
async def test_a_voice_is_a_name_or_an_object_or_absent(voice: object) -> None:
    async with running() as server:
        assert await spoken(server, voice=voice, response_format="pcm") == await native(server)


async def test_what_other_clients_add_is_ignored() -> None:
    async with running() as server:
        assert await spoken(server, stream=True, language="zh", user="u", instructions=None)


@pytest.mark.parametrize(
    ("fields", "status", "code", "param"),
    [
        ({"voice": "nobody"}, 400, "voice_not_found", "voice"),
        ({"voice": "fake::jealous"}, 400, "voice_not_found", "voice"),
        ({"model": "no-such"}, 404, "model_not_found", "model"),
        ({"response_format": "midi"}, 400, "unsupported_format", "response_format"),
        ({"response_format": "opus", "sample_rate": 22050}, 400, "unsupported_format", "response_format"),
        ({"speed": 9}, 400, "invalid_value", "speed"),
        ({"speed": "fast"}, 400, "invalid_value", "speed"),
        ({"input": None}, 400, "invalid_value", "input"),
        ({"input": " \n"}, 400, "invalid_value", "input"),
        ({"input": "长" * 31}, 400, "string_above_max_length", "input"),
        ({"input": "あ"}, 400, "unspeakable_text", None),
        ({"stream_format": "smoke"}, 400, "invalid_value", "stream_format"),
    ],
)
async def test_a_bad_request_is_refused_as_openai_does(
    fields: dict[str, Any], status: int, code: str, param: str | None
) -> None:
    async with running(limits(chars_per_context=30)) as server:
        found_status, error = await refused(server, **fields)
        assert (found_status, error["code"], error["param"]) == (status, code, param)
        assert await spoken(server)


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'"x"', b"\xff\xfe", b"[" * 100_000])
@pytest.mark.parametrize("path", [SPEECH, TTS])
async def test_a_body_that_is_no_request_is_refused(path: str, body: bytes) -> None:
    async with running() as server:
        status, answer = await ask(
            server, "POST", path, data=body, headers={"Content-Type": "application/json"}
        )
        assert status == 400
        assert answer["error"]["message"]


async def test_tokens_are_asked_for() -> None:
    config = ServerConfig(auth=AuthConfig(tokens=("secret",)))
    async with running(config) as server:
        assert await refused(server) == (
            401,
            {
                "message": "a token is required: Authorization: Bearer TOKEN, or ?token=TOKEN",
                "type": "authentication_error",
                "param": None,
                "code": "invalid_api_key",
            },
        )
        for path in (f"{TTS}?text=x", "/v1/models", "/v1/audio/voices"):
            assert (await ask(server, "GET", path))[0] == 401
        url = f"http://127.0.0.1:{server.port}{TTS}?text=x&token=secret"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            assert response.status == 200


async def test_a_full_server_says_when_to_come_again() -> None:
    gate = Gate()
    config = ServerConfig(limits=LimitConfig(requests=1, retry_after_ms=1500))
    async with running(config, FakeEngine(before_call=gate)) as server:
        first = asyncio.create_task(spoken(server))
        assert await asyncio.to_thread(gate.reached.wait, 30)
        async with speech(server) as response:
            assert response.status == 429
            assert (response.headers["retry-after"], response.headers["retry-after-ms"]) == ("2", "1500")
            assert (await response.json())["error"]["type"] == "rate_limit_error"
        status, answer = await ask(server, "GET", f"{TTS}?text=x")
        assert (status, answer["error"]["code"]) == (429, "overloaded")
        assert (await ask(server, "GET", "/readyz"))[0] == 503
        gate.opened.set()
        assert await first


async def test_a_failure_before_the_first_audio_is_a_status() -> None:
    async with running(engine=FakeEngine(fail_at={"encoder": 1})) as server, speech(server) as response:
        assert response.status == 500
        assert response.headers["x-should-retry"] == "false"
        error = (await response.json())["error"]
        assert (error["type"], error["code"]) == ("server_error", "internal_error")
        assert error["message"] == "synthesis failed"  # details are for the log


async def test_a_failure_after_the_first_audio_cuts_the_body() -> None:
    async with running(engine=FakeEngine(fail_at={"vocoder": 4})) as server:
        async with speech(server, input=LONG_TEXT, response_format="pcm") as response:
            assert response.status == 200
            with pytest.raises(ClientPayloadError):
                await response.read()
        assert await spoken(server)


async def test_a_failure_after_the_first_audio_is_the_last_event() -> None:
    async with running(engine=FakeEngine(fail_at={"vocoder": 4})) as server:
        async with speech(server, input=LONG_TEXT, stream_format="sse") as response:
            last = (await response.text()).split("\n\n")[-2]
        assert json.loads(last[6:])["error"]["code"] == "internal_error"


async def test_leaving_stops_the_model() -> None:
    gate = Gate(at_call=40)
    engine = FakeEngine(before_call=gate)
    async with running(engine=engine) as server:
        async with speech(server, input=LONG_TEXT, response_format="pcm") as response:
            await response.content.readexactly(4096)
            assert await asyncio.to_thread(gate.reached.wait, 30)
            response.close()
        gate.opened.set()
        n_calls = gate.n_calls
        await server.backend.door.close(5)  # until nobody is inside
        assert server.backend.door.n_inside == 0
        assert (
            gate.n_calls - n_calls < 12
        )  # a block runs up to eight networks: decoder steps, PostNet, vocoder


async def test_who_reads_nothing_is_cut() -> None:
    config = limits(slow_reader_s=0.2, chars_per_context=10**6, chars_in_all=10**7)
    async with running(config) as server:
        body = {"model": "tts-1", "input": LONG_TEXT * 8, "response_format": "wav", "sample_rate": 48000}
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=4096)
        data = json.dumps(body).encode()
        writer.write(
            b"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(data) + data
        )
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        await server.backend.door.close(20)
        assert server.backend.door.n_inside == 0
        writer.close()


async def test_shutting_down_lets_a_request_finish() -> None:
    gate = Gate(at_call=5)
    async with running(limits(drain_s=20), FakeEngine(before_call=gate)) as server:
        request = asyncio.create_task(spoken(server, response_format="pcm"))
        assert await asyncio.to_thread(gate.reached.wait, 30)
        closing = asyncio.create_task(server.backend.door.close(20))
        await server.backend.door.closing.wait()
        gate.opened.set()
        assert len(await request) > 10_000
        await closing


async def test_lists_of_models_and_voices() -> None:
    async with running(ServerConfig(names=NamesConfig(voices={"boss": "fake"}))) as server:
        _, models = await ask(server, "GET", "/v1/models")
        assert {"tts-1", "fake"} <= {model["id"] for model in models["data"]}
        _, voices = await ask(server, "GET", "/v1/audio/voices")
        assert {"fake", "alloy", "boss"} <= set(voices["voices"])


@pytest.mark.parametrize("how", ["query", "form", "json", "mixed"])
async def test_plain_requests_come_as_query_form_or_json(how: str) -> None:
    async with running() as server:
        url = f"http://127.0.0.1:{server.port}{TTS}"
        fields = {"text": TEXT, "format": "pcm", "rate": "24000", "emotion": "happy", "speed": "1.5"}
        options: dict[str, Any] = {
            "query": {"method": "GET", "params": fields},
            "form": {"method": "POST", "data": fields},
            "json": {"method": "POST", "json": {**fields, "rate": 24000, "speed": 1.5}},
            "mixed": {
                "method": "POST",
                "params": {"format": "pcm", "emotion": "sad"},
                "json": {"text": TEXT, "emotion": "happy", "speed": 1.5},
            },
        }[how]
        async with aiohttp.ClientSession() as session, session.request(url=url, **options) as response:
            assert response.status == 200
            heard = await response.read()
        assert heard == await native(server, emotion="happy", speed=1.5)


@pytest.mark.parametrize(
    ("query", "code", "text"),
    [
        ("", "bad_request", "text: missing"),
        ("text=", "bad_request", "at least one character"),
        ("text=x&speed=fast", "bad_request", "speed: found 'fast'"),
        ("text=x&volumn=3", "bad_request", "no field 'volumn'; known: text, voice"),
        ("text=x&format=midi", "unsupported_format", "allowed: mp3, wav"),
        ("text=x&format=opus&rate=44100", "unsupported_format", "found 44100"),
        ("text=x&format=wav&kbps=64", "unsupported_format", "none to choose"),
        ("text=x&voice=nobody", "unknown_voice", "no voice 'nobody'"),
        ("text=<speak>&ssml=true", "bad_ssml", "line 1"),
        ("text=%E3%81%82", "unspeakable_text", "no reading"),
    ],
)
async def test_a_bad_plain_request_is_told_what_is_wrong(query: str, code: str, text: str) -> None:
    async with running() as server:
        status, answer = await ask(server, "GET", f"{TTS}?{query}")
        assert status == 400
        assert answer["error"]["code"] == code
        assert text in answer["error"]["message"]


async def test_ssml_and_lexicon_work_over_plain_http() -> None:
    async with running() as server:
        body = {"text": "<speak>好<break time='1s'/></speak>", "ssml": True, "format": "pcm", "rate": 8000}
        url = f"http://127.0.0.1:{server.port}{TTS}"
        async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
            assert len(await response.read()) > 16_000  # a second of silence, and a word
        status, answer = await ask(server, "POST", TTS, json={"text": "行", "lexicon": {"行": "xx9"}})
        assert (status, answer["error"]["code"]) == (400, "bad_request")


@pytest.mark.parametrize("text", ["<speak>" + "你" * 900, "<speak>你好<b></speak>", "<speak>你好", "<sp"])
async def test_ssml_that_is_refused_leaves_nothing_behind(text: str) -> None:
    async with running() as server:
        for _ in range(3):
            status, answer = await ask(server, "POST", TTS, json={"text": text, "ssml": True})
            assert (status, answer["error"]["code"]) == (400, "bad_ssml")
        assert server.backend.admission.statistics().chars == 0


@pytest.mark.parametrize("path", [TTS, SPEECH])
async def test_the_charset_of_a_request_is_not_believed(path: str) -> None:
    """A decoder that the client chooses may take minutes: punycode is quadratic."""
    body = json.dumps({"text": TEXT, "input": TEXT, "format": "pcm"}).encode()
    async with running() as server, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{server.port}{path}"
        for charset in ("punycode", "undefined", "no-such", "utf-16"):
            headers = {"Content-Type": f"application/json; charset={charset}"}
            post = session.post(url, data=body, headers=headers)
            async with post as response:  # `text` is no field of the one, `input` none of the other
                assert response.status in (200, 400)
            headers = {"Content-Type": f"application/x-www-form-urlencoded; charset={charset}"}
            status, answer = await ask(server, "POST", TTS, data=b"text=a", headers=headers)
            assert status == 400
            assert "allowed: utf-8" in answer["error"]["message"]


@pytest.mark.parametrize(
    "body", [b'{"text": ' + b"9" * 5000 + b"}", b'{"text": "' + b"a" * (1 << 20) + b'"}']
)
@pytest.mark.parametrize("path", [TTS, SPEECH])
async def test_absurd_bodies_are_refused_in_the_usual_shape(path: str, body: bytes) -> None:
    async with running() as server:
        status, answer = await ask(
            server, "POST", path, data=io.BytesIO(body), headers={"Content-Type": "application/json"}
        )
        assert status == 400
        assert answer["error"]["message"].startswith(("the body is", "input:", "text:"))


async def test_a_form_that_cannot_be_read_is_refused() -> None:
    head = b"Content-Disposition: form-data; name=text\r\nContent-Transfer-Encoding: what"
    part = b"--x\r\n" + head + b"\r\n\r\na\r\n--x--\r\n"
    async with running() as server:
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        status, answer = await ask(server, "POST", TTS, data=part, headers=headers)
        assert (status, answer["error"]["code"]) == (400, "bad_request")


async def test_a_body_that_does_not_come_gives_its_place_back() -> None:
    async with running(limits(body_s=0.05, requests=1)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        head = b"POST /v1/tts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9"
        writer.write(head + b"\r\n\r\n{")
        assert b" 400 " in await reader.readline()
        assert server.backend.door.n_inside == 0
        writer.close()


async def test_a_head_computes_nothing() -> None:
    async with running() as server:
        assert (await ask(server, "HEAD", f"{TTS}?text=x"))[0] == 405
        assert server.engine.calls == []


async def test_a_bit_rate_that_the_library_lacks_is_refused_not_a_failure() -> None:
    async with running() as server:
        status, answer = await ask(server, "GET", f"{TTS}?text=x&format=opus&kbps=300")
        assert (status, answer["error"]["code"]) == (400, "unsupported_format")
        url = f"http://127.0.0.1:{server.port}{TTS}?text=x&format=opus&kbps=256"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            assert response.status == 200


async def test_an_unforeseen_failure_has_the_usual_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(encoding: object) -> None:
        raise RuntimeError("no such thing")

    async with running() as server:
        monkeypatch.setattr("server.rendering.open_encoder", fails)
        async with speech(server) as response:
            assert (response.status, response.headers["x-should-retry"]) == (500, "false")
            assert (await response.json())["error"]["message"] == "synthesis failed"


async def test_who_leaves_before_the_first_audio_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.http_audio.CHECK_S", 0.01)
    gate = Gate()
    async with running(engine=FakeEngine(before_call=gate)) as server:
        asking = asyncio.create_task(spoken(server))
        assert await asyncio.to_thread(gate.reached.wait, 30)
        asking.cancel()
        await server.backend.door.close(20)  # until nobody is inside, while the call is still held
        assert server.backend.door.n_inside == 0
        gate.opened.set()
