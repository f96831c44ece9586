"""What Wyoming's clients may ask to be spoken, and how they are told what went wrong.

Input   the data of events; errors
Output  requests, for `bodies.validate`; events
State   none
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from server.bodies import Body
from server.http_audio import described
from server.messages import MAX_NAME_CHARS
from server.wyoming.framing import WyomingEvent
from streaming.errors import StreamError

Name = Annotated[str, Field(max_length=MAX_NAME_CHARS)] | None

# Errors whose Wyoming name is not our own with hyphens.
CODES = {"unknown_voice": "voice-not-found", "unknown_model": "model-not-found", "idle_timeout": "timeout"}


class VoiceChoice(Body):
    """Who is to speak: a voice by name, or any that speaks a language."""

    name: Name = None
    speaker: Name = None
    language: Name = None


class StreamRequest(Body):
    """`synthesize-start`."""

    voice: VoiceChoice = VoiceChoice()
    text_format: Literal["text", "ssml"] = "text"


class WholeRequest(StreamRequest):
    """`synthesize`."""

    text: str


class TextPiece(Body):
    """`synthesize-chunk`; pieces may end within a word."""

    text: str


def error_event(error: StreamError) -> WyomingEvent:
    """Return what a client is told; the connection is closed after it."""
    code = CODES.get(error.code, error.code.replace("_", "-"))
    return WyomingEvent("error", {"text": described(error), "code": code})
