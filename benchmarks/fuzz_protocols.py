"""Throw random frames at every endpoint of a running server while a well-behaved client goes on speaking.

    python -m benchmarks.fuzz_protocols --minutes 5

Every endpoint is attacked for the whole time, by one connection after the other: messages of its own protocol
in any order, with fields left out or of another type; JSON that is none; binary noise; sockets cut in the
middle. Looked for: answers 500, tracebacks in the log, closes that are not answered, memory that grows, and
whether the well-behaved client hears exactly what it heard before. The last line printed is one JSON object;
the exit status is 1 if anything failed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import socket
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from benchmarks.server import server_process
from clients.python.client import Client
from clients.python.speech import SpeakOptions

TEXT = "你好，欢迎使用语音合成服务。"
WITNESS_EVERY_S = 0.5
QUIET_S = 0.2  # an answer that takes longer is not waited for
CLOSE_S = 10.0  # in which a close must be answered
KB_PER_MB = 1024

Values = list[Any]
_ODD: Values = [None, "", 0, -1, 2**70, 1e308, True, [], {}, "x" * 5000, "\ud83d", "\x00", [[]], {"a": {}}]
_TEXTS = [TEXT, "Hello. ", " ", "", "<speak>好</speak>", "<speak", "，", "3.", "14", "あ", "😀" * 50]


@dataclass
class Findings:
    """What was sent and what went wrong."""

    sent: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    witness_ms: list[float] = field(default_factory=list)

    def fail(self, kind: str, detail: str) -> None:
        """Note a failure; the first three of a kind are printed."""
        self.failures[kind] += 1
        if self.failures[kind] <= 3:
            sys.stdout.write(f"{kind}: {detail[:3000]}\n")


Message = dict[str, Any]


def native(source: random.Random) -> Message:
    """Return a message of the native protocol, more or less."""
    kind = source.choice(["open", "append", "flush", "end", "cancel", "credit", "bye", "what"])
    return {
        "type": kind, "ctx": source.choice([1, 2, 3, "*", 70000]), "text": source.choice(_TEXTS),
        "end": source.random() < 0.5, "id": 1, "ms": 100, "ssml": source.random() < 0.2,
        "format": source.choice(["pcm_s16le", "mp3", "opus", "midi"]), "window_ms": source.choice([0, 50]),
    }  # fmt: skip


def dashscope(source: random.Random) -> Message:
    """Return a message of DashScope's protocol, more or less."""
    action = source.choice(["run-task", "continue-task", "finish-task", "what"])
    given = source.choice([{"text": source.choice(_TEXTS)}, {}, {"flush": True}, {"directive": "cancel"}])
    parameters = {
        "format": source.choice(["pcm", "mp3", "wav", "opus", "Default", "midi"]),
        "sample_rate": source.choice([0, 8000, 16000, 24000, 1]), "volume": source.choice([0, 50, 100, 101]),
        "word_timestamp_enabled": source.random() < 0.5, "enable_ssml": source.random() < 0.3,
    }  # fmt: skip
    streaming = source.choice(["out", "duplex"])
    return {
        "header": {"action": action, "task_id": source.choice(["a", "b"]), "streaming": streaming},
        "payload": {
            "model": source.choice(["cosyvoice-v2", "sambert-zhichu-v1", "no-such"]), "task_group": "audio",
            "task": "tts", "function": "SpeechSynthesizer", "parameters": parameters, "input": given,
        },
    }  # fmt: skip


def qwen(source: random.Random) -> Message:
    """Return a message of Qwen's realtime protocol, more or less."""
    kind = source.choice(
        ["session.update", "input_text_buffer.append", "input_text_buffer.commit", "input_text_buffer.clear",
         "response.cancel", "session.finish", "what"]
    )  # fmt: skip
    mode = source.choice(["server_commit", "commit", "never"])
    return {
        "type": kind,
        "event_id": "e",
        "text": source.choice(_TEXTS),
        "session": {"mode": mode, "voice": "Cherry"},
    }


def elevenlabs(source: random.Random) -> Message:
    """Return a message of ElevenLabs' protocols, more or less."""
    message: Message = {"text": source.choice([*_TEXTS, "", " "]), "voice_settings": {"speed": 1.0}}
    for name, value in (
        ("flush", True),
        ("close_context", True),
        ("close_socket", True),
        ("context_id", "c1"),
    ):
        if source.random() < 0.25:
            message[name] = value
    return message


