"""Conversations over real sockets: a fake model, our client, the real server with the fake voice."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import subprocess
import sys
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from clients.examples import llm
from clients.examples.chat import ChatClient
from clients.examples.fake_llm import FakeModel
from clients.examples.llm import Conversation
from clients.examples.turn import Turn
from clients.python.client import Client, SpeakOptions
from tests.clients.examples.doubles import Recorder, fast, serving
from tests.server.harness import Server, running

REPOSITORY = Path(__file__).parents[3]
REPLY = "你好欢迎光临。再见朋友，明天见。"
STEP_S = 12.0  # of a process that takes seconds to start
WORDS = SpeakOptions(words=True)


@dataclass
class Talk:
    """A conversation whose lines the test types."""

    server: Server
    client: Client
    chat: ChatClient
    recorder: Recorder
    options: SpeakOptions = WORDS
    told: list[str] = field(default_factory=list)
    typed: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)

    def __post_init__(self) -> None:
        self.conversation = Conversation(self._turn, "", self.told.append)

    def _turn(self) -> Turn:
        return Turn(self.client, self.chat, self.options, self.recorder.ear(), self.told.append)

    async def lines(self) -> AsyncIterator[str]:
        while (line := await self.typed.get()) is not None:
            yield line

    async def all(self, *lines: str) -> None:
        """Say these one by one and wait for the end."""
        for line in (*lines, None):
            self.typed.put_nowait(line)
        await self.conversation.run(self.lines(), one_by_one=True)

    @property
    def screen(self) -> str:
        return "".join(self.told)

    def history(self) -> list[tuple[str, str]]:
        return [(m["role"], m["content"]) for m in self.conversation.history.messages()]


@asynccontextmanager
async def talk(model: FakeModel, **options: float) -> AsyncIterator[Talk]:
    async with (
        running() as server,
        serving(model) as base_url,
        Client(server.url) as client,
        ChatClient(base_url, "fake", None, **options) as chat,
    ):
        yield Talk(server, client, chat, Recorder())


async def whole(client: Client, text: str) -> bytes:
    return b"".join([chunk.pcm async for chunk in client.speak(text, WORDS)])


async def test_tokens_in_and_the_audio_of_the_whole_reply_out() -> None:
    async with talk(fast(REPLY)) as there:
        await there.all("你是谁？")
        assert there.recorder.pcm == await whole(there.client, REPLY)
        assert there.recorder.endings == ["closed"]
        assert there.history() == [("user", "你是谁？"), ("assistant", REPLY)]
    assert REPLY in there.screen
    assert "ms after the first token" in there.screen
    assert "ms after the request" in there.screen


async def test_the_model_is_told_what_was_said_before() -> None:
    model = fast("一。", "二。")
    async with talk(model) as there:
        await there.all("a", "", "b")
    assert [m["content"] for m in model.asked[1]] == ["a", "一。", "b"]


async def test_barge_in_stops_speech_and_model_and_the_history_has_what_was_heard() -> None:
    model = fast(REPLY + "说不完的话。" * 50, "好的。", hangs_after=40)
    async with talk(model) as there:
        there.recorder.is_shut = True
        running_talk = asyncio.create_task(there.conversation.run(there.lines()))
        there.typed.put_nowait("讲一个故事")
        await there.recorder.began.wait()
        first_chunk = len(there.recorder.pcm)
        there.recorder.is_shut = False
        model.hangs_after = None
        there.typed.put_nowait("停")
        there.typed.put_nowait(None)
        await running_talk

        assert there.recorder.endings == ["aborted", "closed"]
        assert there.recorder.pcm[first_chunk:] == await whole(there.client, "好的。")
        await model.left.wait()  # the first request was hung up on
        assert there.server.backend.admission.statistics().streams == 0
    assert "interrupted after" in there.screen
    # Less than a word was heard, so the second question stands beside the first.
    assert [m["content"] for m in model.asked[1]] == ["讲一个故事\n停"]


async def test_what_was_heard_of_an_interrupted_reply_is_in_the_history() -> None:
    model = fast(REPLY + "说不完的话。" * 50, "好的。", hangs_after=len(REPLY))
    async with talk(model) as there:
        heard = asyncio.Event()
        spoken = len(await whole(there.client, "你好欢迎光临。"))

        async def listen(data: bytes) -> None:
            there.recorder.pcm += data
            if len(there.recorder.pcm) >= spoken:
                heard.set()
                await asyncio.Event().wait()

        there.recorder.write = listen  # type: ignore[method-assign, assignment]
        running_talk = asyncio.create_task(there.conversation.run(there.lines()))
        there.typed.put_nowait("讲一个故事")
        await heard.wait()
        there.recorder.write = Recorder().write  # type: ignore[method-assign]
        model.hangs_after = None
        there.typed.put_nowait("停")
        there.typed.put_nowait(None)
        await running_talk
    told = [(m["role"], m["content"]) for m in model.asked[1]]
    assert [role for role, _ in told] == ["user", "assistant", "user"]
    assert told[1][1].startswith("你好欢迎光临")
    assert REPLY.startswith(told[1][1])
    assert len(told[1][1]) < len(REPLY)


async def test_a_refused_key_is_told_and_the_conversation_goes_on() -> None:
    model = fast("好的。", key="secret")
    async with talk(model) as there:
        await there.all("a")
        assert "answers 401" in there.screen
        assert "nothing was spoken" in there.screen
        model.key = None
        await there.all("b")
        assert there.history() == [("user", "a\nb"), ("assistant", "好的。")]


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        ({"breaks_after": 7}, "broke off"),
        ({"hangs_after": 7}, "said nothing"),
        ({"fails_after": 7}, "memory"),
    ],
)
async def test_a_reply_that_fails_in_the_middle_is_spoken_so_far_and_told(
    failure: dict[str, int], expected: str
) -> None:
    async with talk(fast(REPLY, **failure), silence_s=0.3) as there:
        await there.all("a")
        assert there.recorder.pcm == await whole(there.client, "你好欢迎光临。")
        assert there.history() == [("user", "a"), ("assistant", "你好欢迎光临。")]
    assert expected in there.screen


async def test_a_slow_model_is_spoken_as_it_writes() -> None:
    model = FakeModel([REPLY], token_s=0.02, first_token_s=0.05)
    async with talk(model) as there:
        await there.all("a")
        assert there.recorder.pcm == await whole(there.client, REPLY)


async def test_a_refusal_of_the_speech_server_is_told_and_hangs_nothing() -> None:
    async with talk(fast(REPLY)) as there:
        there.options = SpeakOptions(voice="nobody")
        await there.all("a")
        assert there.recorder.endings == ["aborted"]
    assert "unknown_voice" in there.screen


async def test_a_model_that_says_nothing_is_no_error() -> None:
    async with talk(fast("")) as there:
        await there.all("a")
        assert there.recorder.endings == ["closed"]


async def test_cancelling_ends_everything() -> None:
    async with talk(fast(REPLY, hangs_after=12)) as there:
        there.recorder.is_shut = True
        running_talk = asyncio.create_task(there.conversation.run(there.lines()))
        there.typed.put_nowait("a")
        await there.recorder.began.wait()
        running_talk.cancel()
        await asyncio.wait([running_talk])
        assert running_talk.cancelled()
        assert there.recorder.endings == ["aborted"]


async def test_cancelling_while_the_last_reply_is_heard_ends_everything_too() -> None:
    async with talk(fast(REPLY)) as there:
        there.recorder.is_shut = True
        running_talk = asyncio.create_task(there.all("a"))
        await there.recorder.began.wait()
        running_talk.cancel()
        await asyncio.wait([running_talk])
        assert running_talk.cancelled()
        assert there.recorder.endings == ["aborted"]


async def test_the_command_writes_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "reply.wav"
    async with running() as server, serving(fast(REPLY)) as base_url:
        arguments = ["你好", "--base-url", base_url, "--url", server.url, "-o", str(path)]
        assert await asyncio.to_thread(llm.main, arguments) == 0
        async with Client(server.url) as client:
            expected = await whole(client, REPLY)
    with wave.open(str(path)) as file:
        assert file.readframes(file.getnframes()) == expected
    assert REPLY in capsys.readouterr().out


def test_no_speech_server_is_told(capsys: pytest.CaptureFixture[str], unused_tcp_port: int) -> None:
    assert llm.main(["a", "-o", os.devnull, "--url", f"ws://127.0.0.1:{unused_tcp_port}/v1/stream"]) == 1
    assert "no speech server answers" in capsys.readouterr().err


def heed_ctrl_c() -> None:
    """As in a terminal: what a shell runs in the background inherits that SIGINT is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


