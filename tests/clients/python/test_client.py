"""The client against the real server with the fake voice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from clients.python.client import Client, ConnectionLostError, SpeakOptions
from clients.python.wire import SUBPROTOCOLS, AudioChunk, ServerError
from server.config import AuthConfig, ServerConfig
from tests.server.harness import LONG_TEXT, Gate, limits, running

TEXT = "你好欢迎光临。再见朋友。"


async def letters(text: str) -> AsyncIterator[str]:
    for letter in text:
        yield letter


async def pcm(chunks: AsyncIterator[AudioChunk]) -> bytes:
    return b"".join([chunk.pcm async for chunk in chunks])


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
async def test_a_text_becomes_audio_with_all_that_belongs_to_it(subprotocol: str) -> None:
    async with running() as server, Client(server.url, subprotocol=subprotocol) as client:
        assert (await client.ready()).voices == ("fake",)
        speech = client.speak(TEXT, SpeakOptions(words=True))
        chunks = [chunk async for chunk in speech]
        assert speech.done is not None
        assert speech.done.samples == sum(chunk.n_samples for chunk in chunks)
        assert [sentence.index for sentence in speech.sentences] == [0, 1]
        assert "".join(word.text for word in speech.words) == "你好欢迎光临再见朋友"
        assert (chunks[0].is_first, chunks[-1].is_last, chunks[-1].ends_sentence) == (True, True, True)
        assert speech.over


async def test_text_in_pieces_gives_the_same_audio() -> None:
    async with running() as server, Client(server.url) as client:
        whole = await pcm(aiter(client.speak(TEXT)))
        assert await pcm(aiter(client.speak(letters(TEXT)))) == whole


async def test_text_longer_than_one_message_travels_in_several() -> None:
    async with running(limits(chars_per_append=1000)) as server, Client(server.url) as client:
        speech = client.speak("好" * 1500 + "。", SpeakOptions(speed=2))
        await pcm(aiter(speech))
        assert speech.done is not None
        assert speech.done.chars == 1501


async def test_the_intensity_of_an_emotion_is_heard() -> None:
    async with running() as server, Client(server.url) as client:

        async def said(emotion: str, intensity: float | None) -> bytes:
            options = SpeakOptions(emotion=emotion, emotion_intensity=intensity)
            return await pcm(aiter(client.speak(TEXT, options)))

        assert await said("sad", None) == await said("sad", 1.0)
        assert await said("sad", 0.5) != await said("sad", 1.0)
        assert await said("sad", 0.0) == await said("neutral", None)


async def test_a_small_window_is_refilled_as_audio_is_consumed() -> None:
    async with running() as server, Client(server.url) as client:
        speech = client.speak(TEXT, SpeakOptions(window_ms=100))
        assert await pcm(aiter(speech)) == await pcm(aiter(client.speak(TEXT)))


async def test_cancel_ends_the_iteration_at_once_and_is_acknowledged() -> None:
    async with running() as server, Client(server.url) as client:
        speech = client.speak(LONG_TEXT)
        received = 0
        async for _ in speech:
            received += 1
            if received == 2:
                await speech.cancel(played_samples=100)
        assert received == 2
        await pcm(aiter(client.speak(TEXT)))  # answers arrive in order: the acknowledgement is here by now
        assert speech.cancelled is not None
        assert speech.done is None


async def test_leaving_the_block_cancels() -> None:
    async with running() as server, Client(server.url) as client:
        async with client.speak(LONG_TEXT) as speech:
            async for _ in speech:
                break
        await pcm(aiter(client.speak(TEXT)))
        assert speech.cancelled is not None


async def test_replaces_silences_the_old_speech_for_its_consumer() -> None:
    async with running() as server, Client(server.url) as client:
        old = client.speak(LONG_TEXT)
        iterator = aiter(old)
        await anext(iterator)
        new = client.speak(TEXT, replaces=old)
        await new.start()
        assert [chunk async for chunk in iterator] == []
        await pcm(aiter(new))
        assert old.cancelled is not None
        assert new.done is not None


async def test_two_speeches_at_a_time_do_not_mix() -> None:
    async with running() as server, Client(server.url) as client:
        alone = await pcm(aiter(client.speak(TEXT)))
        both = await asyncio.gather(*(pcm(aiter(client.speak(TEXT))) for _ in range(3)))
        assert both == [alone] * 3


async def test_flush_is_acknowledged() -> None:
    gate, asked = asyncio.Event(), asyncio.Event()

    async def text() -> AsyncIterator[str]:
        yield "你好"
        asked.set()  # for more: the first piece has been sent
        await gate.wait()

    async with running() as server, Client(server.url) as client, client.speak(text()) as speech:
        iterator = aiter(speech)
        await asked.wait()
        await speech.flush("now")
        await anext(iterator)
        gate.set()
        await pcm(iterator)
        assert [flushed.id for flushed in speech.flushed] == ["now"]


async def test_a_refusal_is_raised_where_the_audio_is_awaited() -> None:
    async with running() as server, Client(server.url) as client:
        with pytest.raises(ServerError, match=r"unknown_voice: no voice 'nobody'; known: fake") as caught:
            await pcm(aiter(client.speak(TEXT, SpeakOptions(voice="nobody"))))
        assert caught.value.code == "unknown_voice"
        assert await pcm(aiter(client.speak(TEXT)))


async def test_a_failing_text_source_is_raised_and_cancels() -> None:
    async def broken() -> AsyncIterator[str]:
        yield "你好"
        raise LookupError("the model is gone")

    async with running() as server, Client(server.url) as client:
        with pytest.raises(LookupError, match="the model is gone"):
            await pcm(aiter(client.speak(broken())))
        assert await pcm(aiter(client.speak(TEXT)))


async def test_a_lost_connection_is_raised_to_everybody_who_waits() -> None:
    gate = Gate()
    async with running() as server, Client(server.url) as client:
        server.engine.before_call = gate
        speech = client.speak(TEXT)
        waiting = asyncio.create_task(pcm(aiter(speech)))
        await asyncio.to_thread(gate.reached.wait, 10)
        (connection,) = server.native._connections
        connection._abort()
        with pytest.raises(ConnectionLostError):
            await waiting
        gate.opened.set()
        with pytest.raises(ConnectionLostError):
            await client.speak(TEXT).start()


async def test_a_wrong_token_is_said() -> None:
    config = ServerConfig(auth=AuthConfig(tokens=("right",)))  # type: ignore[arg-type]
    async with running(config) as server:
        async with Client(server.url, token="wrong") as client:
            with pytest.raises(ServerError, match="unauthorized"):
                await client.ready()
        async with Client(server.url, token="right") as client:
            await client.ready()
            assert await pcm(aiter(client.speak(TEXT)))


async def test_closing_leaves_no_task() -> None:
    async with running() as server:
        before = asyncio.all_tasks()
        async with Client(server.url) as client:
            await client.speak(letters(LONG_TEXT)).start()
        await server.no_connections()
        leftover = [task for task in asyncio.all_tasks() - before if "clients" in repr(task.get_coro())]
        assert leftover == []
