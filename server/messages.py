"""The messages of the native protocol: one class per message, one union per direction.

Input   decoded maps from the client; values for messages to the client
Output  frozen, validated messages, or BadRequestError naming the field, found and allowed
State   none
It does not know JSON, MessagePack or the audio header (`framing`), nor which message is legal
when (`conversation`). `docs/protocol.md` describes every field; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from streaming.audio.formats import Codec, Encoding
from streaming.errors import BadRequestError, UnsupportedFormatError

MAX_CTX = 65535  # u16 in the audio header
SAMPLE_RATES = (8000, 16000, 22050, 24000, 44100, 48000)
DEFAULT_RATE = 24000
MAX_NAME_CHARS = 128
MAX_LEXICON = 256  # words of one request
MAX_SHOWN_CHARS = 40  # of a refused value, in the error message

Ctx = Annotated[int, Field(ge=1, le=MAX_CTX)]
Name = Annotated[str, Field(max_length=MAX_NAME_CHARS)]
PauseMs = Annotated[int, Field(ge=0, le=10_000)]
FlushId = Annotated[int, Field(ge=-(2**53), le=2**53)] | Annotated[str, Field(max_length=64)]


def _as_list(value: object) -> object:
    return [value] if isinstance(value, int) and not isinstance(value, bool) else value


class _Message(BaseModel):
    """Unknown fields are ignored, null is removed before validation; types are not coerced."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Open(_Message):
    """Start an utterance; with `text` and `end` it is a complete request."""

    type: Literal["open"] = "open"
    ctx: Ctx
    voice: Name = ""
    model: Name = ""
    format: str = Codec.PCM_S16LE.value
    rate: int = DEFAULT_RATE
    kbps: int | None = None
    speaker: Name = ""
    emotion: Name = ""
    emotion_intensity: Annotated[float, Field(ge=0, le=2.0)] = 1.0
    speed: Annotated[float, Field(ge=0.5, le=2.0)] = 1.0
    pitch: Annotated[float, Field(ge=0.5, le=2.0)] = 1.0
    volume: Annotated[float, Field(ge=0, le=100)] = 50.0
    language: Name = ""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    words: bool = False
    phonemes: bool = False
    visemes: bool = False
    text: str = ""
    end: bool = False
    window_ms: Annotated[int, Field(ge=0, le=3_600_000)] | None = None
    max_delay_ms: Annotated[int, Field(ge=0, le=60_000)] | None = None
    sentence_pause_ms: PauseMs | None = None
    paragraph_pause_ms: PauseMs | None = None
    max_ahead_ms: Annotated[int, Field(ge=0, le=3_600_000)] | None = None
    ssml: bool = False
    lexicon: Annotated[dict[str, str], Field(max_length=MAX_LEXICON)] = {}
    replaces: Annotated[list[Ctx], BeforeValidator(_as_list), Field(max_length=1024)] = []


class Append(_Message):
    """Add text; it is concatenated verbatim."""

    type: Literal["append"] = "append"
    ctx: Ctx
    text: str


class Flush(_Message):
    """Speak all buffered text now."""

    type: Literal["flush"] = "flush"
    ctx: Ctx
    id: FlushId = 0


class End(_Message):
    """Promise that no more text comes."""

    type: Literal["end"] = "end"
    ctx: Ctx


class Cancel(_Message):
    """Drop text, work and queued audio of one utterance or, with `*`, of all."""

    type: Literal["cancel"] = "cancel"
    ctx: Ctx | Literal["*"]
    played: Annotated[int, Field(ge=0)] | None = None


class Credit(_Message):
    """Allow `ms` more audio to be sent."""

    type: Literal["credit"] = "credit"
    ctx: Ctx
    ms: Annotated[int, Field(ge=1, le=3_600_000)]


class Bye(_Message):
    """Finish the open utterances, then close."""

    type: Literal["bye"] = "bye"


ClientMessage = Open | Append | Flush | End | Cancel | Credit | Bye
CLIENT_MESSAGES: dict[str, type[ClientMessage]] = {
    "open": Open,
    "append": Append,
    "flush": Flush,
    "end": End,
    "cancel": Cancel,
    "credit": Credit,
    "bye": Bye,
}