async def said_until(stream: asyncio.StreamReader, text: str) -> None:
    """Read what a process prints up to a text; a failure shows what it had printed instead."""
    said = b""
    try:
        async with asyncio.timeout(STEP_S):
            while text.encode() not in said:
                said += await stream.readexactly(1)
    except (TimeoutError, asyncio.IncompleteReadError):
        pytest.fail(f"waited for {text!r}, read {said.decode(errors='replace')!r}")


async def test_a_line_at_the_keyboard_interrupts_and_ctrl_c_ends_it_cleanly(tmp_path: Path) -> None:
    """In a process of its own, with a terminal."""
    model = fast(REPLY + "说不完的话。" * 50, "好的。", hangs_after=40)
    master, terminal = pty.openpty()
    async with running() as server, serving(model) as base_url:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "clients.examples.llm", "--base-url", base_url, "--url", server.url,
            "-o", str(tmp_path / "a.wav"), cwd=REPOSITORY, stdin=terminal,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            preexec_fn=heed_ctrl_c,
        )  # fmt: skip
        os.close(terminal)
        try:
            assert process.stdout is not None
            os.write(master, "讲一个故事\n".encode())
            await said_until(process.stdout, "说")
            model.hangs_after = None
            os.write(master, "停\n".encode())
            await said_until(process.stdout, "]")  # what the interrupted reply cost
            await said_until(process.stdout, "好的。")
            await said_until(process.stdout, "s of audio]")
            process.send_signal(signal.SIGINT)
            async with asyncio.timeout(STEP_S):
                _, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
            os.close(master)
    assert process.returncode == 130
    assert errors.decode() == ""
    assert model.asked[1][0]["role"] == "system"
    assert model.asked[1][-1]["content"].endswith("停")
