"""How much of the audio was heard, of what was handed to a player or a file.

Input   samples that were handed on, the time
Output  samples that were heard
State   when the player runs dry
"""

from __future__ import annotations

from typing import Protocol


class Playhead(Protocol):
    """Knows what was heard."""

    def note(self, n_samples: int, now_s: float) -> None:
        """Note what is handed on now."""
        ...

    def played(self, now_s: float) -> int:
        """Return how many samples have been heard."""
        ...


class LivePlayhead:
    """A player, however much it buffers: it takes a second to play a second."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._samples = 0
        self._dry_s = 0.0

    def note(self, n_samples: int, now_s: float) -> None:
        """Note what is handed on now."""
        self._samples += n_samples
        self._dry_s = max(self._dry_s, now_s) + n_samples / self._rate

    def played(self, now_s: float) -> int:
        """Return how many samples have been heard."""
        return self._samples - round(max(0.0, self._dry_s - now_s) * self._rate)


class WrittenPlayhead:
    """A file: what is written counts as heard."""

    def __init__(self) -> None:
        self._samples = 0

    def note(self, n_samples: int, now_s: float) -> None:
        """Note what is handed on now."""
        self._samples += n_samples

    def played(self, now_s: float) -> int:
        """Return how many samples have been heard."""
        return self._samples
