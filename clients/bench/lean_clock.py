"""What a listener would have noticed, for hundreds of streams at a time.

Input   audio chunks (s16le) with their arrival times
Output  first chunk, leading silence, gaps, when playback ends
State   the playback clock; audio only until its first audible window
The definitions are those of `clients.python.playback`, and a test holds the two together. This one
does not look at audio after it became audible, and remembers each gap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clients.python.playback import AUDIBLE_RMS, AUDIBLE_WINDOW_MS

SAMPLE_BYTES = 2
FULL_SCALE = np.float32(32767)


@dataclass(frozen=True, slots=True)
class Gap:
    """Playback stood still from `start_s` on, for `length_s`."""

    start_s: float
    length_s: float


class LeanClock:
    """Plays in mind: starts at the first chunk and stalls when the next sample has not arrived."""

    def __init__(self, sample_rate: int) -> None:
        self.first_s: float | None = None
        self.last_s = 0.0
        self.runs_dry_s = 0.0
        self.n_samples = 0
        self.gaps: list[Gap] = []
        self.silence_samples: int | None = None
        self._rate = sample_rate
        self._window = sample_rate * AUDIBLE_WINDOW_MS // 1000
        self._stalled_s = 0.0
        self._leading = b""  # less than a window, not audible
        self._scanned_samples = 0

    @property
    def audio_s(self) -> float:
        """Return how much audio has arrived."""
        return self.n_samples / self._rate

    @property
    def silence_ms(self) -> float | None:
        """Return the leading silence; None if nothing was audible."""
        return None if self.silence_samples is None else 1000 * self.silence_samples / self._rate

    def note_chunk(self, received_s: float, pcm: bytes) -> None:
        """Note one chunk, in order."""
        n_samples = len(pcm) // SAMPLE_BYTES
        if self.first_s is None:
            self.first_s = received_s
        elif received_s > self.runs_dry_s:
            self.gaps.append(Gap(self.runs_dry_s, received_s - self.runs_dry_s))
            self._stalled_s += received_s - self.runs_dry_s
        self.last_s = received_s
        self.runs_dry_s = max(self.runs_dry_s, received_s) + n_samples / self._rate
        self.n_samples += n_samples
        if self.silence_samples is None:
            self._listen(pcm)

    def heard_s(self, now_s: float) -> float:
        """Return how much audio has been played by `now_s`, not before the last chunk arrived."""
        if self.first_s is None:
            return 0.0
        return min(now_s, self.runs_dry_s) - self.first_s - self._stalled_s

    def moment_of(self, played_s: float) -> float:
        """Return when so much audio had been played; there must be as much."""
        assert self.first_s is not None
        moment_s = self.first_s + played_s
        for gap in self.gaps:
            if gap.start_s >= moment_s:
                break
            moment_s += gap.length_s
        return moment_s

    def gaps_ms(self, until_s: float | None = None) -> tuple[float, ...]:
        """Return the gaps in milliseconds; those of a listener who left at `until_s` end there."""
        if until_s is None:
            return tuple(1000 * gap.length_s for gap in self.gaps)
        return tuple(
            1000 * min(gap.length_s, until_s - gap.start_s) for gap in self.gaps if gap.start_s < until_s
        )

    def _listen(self, pcm: bytes) -> None:
        data = self._leading + pcm
        n_windows = len(data) // (SAMPLE_BYTES * self._window)
        n_samples = n_windows * self._window
        samples = np.frombuffer(data, dtype="<i2", count=n_samples).astype(np.float32) / FULL_SCALE
        windows = samples.reshape(n_windows, self._window)
        audible = np.flatnonzero(np.sqrt(np.mean(windows**2, axis=1)) > AUDIBLE_RMS)
        if len(audible):
            self.silence_samples = self._scanned_samples + int(audible[0]) * self._window
            self._leading = b""
            return
        self._scanned_samples += n_samples
        self._leading = data[n_samples * SAMPLE_BYTES :]
