"""Drive the elevenlabs SDK: HTTP, its WebSocket, lists, errors, every format, and leaving early."""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version

from elevenlabs import VoiceSettings
from elevenlabs.client import ElevenLabs
from elevenlabs.core.api_error import ApiError

VOICE, MODEL, PCM = "shanquan", "eleven_turbo_v2_5", "pcm_24000"


def main(port: int, text: str) -> None:
    client = ElevenLabs(base_url=f"http://127.0.0.1:{port}", api_key="test-key")
    speech = client.text_to_speech
    speech._ws_base_url = f"ws://127.0.0.1:{port}"  # the SDK makes wss of http
    args = {"text": text, "model_id": MODEL, "output_format": PCM}
    settings = VoiceSettings(
        stability=0.5, similarity_boost=0.75, style=0.0, use_speaker_boost=True, speed=0.7
    )
    report: dict[str, object] = {"version": version("elevenlabs")}

    report["whole"] = encoded(speech.convert(VOICE, **args))
    report["streamed"] = encoded(speech.stream(VOICE, **args))
    document = speech.convert_with_timestamps(VOICE, **args)
    report["document"] = document.audio_base_64
    report["alignment"] = document.alignment.model_dump()
    lines = list(speech.stream_with_timestamps(VOICE, **args))
    report["lines"] = encoded(base64.b64decode(line.audio_base_64) for line in lines)
    report["characters"] = [char for line in lines if line.alignment for char in line.alignment.characters]
    report["slow"] = len(b"".join(speech.convert(VOICE, **args, voice_settings=settings)))
    report["formats"] = {
        name: encoded(speech.convert(VOICE, **{**args, "output_format": name}))
        for name in ("mp3_44100_128", "mp3_22050_32", "opus_48000_64", "wav_24000")
    }

    began_s = time.monotonic()
    pieces, firsts_s = [], []
    for piece in speech.convert_realtime(
        VOICE, text=tokens(text), model_id=MODEL, output_format=PCM, voice_settings=VoiceSettings(speed=None)
    ):
        pieces.append(piece)
        firsts_s.append(time.monotonic() - began_s)
    report["realtime"] = encoded(pieces)
    report["realtime_first_s"] = firsts_s[0]
    # The SDK's own rule: a piece of text ends where one begins or ends with a mark, and gets a space there.
    report["realtime_empty"] = len(b"".join(speech.convert_realtime(VOICE, text=iter(()), model_id=MODEL)))

    report["voices"] = [voice.voice_id for voice in client.voices.get_all().voices]
    report["found"] = [voice.voice_id for voice in client.voices.search(search="shan").voices]
    report["voice"] = client.voices.get(VOICE).name
    report["models"] = [model.model_id for model in client.models.list()]
    report["tier"] = client.user.subscription.get().tier
    report["errors"] = {
        "voice": refusal(lambda: list(speech.convert("nobody", **args))),
        "model": refusal(lambda: list(speech.convert(VOICE, **{**args, "model_id": "no-such"}))),
        "format": refusal(lambda: list(speech.convert(VOICE, **{**args, "output_format": "midi"}))),
        "empty": refusal(lambda: list(speech.convert(VOICE, **{**args, "text": " "}))),
        "long": refusal(lambda: list(speech.convert(VOICE, **{**args, "text": "长" * 100_000}))),
        "document": refusal(lambda: speech.convert_with_timestamps("nobody", **args)),
        "realtime": refusal(
            lambda: list(speech.convert_realtime("nobody", text=tokens(text), model_id=MODEL))
        ),
    }
    stream = speech.stream(VOICE, **{**args, "text": "很长的一段话，说不完。" * 500})
    next(stream)
    stream.close()
    report["after"] = len(b"".join(speech.convert(VOICE, **args)))
    print(json.dumps(report))


def tokens(text: str) -> Iterator[str]:
    for start in range(0, len(text), 3):
        yield text[start : start + 3]


def encoded(pieces: Iterator[bytes] | list[bytes]) -> str:
    return base64.b64encode(b"".join(pieces)).decode()


def refusal(call: object) -> dict[str, object]:
    try:
        call()
    except ApiError as error:
        body = error.body if isinstance(error.body, (dict, list, str)) else str(error.body)
        return {"status": error.status_code, "type": type(error).__name__, "body": body}
    return {}


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
