from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from benchmarks.wire import AUDIO_HEADER, Reception, StreamTimer

RATE = 16_000


def reception(frames: list[tuple[float, int]], samples: np.ndarray | None = None) -> Reception:
    if samples is None:
        samples = np.zeros(sum(n for _, n in frames), dtype=np.float32)
    return Reception(samples.astype(np.float32), RATE, tuple(frames), {"rtf": 0.1})


def test_audible_ttfc_counts_the_leading_silence() -> None:
    samples = np.concatenate([np.zeros(5 * 160), np.full(160, 0.5), np.zeros(160)])
    assert reception([(12.0, len(samples))], samples).audible_ttfc_ms == 12.0 + 50.0


def test_a_window_below_minus_40_dbfs_is_silence() -> None:
    quiet = np.full(160, 0.0099)
    loud = np.full(160, 0.0101)
    assert reception([(0.0, 320)], np.concatenate([quiet, loud])).audible_ttfc_ms == 10.0


def test_silence_throughout_is_never_audible() -> None:
    assert reception([(7.0, 1600)]).audible_ttfc_ms == 7.0 + 100.0


def test_no_underrun_while_frames_arrive_before_they_are_due() -> None:
    assert reception([(30.0, 800), (79.0, 800), (129.0, 800)]).underruns_ms() == []


def test_a_late_frame_is_an_underrun_and_moves_the_playback_clock() -> None:
    gaps = reception([(30.0, 800), (100.0, 800), (151.0, 800)]).underruns_ms()
    assert gaps == pytest.approx([20.0, 1.0])


Handler = Callable[[ServerConnection], object]


def audio(ctx: int, seq: int, samples: list[int], meta: bytes = b"") -> bytes:
    header = AUDIO_HEADER.pack(0x01, 0, ctx, seq, 0, len(samples), 0, len(meta))
    return header + meta + np.array(samples, dtype="<i2").tobytes()


@pytest.fixture
async def speak() -> AsyncIterator[Callable[[Handler], str]]:
    """Start a WebSocket server with the given behaviour; return its address."""
    servers = []

    async def start(handler: Handler) -> str:
        server = await serve(handler, "127.0.0.1", 0, subprotocols=[Subprotocol("tts.v1.json")])
        servers.append(server)
        return f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    yield start
    for server in servers:
        server.close()
        await server.wait_closed()


async def test_an_utterance_is_collected_from_its_frames(speak) -> None:
    requests = []

    async def handler(connection: ServerConnection) -> None:
        await connection.send('{"type": "ready"}')
        async for message in connection:
            requests.append(json.loads(message))
            ctx = requests[-1]["ctx"]
            await connection.send(audio(ctx, 0, [0, 16384], meta=b"{}"))
            await connection.send(audio(ctx, 1, [-32768]))
            await connection.send(json.dumps({"type": "done", "ctx": ctx, "rtf": 0.05}))

    async with StreamTimer(await speak(handler)) as timer:
        first = await timer.speak("你好", "voice", RATE)
        second = await timer.speak("再见", "voice", RATE)
    np.testing.assert_array_equal(first.samples, np.float32([0.0, 0.5, -1.0]))
    assert [n for _, n in first.frames] == [2, 1]
    assert first.receipt["rtf"] == 0.05
    assert second.ttfc_ms > 0
    assert [(r["ctx"], r["text"], r["end"], r["rate"]) for r in requests] == [
        (1, "你好", True, RATE),
        (2, "再见", True, RATE),
    ]


async def test_an_error_of_the_server_is_reported_with_its_code(speak) -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.recv()
        error = {"type": "error", "ctx": 1, "code": "unknown_voice", "message": "no voice 'x'"}
        await connection.send(json.dumps(error))

    async with StreamTimer(await speak(handler)) as timer:
        with pytest.raises(RuntimeError, match="unknown_voice: no voice 'x'"):
            await timer.speak("你好", "x", RATE)


async def test_an_answer_without_audio_is_an_error(speak) -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send('{"type": "done", "ctx": 1}')

    async with StreamTimer(await speak(handler)) as timer:
        with pytest.raises(RuntimeError, match="no audio"):
            await timer.speak("……", "voice", RATE)


async def test_audio_of_another_context_is_an_error(speak) -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(audio(9, 0, [1]))

    async with StreamTimer(await speak(handler)) as timer:
        with pytest.raises(RuntimeError, match="ctx 9; expected ctx 1"):
            await timer.speak("你好", "voice", RATE)


async def test_a_connection_lost_half_way_is_an_error(speak) -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(audio(1, 0, [1]))
        await connection.close(1011)

    async with StreamTimer(await speak(handler)) as timer:
        with pytest.raises(RuntimeError, match="was not spoken: received 1011"):
            await timer.speak("你好", "voice", RATE)


async def test_speaking_without_a_connection_is_refused() -> None:
    with pytest.raises(RuntimeError, match="not connected"):
        await StreamTimer("ws://127.0.0.1:1").speak("你好", "voice", RATE)
