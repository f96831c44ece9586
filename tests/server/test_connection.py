"""A connection over real sockets, real utterance, fake engine. Long: one story told in order."""

from __future__ import annotations

import asyncio
import itertools
import socket
from typing import Any

import numpy as np
import pytest

from server.messages import SAMPLE_RATES
from server.serving import shut_down
from streaming.engines.fake import FakeEngine
from tests.server.harness import (
    LONG_TEXT,
    SUBPROTOCOLS,
    Gate,
    Message,
    RawClient,
    Server,
    audio_of,
    limits,
    running,
)

both = pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)


async def spoken(client: RawClient, ctx: int = 1, **fields: Any) -> list[Message]:
    await client.send("open", ctx=ctx, **{"text": "你好欢迎光临。再见朋友。", "end": True, **fields})
    return await client.until("done", ctx)


# -- a whole request -------------------------------------------------------------------------


@both
async def test_one_message_in_speech_out(subprotocol: str) -> None:
    async with running() as server, server.client(subprotocol) as client:
        ready = await client.receive()
        assert ready["type"] == "ready"
        assert (ready["voices"], ready["rates"]) == (["fake"], list(SAMPLE_RATES))
        messages = await spoken(client)
        frames, done = audio_of(messages), messages[-1]
        assert [frame["seq"] for frame in frames] == list(range(len(frames)))
        assert frames[0]["sample"] == 0
        for before, after in itertools.pairwise(frames):
            assert after["sample"] == before["sample"] + before["n"]
        assert done["samples"] == sum(frame["n"] for frame in frames) > 0
        assert all(len(frame["pcm"]) == 2 * frame["n"] for frame in frames)
        assert (done["chars"], done["sentences"], done["cached"]) == (12, 2, False)


@both
async def test_both_subprotocols_carry_the_same_audio(subprotocol: str) -> None:
    async with running() as server:
        async with server.client("tts.v1.json") as client:
            expected = b"".join(frame["pcm"] for frame in audio_of(await spoken(client)))
        async with server.client(subprotocol) as client:
            assert b"".join(frame["pcm"] for frame in audio_of(await spoken(client))) == expected


@both
@pytest.mark.parametrize(("between", "ms"), [("", 300), ("\n\n", 700)])
async def test_a_request_says_how_long_sentences_and_paragraphs_are_apart(
    subprotocol: str, between: str, ms: int
) -> None:
    text = f"你好欢迎光临。{between}再见朋友。"
    async with running() as server, server.client(subprotocol) as client:
        close = await spoken(client, 1, text=text, rate=16000, sentence_pause_ms=0, paragraph_pause_ms=0)
        apart = await spoken(client, 2, text=text, rate=16000, sentence_pause_ms=300, paragraph_pause_ms=700)
        await client.send("open", ctx=3, text=text, sentence_pause_ms=10_001)
        error = await client.expect("error")
    assert (error["ctx"], error["code"]) == (3, "bad_request")
    assert "sentence_pause_ms" in error["message"]
    assert apart[-1]["samples"] - close[-1]["samples"] == 16 * ms
    second = next(message for message in close if message["type"] == "sentence" and message["index"] == 1)
    quiet, sound = (b"".join(frame["pcm"] for frame in audio_of(messages)) for messages in (apart, close))
    cut = 2 * second["sample"]
    assert quiet == sound[:cut] + bytes(2 * 16 * ms) + sound[cut:]


async def test_flags_mark_first_sentence_ends_and_last() -> None:
    async with running() as server, server.client() as client:
        frames = audio_of(await spoken(client))
    first_of_1 = next(index for index, frame in enumerate(frames) if frame["sentence"] == 1)
    expected = [0] * len(frames)
    expected[0] |= 1
    expected[first_of_1 - 1] |= 2
    expected[-1] |= 2 | 4
    assert [frame["flags"] for frame in frames] == expected


