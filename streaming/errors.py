"""The one error tree. Whose fault it is decides the branch.

StreamError
 |- RequestError                 the client's fault; the connection and its other contexts live on
 |   |- BadRequestError          bad_request: malformed message, wrong type, value out of range
 |   |- UnexpectedMessageError   unexpected_message: a legal message at the wrong time
 |   |- TextTooLongError         text_too_long
 |   |- UnknownVoiceError        unknown_voice: no such voice, speaker or emotion
 |   |   `- UnknownModelError    unknown_model: no such model, for protocols that name one
 |   |- UnsupportedFormatError   unsupported_format: no such audio format or sample rate
 |   |- UnspeakableTextError     unspeakable_text: the voice cannot pronounce this text
 |   |- UnauthorizedError        unauthorized
 |   |- OverloadedError          overloaded (retryable)
 |   `- IdleTimeoutError         idle_timeout
 |- VoiceBundleError             voice_bundle: a voice folder is broken or incompatible
 |   `- EngineError              engine: this machine cannot run it as the configuration wants
 |- ConfigError                  config: the server cannot start like this
 `- SynthesisError               internal: our fault; details go to the log, not to the wire
"""

from __future__ import annotations

from typing import ClassVar


class StreamError(Exception):
    """Base of all errors of this project.

    `code` is stable and goes over the wire; `retryable` says whether the same request may
    succeed later. `close_code` is used only when the error ends the connection itself.
    """

    code: ClassVar[str] = "internal"
    close_code: ClassVar[int] = 1011
    retryable: ClassVar[bool] = False


class RequestError(StreamError):
    """The request cannot be served as it is."""

    code = "bad_request"
    close_code = 4400


class BadRequestError(RequestError):
    """A message is malformed, or a value is of the wrong type or out of range."""


class UnexpectedMessageError(RequestError):
    """A well-formed message that is not allowed in the present state."""

    code = "unexpected_message"


class TextTooLongError(RequestError):
    """More text than the configuration allows."""

    code = "text_too_long"

    def __init__(self, found_chars: int, allowed_chars: int) -> None:
        self.found_chars = found_chars
        self.allowed_chars = allowed_chars
        super().__init__(found_chars, allowed_chars)

    def __str__(self) -> str:
        return f"text has {self.found_chars} characters; the limit is {self.allowed_chars}"


class SsmlError(RequestError):
    """The text is not SSML as it is understood here.

    Attributes:
        line: Of the document, counted from 1.
        column: Likewise.
    """

    code = "bad_ssml"

    def __init__(self, reason: str, line: int, column: int) -> None:
        self.reason, self.line, self.column = reason, line, column
        super().__init__(reason, line, column)

    def __str__(self) -> str:
        return f"SSML, line {self.line}, column {self.column}: {self.reason}"


class UnknownVoiceError(RequestError):
    """No such voice, speaker or emotion, or `reason` why it cannot be used; `known` lists what there is."""

    code = "unknown_voice"

    def __init__(self, kind: str, name: str, known: tuple[str, ...], reason: str = "") -> None:
        self.kind = kind
        self.name = name
        self.known = known
        self.reason = reason
        super().__init__(kind, name, known, reason)

    def __str__(self) -> str:
        known = ", ".join(self.known) or "none"
        if self.reason:
            return f"{self.kind} {self.name!r} cannot be used: {self.reason}; known: {known}"
        return f"no {self.kind} {self.name!r}; known: {known}"


class UnknownModelError(UnknownVoiceError):
    """No such model."""

    code = "unknown_model"


class UnsupportedFormatError(RequestError):
    """No such audio format or sample rate."""

    code = "unsupported_format"


class UnspeakableTextError(RequestError):
    """The voice's language or symbol table cannot pronounce the text."""

    code = "unspeakable_text"


class UnauthorizedError(RequestError):
    """The token is missing or wrong."""

    code = "unauthorized"
    close_code = 4401


class OverloadedError(RequestError):
    """A limit of the server is reached; the same request may succeed after `retry_after_ms`."""

    code = "overloaded"
    close_code = 4429
    retryable = True

    def __init__(self, message: str, retry_after_ms: int) -> None:
        self.retry_after_ms = retry_after_ms
        super().__init__(message)

    @property
    def retry_after_s(self) -> int:
        """The same in whole seconds, as HTTP's `Retry-After` wants it; rounded up."""
        return -(-self.retry_after_ms // 1000)


class IdleTimeoutError(RequestError):
    """Nothing arrived for longer than the configuration allows."""

    code = "idle_timeout"
    close_code = 4408
    retryable = True


class VoiceBundleError(StreamError):
    """A voice folder is missing something, was changed, or is of an unknown version."""

    code = "voice_bundle"


class EngineError(VoiceBundleError):
    """A network cannot be run here as chosen: no such library, device or precision, or wrong results."""

    code = "engine"


class MissingLibraryError(EngineError):
    """What runs a network is not installed, or cannot be imported."""


class ConfigError(StreamError):
    """The configuration is not valid."""

    code = "config"


class SynthesisError(StreamError):
    """Synthesis failed; our fault."""

    code = "internal"
