"""Frames of the native protocol: control messages in JSON or MessagePack, audio in binary.

Input   messages and audio to send; frames received
Output  frames (payload and whether it is a text frame); decoded maps
State   none
It does not know which fields messages have (`messages`) nor what they mean.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from enum import IntFlag
from typing import Any, Protocol

import msgpack

from server.messages import InvalidMessageError, ServerMessage, dump_message

KIND_CONTROL = 0x00
KIND_AUDIO = 0x01
MAX_FRAME_BYTES = 65536  # clients' line readers and proxies choke on more

_AUDIO_HEADER = struct.Struct("<BBHIQIHH")
AUDIO_HEADER_BYTES = _AUDIO_HEADER.size


class AudioFlags(IntFlag):
    """Bits of the second header byte."""

    FIRST = 1  # of the utterance
    LAST_OF_SENTENCE = 2
    LAST = 4  # of the utterance
    META = 8  # a block of metadata stands between header and audio
    CACHED = 16


@dataclass(frozen=True, slots=True)
class AudioHeader:
    """The header of one audio frame; samples are counted at the utterance's output rate."""

    ctx: int
    seq: int
    sample: int
    n_samples: int
    sentence: int
    flags: AudioFlags


@dataclass(frozen=True, slots=True)
class Frame:
    """One WebSocket message."""

    payload: bytes
    is_text: bool = False


def audio_frame(header: AudioHeader, audio: bytes) -> Frame:
    """Return the audio frame: 24 bytes of header, then the encoded samples."""
    head = _AUDIO_HEADER.pack(
        KIND_AUDIO,
        header.flags,
        header.ctx,
        header.seq & 0xFFFFFFFF,
        header.sample,
        header.n_samples,
        header.sentence & 0xFFFF,
        0,
    )
    return Frame(head + audio)


class Codec(Protocol):
    """One subprotocol: how control messages are written and read."""

    @property
    def subprotocol(self) -> str:
        """Name in the WebSocket handshake."""
        ...

    def encode(self, message: ServerMessage) -> Frame:
        """Return the frame of a control message."""
        ...

    def decode(self, frame: Frame) -> Any:
        """Return what a received frame holds; `parse_message` judges it.

        Raises:
            InvalidMessageError: The frame does not hold one.
        """
        ...


class JsonCodec:
    """`tts.v1.json`: control messages are text frames."""

    subprotocol = "tts.v1.json"

    def encode(self, message: ServerMessage) -> Frame:
        """Return a text frame. Lone surrogates in a client's text come back as `?`."""
        text = json.dumps(dump_message(message), ensure_ascii=False, separators=(",", ":"))
        return Frame(text.encode("utf-8", "replace"), is_text=True)

    def decode(self, frame: Frame) -> Any:
        """Read a text frame.

        Raises:
            InvalidMessageError: A binary frame, or not JSON.
        """
        if not frame.is_text:
            size = len(frame.payload)
            raise InvalidMessageError(f"binary frame of {size} bytes; {self.subprotocol} takes text frames")
        try:
            return json.loads(frame.payload)
        except (ValueError, RecursionError) as error:
            raise InvalidMessageError(f"not JSON: {error}") from None


class MsgpackCodec:
    """`tts.v1.msgpack`: every frame is binary; control frames start with a zero byte."""

    subprotocol = "tts.v1.msgpack"

    def encode(self, message: ServerMessage) -> Frame:
        """Return a control frame. Lone surrogates in a client's text come back as `?`."""
        packed: bytes = msgpack.packb(dump_message(message), unicode_errors="replace")
        return Frame(bytes([KIND_CONTROL]) + packed)

    def decode(self, frame: Frame) -> Any:
        """Read a control frame.

        Raises:
            InvalidMessageError: A text frame, another first byte, or not MessagePack.
        """
        if frame.is_text:
            raise InvalidMessageError(f"text frame; {self.subprotocol} takes binary frames")
        if not frame.payload or frame.payload[0] != KIND_CONTROL:
            found = frame.payload[:1].hex() or "nothing"
            raise InvalidMessageError(f"control frames start with byte 00; found {found}")
        try:
            return msgpack.unpackb(memoryview(frame.payload)[1:])
        except (ValueError, TypeError, msgpack.UnpackException) as error:
            reason = str(error) or type(error).__name__  # some of msgpack's errors have no text
            raise InvalidMessageError(f"not MessagePack: {reason}") from None


CODECS: dict[str, Codec] = {codec.subprotocol: codec for codec in (JsonCodec(), MsgpackCodec())}
DEFAULT_SUBPROTOCOL = JsonCodec.subprotocol