def wyoming(source: random.Random) -> Message:
    """Return an event of Wyoming, more or less."""
    kinds = [
        "describe",
        "ping",
        "synthesize",
        "synthesize-start",
        "synthesize-chunk",
        "synthesize-stop",
        "what",
    ]
    return {"type": source.choice(kinds), "data": {"text": source.choice(_TEXTS), "voice": {"name": "alloy"}}}


SOCKETS: dict[str, Callable[[random.Random], Message]] = {
    "/v1/stream": native,
    "/api-ws/v1/inference": dashscope,
    "/api-ws/v1/realtime?model=qwen-tts-realtime": qwen,
    "/v1/text-to-speech/alloy/stream-input?model_id=eleven_turbo_v2": elevenlabs,
    "/v1/text-to-speech/alloy/multi-stream-input?output_format=pcm_16000": elevenlabs,
}
BODIES: dict[str, Message] = {
    "/v1/tts": {"text": TEXT, "format": "pcm", "speed": 1.0},
    "/v1/audio/speech": {"input": TEXT, "model": "tts-1", "voice": "alloy", "response_format": "opus"},
    "/v1/text": {"text": TEXT, "voice": ""},
    "/v1/text-to-speech/alloy": {"text": TEXT, "model_id": "eleven_turbo_v2"},
    "/v1/text-to-speech/alloy/stream/with-timestamps": {"text": TEXT},
    "/api/v1/services/audio/tts/SpeechSynthesizer": {
        "model": "cosyvoice-v2", "input": {"text": TEXT, "voice": "longx"},
    },
}  # fmt: skip


def spoiled(message: Message, source: random.Random) -> Message:
    """Return a message with some fields left out or of another type, at any depth."""
    result: Message = {}
    for name, value in message.items():
        draw = source.random()
        if draw < 0.06:
            continue
        if draw < 0.14:
            result[name] = source.choice(_ODD)
        else:
            result[name] = spoiled(value, source) if isinstance(value, dict) else value
    return result


def frame(message: Message, source: random.Random) -> str | bytes:
    """Return a frame, mostly JSON, sometimes noise."""
    draw = source.random()
    text = json.dumps(spoiled(message, source) if source.random() < 0.5 else message)
    if draw < 0.05:
        return source.randbytes(source.randint(0, 300))
    if draw < 0.10:
        return text[: source.randint(0, len(text))]
    if draw < 0.12:
        return "[" * 5000
    return text


async def attack_socket(address: str, path: str, source: random.Random, findings: Findings) -> None:
    """Send random frames over one WebSocket, then close it or cut it."""
    message = SOCKETS[path]
    try:
        async with connect(
            f"ws://{address}{path}",
            compression=None,
            proxy=None,
            max_size=None,
            close_timeout=CLOSE_S,
            max_queue=None,
        ) as ws:
            for _ in range(source.randint(0, 25)):
                await ws.send(frame(message(source), source))
                findings.sent[path] += 1
                if source.random() < 0.3:
                    try:
                        await asyncio.wait_for(ws.recv(), QUIET_S)
                    except TimeoutError:
                        continue
            if source.random() < 0.3:
                ws.transport.abort()
                return
            began_s = time.monotonic()
            await ws.close()
            if time.monotonic() - began_s > CLOSE_S - 0.5:
                findings.fail("close not answered", path)
    except (OSError, WebSocketException):
        return  # the server may refuse or close whenever it likes


async def attack_http(address: str, source: random.Random, findings: Findings) -> None:
    """Send one random request; read all of the answer, or leave in the middle."""
    path = source.choice(list(BODIES))
    data = frame(BODIES[path], source)
    url = f"http://{address}{path}"
    findings.sent["http"] += 1
    headers = {"Content-Type": "application/json"}
    if "dashscope" in path or "services" in path:
        headers["X-DashScope-SSE"] = source.choice(["enable", "disable"])
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                url, data=data.encode() if isinstance(data, str) else data, headers=headers
            ) as answer,
        ):
            if answer.status >= 500:
                findings.fail(f"status {answer.status}", f"{path} {data!r}")
            if source.random() < 0.3:
                await answer.content.readany()
            else:
                await answer.read()
    except aiohttp.ClientError:
        return


