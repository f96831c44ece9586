"""Talk to a language model and hear it: `python -m clients.examples.llm --base-url URL --model NAME`.

Input   lines from the keyboard; a reply of any OpenAI-compatible endpoint, token by token
Output  speech, played or written; what it cost
State   the conversation
A line that is typed while the reply is heard interrupts it: speech and model stop at once, and the model is
told what was heard until then. Lines from a pipe wait for one another instead.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from websockets.exceptions import InvalidHandshake, InvalidURI

from clients.examples.chat import ChatClient
from clients.examples.history import History
from clients.examples.playhead import LivePlayhead, WrittenPlayhead
from clients.examples.turn import Ear, Turn
from clients.python.client import DEFAULT_RATE, DEFAULT_URL, Client, ConnectionLostError, SpeakOptions
from clients.python.sinks import Sink, SinkError, WavSink, open_player
from clients.python.text import read_text
from clients.python.wire import ProtocolError, ServerError

EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it
DEFAULT_BASE_URL = "http://127.0.0.1:8081/v1"  # where fake_llm listens
SYSTEM = "What you write is spoken aloud. Use short, plain sentences; no lists, no markup, no emoji."


class Conversation:
    """Takes lines, one turn each. Belongs to one event loop."""

    def __init__(self, new_turn: Callable[[], Turn], system: str, tell: Callable[[str], None]) -> None:
        self.history = History(system)
        self._new_turn = new_turn
        self._tell = tell
        self._turn: Turn | None = None
        self._running: asyncio.Task[None] | None = None

    async def run(self, lines: AsyncIterator[str], *, one_by_one: bool = False) -> None:
        """Answer every line; a line ends the reply to the one before, unless they go one by one.

        Raises:
            ConnectionLostError: The speech server is gone.
            SinkError: The audio cannot be played.
        """
        try:
            async for line in lines:
                if line.strip():
                    await (self.finish() if one_by_one else self.interrupt())
                    self.history.user(line.strip())
                    self._turn = self._new_turn()
                    self._running = asyncio.create_task(self._answer(self._turn))
            await self.finish()
        finally:
            await self.interrupt()

    async def interrupt(self) -> None:
        """Fall silent; the history has what was heard."""
        if self._running is not None:
            self._running.cancel()
            await self.finish()

    async def finish(self) -> None:
        """Wait until the running reply has been heard, if there is one."""
        running, turn = self._running, self._turn
        if running is None or turn is None:
            return
        await asyncio.wait([running])  # when we are cancelled here, `run` interrupts it
        self._running = None
        self.history.assistant(turn.heard())
        if not running.cancelled():
            running.result()

    async def _answer(self, turn: Turn) -> None:
        try:
            await turn.run(self.history.messages())
        except (ServerError, ProtocolError) as error:
            self._tell(f"\nthe speech server: {error}\n")
        except (ConnectionLostError, SinkError) as error:
            self._tell(f"\n{error}\n")
            raise  # there is no next turn
        finally:
            self._tell(f"\n[{turn.cost()}]\n")
            if turn.chat_error is not None:
                self._tell(f"the model: {turn.chat_error}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the conversation; return 0, 1 if it could not be done, 130 after Ctrl-C."""
    parsed = _parser().parse_args(argv)
    try:
        asyncio.run(_converse(parsed))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except (OSError, InvalidURI, InvalidHandshake, TimeoutError) as error:
        return _fail(f"no speech server answers at {parsed.url}: {error}")
    except (ServerError, ProtocolError, ConnectionLostError, SinkError) as error:
        return _fail(str(error))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m clients.examples.llm",
        description="Talk to a language model and hear it. Type while it speaks to interrupt it.",
    )
    model = os.environ.get("OPENAI_MODEL", "default")
    parser.add_argument("text", nargs="*", help="what to say first")
    parser.add_argument("--base-url", default=os.environ.get("OPENAI_BASE_URL", DEFAULT_BASE_URL),
                        help=f"of the model, or OPENAI_BASE_URL ({DEFAULT_BASE_URL})")  # fmt: skip
    parser.add_argument("--model", default=model, help="or OPENAI_MODEL")
    parser.add_argument("--api-key", default=os.environ.get("OPENAI_API_KEY"), help="or OPENAI_API_KEY")
    parser.add_argument("--system", default=SYSTEM, help="what the model is told first")
    parser.add_argument("--silence", type=float, default=60.0, metavar="S", help="the model may pause (60)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write a wav file, do not play")
    parser.add_argument("--url", default=os.environ.get("ZHIYIN_URL", DEFAULT_URL), help=DEFAULT_URL)
    parser.add_argument("--token", default=os.environ.get("ZHIYIN_TOKEN"), help="or ZHIYIN_TOKEN")
    parser.add_argument("--voice")
    parser.add_argument("--emotion")
    parser.add_argument("--speed", type=float, help="0.5 to 2")
    return parser


async def _converse(parsed: argparse.Namespace) -> None:
    options = SpeakOptions(
        voice=parsed.voice, emotion=parsed.emotion, speed=parsed.speed, rate=DEFAULT_RATE, words=True
    )
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(Client(parsed.url, token=parsed.token))
        await client.ready()
        chat = ChatClient(parsed.base_url, parsed.model, parsed.api_key, silence_s=parsed.silence)
        await stack.enter_async_context(chat)
        ear = Ear(lambda: open_player(DEFAULT_RATE), lambda: LivePlayhead(DEFAULT_RATE))
        if parsed.output is not None:
            file = WavSink(parsed.output, DEFAULT_RATE)
            stack.push_async_callback(file.close)
            ear = Ear(_KeptSink(file).opened, WrittenPlayhead)
        talk = Conversation(lambda: Turn(client, chat, options, ear, _tell), parsed.system, _tell)
        await talk.run(_lines(parsed.text), one_by_one=not _is_typed())


class _KeptSink:
    """A file that outlives the turns."""

    def __init__(self, file: Sink) -> None:
        self._file = file

    async def opened(self) -> Sink:
        return self

    async def write(self, data: bytes, /) -> None:
        await self._file.write(data)

    async def close(self) -> None:
        pass

    async def abort(self) -> None:
        pass


async def _lines(first: Sequence[str]) -> AsyncIterator[str]:
    """Yield the text of the command line, then standard input line by line."""
    if first:
        yield " ".join(first)
    if sys.stdin is None or (first and not _is_typed()):
        return
    rest = ""
    async for text in read_text(sys.stdin.fileno()):
        *whole, rest = (rest + text).split("\n")
        for line in whole:
            yield line
    yield rest


def _is_typed() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _tell(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _fail(message: str) -> int:
    sys.stderr.write(f"llm: {message}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