class _Reply(BaseModel):
    """Fields that are None are left out on the wire."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    ends_context: ClassVar[bool] = False


class Ready(_Reply):
    """What the server offers; sent once after the handshake."""

    type: Literal["ready"] = "ready"
    version: str
    voices: list[str]
    rates: list[int]
    formats: list[str]
    max_ctx: int
    max_chars: int
    idle_s: float


class Sentence(_Reply):
    """A sentence begins; precedes its first audio frame."""

    type: Literal["sentence"] = "sentence"
    ctx: int
    index: int
    text: str
    char_start: int
    char_end: int
    sample: int


class Words(_Reply):
    """When each word of a sentence is spoken: text, start and end sample, start and end character."""

    type: Literal["words"] = "words"
    ctx: int
    index: int
    items: list[tuple[str, int, int, int, int]]


class Phonemes(_Reply):
    """When each phone of a sentence is spoken: its name, start and end sample."""

    type: Literal["phonemes"] = "phonemes"
    ctx: int
    index: int
    items: list[tuple[str, int, int]]


class Visemes(_Reply):
    """Which mouth shape a sentence needs when: its class, start and end sample."""

    type: Literal["visemes"] = "visemes"
    ctx: int
    index: int
    items: list[tuple[str, int, int]]


class Flushed(_Reply):
    """All audio for text before the flush has been written."""

    type: Literal["flushed"] = "flushed"
    ctx: int
    id: int | str
    sample: int


class Stages(_Reply):
    """Compute time per stage in milliseconds."""

    frontend_ms: float
    encoder_ms: float
    decoder_ms: float
    vocoder_ms: float
    encode_ms: float


class Done(_Reply):
    """The utterance is over; the receipt. Definitions in docs/metrics.md."""

    ends_context: ClassVar[bool] = True
    type: Literal["done"] = "done"
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
    stages: Stages


class Cancelled(_Reply):
    """The utterance was dropped; no audio frame of it comes after this."""

    ends_context: ClassVar[bool] = True
    type: Literal["cancelled"] = "cancelled"
    ctx: int
    samples: int
    text_done: int


class Error(_Reply):
    """Something was refused or failed; with `ctx` it ends that utterance."""

    ends_context: ClassVar[bool] = True
    type: Literal["error"] = "error"
    ctx: int | None = None
    code: str
    message: str
    retry_after_ms: int | None = None


ServerMessage = Ready | Sentence | Words | Phonemes | Visemes | Flushed | Done | Cancelled | Error
SERVER_MESSAGES: tuple[type[ServerMessage], ...] = (
    Ready, Sentence, Words, Phonemes, Visemes, Flushed, Done, Cancelled, Error,
)  # fmt: skip
_ADAPTERS = {name: TypeAdapter(message) for name, message in CLIENT_MESSAGES.items()}


class InvalidMessageError(BadRequestError):
    """A map is not a message; `ctx` is the utterance that it was meant for, if that is certain."""

    def __init__(self, message: str, ctx: int | None = None) -> None:
        self.ctx = ctx
        super().__init__(message)


def parse_message(fields: object) -> ClientMessage:
    """Validate one decoded map.

    Raises:
        InvalidMessageError: Not a map, an unknown type, or a field that is missing, of the wrong
            type or out of range; the text names the field, what was found and what is allowed.
    """
    if not isinstance(fields, dict):
        raise InvalidMessageError(f"a message is a map; found {shown(fields)}")
    present = {key: value for key, value in fields.items() if value is not None}
    kind = present.get("type")
    adapter = _ADAPTERS.get(kind) if isinstance(kind, str) else None
    if adapter is None:
        raise InvalidMessageError(f"type: found {shown(kind)}; allowed: {', '.join(CLIENT_MESSAGES)}")
    try:
        return adapter.validate_python(present)
    except ValidationError as error:
        raise InvalidMessageError(f"{kind}: {_first_problem(error)}", _certain_ctx(present)) from None


def check_format(message: Open) -> Encoding:
    """Return the audio format of `message`.

    Raises:
        UnsupportedFormatError: No such format, rate or bit rate.
    """
    if message.rate not in SAMPLE_RATES:
        allowed = ", ".join(map(str, SAMPLE_RATES))
        raise UnsupportedFormatError(f"rate: found {message.rate}; allowed: {allowed}")
    try:
        codec = Codec(message.format)
    except ValueError:
        allowed = ", ".join(Codec)
        raise UnsupportedFormatError(f"format: found {shown(message.format)}; allowed: {allowed}") from None
    return Encoding(codec, message.rate, message.kbps)


def dump_message(message: ServerMessage) -> dict[str, Any]:
    """Return the map that goes over the wire. `done` keeps its nulls: nothing was spoken."""
    return message.model_dump(exclude_none=not isinstance(message, Done))


def _certain_ctx(fields: Mapping[str, object]) -> int | None:
    ctx = fields.get("ctx")
    if isinstance(ctx, int) and not isinstance(ctx, bool) and 1 <= ctx <= MAX_CTX:
        return ctx
    return None


def _first_problem(error: ValidationError) -> str:
    """Say the first problem in one line; fields before union branches, which pydantic adds to `loc`."""
    detail = error.errors(include_url=False)[0]
    field = str(detail["loc"][0]) if detail["loc"] else "message"
    if detail["type"] == "missing":
        return f"{field}: missing"
    if field == "ctx" and detail["loc"][1:]:
        return f"{field}: found {shown(detail['input'])}; allowed: integer 1 to {MAX_CTX}, or '*'"
    allowed = detail["msg"].removeprefix("Input should be ")
    return f"{field}: found {shown(detail['input'])}; allowed: {allowed}"


def shown(value: object) -> str:
    """Return a short representation: a client's whole text does not belong in an error."""
    text = repr(value[:MAX_SHOWN_CHARS] if isinstance(value, (str, bytes)) else value)
    return text if len(text) <= MAX_SHOWN_CHARS + 2 else text[:MAX_SHOWN_CHARS] + "..."