async def test_sentences_precede_their_audio_and_say_where_they_stand() -> None:
    async with running() as server, server.client() as client:
        messages = await spoken(client, words=True)
    position, seen = 0, -1
    for message in messages:
        if message["type"] == "sentence":
            assert message["index"] == seen + 1
            assert message["sample"] == position
            assert "你好欢迎光临。再见朋友。"[message["char_start"] : message["char_end"]] == message["text"]
            seen = message["index"]
        elif message["type"] == "audio":
            assert message["sentence"] == seen
            position += message["n"]
    assert seen == 1


async def test_words_are_timed_in_samples_of_the_output_rate() -> None:
    async with running() as server, server.client() as client:
        messages = await spoken(client, words=True, rate=48000)
        without = await spoken(client, ctx=2)
    items = [item for message in messages if message["type"] == "words" for item in message["items"]]
    assert "".join(item[0] for item in items) == "你好欢迎光临再见朋友"
    assert all("你好欢迎光临。再见朋友。"[item[3] : item[4]] == item[0] for item in items)
    assert all(before[2] <= after[1] for before, after in itertools.pairwise(items))
    assert items[-1][2] <= messages[-1]["samples"]
    assert not [message for message in without if message["type"] == "words"]


async def test_the_receipt_is_complete() -> None:
    async with running() as server, server.client() as client:
        done = (await spoken(client))[-1]
    assert set(done["stages"]) == {"frontend_ms", "encoder_ms", "decoder_ms", "vocoder_ms", "encode_ms"}
    assert 0 < done["ttfc_ms"] <= done["audible_ttfc_ms"]
    assert done["ttfc_ms"] <= done["total_ms"]
    assert 0 <= done["queue_ms"] <= done["ttfc_ms"]
    assert done["rtf"] > 0


@pytest.mark.parametrize("rate", SAMPLE_RATES)
async def test_every_rate_gives_the_same_duration(rate: int) -> None:
    async with running() as server, server.client() as client:
        at_16k = (await spoken(client, rate=16000))[-1]["samples"]
        done = (await spoken(client, ctx=2, rate=rate))[-1]
    assert done["samples"] == round(at_16k * rate / 16000)


async def test_float_format_carries_the_same_samples() -> None:
    async with running() as server, server.client() as client:
        ints = b"".join(frame["pcm"] for frame in audio_of(await spoken(client)))
        floats = b"".join(f["pcm"] for f in audio_of(await spoken(client, ctx=2, format="pcm_f32le")))
    as_floats = np.frombuffer(floats, "<f4")
    assert np.abs(as_floats - np.frombuffer(ints, "<i2") / 32767).max() <= 1 / 32767
    assert np.abs(as_floats).max() > 0.1


async def test_first_frame_is_short() -> None:
    async with running() as server, server.client() as client:
        frames = audio_of(await spoken(client, rate=16000))
    assert frames[0]["n"] <= 640
    assert max(frame["n"] for frame in frames) <= 3200


async def test_text_without_speech_is_done_without_audio() -> None:
    async with running() as server, server.client() as client:
        messages = await spoken(client, text="……！")
    assert audio_of(messages) == []
    assert (messages[-1]["samples"], messages[-1]["ttfc_ms"], messages[-1]["rtf"]) == (0, None, None)


# -- text as it is written -------------------------------------------------------------------


@both
async def test_text_in_pieces_gives_the_same_audio(subprotocol: str) -> None:
    text = "你好欢迎光临。再见朋友。"
    async with running() as server, server.client(subprotocol) as client:
        whole = b"".join(frame["pcm"] for frame in audio_of(await spoken(client)))
        await client.send("open", ctx=2)
        for char in text:
            await client.send("append", ctx=2, text=char)
        await client.send("end", ctx=2)
        pieces = b"".join(frame["pcm"] for frame in audio_of(await client.until("done", 2)))
    assert pieces == whole


async def test_flush_speaks_unfinished_text_and_is_acknowledged_behind_its_audio() -> None:
    async with running() as server, server.client() as client:
        await client.send("open", ctx=1, text="你好")
        await client.send("flush", ctx=1, id="mark")
        messages = await client.until("flushed")
        flushed = messages[-1]
        assert (flushed["ctx"], flushed["id"]) == (1, "mark")
        assert flushed["sample"] == sum(frame["n"] for frame in audio_of(messages)) > 0
        await client.send("append", ctx=1, text="再见")
        await client.send("end", ctx=1)
        rest = await client.until("done")
        assert rest[-1]["samples"] > flushed["sample"]


