"""What was said in a conversation, as a model is told it.

Input   what the user typed; how much of each reply was heard
Output  messages of a chat
State   the messages, the last MAX_MESSAGES of them
A reply that was interrupted is in it up to where it was heard: what nobody heard was not said.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypedDict

from clients.python.wire import Sentence, Word

MAX_MESSAGES = 100


class Message(TypedDict):
    """One message of a chat."""

    role: str
    content: str


class History:
    """User and assistant take turns in it, whatever happened: many models insist on that."""

    def __init__(self, system: str = "") -> None:
        self._system: list[Message] = [{"role": "system", "content": system}] if system else []
        self._said: list[Message] = []

    def user(self, text: str) -> None:
        """Add what the user said; after a question that got no answer, to that question."""
        if self._said and self._said[-1]["role"] == "user":
            text = f"{self._said.pop()['content']}\n{text}"
        self._said.append({"role": "user", "content": text})
        del self._said[: len(self._said) - MAX_MESSAGES]
        if self._said[0]["role"] == "assistant":
            del self._said[0]

    def assistant(self, text: str) -> None:
        """Add what was heard of a reply; nothing, if nothing was."""
        if text.strip():
            self._said.append({"role": "assistant", "content": text})

    def messages(self) -> list[Message]:
        """Return a copy of all of it."""
        return [*self._system, *self._said]


def heard_chars(sentences: Sequence[Sentence], words: Sequence[Word], played_samples: int) -> int:
    """Return up to which character a text was heard when it fell silent.

    To the last word that was heard to its end; where the voice tells no words, to the last sentence.
    """
    if words:
        return max((word.char_end for word in words if word.end_sample <= played_samples), default=0)
    over = [
        sentence.char_end
        for sentence, following in pairwise(sentences)
        if following.start_sample <= played_samples
    ]
    return max(over, default=0)
