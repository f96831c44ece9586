"""The rules of Qwen-TTS's realtime session: when text becomes a response.

Input   messages of the client
Output  actions, in order, for the shell to perform
State   the mode, the text that was not committed, whether a response takes text, whether the session ends
It does not know sockets, time, voices or audio.

With `server_commit`, text is spoken as it comes: the first begins a response, and a commit ends its text.
With `commit`, text waits, and each commit is a response. Responses are spoken one after another.
"""

from __future__ import annotations

from dataclasses import dataclass

from server.dashscope.qwen_messages import (
    AppendText,
    CancelResponse,
    Clear,
    Commit,
    FinishSession,
    Message,
    Mode,
    SessionUpdate,
)
from streaming.errors import BadRequestError, TextTooLongError, UnexpectedMessageError


@dataclass(frozen=True, slots=True)
class Configure:
    """Change the settings, if they are possible, and tell them."""

    update: SessionUpdate


@dataclass(frozen=True, slots=True)
class Begin:
    """Begin a response, behind those that there are."""


@dataclass(frozen=True, slots=True)
class Speak:
    """Give the newest response more text."""

    text: str


@dataclass(frozen=True, slots=True)
class EndText:
    """The text of the newest response has ended."""


@dataclass(frozen=True, slots=True)
class TellCommitted:
    """Say that a commit was heard."""


@dataclass(frozen=True, slots=True)
class TellCleared:
    """Say that what was not committed is forgotten."""


@dataclass(frozen=True, slots=True)
class DropAll:
    """Drop all responses."""


@dataclass(frozen=True, slots=True)
class CloseWhenSpoken:
    """Say that the session is over once all responses are, and close."""


Action = Configure | Begin | Speak | EndText | TellCommitted | TellCleared | DropAll | CloseWhenSpoken


class QwenSession:
    """One session."""

    def __init__(self, max_chars: int) -> None:
        self._max_chars = max_chars
        self._mode: Mode = "server_commit"
        self._buffer = ""
        self._takes_text = False
        self._finishing = False

    @property
    def takes_text(self) -> bool:
        """Whether the newest response waits for more text."""
        return self._takes_text

    def configured(self, mode: Mode) -> None:
        """Note that the settings were changed."""
        self._mode = mode

    def lost(self) -> None:
        """Note that the newest response is over although its text has not ended."""
        self._takes_text = False

    def receive(self, message: Message) -> list[Action]:
        """Take one valid message and return what follows from it.

        Raises:
            RequestError: It is not allowed now; nothing has changed.
        """
        if self._finishing and not isinstance(message, CancelResponse):
            raise UnexpectedMessageError("the session was finished: only response.cancel is allowed")
        match message:
            case SessionUpdate():
                return [Configure(message)]
            case AppendText():
                return self._append(message.text)
            case Commit():
                return self._commit()
            case Clear():
                self._buffer = ""
                return [TellCleared()]
            case CancelResponse():
                self._takes_text = False
                return [DropAll()]
            case FinishSession():
                self._finishing = True
                return [*self._rest(), CloseWhenSpoken()]

    def _append(self, text: str) -> list[Action]:
        if not text:
            return []
        if self._takes_text:
            return [Speak(text)]
        if (n_chars := len(self._buffer) + len(text)) > self._max_chars:
            raise TextTooLongError(n_chars, self._max_chars)
        self._buffer += text
        if self._mode == "commit":
            return []
        text, self._buffer = self._buffer, ""  # what waited before the mode was changed comes first
        self._takes_text = True
        return [Begin(), Speak(text)]

    def _commit(self) -> list[Action]:
        if not (actions := self._rest()):
            raise BadRequestError("commit: no text was appended")
        return [TellCommitted(), *actions]

    def _rest(self) -> list[Action]:
        """Speak what was not committed, if there is anything."""
        if self._takes_text:
            self._takes_text = False
            return [EndText()]
        text, self._buffer = self._buffer, ""
        return [Begin(), Speak(text), EndText()] if text.strip() else []