async def test_flush_before_the_end_is_acknowledged_before_done() -> None:
    async with running() as server, server.client() as client:
        await client.send("open", ctx=1, text="你好。")
        await client.send("flush", ctx=1, id=1)
        await client.send("end", ctx=1)
        messages = await client.until("done")
    flushed_at = [m["type"] for m in messages].index("flushed")
    assert audio_of(messages[flushed_at:]) == []


async def test_max_delay_speaks_text_that_nobody_ends() -> None:
    async with running() as server, server.client() as client:
        await client.send("open", ctx=1, text="你好", max_delay_ms=1)
        assert (await client.expect("audio"))["ctx"] == 1


# -- many at a time --------------------------------------------------------------------------


@both
async def test_utterances_interleave_on_one_connection(subprotocol: str) -> None:
    async with running() as server, server.client(subprotocol) as client:
        for ctx in (1, 2):
            await client.send("open", ctx=ctx, text=LONG_TEXT[:150], end=True)
        messages = [*await client.until("done")]
        messages += await client.until("done")
    order = [message["ctx"] for message in messages if message["type"] in ("audio", "done")]
    assert set(order[: order.index(order[-1], 1) + 20]) == {1, 2}
    switches = sum(before != after for before, after in itertools.pairwise(order))
    assert switches > 10
    for ctx in (1, 2):
        frames = audio_of(messages, ctx)
        assert [frame["seq"] for frame in frames] == list(range(len(frames)))


async def test_a_second_client_is_served_while_the_first_is_being_synthesised() -> None:
    gate = Gate()
    engine = FakeEngine(before_call=gate)
    async with running(engine=engine) as server, server.client() as first, server.client() as second:
        await first.send("open", ctx=1, text="你好。", end=True)
        await asyncio.to_thread(gate.reached.wait, 10)
        await second.speaks()
        gate.opened.set()
        assert (await first.expect("done"))["samples"] > 0


# -- cancel ----------------------------------------------------------------------------------


@both
async def test_no_audio_follows_a_cancel(subprotocol: str) -> None:
    async with running() as server, server.client(subprotocol) as client:
        await client.send("open", ctx=1, text=LONG_TEXT, end=True)
        before = await client.until("audio")
        await client.send("cancel", ctx=1, played=10)
        before += await client.until("cancelled")
        frames, cancelled = audio_of(before), before[-1]
        assert cancelled["samples"] == sum(frame["n"] for frame in frames)
        ended = [frame["sentence"] for frame in frames if frame["flags"] & 2]
        sentences = {m["index"]: m["char_end"] for m in before if m["type"] == "sentence"}
        assert cancelled["text_done"] == (sentences[ended[-1]] if ended else 0)
        await client.send("open", ctx=2, text="好。", end=True)
        after = await client.until("done", 2)
        assert audio_of(after, 1) == []


async def test_cancel_reaches_a_model_call_that_hangs() -> None:
    gate = Gate()
    async with running(engine=FakeEngine(before_call=gate)) as server, server.client() as client:
        await client.send("open", ctx=1, text="你好。", end=True)
        await asyncio.to_thread(gate.reached.wait, 10)
        await client.send("cancel", ctx=1)
        assert (await client.expect("cancelled"))["samples"] == 0
        calls = len(server.engine.calls)
        gate.opened.set()
        await client.speaks()
        assert server.engine.calls[:calls] == ["encoder"]


async def test_cancel_is_idempotent_and_star_means_all() -> None:
    async with running() as server, server.client() as client:
        await client.send("cancel", ctx=1)
        for ctx in (1, 2):
            await client.send("open", ctx=ctx, text=LONG_TEXT, end=True)
        await client.expect("audio")
        await client.send("cancel", ctx="*")
        await client.send("cancel", ctx="*")
        await client.send("cancel", ctx=1)
        await client.send("open", ctx=3, text="好。", end=True)
        messages = await client.until("done", 3)
    assert sorted(m["ctx"] for m in messages if m["type"] == "cancelled") == [1, 2]
    assert not [m for m in messages if m["type"] == "error"]


