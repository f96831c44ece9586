"""The account of one utterance: what it cost, when it was heard, when its next block is due.

Input   what happened, as it happens
Output  deadlines for the scheduler, the receipt at the end
State   counters and four moments of one clock
The definitions are in docs/metrics.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from streaming.types import FloatArray, Receipt, StageTimes

SAFETY_S = 0.1  # a block is due this long before the listener runs dry: network and client jitter
AUDIBLE_WINDOW_MS = 10
AUDIBLE_RMS = 0.01  # -40 dB of full scale


class LeadingSilence:
    """Finds the first 10 ms window above -40 dBFS (RMS) in audio that comes in chunks of any size."""

    def __init__(self, sample_rate: int) -> None:
        self._window = sample_rate * AUDIBLE_WINDOW_MS // 1000
        self._rest: FloatArray = np.zeros(0, np.float32)
        self._windows_before = 0
        self._found = False

    @property
    def silent_ms(self) -> int | None:
        """Silence before the first audible window; None while nothing audible has come."""
        return self._windows_before * AUDIBLE_WINDOW_MS if self._found else None

    def push(self, samples: FloatArray) -> None:
        """Take the next samples [n]; cheap once the answer is known."""
        if self._found:
            return
        joined = np.concatenate([self._rest, samples])
        n_windows = joined.size // self._window
        windows = joined[: n_windows * self._window].reshape(n_windows, self._window)
        audible = np.flatnonzero(np.sqrt(np.mean(np.square(windows, dtype=np.float64), axis=1)) > AUDIBLE_RMS)
        self._found = audible.size > 0
        self._windows_before += int(audible[0]) if self._found else n_windows
        self._rest = joined[n_windows * self._window :]


class Account:
    """Counters and moments of one utterance.

    Belongs to the event loop, except that `stages` is written by the one worker thread that serves the
    utterance at a time.
    """

    def __init__(self, sample_rate: int, clock: Callable[[], float]) -> None:
        self.stages = StageTimes()
        self.chars = 0
        self.samples = 0
        self.segments = 0
        self.cached_segments = 0
        self._sample_rate = sample_rate
        self._clock = clock
        self._opened_s = clock()
        self._last_text_s = self._opened_s
        self._speakable_s: float | None = None
        self._first_audio_s: float | None = None
        self._first_sent_s: float | None = None
        self._queued_s = 0.0
        self._dry_s: float | None = None  # when the listener has heard all there is
        self._silence = LeadingSilence(sample_rate)

    @property
    def last_text_s(self) -> float:
        """When text came last; when the utterance was opened, before any text."""
        return self._last_text_s

    def note_text(self, n_chars: int) -> None:
        """Text of this many characters was accepted."""
        if self.chars == 0:
            self._opened_s = self._clock()
        self.chars += n_chars
        self._last_text_s = self._clock()

    def note_wait(self, waited_s: float) -> None:
        """A block waited for its turns; it counts into `queue_ms` until the first audio is there."""
        if self._first_audio_s is None:
            self._queued_s += waited_s

    def note_segment(self, received_s: float) -> None:
        """A segment that is heard was started; the server had its text at `received_s`."""
        self.segments += 1
        if self._speakable_s is None:
            self._speakable_s = received_s

    def note_audio(self, samples: FloatArray) -> None:
        """Audio is handed to the consumer."""
        now_s = self._clock()
        if self._first_audio_s is None:
            self._first_audio_s = now_s
        # A listener who has run dry, for whatever reason, goes on when the next audio is there.
        heard_s = now_s if self._dry_s is None else max(self._dry_s, now_s)
        self._dry_s = heard_s + samples.size / self._sample_rate
        self.samples += samples.size
        self._silence.push(samples)

    def note_sent(self) -> None:
        """The first audio frame was handed to the transport; later calls change nothing."""
        if self._first_sent_s is None:
            self._first_sent_s = self._clock()
            if self._dry_s is not None and self._first_audio_s is not None:
                self._dry_s += self._first_sent_s - self._first_audio_s

    @property
    def dry_s(self) -> float:
        """When the listener has heard all there is, by the playback clock; -inf before the first audio."""
        return -math.inf if self._dry_s is None else self._dry_s

    def deadline_s(self, received_s: float) -> float:
        """When the next block is needed: a little before the listener runs dry.

        One who has nothing to hear needs it since its text is there.

        Args:
            received_s: When the server had the text of the segment that comes next.
        """
        return max(self.dry_s - SAFETY_S, received_s)

    def receipt(self) -> Receipt:
        """Close the account. Without `note_sent`, TTFC ends where the consumer got the first audio."""
        sent_s = self._first_audio_s if self._first_sent_s is None else self._first_sent_s
        ttfc_ms = None
        if self._speakable_s is not None and sent_s is not None:
            ttfc_ms = 1000.0 * (sent_s - self._speakable_s)
        silent_ms = self._silence.silent_ms
        audible_ms = None if ttfc_ms is None or silent_ms is None else ttfc_ms + silent_ms
        audio_ms = 1000.0 * self.samples / self._sample_rate
        return Receipt(
            samples=self.samples,
            chars=self.chars,
            segments=self.segments,
            cached_segments=self.cached_segments,
            ttfc_ms=ttfc_ms,
            audible_ttfc_ms=audible_ms,
            queue_ms=None if ttfc_ms is None else 1000.0 * self._queued_s,
            total_ms=1000.0 * (self._clock() - self._opened_s),
            rtf=self.stages.total_ms / audio_ms if audio_ms else None,
            stages=self.stages,
        )
