"""SSML over real sockets: pauses in samples, styles in the audio, errors that leave the connection alive."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.server.harness import SUBPROTOCOLS, Message, RawClient, audio_of, running

both = pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
RATE = 16_000
DOCUMENT = '<speak>你好，世界！<break time="700ms"/><prosody rate="0.5">再见。</prosody></speak>'


async def heard(client: RawClient, ctx: int, text: str, **fields: Any) -> list[Message]:
    await client.send("open", ctx=ctx, text=text, end=True, ssml=True, rate=RATE, **fields)
    return await client.until("done", ctx)


def samples(messages: list[Message]) -> np.ndarray[Any, np.dtype[np.int16]]:
    return np.frombuffer(b"".join(message["pcm"] for message in audio_of(messages)), "<i2")


@both
async def test_a_pause_is_as_long_as_it_says_and_styles_are_heard(subprotocol: str) -> None:
    async with running() as server, server.client(subprotocol) as client:
        whole = samples(await heard(client, 1, DOCUMENT))
        first = samples(await heard(client, 2, "<speak>你好，世界！</speak>"))
        slow = samples(await heard(client, 3, '<speak><prosody rate="0.5">再见。</prosody></speak>'))
        fast = samples(await heard(client, 4, "<speak>再见。</speak>"))
    assert whole.size == first.size + RATE * 7 // 10 + slow.size
    assert not whole[first.size : first.size + RATE * 7 // 10].any()
    np.testing.assert_array_equal(whole[-slow.size :], slow)
    assert slow.size > 1.5 * fast.size


async def test_written_letter_by_letter_it_sounds_the_same() -> None:
    async with running() as server, server.client() as client:
        whole = samples(await heard(client, 1, DOCUMENT))
        await client.send("open", ctx=2, ssml=True, rate=RATE)
        for char in DOCUMENT:
            await client.send("append", ctx=2, text=char)
        await client.send("end", ctx=2)
        np.testing.assert_array_equal(samples(await client.until("done", 2)), whole)


async def test_words_and_sentences_point_into_the_document() -> None:
    async with running() as server, server.client() as client:
        messages = await heard(client, 1, DOCUMENT, words=True)
    sentences = [message for message in messages if message["type"] == "sentence"]
    assert [DOCUMENT[one["char_start"] : one["char_end"]] for one in sentences] == ["你好，世界！", "再见。"]
    items = [item for message in messages if message["type"] == "words" for item in message["items"]]
    assert [DOCUMENT[item[3] : item[4]] for item in items] == [item[0] for item in items]
    starts = [item[1] for item in items]
    assert starts == sorted(starts)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<speak>好<blink/></speak>", "<blink> is not known; allowed: speak"),
        ("<speak>好", "no element found"),
        ('<speak><prosody rate="9">好</prosody></speak>', "allowed"),
        ('<speak><emotion category="bored">好</emotion></speak>', "bored"),
    ],
)
async def test_bad_documents_are_told_where_and_the_connection_lives(text: str, told: str) -> None:
    async with running() as server, server.client() as client:
        await client.send("open", ctx=1, text=text, end=True, ssml=True)
        error = (await client.until("error", 1))[-1]
        assert error["code"] == "bad_ssml"
        assert told in error["message"]
        assert "line 1, column" in error["message"]
        assert samples(await heard(client, 2, "<speak>好。</speak>")).any()


async def test_a_pause_may_come_first_and_may_be_cancelled() -> None:
    async with running() as server, server.client() as client:
        found = samples(await heard(client, 1, '<speak><break time="1s"/>好。</speak>'))
        assert not found[:RATE].any()
        assert found[RATE:].any()
        only = samples(await heard(client, 2, '<speak><break time="300ms"/></speak>'))
        assert only.size == RATE * 3 // 10
        await client.send("open", ctx=3, text='<speak><break time="10s"/>好', ssml=True, window_ms=100)
        await client.send("cancel", ctx=3)
        await client.until("cancelled", 3)
