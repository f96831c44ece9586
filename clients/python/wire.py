"""The wire format of the native protocol, as a client sees it.

Input   received frames; fields of messages to send
Output  typed messages; frames
State   none
It does not know sockets or tasks. The format is described in docs/protocol.md; unknown fields of
messages are ignored, so that a newer server can be talked to.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgpack

SUBPROTOCOLS = ("tts.v1.msgpack", "tts.v1.json")
SAMPLE_BYTES = {"pcm_s16le": 2, "pcm_f32le": 4}

_CONTROL = 0x00
_AUDIO = 0x01
_HEADER = struct.Struct("<BBHIQIHH")
_FIRST, _LAST_OF_SENTENCE, _LAST, _META, _CACHED = 1, 2, 4, 8, 16

Frame = str | bytes


class ProtocolError(Exception):
    """The server sent something that is not this protocol."""


class ServerError(Exception):
    """The server refused or failed; `code` is stable, `ctx` None means the whole connection."""

    def __init__(self, code: str, message: str, ctx: int | None, retry_after_ms: int | None) -> None:
        self.code = code
        self.message = message
        self.ctx = ctx
        self.retry_after_ms = retry_after_ms
        super().__init__(f"{code}: {message}")


@dataclass(frozen=True, slots=True)
class Ready:
    """What the server offers."""

    version: str
    voices: tuple[str, ...]
    rates: tuple[int, ...]
    formats: tuple[str, ...]
    max_ctx: int
    max_chars: int


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """Audio of one utterance: `pcm` is `n_samples` in the requested format and rate.

    In a lossy format it is the bytes that the stream gained by these samples.

    `start_sample` counts from the start of the utterance; `received_s` is the client's clock when
    the frame arrived.
    """

    ctx: int
    seq: int
    pcm: bytes
    start_sample: int
    n_samples: int
    sentence: int
    is_first: bool
    ends_sentence: bool
    is_last: bool
    cached: bool
    received_s: float


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence that begins at `start_sample`; offsets are into the utterance's text."""

    ctx: int
    index: int
    text: str
    char_start: int
    char_end: int
    start_sample: int


@dataclass(frozen=True, slots=True)
class Word:
    """When one word is heard; ends are exclusive."""

    text: str
    start_sample: int
    end_sample: int
    char_start: int
    char_end: int


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one sentence."""

    ctx: int
    index: int
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Flushed:
    """All audio for text before the flush `id` has been sent."""

    ctx: int
    id: int | str
    sample: int


@dataclass(frozen=True, slots=True)
class Done:
    """The receipt of a finished utterance; definitions in docs/metrics.md."""

    ctx: int
    samples: int
    chars: int
    sentences: int
    ttfc_ms: float | None
    audible_ttfc_ms: float | None
    queue_ms: float | None
    total_ms: float
    rtf: float | None
    cached: bool
    stages: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The acknowledgement of a cancel: samples sent, and text whose audio was sent completely."""

    ctx: int
    samples: int
    text_done: int


Message = Ready | AudioChunk | Sentence | Words | Flushed | Done | Cancelled | ServerError


def encode(subprotocol: str, fields: Mapping[str, Any]) -> Frame:
    """Return the frame of a message to the server; fields that are None are left out."""
    present = {key: value for key, value in fields.items() if value is not None}
    if subprotocol == "tts.v1.json":
        return json.dumps(present)
    packed: bytes = msgpack.packb(present, unicode_errors="replace")
    return bytes([_CONTROL]) + packed


def decode(frame: Frame, received_s: float) -> Message | None:
    """Return the message in a received frame, of either subprotocol; None for an unknown type.

    Raises:
        ProtocolError: The frame does not follow the protocol.
    """
    try:
        if isinstance(frame, str):
            return _control(json.loads(frame))
        if frame[:1] == bytes([_AUDIO]):
            return _audio(frame, received_s)
        if frame[:1] == bytes([_CONTROL]):
            return _control(msgpack.unpackb(memoryview(frame)[1:]))
    except (ValueError, KeyError, TypeError, struct.error, msgpack.UnpackException) as error:
        raise ProtocolError(f"unreadable frame of {len(frame)} bytes: {error!r}") from error
    raise ProtocolError(f"unknown kind of frame: {frame[:1].hex() or 'empty'}")


def _audio(frame: bytes, received_s: float) -> AudioChunk:
    _, flags, ctx, seq, start, n_samples, sentence, meta_bytes = _HEADER.unpack_from(frame)
    return AudioChunk(
        ctx=ctx,
        seq=seq,
        pcm=frame[_HEADER.size + (meta_bytes if flags & _META else 0) :],
        start_sample=start,
        n_samples=n_samples,
        sentence=sentence,
        is_first=bool(flags & _FIRST),
        ends_sentence=bool(flags & _LAST_OF_SENTENCE),
        is_last=bool(flags & _LAST),
        cached=bool(flags & _CACHED),
        received_s=received_s,
    )


def _control(fields: Mapping[str, Any]) -> Message | None:
    match fields["type"]:
        case "ready":
            return Ready(
                version=fields["version"],
                voices=tuple(fields["voices"]),
                rates=tuple(fields["rates"]),
                formats=tuple(fields["formats"]),
                max_ctx=fields["max_ctx"],
                max_chars=fields["max_chars"],
            )
        case "sentence":
            return Sentence(
                ctx=fields["ctx"],
                index=fields["index"],
                text=fields["text"],
                char_start=fields["char_start"],
                char_end=fields["char_end"],
                start_sample=fields["sample"],
            )
        case "words":
            words = tuple(Word(*item[:5]) for item in fields["items"])
            return Words(fields["ctx"], fields["index"], words)
        case "flushed":
            return Flushed(fields["ctx"], fields["id"], fields["sample"])
        case "done":
            return _done(fields)
        case "cancelled":
            return Cancelled(fields["ctx"], fields["samples"], fields["text_done"])
        case "error":
            return ServerError(
                fields["code"], fields["message"], fields.get("ctx"), fields.get("retry_after_ms")
            )
        case _:
            return None


def _done(fields: Mapping[str, Any]) -> Done:
    return Done(
        ctx=fields["ctx"],
        samples=fields["samples"],
        chars=fields["chars"],
        sentences=fields["sentences"],
        ttfc_ms=fields.get("ttfc_ms"),
        audible_ttfc_ms=fields.get("audible_ttfc_ms"),
        queue_ms=fields.get("queue_ms"),
        total_ms=fields["total_ms"],
        rtf=fields.get("rtf"),
        cached=bool(fields.get("cached")),
        stages=dict(fields.get("stages") or {}),
    )
