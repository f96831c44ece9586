"""Drive the openai SDK: whole, streamed, as events, errors, every format, and leaving early."""

from __future__ import annotations

import base64
import json
import sys
import time

import openai


def main(port: int, text: str) -> None:
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="test-key", max_retries=0)
    speech = client.audio.speech
    args = {"model": "tts-1", "voice": "alloy", "input": text, "response_format": "pcm"}
    report: dict[str, object] = {"version": openai.__version__}

    whole = speech.create(**args).content
    report["whole"] = base64.b64encode(whole).decode()
    with speech.with_streaming_response.create(**args) as response:
        report["content_type"] = response.headers["content-type"]
        report["request_id"] = response.request_id
        report["streamed"] = base64.b64encode(b"".join(response.iter_bytes())).decode()

    pcm, last = b"", {}
    with speech.with_streaming_response.create(**args, stream_format="sse") as response:
        for line in response.iter_lines():
            if line.startswith("data: "):
                last = json.loads(line[6:])
                pcm += base64.b64decode(last.get("audio", ""))
    report["events"] = base64.b64encode(pcm).decode()
    report["last_event"] = last

    report["formats"] = {
        name: base64.b64encode(speech.create(**{**args, "response_format": name}).content).decode()
        for name in ("mp3", "opus", "aac", "flac", "wav")
    }
    report["slow"] = len(speech.create(**args, speed=0.5).content)
    report["cheerful"] = base64.b64encode(
        speech.create(**{**args, "model": "gpt-4o-mini-tts"}, instructions="Speak cheerfully.").content
    ).decode()
    report["models"] = [model.id for model in client.models.list().data]
    report["errors"] = {
        "voice": refusal(speech, {**args, "voice": "nobody"}),
        "model": refusal(speech, {**args, "model": "no-such"}),
        "format": refusal(speech, {**args, "response_format": "midi"}),
        "empty": refusal(speech, {**args, "input": " "}),
        "long": refusal(speech, {**args, "input": "长" * 100_000}),
    }
    with speech.with_streaming_response.create(
        **{**args, "input": "很长的一段话，说不完。" * 500}
    ) as response:
        next(response.iter_bytes(4096))
        left_s = time.monotonic()
    report["left_s"] = time.monotonic() - left_s
    report["after"] = len(speech.create(**args).content)
    print(json.dumps(report))


def refusal(speech: object, args: dict[str, str]) -> dict[str, object]:
    try:
        speech.create(**args)
    except openai.APIStatusError as error:
        return {
            "status": error.status_code,
            "type": type(error).__name__,
            "param": error.param,
            "code": error.code,
            "message": str(error.message),
        }
    return {}


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
