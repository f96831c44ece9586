"""DashScope's inference socket frame by frame: what the vendor's SDK hides."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import AsyncExitStack, suppress
from itertools import pairwise
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from server.config import AuthConfig, DashScopeConfig, ServerConfig
from streaming.engines.fake import FakeEngine
from tests.server.dashscope.client import (
    INFERENCE,
    TERMINAL,
    DashScopeClient,
    Frame,
    audio_of,
    dashscope_client,
    kind,
    kinds,
    maps,
)
from tests.server.harness import LONG_TEXT, Gate, Server, ask, limits, running
from tests.server.test_connection import small_receiver


def waiting(text_s: float = 30.0, idle_s: float = 30.0, **values: Any) -> ServerConfig:
    """Another patience with clients."""
    return limits(**values).model_copy(update={"dashscope": DashScopeConfig(text_s=text_s, idle_s=idle_s)})


async def native(server: Server, text: str, **fields: Any) -> bytes:
    async with server.client() as client:
        await client.send("open", ctx=1, text=text, end=True, **{"rate": 16000, **fields})
        return b"".join(m["pcm"] for m in await client.until("done") if m["type"] == "audio")


async def nobody_inside(server: Server) -> None:
    """Wait until every connection has ended, with all its tasks."""
    await server.backend.door._empty.wait()


def only_terminal(frames: list[Frame]) -> dict[str, Any]:
    """The terminal event; nothing stands behind it, and there is no other."""
    assert [name for name in kinds(frames) if name in TERMINAL] == [kind(frames[-1])]
    assert isinstance(frames[-1], dict)
    return frames[-1]


def error_of(frames: list[Frame]) -> tuple[str, str]:
    header = only_terminal(frames)["header"]
    assert header["event"] == "task-failed"
    assert header["task_id"]
    assert header["error_message"]
    return header["task_id"], header["error_code"]


# -- the order of events ---------------------------------------------------------------------


@pytest.mark.parametrize("path", [INFERENCE, f"{INFERENCE}/"])
async def test_sambert_with_and_without_a_slash(path: str) -> None:
    async with running() as server, dashscope_client(server, path) as client:
        await client.sambert("a", "你好。再见。", format="pcm")
        frames = await client.until("task-finished")
        assert set(kinds(frames[1:-1])) == {"audio"}
        assert kinds(frames)[0] == "task-started"
        assert frames[-1] == {
            "header": {"task_id": "a", "event": "task-finished", "attributes": {"request_uuid": "a"}},
            "payload": {"output": None, "usage": {"characters": 6}},
        }
        assert audio_of(frames) == await native(server, "你好。再见。")


async def test_sambert_tells_each_sentence_before_its_audio() -> None:
    async with running() as server, dashscope_client(server) as client:
        await client.sambert(
            "a", "你好。再见。", word_timestamp_enabled=True, phoneme_timestamp_enabled=True, format="pcm"
        )
        frames = await client.until("task-finished")
        sentences = [f["payload"]["output"]["sentence"] for f in maps(frames, "result-generated")]
        assert [[word["text"] for word in sentence["words"]] for sentence in sentences] == [
            ["你", "好"],
            ["再", "见"],
        ]
        assert sentences[0]["begin_time"] == 0
        assert sentences[0]["end_time"] <= sentences[1]["begin_time"] < sentences[1]["end_time"]
        assert kinds(frames)[1:3] == ["result-generated", "audio"]


async def test_sambert_speaks_wav_at_16_khz_if_nothing_is_said() -> None:
    async with running() as server, dashscope_client(server) as client:
        await client.sambert("a", "你好。")
        audio = audio_of(await client.until("task-finished"))
        assert audio[:4] == b"RIFF"
        assert int.from_bytes(audio[24:28], "little") == 16000
        assert audio[44:] == await native(server, "你好。")


async def test_cosyvoice_announces_every_frame() -> None:
    async with running() as server, dashscope_client(server) as client:
        await client.run("a", word_timestamp_enabled=True)
        await client.text("a", "你好。再")
        await client.text("a", "见。")
        await client.finish("a")
        frames = await client.until("task-finished")
        names = kinds(frames)
        for before, name in pairwise(names):
            assert (before == "sentence-synthesis") == (name == "audio")
        story = [name for name in names if name not in ("sentence-synthesis", "audio")]
        sentence = ["sentence-begin", "sentence-end"]
        assert story == ["task-started", *sentence, *sentence, "task-finished"]
        ends = [frame["payload"] for frame in maps(frames, "sentence-end")]
        assert [end["output"]["original_text"] for end in ends] == ["你好。", "再见。"]
        assert [end["usage"]["characters"] for end in ends] == [5, 10]
        assert only_terminal(frames)["payload"]["output"]["sentence"] == ends[-1]["output"]["sentence"]
        assert audio_of(frames) == await native(server, "你好。再见。")


async def test_the_end_of_a_sentence_is_told_before_more_text_comes() -> None:
    async with running() as server, dashscope_client(server) as client:
        await client.run("a")
        await client.text("a", "你好。")
        await client.flush("a")
        assert kinds(await client.until("sentence-end"))[0] == "task-started"


async def test_a_flush_speaks_what_has_no_end() -> None:
    async with running() as server, dashscope_client(server) as client:
        await client.run("a")
        await client.text("a", "你好")
        await client.flush("a")
        assert audio_of(await client.until("sentence-end"))
        await client.finish("a")
        await client.until("task-finished")


async def test_the_audio_is_the_same_however_the_text_is_cut() -> None:
    text = "你好，欢迎使用语音合成服务。今天天气很好。"
    async with running() as server, dashscope_client(server) as client:
        expected = await native(server, text)
        for task_id, pieces in {"whole": [text], "letters": list(text)}.items():
            await client.run(task_id)
            for piece in pieces:
                await client.text(task_id, piece)
            await client.finish(task_id)
            assert audio_of(await client.until("task-finished")) == expected


async def test_words_are_replaced_and_read_otherwise() -> None:
    fix = {"replace": [{"今天": "明天"}], "pronunciation": [{"好": "hao4"}, {"x": "not a reading"}]}
    async with running() as server, dashscope_client(server) as client:
        await client.run("a", hot_fix=fix)
        await client.text("a", "今")
        await client.text("a", "天好。今")
        await client.flush("a")
        await client.text("a", "天")
        await client.finish("a")
        frames = await client.until("task-finished")
        texts = [frame["payload"]["output"]["original_text"] for frame in maps(frames, "sentence-end")]
        assert texts == ["明天好。", "今", "天"]


async def test_only_text_that_begins_as_ssml_is_ssml() -> None:
    async with running() as server, dashscope_client(server) as client:
        expected = await native(server, "<speak>你好<break time='500ms'/></speak>", ssml=True)
        await client.run("ssml", enable_ssml=True)
        await client.text("ssml", "<speak>你好<break time='500ms'/></speak>")
        await client.finish("ssml")
        frames = await client.until("task-finished")
        assert audio_of(frames) == expected
        assert only_terminal(frames)["payload"]["usage"] == {"characters": 4}
        assert kinds(frames)[-2] == "sentence-end"
        await client.run("plain", enable_ssml=True)
        await client.text("plain", "你好")
        await client.finish("plain")
        assert audio_of(await client.until("task-finished")) == await native(server, "你好")


@pytest.mark.parametrize("parameters", [{"format": "Default", "sample_rate": 0}, {"format": "mp3"}])
async def test_mp3_is_what_a_default_means(parameters: dict[str, Any]) -> None:
    async with running() as server, dashscope_client(server) as client:
        await client.run("a", **parameters)
        await client.text("a", "你好。再见。")
        await client.finish("a")
        frames = await client.until("task-finished")
        assert audio_of(frames).startswith(b"\xff")
        for before, name in pairwise(kinds(frames)):
            assert (before == "sentence-synthesis") == (name == "audio")


@pytest.mark.parametrize("text", [None, "  ", "……"])
async def test_a_task_without_speech_finishes_without_audio(text: str | None) -> None:
    async with running() as server, dashscope_client(server) as client:
        await client.run("a", format="wav")
        if text is not None:
            await client.text("a", text)
        await client.finish("a")
        assert kinds(await client.until("task-finished")) == ["task-started", "task-finished"]
        await client.speaks()


async def test_unknown_fields_and_nulls_do_no_harm() -> None:
    async with running() as server, dashscope_client(server) as client:
        await client.run(
            "a", language_hints=["zh"], enable_markdown_filter=True, type=0, instruction=None, rate=None
        )
        await client.send(
            "continue-task", "a", model="m", task="tts", input={"text": "你\ud83d好。", "x": None}
        )
        await client.finish("a")
        assert audio_of(await client.until("task-finished"))


# -- one task after another ------------------------------------------------------------------


async def test_nothing_follows_the_end_of_a_cancelled_task() -> None:
    async with running() as server, dashscope_client(server) as client:
        for number in range(3):
            task_id = f"long {number}"
            await client.run(task_id)
            await client.text(task_id, LONG_TEXT)
            if number == 1:
                await client.finish(task_id)  # a cancel may come behind it
            await client.until("audio")
            await client.cancel(task_id)
            assert only_terminal(await client.until("task-finished"))["header"]["task_id"] == task_id
            await client.cancel(task_id)  # late: no error
            await client.run("short")
            await client.text("short", "好。")
            await client.finish("short")
            frames = await client.until("task-finished")
            assert kind(frames[0]) == "task-started"
            assert audio_of(frames) == await native(server, "好。")


async def test_a_cancel_reaches_a_model_call_that_hangs() -> None:
    gate = Gate()
    async with running(engine=FakeEngine(before_call=gate)) as server, dashscope_client(server) as client:
        await client.run("a")
        await client.text("a", "你好。")
        await client.flush("a")
        assert await asyncio.to_thread(gate.reached.wait, 10)
        await client.cancel("a")
        assert kinds(await client.until("task-finished")) == ["task-started", "task-finished"]
        gate.opened.set()
        await client.speaks()


async def test_a_new_task_drops_the_running_one_without_a_word() -> None:
    async with running() as server, dashscope_client(server) as client:
        await client.run("old")
        await client.text("old", LONG_TEXT)
        await client.until("audio")
        await client.run("new")
        await client.text("old", "late")
        await client.finish("old")
        await client.text("new", "好。")
        await client.finish("new")
        frames = await client.until("task-finished")
        names = kinds(frames)
        start = names.index("task-started")
        ids = {frame["header"]["task_id"] for frame in frames[start:] if isinstance(frame, dict)}
        assert ids == {"new"}
        assert not set(names[:start]) & set(TERMINAL)
        assert audio_of(frames[start:]) == await native(server, "好。")


async def test_whole_tasks_may_follow_without_waiting() -> None:
    async with running() as server, dashscope_client(server) as client:
        await client.sambert("a", LONG_TEXT)
        await client.sambert("b", "好。", format="pcm")
        frames = await client.until("task-finished")
        assert only_terminal(frames)["header"]["task_id"] == "b"


async def test_a_client_that_leaves_takes_everything_with_it() -> None:
    async with running() as server:
        async with dashscope_client(server) as client:
            await client.run("a")
            await client.text("a", LONG_TEXT)
            await client.until("audio")
        await nobody_inside(server)
        n_calls = len(server.engine.calls)
        assert n_calls < 500
        async with dashscope_client(server) as client:
            await client.speaks()


async def test_others_are_served_while_one_is_computed() -> None:
    gate = Gate(at_call=3)
    async with (
        running(engine=FakeEngine(before_call=gate)) as server,
        dashscope_client(server) as first,
        dashscope_client(server) as second,
    ):
        await first.sambert("a", "你好。")
        assert await asyncio.to_thread(gate.reached.wait, 10)
        await second.speaks()
        gate.opened.set()
        await first.until("task-finished")


# -- what goes wrong -------------------------------------------------------------------------


async def test_pings_are_answered_while_a_model_hangs() -> None:
    gate = Gate()
    async with (
        running(engine=FakeEngine(before_call=gate)) as server,
        dashscope_client(server, ping_interval=0.02, ping_timeout=5) as client,
    ):
        await client.run("a")
        await client.text("a", "你好。")
        await client.flush("a")
        assert await asyncio.to_thread(gate.reached.wait, 10)
        for _ in range(5):
            await (await client.socket.ping())
        gate.opened.set()
        await client.finish("a")
        await client.until("task-finished")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("not json", "InvalidParameter"),
        ("[]", "InvalidParameter"),
        ("{}", "InvalidParameter"),
        (b"\x00\x01", "InvalidParameter"),
        ("[" * 100_000, "InvalidParameter"),
        (
            json.dumps({"header": {"action": "dance", "task_id": "a"}, "payload": {"input": {}}}),
            "InvalidParameter",
        ),
        (
            json.dumps({"header": {"action": "finish-task", "task_id": "b"}, "payload": {"input": {}}}),
            "InvalidParameter",
        ),
        (
            json.dumps({"header": {"action": "continue-task", "task_id": "a"}, "payload": {}}),
            "InvalidParameter",
        ),
    ],
    ids=range(8),
)
async def test_a_message_that_is_none_fails_the_task_and_closes(sent: str | bytes, code: str) -> None:
    async with running() as server:
        for is_running in (False, True):
            async with dashscope_client(server) as client:
                if is_running:
                    await client.run("a")
                    await client.text("a", LONG_TEXT)
                    await client.until("audio")
                await client.socket.send(sent)
                frames, close_code = await client.rest()
                assert error_of(frames)[1] == code
                assert close_code == 1000
        async with dashscope_client(server) as client:
            await client.speaks()


@pytest.mark.parametrize("sent", ["not json", '{"header":{"action":"run-task"}}', b"\x00"])
async def test_many_malformed_messages_fail_the_task_once(sent: str | bytes) -> None:
    async with running() as server, dashscope_client(server) as client:
        await client.run("a")
        await client.until("task-started")
        for _ in range(20):
            await client.socket.send(sent)
        frames, close_code = await client.rest()
        assert error_of(frames) == ("a", "InvalidParameter")
        assert close_code == 1000


async def test_nothing_starts_behind_a_failure() -> None:
    async with running() as server, dashscope_client(server) as client:
        await client.run("a")
        await client.socket.send("not json")
        for number in range(5):
            await client.sambert(f"late {number}", "好。")
        frames, _ = await client.rest()
        assert error_of(frames)[0] == "a"


@pytest.mark.parametrize("place", ["append", "parse_task_message"])
async def test_a_fault_of_ours_on_a_message_is_said(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    async with running() as server:
        async with dashscope_client(server) as client:
            await client.run("a")
            await client.until("task-started")
            owner = "server.dashscope.socket." + ("SpokenTask." if place == "append" else "")
            monkeypatch.setattr(owner + place, broken)
            await client.text("a", "你好。")
            frames, close_code = await client.rest()
            assert error_of(frames) == ("a", "InternalError")
            assert only_terminal(frames)["header"]["error_message"] == "synthesis failed"
            assert close_code == 1000
        monkeypatch.undo()
        async with dashscope_client(server) as client:
            await client.speaks()


@pytest.mark.parametrize(
    ("model", "parameters", "code"),
    [
        ("cosyvoice-v2", {"voice": "nobody"}, "InvalidParameter"),
        ("no-such", {}, "ModelNotFound"),
        ("", {}, "InvalidParameter"),
        ("cosyvoice-v2", {"format": "midi"}, "InvalidParameter"),
        ("cosyvoice-v2", {"sample_rate": 12345}, "InvalidParameter"),
        ("cosyvoice-v2", {"rate": 3}, "InvalidParameter"),
        ("cosyvoice-v2", {"volume": "loud"}, "InvalidParameter"),
    ],
)
async def test_what_there_is_not_fails_before_it_starts(
    model: str, parameters: dict[str, Any], code: str
) -> None:
    async with running() as server, dashscope_client(server) as client:
        await client.send("run-task", "a", model=model, parameters=parameters, input={})
        frames, close_code = await client.rest()
        assert kinds(frames) == ["task-failed"]
        assert error_of(frames) == ("a", code)
        assert close_code == 1000


async def test_sambert_needs_text_and_a_known_model() -> None:
    async with running() as server:
        for model, text in (("sambert-zhichu-v1", " "), ("no-such", "x")):
            async with dashscope_client(server) as client:
                await client.sambert("a", text, model)
                error_of((await client.rest())[0])


async def test_more_text_than_allowed_is_said() -> None:
    async with running(limits(chars_per_context=100)) as server, dashscope_client(server) as client:
        await client.run("a")
        await client.text("a", "好" * 60)
        await client.text("a", "好" * 60)
        frames, close_code = await client.rest()
        assert error_of(frames) == ("a", "InvalidParameter")
        assert close_code == 1000


async def test_as_much_text_as_the_vendor_takes_is_answered() -> None:
    async with running() as server, dashscope_client(server) as client:
        await client.sambert("a", "好" * 200_000)
        frames, _ = await client.rest()
        assert "200000" in only_terminal(frames)["header"]["error_message"]


async def test_replacements_cannot_make_a_text_too_long() -> None:
    async with running() as server, dashscope_client(server) as client:
        await client.run("a", hot_fix={"replace": [{"好": "好" * 256}]})
        await client.text("a", "好" * 1000)
        frames, _ = await client.rest()
        assert error_of(frames) == ("a", "InvalidParameter")
        assert "the limit is 20000" in only_terminal(frames)["header"]["error_message"]


async def test_ssml_that_is_none_fails_the_task() -> None:
    async with running() as server, dashscope_client(server) as client:
        await client.run("a", enable_ssml=True)
        await client.text("a", "<speak><dance/></speak>")
        assert error_of((await client.rest())[0]) == ("a", "InvalidParameter")


async def test_a_failing_model_is_said_without_details() -> None:
    engine = FakeEngine(fail_at={"vocoder": 3})
    async with running(engine=engine) as server:
        async with dashscope_client(server) as client:
            await client.sambert("a", LONG_TEXT)
            frames, close_code = await client.rest()
            assert error_of(frames) == ("a", "InternalError")
            assert only_terminal(frames)["header"]["error_message"] == "synthesis failed"
            assert close_code == 1000
        async with dashscope_client(server) as client:
            await client.speaks()


async def test_text_that_cannot_be_pronounced_is_said() -> None:
    async with running() as server, dashscope_client(server) as client:
        await client.sambert("a", "あ。")
        assert error_of((await client.rest())[0]) == ("a", "InvalidParameter")


async def test_text_that_comes_while_a_failure_is_told_does_not_hide_it() -> None:
    async with running() as server, dashscope_client(server) as client:
        await client.run("a")
        await client.text("a", "あ。")
        for _ in range(200):
            await client.text("a", "你好。")
        frames, _ = await client.rest()
        assert "あ" in only_terminal(frames)["header"]["error_message"]


async def test_a_task_that_waits_too_long_for_text_fails() -> None:
    async with running(waiting(text_s=0.05)) as server, dashscope_client(server) as client:
        await client.run("a")
        frames, close_code = await client.rest()
        assert error_of(frames) == ("a", "RequestTimeOut")
        assert only_terminal(frames)["header"]["error_message"] == "request timeout after 0.05 seconds"
        assert close_code == 1000


async def test_a_task_whose_text_has_ended_waits_for_nobody() -> None:
    gate = Gate()
    config = waiting(text_s=0.05, idle_s=0.05)
    async with running(config, FakeEngine(before_call=gate)) as server, dashscope_client(server) as client:
        await client.sambert("a", "你好。")
        assert await asyncio.to_thread(gate.reached.wait, 10)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await client.until("task-finished")
        gate.opened.set()
        frames, close_code = await client.rest()  # and then the connection was idle
        assert only_terminal(frames)["header"]["event"] == "task-finished"
        assert close_code == 1000


async def test_a_silent_connection_is_closed_in_the_end() -> None:
    async with running(waiting(idle_s=0.05)) as server, dashscope_client(server) as client:
        assert await client.rest() == ([], 1000)


async def test_many_silent_connections_are_accepted() -> None:
    async with running() as server:
        async with AsyncExitStack() as stack:
            for _ in range(50):
                client = await stack.enter_async_context(dashscope_client(server))
            await client.speaks()
            assert server.backend.door.n_inside == 50
        await nobody_inside(server)


async def test_a_client_that_reads_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.json_socket.CLOSE_S", 0.05)
    config = limits(slow_reader_s=0.3)
    async with (
        running(config) as server,
        dashscope_client(server, sock=small_receiver(server.port)) as client,
    ):
        await client.run("a", sample_rate=48000)
        await client.text("a", LONG_TEXT * 10)
        await client.receive()
        client.socket.transport.pause_reading()  # type: ignore[attr-defined]
        await nobody_inside(server)
        largest_block_bytes = 16 * 200 * 3 * 2
        assert server.engine.calls.count("vocoder") * largest_block_bytes < 3e6
        client.socket.transport.abort()


async def test_without_a_valid_key_the_handshake_is_refused() -> None:
    config = limits().model_copy(update={"auth": AuthConfig(tokens=("secret",))})  # type: ignore[arg-type]
    async with running(config) as server:
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            with pytest.raises(InvalidStatus) as refusal:
                async with dashscope_client(server, additional_headers=headers):
                    pass
            response = refusal.value.response
            assert response.status_code == 401
            fields = json.loads(response.body)
            assert fields["code"] == "InvalidApiKey"
            assert fields["message"]
            assert fields["request_id"]
        async with dashscope_client(server, additional_headers={"Authorization": "bearer secret"}) as client:
            await client.speaks()


async def test_a_full_server_says_so_to_the_task() -> None:
    async with running(limits(requests=1)) as server, dashscope_client(server) as inside:
        await inside.speaks()
        async with dashscope_client(server) as client:
            await client.run("a")
            frames, close_code = await client.rest()
            assert error_of(frames) == ("a", "Throttling.RateQuota")
            assert close_code == 1000
        await inside.speaks("more")


async def test_shutdown_lets_a_task_finish() -> None:
    gate = Gate(at_call=3)
    async with (
        running(limits(drain_s=20), FakeEngine(before_call=gate)) as server,
        dashscope_client(server) as client,
        dashscope_client(server) as idle,
    ):
        await client.sambert("a", "你好。")
        assert await asyncio.to_thread(gate.reached.wait, 10)
        closing = asyncio.create_task(server.backend.door.close(20))
        assert await idle.rest() == ([], 1001)
        gate.opened.set()
        frames, close_code = await client.rest()
        assert only_terminal(frames)["header"]["event"] == "task-finished"
        assert close_code == 1001
        await closing


async def test_shutdown_out_of_time_fails_the_task() -> None:
    async with running() as server, dashscope_client(server) as client:
        await client.run("a")
        await client.text("a", LONG_TEXT)
        await client.until("audio")
        closing = asyncio.create_task(server.backend.door.close(0))
        frames, _ = await client.rest()
        assert error_of(frames) == ("a", "Throttling.RateQuota")
        assert only_terminal(frames)["header"]["error_message"] == "the server is shutting down"
        await closing


async def test_a_task_that_comes_while_the_server_shuts_down_is_refused() -> None:
    async with running(limits(drain_s=20)) as server, dashscope_client(server) as client:
        await client.run("a")
        await client.until("task-started")
        closing = asyncio.create_task(server.backend.door.close(20))
        await server.backend.door.closing.wait()
        await client.run("b")
        frames, _ = await client.rest()
        assert error_of(frames) == ("b", "Throttling.RateQuota")
        await closing


async def test_a_plain_request_is_no_handshake() -> None:
    async with running() as server:
        status, _ = await ask(server, "GET", INFERENCE)
        assert status == 400


async def test_many_connections_one_after_the_other_leave_nothing_behind() -> None:
    async with running() as server:
        n_tasks = len(asyncio.all_tasks())
        for number in range(20):
            async with dashscope_client(server) as client:
                await client.sambert("a", LONG_TEXT if number % 2 else "好。")
                await client.until("audio")
        await nobody_inside(server)
        assert len(asyncio.all_tasks()) <= n_tasks + 2


# -- the law -----------------------------------------------------------------------------------


def keep_the_law(frames: list[Frame]) -> None:
    """Every frame belongs to the task that was started last, and every task but a dropped one has its end."""
    running_id: str | None = None
    for frame in frames:
        if isinstance(frame, bytes):
            assert running_id is not None, "audio of no task"
            continue
        task_id = frame["header"]["task_id"]
        match kind(frame):
            case "task-started":
                running_id = task_id
            case "task-failed":
                assert running_id in (None, task_id) or frame is frames[-1]
                running_id = None
            case name:
                assert task_id == running_id, f"{name} of a task that is not running"
                if name == "task-finished":
                    running_id = None
    assert running_id is None, "the socket was closed before the end of the task"


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_a_client_sends_every_task_has_its_end(seed: int) -> None:
    chance = random.Random(seed)
    config = waiting(text_s=0.3, idle_s=0.1, chars_per_context=3000)
    engine = FakeEngine(fail_at={"vocoder": 400} if seed % 3 == 0 else {})
    async with running(config, engine) as server, dashscope_client(server) as client:
        reading = asyncio.create_task(client.rest())
        with suppress(ConnectionClosed):
            for number in range(30):
                await talk_at_random(client, f"task {number}", chance)
        frames, close_code = await reading
        keep_the_law(frames)
        assert kinds(frames).count("task-started") > 1
        assert close_code == 1000
        async with dashscope_client(server) as other:
            await other.speaks()


async def talk_at_random(client: DashScopeClient, task_id: str, chance: random.Random) -> None:
    """Run a task, and leave it in any state; sometimes against the rules."""
    if chance.random() < 0.2:
        await client.sambert(task_id, "你好。再见。", format="pcm")
    else:
        await client.run(task_id, word_timestamp_enabled=True)
        for _ in range(chance.randrange(6)):
            await client.text(task_id, chance.choice(("你好。", "再", LONG_TEXT[:90])))
            if chance.random() < 0.3:
                await client.flush(task_id)
    for _ in range(chance.choice((0, 10, 100, 300))):
        await asyncio.sleep(0)
    match chance.choice(("finish", "cancel", "both", "nothing")):
        case "finish":
            await client.finish(task_id)
        case "cancel":
            await client.cancel(task_id)
        case "both":
            await client.finish(task_id)
            await client.cancel(task_id)
    if chance.random() < 0.03:
        await client.text(task_id, "late")
    for _ in range(chance.choice((0, 10, 1000))):
        await asyncio.sleep(0)
