"""Show on a terminal how a run goes: one line that changes, or a line every few seconds in a file.

Input   the tally of the level that runs
Output  text on the given stream, standard error in practice
State   what was written last
It does not know what is counted.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from typing import TextIO

from clients.bench.tally import Tally

TERMINAL_S = 0.5
FILE_S = 5.0
CLEAR = "\r\x1b[K"


class Progress:
    """Where progress is shown."""

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._clock = clock
        self._is_terminal = stream.isatty()

    async def show(self, label: str, tally: Tally) -> None:
        """Show a level until cancelled."""
        began_s = self._clock()
        try:
            while True:
                await asyncio.sleep(TERMINAL_S if self._is_terminal else FILE_S)
                self._write(f"{label}: {self._clock() - began_s:.0f} s, {tally.line()}")
        finally:
            self.clear()

    def say(self, text: str) -> None:
        """Write a line that stays."""
        self.clear()
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def clear(self) -> None:
        """Take the changing line away."""
        if self._is_terminal:
            self._stream.write(CLEAR)
            self._stream.flush()

    def _write(self, text: str) -> None:
        if not self._is_terminal:
            self._stream.write(f"{text}\n")
        else:
            width = shutil.get_terminal_size().columns
            self._stream.write(CLEAR + text[: width - 1])
        self._stream.flush()
