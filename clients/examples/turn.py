"""One reply: from the model, token by token, into the speech server, and to the ear.

Input   messages
Output  sound, text on the screen, what was heard, what it cost
State   of one reply
Two tasks with a bounded queue between them: one reads the model, the other speaks. Cancelling `run` is the
only way to stop: it falls silent, cancels the utterance and hangs up on the model.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from clients.examples.chat import ChatClient, ChatError
from clients.examples.history import Message, heard_chars
from clients.examples.playhead import Playhead
from clients.python.client import Client, SpeakOptions
from clients.python.sinks import Sink
from clients.python.speech import Speech

WAITING_TOKENS = 256


@dataclass(frozen=True, slots=True)
class Ear:
    """Where a reply is heard: opened anew for each."""

    open: Callable[[], Awaitable[Sink]]
    playhead: Callable[[], Playhead]


class Turn:
    """A reply. `run` it once, in a task of its own."""

    def __init__(
        self, client: Client, chat: ChatClient, options: SpeakOptions, ear: Ear, show: Callable[[str], None]
    ) -> None:
        self.text = ""  # what was given to the speech server
        self.chat_error: ChatError | None = None  # the reply is what came before it
        self.is_over = False  # it was heard to its end
        self._client = client
        self._chat = chat
        self._options = options
        self._ear = ear
        self._show = show
        self._playhead = ear.playhead()
        self._tokens: asyncio.Queue[str | None] = asyncio.Queue(WAITING_TOKENS)
        self._speech: Speech | None = None
        self._played: int | None = None
        self._asked_s = 0.0
        self._token_s: float | None = None
        self._audio_s: float | None = None

    async def run(self, messages: Sequence[Message]) -> None:
        """Ask the model and speak its reply, until it was heard.

        Raises:
            ServerError: The speech server refused or failed.
            ConnectionLostError: It is gone.
            SinkError: The audio cannot be played.
        """
        self._asked_s = self._client.clock()
        reader = asyncio.create_task(self._read(messages))
        try:
            await self._speak()
            self.is_over = True
        finally:
            reader.cancel()
            await asyncio.wait([reader])

    def heard(self) -> str:
        """Return what was heard of the reply."""
        if self.is_over:
            return self.text
        if self._speech is None or self._played is None:
            return ""
        return self.text[: heard_chars(self._speech.sentences, self._speech.words, self._played)]

    def cost(self) -> str:
        """Return the line that is printed after it."""
        if self._audio_s is None or self._token_s is None:
            return "nothing was spoken"
        after_token_ms = 1000 * (self._audio_s - self._token_s)
        after_request_ms = 1000 * (self._audio_s - self._asked_s)
        line = (
            f"TTFC {after_token_ms:.0f} ms after the first token, {after_request_ms:.0f} ms after the request"
        )
        done = self._speech.done if self._speech else None
        if self.is_over and done is not None:
            return f"{line}; {done.samples / self._options.rate:.1f} s of audio"
        return f"{line}; interrupted after {len(self.heard())} of {len(self.text)} characters"

    async def _read(self, messages: Sequence[Message]) -> None:
        try:
            async for token in self._chat.reply(messages):
                if self._token_s is None:
                    self._token_s = self._client.clock()
                await self._tokens.put(token)
        except ChatError as error:
            self.chat_error = error
        except Exception as error:  # noqa: BLE001 -- whatever it is, the reply ends here and it is told
            self.chat_error = ChatError(repr(error))
        await self._tokens.put(None)

    async def _speak(self) -> None:
        sink = await self._ear.open()
        try:
            if (first := await self._tokens.get()) is not None:
                self._speech = self._client.speak(self._feed(first), self._options)
                await self._play(self._speech, sink)
            await sink.close()
        except BaseException:
            self._played = self._playhead.played(self._client.clock())
            await sink.abort()
            if self._speech is not None:
                await self._speech.cancel(self._played)
            raise

    async def _play(self, speech: Speech, sink: Sink) -> None:
        async for chunk in speech:
            if self._audio_s is None:
                self._audio_s = chunk.received_s
            self._playhead.note(chunk.n_samples, self._client.clock())
            await sink.write(chunk.pcm)

    async def _feed(self, first: str) -> AsyncIterator[str]:
        token: str | None = first
        while token is not None:
            self.text += token
            self._show(token)
            yield token
            token = await self._tokens.get()
