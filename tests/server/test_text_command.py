"""`zhiyin text` and `POST /v1/text`: the same window, from a terminal and over HTTP."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server.cli import main
from server.config import AuthConfig, LimitConfig, ServerConfig, TextConfig
from streaming.engines.choice import Choice, EnginePlan
from streaming.loaded_voice import LoadedVoice, load_voice
from tests.server.harness import Server, audio_of, one_voice, running

TEXT = "他在银行当行长。"


def test_json_has_segments_words_and_readings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["text", TEXT, "--json"]) == 0
    (segment,) = json.loads(capsys.readouterr().out)["segments"]
    assert (segment["text"], segment["char_start"], segment["char_end"]) == (TEXT, 0, len(TEXT))
    last = segment["words"][-1]
    assert (last["text"], last["pinyin"]) == ("行长", ["hang2", "zhang3"])
    assert TEXT[last["char_start"] : last["char_end"]] == "行长"


def test_people_get_a_listing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["text", "我有2个GPU。"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1  我有2个GPU。   [0:8]"
    assert lines[1] == "   is read as  我有两个GPU。"
    assert "     两个  liang3 ge4  [2:4]" in lines
    assert lines[-1].endswith("#4")


def test_standard_input_is_read(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("你好。"))
    assert main(["text"]) == 0
    assert "ni2 hao3" in capsys.readouterr().out


def test_what_cannot_be_spoken_is_told_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["text", "Москва"]) == 1
    assert "cannot be spoken: no reading for" in capsys.readouterr().out


def test_an_unknown_voice_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["text", "好", "--voice", "nobody"]) == 1
    assert "nobody" in capsys.readouterr().err


async def post(server: Server, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    url = f"http://127.0.0.1:{server.port}/v1/text"
    async with aiohttp.ClientSession() as session, session.post(url, data=data, headers=headers) as answer:
        return answer.status, await answer.json()


def load_voice_folder() -> LoadedVoice:
    """The fake voice with the frontend of real ones."""
    return load_voice(Path(), EnginePlan(Choice("fake")))


async def test_http_tells_the_same_as_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    async with running(ServerConfig(), library=one_voice(load_voice_folder())) as server:
        status, document = await post(server, {"text": TEXT})
    main(["text", TEXT, "--json"])
    assert (status, document) == (200, json.loads(capsys.readouterr().out))


@pytest.mark.parametrize(
    ("body", "code", "told"),
    [
        (b"{", "bad_request", "not JSON"),
        (b"\xff", "bad_request", "not JSON"),
        ({}, "bad_request", "text: missing"),
        ({"text": 1}, "bad_request", "text: found 1; allowed: a valid string"),
        ({"text": "好", "speed": 2}, "bad_request", "no field 'speed'; known: text, voice, lexicon, ssml"),
        ([], "bad_request", "an object is wanted"),
        (b"[" * 100_000, "bad_request", "nested too deeply"),
        ({"text": "好", "voice": "nobody"}, "unknown_voice", "nobody"),
        ({"text": "好" * 101}, "text_too_long", "101 characters; the limit is 100"),
    ],
)
async def test_bad_requests_are_told_what_is_wrong(body: Any, code: str, told: str) -> None:
    async with running(ServerConfig(limits=LimitConfig(chars_per_append=100))) as server:
        status, document = await post(server, body)
    assert status == 400
    assert document["error"]["code"] == code
    assert told in document["error"]["message"]


async def test_words_are_read_as_the_lexicons_say(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZHIYIN_TEXT__LEXICON", '{"银行": "yin2 xing2"}')
    assert main(["text", "银行", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["segments"][0]["words"][0]["pinyin"] == ["yin2", "xing2"]
    config = ServerConfig(text=TextConfig(lexicon={"银行": "yin2 xing2"}))
    async with running(config, library=one_voice(load_voice_folder())) as server:
        body = {"text": "银行行长", "lexicon": {"行长": "xing2 chang2"}}
        status, document = await post(server, body)
        assert status == 200
        words = document["segments"][0]["words"]
        assert [word["pinyin"] for word in words] == [["yin2", "xing2"], ["xing2", "chang2"]]
        status, document = await post(server, {"text": "好", "lexicon": {"好": "x"}})
        assert (status, document["error"]["code"]) == (400, "bad_request")


def test_a_lexicon_that_cannot_be_read_keeps_the_server_from_starting() -> None:
    with pytest.raises(ValueError, match="found 'xing'"):
        TextConfig(lexicon={"行": "xing"})


async def test_a_request_brings_its_own_words_and_their_audio_is_not_mixed_up() -> None:
    text = "银行。"
    async with (
        running(ServerConfig(), library=one_voice(load_voice_folder())) as server,
        server.client() as client,
    ):
        heard = []
        for ctx, lexicon in enumerate(({}, {"行": "xing2"}, {"行": "hang2"}, {}), start=1):
            await client.send("open", ctx=ctx, text=text, end=True, words=True, lexicon=lexicon)
            messages = await client.until("done", ctx)
            words = [word for message in messages if message["type"] == "words" for word in message["items"]]
            assert words[-1][-1] <= len(text)
            heard.append(b"".join(message["pcm"] for message in audio_of(messages)))
        assert heard[0] == heard[3]
        assert heard[1] != heard[0]
        await client.send("open", ctx=9, text=text, end=True, lexicon={"行": "x"})
        error = (await client.until("error", 9))[-1]
        assert error["code"] == "bad_request"
        assert "'行'" in error["message"]


async def test_ssml_is_explained_with_places_in_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    document = '<speak>去<phoneme ph="chong2 qing4">重庆</phoneme>。</speak>'
    assert main(["text", document, "--ssml", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (segment,) = told["segments"]
    assert segment["normalized"] == "去重庆。"
    assert [document[word["char_start"] : word["char_end"]] for word in segment["words"]] == ["去", "重庆"]
    async with running(ServerConfig(), library=one_voice(load_voice_folder())) as server:
        assert await post(server, {"text": document, "ssml": True}) == (200, told)
        status, answer = await post(server, {"text": "<speak>", "ssml": True})
    assert (status, answer["error"]["code"]) == (400, "bad_ssml")
    assert main(["text", "<b>好</b>", "--ssml"]) == 1
    assert "it must begin with <speak>" in capsys.readouterr().err


async def test_a_token_is_needed_where_one_is_set() -> None:
    async with running(ServerConfig(auth=AuthConfig(tokens=("secret",)))) as server:
        assert (await post(server, {"text": "好"}))[0] == 401
        assert (await post(server, {"text": "好"}, Authorization="Bearer secret"))[0] == 200