async def attack_tcp(address: str, source: random.Random, findings: Findings) -> None:
    """Send random events over one TCP connection of Wyoming, then leave."""
    host, _, port = address.partition(":")
    try:
        reader, writer = await asyncio.open_connection(host, int(port))
    except OSError as error:
        findings.fail("wyoming is not there", str(error))
        await asyncio.sleep(1)
        return
    try:
        for _ in range(source.randint(1, 12)):
            data = frame(wyoming(source), source)
            writer.write((data.encode(errors="replace") if isinstance(data, str) else data) + b"\n")
            findings.sent["wyoming"] += 1
            await writer.drain()
            if source.random() < 0.3:
                try:
                    await asyncio.wait_for(reader.read(65536), QUIET_S)
                except TimeoutError:
                    continue
    except OSError:
        pass
    finally:
        writer.transport.abort()


async def witness(address: str, findings: Findings, stop: asyncio.Event) -> None:
    """Speak the same text again and again; it must always sound the same, and never fail."""
    expected = b""
    async with Client(f"ws://{address}/v1/stream") as client:
        while not stop.is_set():
            began_s = time.monotonic()
            speech = client.speak(TEXT, SpeakOptions(rate=16000))
            heard = b"".join([chunk.pcm async for chunk in speech])
            findings.witness_ms.append(1000 * (time.monotonic() - began_s))
            expected = expected or heard
            if heard != expected or not heard:
                findings.fail("the well-behaved client", f"{len(heard)} bytes, expected {len(expected)}")
            await asyncio.sleep(WITNESS_EVERY_S)


async def attack(address: str, wyoming_address: str, minutes: float, seed: int) -> Findings:
    """Attack everything at once for some minutes."""
    findings, stop = Findings(), asyncio.Event()
    until_s = time.monotonic() + 60 * minutes

    async def repeat(one: Callable[[random.Random], Awaitable[None]], number: int) -> None:
        source = random.Random(seed * 1000 + number)
        while time.monotonic() < until_s:
            await one(source)

    attackers = [
        *(lambda source, path=path: attack_socket(address, path, source, findings) for path in SOCKETS),
        lambda source: attack_http(address, source, findings),
        lambda source: attack_tcp(wyoming_address, source, findings),
    ]  # fmt: skip
    watching = asyncio.create_task(witness(address, findings, stop))
    await asyncio.gather(*(repeat(one, number) for number, one in enumerate(attackers)))
    stop.set()
    await watching
    return findings


def memory_mb(pid: int) -> int:
    """Return the resident size of a process (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) // KB_PER_MB


def free_port() -> int:
    """Return a TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main(arguments: list[str] | None = None) -> int:
    """Fuzz and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fuzz_protocols", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", default="fake", help="fake (tones: more requests a second) or onnx")
    options = parser.parse_args(arguments)
    port = free_port()
    environment = {"ZHIYIN_WYOMING__PORT": str(port), "ZHIYIN_VOICE__ENGINE": options.engine}
    with server_process([], environment) as server:
        warm = asyncio.run(
            attack(server.address, f"127.0.0.1:{port}", min(0.2, options.minutes / 4), options.seed)
        )
        before_mb = memory_mb(server.pid)
        findings = asyncio.run(attack(server.address, f"127.0.0.1:{port}", options.minutes, options.seed + 1))
        after_mb = memory_mb(server.pid)
        log = server.log()
    findings.failures.update(warm.failures)
    if n_tracebacks := log.count("Traceback (most recent call last)"):
        findings.fail("traceback in the log", log[log.index("Traceback") :])
        findings.failures["traceback in the log"] = n_tracebacks
    latencies = sorted(findings.witness_ms)
    result = {
        "benchmark": "fuzz_protocols", "engine": options.engine, "minutes": options.minutes,
        "seed": options.seed,
        "sent": dict(findings.sent), "failures": dict(findings.failures),
        "memory_mb": [before_mb, after_mb],
        "witness": {
            "n": len(latencies), "p50_ms": round(latencies[len(latencies) // 2], 1),
            "max_ms": round(latencies[-1], 1),
        },
        "cpus": os.cpu_count(),
    }  # fmt: skip
    sys.stdout.write(json.dumps(result) + "\n")
    return int(bool(findings.failures))


if __name__ == "__main__":
    sys.exit(main())
