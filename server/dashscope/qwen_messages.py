"""What a client of Qwen-TTS's realtime socket may say, checked.

Input   JSON maps with a `type`
Output  SessionUpdate, AppendText, Commit, Clear, CancelResponse, FinishSession; or BadRequestError
State   none
It does not know which message is legal when (`qwen_session`). What is unknown is ignored, null is absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from server.bodies import Body, validate
from server.dashscope.parameters import MAX_INSTRUCTION_CHARS, MAX_NAME_CHARS, Defaults, encoding_of
from server.messages import shown
from server.speaking import Wish
from streaming.audio.formats import Codec
from streaming.errors import BadRequestError
from streaming.types import Style

DEFAULTS = Defaults(Codec.PCM_S16LE, 24000)
SERVER_COMMIT_MS = 500  # then text is spoken though its sentence has no end: language models pause less
Mode = Literal["server_commit", "commit"]


class Settings(Body):
    """What a session is like. `language_type`, `enable_tn`, `optimize_instructions` change nothing here."""

    voice: Annotated[str, Field(max_length=MAX_NAME_CHARS)] = ""
    mode: Mode = "server_commit"
    response_format: str = "pcm"
    sample_rate: int = DEFAULTS.rate
    bit_rate: int | None = None
    volume: Annotated[float, Field(ge=0, le=100)] = 50.0
    speech_rate: Annotated[float, Field(ge=0.5, le=2.0)] = 1.0
    pitch_rate: Annotated[float, Field(ge=0.5, le=2.0)] = 1.0
    instructions: Annotated[str, Field(max_length=MAX_INSTRUCTION_CHARS)] = ""


@dataclass(frozen=True, slots=True)
class SessionUpdate:
    """Change what is given of the settings."""

    changes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AppendText:
    """More text."""

    text: str


@dataclass(frozen=True, slots=True)
class Commit:
    """Speak what was sent."""


@dataclass(frozen=True, slots=True)
class Clear:
    """Forget what was sent and not committed."""


@dataclass(frozen=True, slots=True)
class CancelResponse:
    """Be silent."""


@dataclass(frozen=True, slots=True)
class FinishSession:
    """Speak the rest, then close."""


Message = SessionUpdate | AppendText | Commit | Clear | CancelResponse | FinishSession
_PLAIN: dict[str, Message] = {
    "input_text_buffer.commit": Commit(),
    "input_text_buffer.clear": Clear(),
    "response.cancel": CancelResponse(),
    "session.finish": FinishSession(),
}
TYPES = ("session.update", "input_text_buffer.append", *_PLAIN)


class _Update(Body):
    session: dict[str, Any]


class _Append(Body):
    text: str


def parse_realtime_message(fields: Mapping[str, Any]) -> Message:
    """Validate one message; of an update, only that there is one.

    Raises:
        BadRequestError: Something is missing or of the wrong type.
    """
    kind = fields.get("type")
    if kind == "session.update":
        return SessionUpdate(validate(fields, _Update).session)
    if kind == "input_text_buffer.append":
        return AppendText(validate(fields, _Append).text)
    if isinstance(kind, str) and kind in _PLAIN:
        return _PLAIN[kind]
    raise BadRequestError(f"type: found {shown(kind)}; allowed: {', '.join(TYPES)}")


def changed(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """Return settings with changes.

    Raises:
        BadFieldError: One is of the wrong type or out of range.
    """
    present = {name: value for name, value in changes.items() if value is not None}
    return validate({**settings.model_dump(), **present}, Settings)


def realtime_wish(settings: Settings, model: str, key: str, max_delay_ms: int = 0) -> Wish:
    """Return the wish that a session's settings mean; `max_delay_ms` is the server's own, 0 if it has none.

    Raises:
        UnsupportedFormatError: No such format, rate or bit rate.
    """
    return Wish(
        encoding=encoding_of(settings.response_format, settings.sample_rate, settings.bit_rate, DEFAULTS),
        voice=settings.voice,
        model=model,
        instruction=settings.instructions,
        style=Style(speed=settings.speech_rate, pitch=settings.pitch_rate, volume=settings.volume),
        max_delay_ms=max_delay_ms or (SERVER_COMMIT_MS if settings.mode == "server_commit" else 0),
        key=key,
    )
