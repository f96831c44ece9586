"""Drive the dashscope SDK's WebSocket classes: Sambert, CosyVoice, the pool, 2.x's client if there is one."""

from __future__ import annotations

import base64
import json
import sys
import threading
import time
from contextlib import closing
from typing import Any

import dashscope
from dashscope.audio.tts import SpeechSynthesizer as Sambert
from dashscope.audio.tts_v2 import AudioFormat, ResultCallback, SpeechSynthesizer, SpeechSynthesizerObjectPool
from dashscope.common.error import DashScopeException

VOICE = {"model": "cosyvoice-v2", "voice": "longxiaochun"}
PCM = AudioFormat.PCM_24000HZ_MONO_16BIT
WAIT_S = 60
WAIT_MS = WAIT_S * 1000


class Collector(ResultCallback):
    """Keeps what comes, and what came after the end."""

    def __init__(self) -> None:
        self.audio = bytearray()
        self.events: list[dict[str, Any]] = []
        self.errors: list[str] = []
        self.done = threading.Event()
        self.heard = threading.Event()

    def on_data(self, data: bytes) -> None:
        self.audio.extend(data)
        self.heard.set()

    def on_event(self, message: str) -> None:
        self.events.append(json.loads(message))

    def on_complete(self) -> None:
        self.done.set()

    def on_error(self, message: str) -> None:
        self.errors.append(str(message))
        self.done.set()


def main(port: int, text: str) -> None:
    dashscope.api_key = "test-key"
    dashscope.base_websocket_api_url = f"ws://127.0.0.1:{port}/api-ws/v1/inference"
    report: dict[str, Any] = {"version": dashscope.version.__version__}
    sambert(report, text)
    cosyvoice(report, text)
    cancel(report, text)
    pool(report, text)
    if hasattr(dashscope, "Client"):
        second_client(report, text, dashscope.base_websocket_api_url)
    print(json.dumps(report))


def sambert(report: dict[str, Any], text: str) -> None:
    model = "sambert-zhichu-v1"
    plain = Sambert.call(model=model, text=text, format="pcm", sample_rate=24000)
    report["sambert"] = encoded(plain.get_audio_data())
    report["sambert_status"] = plain.get_response().status_code
    report["sambert_timestamps"] = plain.get_timestamps()
    timed = Sambert.call(
        model=model,
        text=text,
        format="pcm",
        sample_rate=24000,
        word_timestamp_enabled=True,
        phoneme_timestamp_enabled=True,
    )
    report["timed"] = encoded(timed.get_audio_data())
    report["timed_timestamps"] = timed.get_timestamps()
    report["timed_response"] = timed.get_response().status_code
    report["sambert_default"] = encoded(Sambert.call(model=model, text=text).get_audio_data())
    report["sambert_ssml"] = len(
        Sambert.call(
            model=model,
            text=f"<speak>{text}<break time='1s'/></speak>",
            text_type="SSML",
            format="pcm",
            sample_rate=24000,
        ).get_audio_data()
    )
    refused = Sambert.call(model="no-such", text="x").get_response()
    report["refused"] = [refused.status_code, refused.code, refused.message]
    wrong = Sambert.call(model=model, text="x", volume=200).get_response()
    report["wrong"] = [wrong.status_code, wrong.code, wrong.message]


def cosyvoice(report: dict[str, Any], text: str) -> None:
    one_shot = SpeechSynthesizer(**VOICE, format=PCM)
    report["call"] = encoded(one_shot.call(text, WAIT_MS))
    report["first_package_ms"] = one_shot.get_first_package_delay()
    report["default"] = encoded(SpeechSynthesizer(**VOICE).call(text, WAIT_MS))
    report["opus"] = encoded(
        SpeechSynthesizer(**VOICE, format=AudioFormat.OGG_OPUS_24KHZ_MONO_32KBPS).call(text, WAIT_MS)
    )
    collector = Collector()
    streaming = SpeechSynthesizer(
        **VOICE, format=PCM, callback=collector, additional_params={"word_timestamp_enabled": True}
    )
    for start in range(0, len(text), 3):
        streaming.streaming_call(text[start : start + 3])
    if hasattr(streaming, "streaming_flush"):
        streaming.streaming_flush()
    streaming.streaming_call(text)
    streaming.streaming_complete(WAIT_MS)
    report["streaming"] = encoded(bytes(collector.audio))
    report["streaming_done"] = collector.done.is_set()
    report["streaming_errors"] = collector.errors
    report["streaming_events"] = collector.events
    report["last_response"] = streaming.get_response()
    report["unknown_voice"] = failure({**VOICE, "voice": "nobody"})
    report["unknown_model"] = failure({**VOICE, "model": "no-such"})


def failure(names: dict[str, str]) -> list[str]:
    collector = Collector()
    synthesizer = SpeechSynthesizer(**names, format=PCM, callback=collector)
    try:
        synthesizer.call("Hello.", WAIT_MS)
        collector.done.wait(WAIT_S)
    except (DashScopeException, ConnectionError) as error:  # 1.x: the socket may be closed by then
        return [type(error).__name__, str(error), *collector.errors]
    return ["", "", *collector.errors]


def cancel(report: dict[str, Any], text: str) -> None:
    collector = Collector()
    synthesizer = SpeechSynthesizer(**VOICE, format=PCM, callback=collector)
    synthesizer.streaming_call(text * 100)
    assert collector.heard.wait(WAIT_S)
    start_s = time.monotonic()
    synthesizer.streaming_cancel()
    report["cancel_s"] = time.monotonic() - start_s
    report["cancelled"] = len(collector.audio)


def pool(report: dict[str, Any], text: str) -> None:
    synthesizers = SpeechSynthesizerObjectPool(max_size=2)
    reused = []
    for number in range(4):
        collector = Collector()
        synthesizer = synthesizers.borrow_synthesizer(**VOICE, format=PCM, seed=0, callback=collector)
        if number == 1:
            synthesizer.streaming_call(text * 100)
            assert collector.heard.wait(WAIT_S)
            synthesizer.streaming_cancel()
        else:
            synthesizer.streaming_call(text)
            synthesizer.streaming_complete(WAIT_MS)
            reused.append(encoded(bytes(collector.audio)))
        synthesizers.return_synthesizer(synthesizer)
    report["pooled"] = reused
    synthesizers.shutdown()


def second_client(report: dict[str, Any], text: str, url: str) -> None:
    client = dashscope.Client(api_key="test-key")
    tts, pcm = client.audio.tts, {**VOICE, "format": "pcm", "sample_rate": 24000}
    report["client"] = encoded(tts.synthesize(text, **pcm, ws_url=url))
    with closing(client.ws_connection(url=url)) as connection:
        with tts.connect(**pcm, connection=connection) as session:
            session.send_text(text * 100)
            chunks = session.audio_chunks()
            next(chunks)
            session.cancel()
            report["client_cancelled"] = sum(map(len, chunks))
        with tts.connect(**pcm, connection=connection) as session:
            session.send_text(text)
            session.stop()
            report["client_shared"] = encoded(b"".join(session.audio_chunks()))
            report["client_usage"] = session.usage


def encoded(audio: bytes) -> str:
    return base64.b64encode(audio).decode()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
