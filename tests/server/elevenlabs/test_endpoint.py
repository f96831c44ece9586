"""ElevenLabs' HTTP requests over a real socket, with the fake voice."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import aiohttp
import av
import pytest

from server.config import AuthConfig, ServerConfig
from streaming.engines.fake import SAMPLE_RATE, FakeEngine
from tests.server.harness import LONG_TEXT, Gate, Server, limits, running

SPEECH = "/v1/text-to-speech/fake"
PCM = "?output_format=pcm_16000"  # the fake voice's own rate
TEXT = "你好，世界。 Hello there. …"
TOKENS = ServerConfig(auth=AuthConfig(tokens=("right",)))  # type: ignore[arg-type]


async def post(server: Server, path: str, body: Any, **options: Any) -> tuple[int, str, bytes]:
    """Post JSON; return status, content type and body."""
    url = f"http://127.0.0.1:{server.port}{path}"
    options = {"data": body} if isinstance(body, bytes) else {"json": body, **options}
    async with aiohttp.ClientSession() as session, session.post(url, **options) as response:
        return response.status, response.content_type, await response.read()


async def refusal(server: Server, path: str, body: Any, **options: Any) -> tuple[int, Any]:
    status, _, answer = await post(server, path, body, **options)
    return status, json.loads(answer)["detail"]


async def spoken(server: Server, text: str = TEXT, **fields: Any) -> bytes:
    status, _, body = await post(server, SPEECH + PCM, {"text": text, **fields})
    assert status == 200
    return body


@pytest.mark.parametrize("prefix", ["", "/elevenlabs"])
@pytest.mark.parametrize("path", ["", "/stream"])
async def test_speech_is_audio_whole_and_streamed_with_and_without_the_prefix(prefix: str, path: str) -> None:
    async with running() as server:
        status, kind, body = await post(server, prefix + SPEECH + path + PCM, {"text": TEXT})
        assert (status, kind) == (200, "audio/pcm")
        assert body == await spoken(server)


@pytest.mark.parametrize(
    ("name", "kind", "rate"),
    [
        ("mp3_22050_32", "audio/mpeg", 22050),
        ("mp3_44100_128", "audio/mpeg", 44100),
        ("opus_48000_64", "audio/ogg", 48000),
        ("wav_44100", "audio/wav", 44100),
    ],
)
async def test_every_container_is_what_it_says(name: str, kind: str, rate: int) -> None:
    async with running() as server:
        status, found, body = await post(server, f"{SPEECH}?output_format={name}", {"text": TEXT})
        n_samples = len(await spoken(server)) // 2
    assert (status, found) == (200, kind)
    with av.open(io.BytesIO(body)) as container:
        assert container.streams.audio[0].rate == rate
        n_decoded = sum(frame.samples for frame in container.decode(audio=0))
    assert abs(n_decoded / rate - n_samples / SAMPLE_RATE) < 0.1


async def test_without_a_format_it_is_mp3() -> None:
    async with running() as server:
        assert (await post(server, SPEECH, {"text": "你好。"}))[1] == "audio/mpeg"


@pytest.mark.parametrize("name", ["pcm_16000", "mp3_44100_128"])
async def test_the_whole_document_has_the_audio_and_every_character(name: str) -> None:
    async with running() as server:
        query = f"?output_format={name}"
        _, kind, body = await post(server, f"{SPEECH}/with-timestamps{query}", {"text": TEXT})
        _, _, audio = await post(server, SPEECH + query, {"text": TEXT})
        audio_s = len(await spoken(server)) / 2 / SAMPLE_RATE
    document = json.loads(body)
    assert kind == "application/json"
    assert base64.b64decode(document["audio_base64"], validate=True) == audio
    assert document["normalized_alignment"] == document["alignment"]
    check_times([document["alignment"]], TEXT, audio_s)


async def test_the_lines_together_are_the_whole_document() -> None:
    async with running() as server:
        _, kind, body = await post(server, f"{SPEECH}/stream/with-timestamps{PCM}", {"text": TEXT})
        audio = await spoken(server)
    lines = [json.loads(line) for line in body.splitlines()]
    assert kind == "application/json"
    assert b"".join(base64.b64decode(line["audio_base64"]) for line in lines) == audio
    assert lines[0]["alignment"]["characters"] == list("你好，世界。 ")
    check_times(
        [line["alignment"] for line in lines if line["alignment"]], TEXT, len(audio) / 2 / SAMPLE_RATE
    )


def check_times(alignments: list[dict[str, Any]], text: str, audio_s: float) -> None:
    chars = [char for alignment in alignments for char in alignment["characters"]]
    starts = [s for alignment in alignments for s in alignment["character_start_times_seconds"]]
    ends = [s for alignment in alignments for s in alignment["character_end_times_seconds"]]
    assert "".join(chars) == text
    assert len(starts) == len(ends) == len(text)
    edges = [edge for pair in zip(starts, ends, strict=True) for edge in pair]
    assert edges == sorted(edges)
    assert ends[-1] == pytest.approx(audio_s, abs=0.001)


async def test_a_line_is_never_longer_than_readers_take() -> None:
    async with running() as server:
        path = f"{SPEECH}/stream/with-timestamps?output_format=pcm_48000"
        _, _, body = await post(server, path, {"text": LONG_TEXT})
    assert max(map(len, body.splitlines())) <= 65536


async def test_settings_that_clients_send_are_taken_and_speed_is_heard() -> None:
    settings = {"stability": 0.5, "similarity_boost": 0.75, "style": 0, "use_speaker_boost": True}
    fields = {
        "model_id": "eleven_turbo_v2_5",
        "language_code": "en",
        "seed": 7,
        "previous_text": "a",
        "next_text": None,
        "previous_request_ids": ["x"],
        "pronunciation_dictionary_locators": [],
        "apply_text_normalization": "auto",
        "use_pvc_as_ivc": False,
        "voice_settings": {**settings, "speed": None},
    }
    async with running() as server:
        normal = len(await spoken(server, **fields))
        fast = len(await spoken(server, voice_settings={**settings, "speed": 2}))
        faster = len(await spoken(server, voice_settings={"speed": 1000}))
    assert normal / fast == pytest.approx(2, rel=0.2)
    assert faster == fast


@pytest.mark.parametrize(
    ("path", "body", "status", "name"),
    [
        ("/v1/text-to-speech/nobody", {"text": "a"}, 404, "voice_not_found"),
        ("/v1/text-to-speech/fake:nobody", {"text": "a"}, 404, "voice_not_found"),
        (SPEECH, {"text": "a", "model_id": "gpt"}, 400, "model_not_found"),
        (SPEECH, {"text": " "}, 400, "input_text_empty"),
        (SPEECH, {"text": "a" * 101}, 400, "max_character_limit_exceeded"),
    ],
)
async def test_what_cannot_be_spoken_is_told_by_status_and_name(
    path: str, body: Any, status: int, name: str
) -> None:
    async with running(limits(chars_per_context=100)) as server:
        found, detail = await refusal(server, path, body)
        assert (found, detail["status"]) == (status, name)
        assert detail["message"]


@pytest.mark.parametrize(
    ("query", "body", "place"),
    [
        ("", {}, ["body", "text"]),
        ("", {"text": 5}, ["body", "text"]),
        ("", {"text": "a", "voice_settings": {"speed": "fast"}}, ["body", "voice_settings"]),
        ("", {"text": "a", "seed": -1}, ["body", "seed"]),
        ("", [], ["body"]),
        ("", b"{", ["body"]),
        ("", b"[" * 100_000, ["body"]),
        ("?output_format=midi", {"text": "a"}, ["query", "output_format"]),
    ],
)
async def test_what_is_malformed_is_told_in_fastapis_shape(query: str, body: Any, place: list[str]) -> None:
    async with running() as server:
        status, detail = await refusal(server, SPEECH + query, body)
        assert status == 422
        assert detail[0]["loc"] == place
        assert set(detail[0]) == {"loc", "msg", "type"}


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"xi-api-key": "right"}, ""),
        ({"Authorization": "Bearer right"}, ""),
        ({}, "&authorization=right"),
        ({}, "&authorization=Bearer%20right"),
        ({}, "&single_use_token=right"),
        ({}, "&xi-api-key=right"),
    ],
)
async def test_every_way_to_show_a_key(headers: dict[str, str], query: str) -> None:
    async with running(TOKENS) as server:
        assert (await post(server, SPEECH + PCM + query, {"text": "好。"}, headers=headers))[0] == 200


@pytest.mark.parametrize(
    "headers", [{}, {"xi-api-key": "wrong"}, {"xi-api-key": "", "Authorization": "right2"}]
)
async def test_without_a_valid_key_there_is_none(headers: dict[str, str]) -> None:
    async with running(TOKENS) as server:
        status, detail = await refusal(server, SPEECH, {"text": "好。"}, headers=headers)
        assert (status, detail["status"]) == (401, "invalid_api_key")


async def test_no_room_is_429_with_a_time_to_wait() -> None:
    gate = Gate()
    async with running(limits(requests=1), FakeEngine(before_call=gate)) as server:
        with server.backend.door.entered():
            status, detail = await refusal(server, SPEECH, {"text": "好。"})
        assert (status, detail["status"]) == (429, "system_busy")


async def test_a_failure_of_ours_is_500_without_details() -> None:
    async with running(engine=FakeEngine(fail_at={"vocoder": 1})) as server:
        status, detail = await refusal(server, f"{SPEECH}/with-timestamps", {"text": "好。"})
        assert (status, detail["status"]) == (500, "internal_error")
        assert "vocoder" not in detail["message"]


async def test_a_late_failure_cuts_the_body() -> None:
    async with running(engine=FakeEngine(fail_at={"vocoder": 3})) as server:
        with pytest.raises(aiohttp.ClientPayloadError):
            await post(server, f"{SPEECH}/stream/with-timestamps{PCM}", {"text": LONG_TEXT})


async def test_a_client_that_leaves_stops_the_model() -> None:
    async with running() as server:
        url = f"http://127.0.0.1:{server.port}{SPEECH}/stream/with-timestamps{PCM}"
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, json={"text": LONG_TEXT}) as response,
        ):
            await response.content.readline()
        await server.backend.door.close(0)
        assert server.backend.door.n_inside == 0
        assert server.engine.calls.count("encoder") < 30  # of 40 sentences


@pytest.mark.parametrize("path", ["/with-timestamps", "/stream/with-timestamps"])
async def test_half_a_character_is_a_question_mark(path: str) -> None:
    async with running() as server:
        status, _, body = await post(server, f"{SPEECH}{path}{PCM}", b'{"text": "a\\ud83d b"}')
    assert status == 200
    lines = [json.loads(line) for line in body.splitlines()]
    characters = [char for line in lines for char in (line["alignment"] or {"characters": []})["characters"]]
    assert "".join(characters) == "a? b"