@both
async def test_replaces_cancels_and_starts_in_one_step(subprotocol: str) -> None:
    async with running() as server, server.client(subprotocol) as client:
        await client.send("open", ctx=1, text=LONG_TEXT, end=True)
        await client.expect("audio")
        await client.send("open", ctx=2, replaces=1, text="好的。", end=True)
        messages = await client.until("done", 2)
    cancelled_at = [m["type"] for m in messages].index("cancelled")
    assert audio_of(messages[cancelled_at:], 1) == []
    assert audio_of(messages[:cancelled_at], 2) == []


async def test_a_number_can_be_used_again_at_once() -> None:
    async with running() as server, server.client() as client:
        for _ in range(3):
            await client.send("open", ctx=1, text=LONG_TEXT, end=True)
            frame = await client.expect("audio")
            assert frame["seq"] == 0
            await client.send("cancel", ctx=1)
            await client.expect("cancelled")
        for _ in range(3):
            await client.speaks(1)


# -- backpressure ----------------------------------------------------------------------------


@both
async def test_no_more_than_the_credit_is_sent(subprotocol: str) -> None:
    async with running() as server, server.client(subprotocol) as client:
        await client.send("open", ctx=1, text=LONG_TEXT[:60], end=True, window_ms=100, rate=16000)
        received = 0
        while received < 1600:
            received += (await client.expect("audio"))["n"]
        assert received == 1600
        await client.speaks()  # while ctx 1 waits
        await client.send("credit", ctx=1, ms=15)
        assert (await client.expect("audio"))["n"] == 240
        await client.send("credit", ctx=1, ms=600_000)
        done = await client.expect("done", 1)
        assert done["samples"] > 1600 + 240


async def test_a_client_that_reads_nothing_stops_the_model_and_is_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("server.connection.CLOSE_S", 0.05)
    config = limits(slow_reader_s=0.3, chars_per_context=10**6, chars_per_append=10**6, message_bytes=10**6)
    async with running(config) as server, server.client(sock=small_receiver(server.port)) as client:
        for ctx in range(1, 9):
            await client.send("open", ctx=ctx, text=LONG_TEXT * 5, end=True, rate=48000, format="pcm_f32le")
        await client.receive()
        client.socket.transport.pause_reading()  # type: ignore[attr-defined]
        await server.no_connections()
        largest_block_bytes = 16 * 200 * 3 * 4  # frames, samples each, three times the rate, float
        produced_bytes = server.engine.calls.count("vocoder") * largest_block_bytes
        assert produced_bytes < 3e6  # of 1.5 GB that were asked for
        client.socket.transport.abort()


def small_receiver(port: int) -> socket.socket:
    """A connected socket whose kernel buffer holds little, so that the server soon notices."""
    receiver = socket.socket()
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    receiver.connect(("127.0.0.1", port))
    receiver.setblocking(False)
    return receiver


async def test_a_slow_reader_that_wakes_up_finds_the_close_code() -> None:
    config = limits(slow_reader_s=0.3)
    async with running(config) as server, server.client(sock=small_receiver(server.port)) as client:
        for ctx in range(1, 9):
            await client.send("open", ctx=ctx, text=LONG_TEXT, end=True, rate=48000, format="pcm_f32le")
        await client.receive()
        transport: Any = client.socket.transport
        transport.pause_reading()
        (connection,) = server.native._connections
        await asyncio.shield(connection._ending)
        transport.resume_reading()
        assert await client.closed() == 4408


# -- the end of a connection -----------------------------------------------------------------


async def test_bye_finishes_what_is_open_then_closes() -> None:
    async with running() as server, server.client() as client:
        await client.send("open", ctx=1, text="你好")
        await client.send("open", ctx=2, text="再见。", end=True)
        await client.send("bye")
        messages = [*await client.until("done"), *await client.until("done")]
        assert {m["ctx"] for m in messages if m["type"] == "done"} == {1, 2}
        assert await client.closed() == 1000


