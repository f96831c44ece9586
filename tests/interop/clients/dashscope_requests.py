"""Drive the dashscope SDK's HTTP classes, 2.x's HTTP client if there is one, and Qwen's realtime socket."""

from __future__ import annotations

import base64
import json
import sys
import threading
import urllib.request
from typing import Any

import dashscope
from dashscope.audio.http_tts import HttpSpeechSynthesizer
from dashscope.audio.qwen_tts import SpeechSynthesizer as Qwen
from dashscope.audio.qwen_tts_realtime import AudioFormat, QwenTtsRealtime, QwenTtsRealtimeCallback

WAIT_S = 60
COSYVOICE = {"model": "cosyvoice-v3-flash", "voice": "longanyang"}


class Collector(QwenTtsRealtimeCallback):
    """Keeps the events of a session."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.closed = threading.Event()
        self.heard = threading.Condition()
        self.codes: list[int | None] = []

    def on_event(self, message: dict[str, Any]) -> None:
        with self.heard:
            self.events.append(message)
            self.heard.notify_all()

    def on_close(self, close_status_code: int | None, close_msg: str | None) -> None:
        self.codes.append(close_status_code)
        self.closed.set()

    def wait_for(self, kind: str, count: int = 1) -> None:
        with self.heard:
            assert self.heard.wait_for(lambda: self.kinds().count(kind) >= count, WAIT_S), self.kinds()

    def kinds(self) -> list[str]:
        return [event["type"] for event in self.events]

    def audio(self) -> str:
        deltas = [event["delta"] for event in self.events if event["type"] == "response.audio.delta"]
        return encoded(b"".join(map(base64.b64decode, deltas)))

    def report(self) -> dict[str, Any]:
        done = [event["response"] for event in self.events if event["type"] == "response.done"]
        errors = [event for event in self.events if event["type"] == "error"]
        return {
            "kinds": self.kinds(),
            "audio": self.audio(),
            "done": done,
            "errors": errors,
            "codes": self.codes,
        }


def main(port: int, text: str) -> None:
    dashscope.api_key = "test-key"
    dashscope.base_http_api_url = f"http://127.0.0.1:{port}/api/v1"
    report: dict[str, Any] = {"version": dashscope.version.__version__}
    cosyvoice(report, text)
    qwen(report, text)
    realtime(report, text, f"ws://127.0.0.1:{port}/api-ws/v1/realtime")
    if hasattr(dashscope, "Client"):
        client(report, text, port)
    print(json.dumps(report))


def cosyvoice(report: dict[str, Any], text: str) -> None:
    whole = HttpSpeechSynthesizer.call(text=text, **COSYVOICE)
    report["whole"] = encoded(fetched(whole.audio_url))
    report["whole_id"] = [whole.audio_id, whole.expires_at]
    chunks = list(HttpSpeechSynthesizer.call(text=text, **COSYVOICE, audio_format="pcm", stream=True))
    report["streamed"] = encoded(b"".join(chunk.audio_data for chunk in chunks[:-1]))
    report["streamed_last"] = encoded(chunks[-1].audio_data)
    report["streamed_url"] = encoded(fetched(chunks[-1].audio_url))
    report["sentences"] = chunks[-1].sentences
    try:
        refused = HttpSpeechSynthesizer.call(text=text, model="no-such", voice="x")
        report["refused"] = f"{refused.status_code} {refused.code} {refused.message}"
    except RuntimeError as error:  # 1.x
        report["refused"] = str(error)


def qwen(report: dict[str, Any], text: str) -> None:
    whole = Qwen.call(model="qwen3-tts-flash", text=text, voice="Cherry")
    report["qwen"] = encoded(fetched(whole.output.audio["url"]))
    report["qwen_reason"] = whole.output.finish_reason
    chunks = list(Qwen.call(model="qwen3-tts-flash", text=text, voice="Cherry", stream=True))
    audio = [chunk.output.audio.get("data") for chunk in chunks]
    report["qwen_streamed"] = encoded(b"".join(base64.b64decode(data) for data in audio if data))
    report["qwen_reasons"] = [chunk.output.finish_reason for chunk in chunks]
    report["qwen_url"] = encoded(fetched(chunks[-1].output.audio["url"]))
    refused = Qwen.call(model="qwen3-tts-flash", text=text, voice="nobody")
    report["qwen_refused"] = [refused.status_code, refused.code, refused.message]


def realtime(report: dict[str, Any], text: str, url: str) -> None:
    collector, session = connected(url)
    session.update_session(voice="Cherry", response_format=AudioFormat.PCM_24000HZ_MONO_16BIT)
    for start in range(0, len(text), 3):
        session.append_text(text[start : start + 3])
    session.finish()
    assert collector.closed.wait(WAIT_S)
    report["server_commit"] = collector.report()
    report["first_audio_ms"] = session.get_first_audio_delay()

    collector, session = connected(url)
    session.update_session(voice="Cherry", mode="commit")
    session.append_text("Forget this.")
    session.clear_appended_text()
    session.append_text(text)
    session.commit()
    collector.wait_for("response.done")
    session.append_text(text * 50)
    session.commit()
    collector.wait_for("response.created", 2)
    session.cancel_response()
    collector.wait_for("response.done", 2)
    session.append_text(text)
    session.finish()
    assert collector.closed.wait(WAIT_S)
    report["commit"] = collector.report()
    spoken: dict[str, int] = {}
    for event in collector.events:
        if event["type"] == "response.audio.delta":
            size = len(base64.b64decode(event["delta"]))
            spoken[event["response_id"]] = spoken.get(event["response_id"], 0) + size
    report["commit_sizes"] = [spoken.get(done["id"], 0) for done in report["commit"]["done"]]


def connected(url: str) -> tuple[Collector, QwenTtsRealtime]:
    collector = Collector()
    session = QwenTtsRealtime(model="qwen3-tts-flash-realtime", callback=collector, url=url)
    session.connect()
    collector.wait_for("session.created")
    return collector, session


def client(report: dict[str, Any], text: str, port: int) -> None:
    http = dashscope.Client(api_key="test-key", base_url=f"http://127.0.0.1:{port}/api/v1").audio.tts.http
    whole = http.synthesize(text, **COSYVOICE, format="wav", sample_rate=24000)
    report["client_whole"] = encoded(fetched(whole.audio_url))
    for name, names in {
        "client": COSYVOICE,
        "client_qwen": {"model": "qwen3-tts-flash", "voice": "Cherry"},
    }.items():
        chunks = list(http.stream(text, **names, format="pcm", sample_rate=24000))
        report[name] = encoded(b"".join(chunk.audio or b"" for chunk in chunks))
        report[f"{name}_final"] = [chunks[-1].is_final, bool(chunks[-1].audio_url), chunks[-1].usage]


def fetched(url: str) -> bytes:
    with urllib.request.urlopen(url) as response:
        body: bytes = response.read()
    return body


def encoded(audio: bytes) -> str:
    return base64.b64encode(audio).decode()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