async def test_bye_on_a_quiet_connection_closes_at_once() -> None:
    async with running() as server, server.client() as client:
        await client.send("bye")
        assert await client.closed() == 1000


async def test_a_client_that_leaves_takes_everything_with_it() -> None:
    before = asyncio.all_tasks()
    async with running() as server:
        async with server.client() as client:
            for ctx in (1, 2, 3):
                await client.send("open", ctx=ctx, text=LONG_TEXT, end=ctx != 3)
            await client.expect("audio")
            client.socket.transport.abort()
        await server.no_connections()
        names = {task.get_name() for task in asyncio.all_tasks() - before}
        assert not [name for name in names if name.startswith("c1")]
        assert server.native.n_connections == 0
        async with server.client() as client:
            await client.speaks()


async def test_shutdown_lets_speech_finish_and_closes_with_1001() -> None:
    async with running(limits(drain_s=30)) as server, server.client() as idle, server.client() as client:
        await client.send("open", ctx=1, text=LONG_TEXT[:60])
        await client.expect("audio")
        cleanup = asyncio.create_task(shut_down(server.runner))
        assert await idle.closed() == 1001
        await client.send("open", ctx=2, text="好。", end=True)
        refusal = await client.expect("error")
        assert (refusal["ctx"], refusal["code"]) == (2, "overloaded")
        await client.send("append", ctx=1, text="再见。")
        await client.send("end", ctx=1)
        assert (await client.expect("done", 1))["chars"] == 63
        assert await client.closed() == 1001
        await cleanup


async def test_shutdown_out_of_time_closes_with_1001() -> None:
    async with running(limits(drain_s=0)) as server, server.client() as client:
        await client.send("open", ctx=1)
        await client.expect("ready")
        await shut_down(server.runner)
        assert await client.closed() == 1001


async def test_an_idle_connection_is_closed_with_its_code() -> None:
    async with running(limits(idle_s=0.02)) as server, server.client() as client:
        await client.speaks()
        error = await client.expect("error")
        assert error["code"] == "idle_timeout"
        assert "ctx" not in error
        assert await client.closed() == 4408


async def test_a_connection_that_never_speaks_is_closed() -> None:
    async with running(limits(open_s=0.02)) as server, server.client() as client:
        assert (await client.expect("error"))["code"] == "idle_timeout"
        assert await client.closed() == 4408


async def test_an_utterance_whose_client_is_silent_ends_alone() -> None:
    async with running(limits(context_idle_s=0.02)) as server, server.client() as client:
        await client.send("open", ctx=1, text="你好")
        error = await client.expect("error")
        assert (error["ctx"], error["code"]) == (1, "idle_timeout")
        await client.send("append", ctx=1, text="late")  # was on its way: ignored
        await client.speaks()


# -- failure ---------------------------------------------------------------------------------


async def test_a_failing_model_is_said_without_details_and_others_go_on() -> None:
    engine = FakeEngine(fail_at={"vocoder": 2})
    async with running(engine=engine) as server, server.client() as client:
        await client.send("open", ctx=1, text=LONG_TEXT[:30], end=True)
        error = await client.expect("error")
        assert error == {"type": "error", "ctx": 1, "code": "internal", "message": "synthesis failed"}
        await client.speaks(1)


async def test_text_that_cannot_be_pronounced_is_said() -> None:
    async with running() as server, server.client() as client:
        await client.send("open", ctx=1, text="あ。", end=True)
        error = await client.expect("error")
        assert (error["ctx"], error["code"]) == (1, "unspeakable_text")
        assert "あ" in error["message"]
        await client.speaks(1)


async def serve_one(server: Server) -> None:
    async with server.client() as client:
        await client.speaks()


async def test_many_clients_one_after_the_other_leave_nothing_behind() -> None:
    async with running() as server:
        await serve_one(server)
        await server.no_connections()
        tasks = len(asyncio.all_tasks())
        for _ in range(5):
            await serve_one(server)
            await server.no_connections()
        assert len(asyncio.all_tasks()) <= tasks
