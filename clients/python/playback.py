"""What a listener would have noticed: first sound, silence before it, gaps.

Input   audio chunks with their arrival times
Output  PlaybackStats; the definitions are in docs/metrics.md
State   the playback clock, and the audio until its first audible window
It does not know where the chunks come from, nor plays anything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clients.python.wire import AudioChunk

AUDIBLE_WINDOW_MS = 10
AUDIBLE_RMS = 0.01  # -40 dB of full scale


@dataclass(frozen=True, slots=True)
class PlaybackStats:
    """What was noticed; times in milliseconds, None when there was no (audible) audio."""

    ttfc_ms: float | None
    audible_ttfc_ms: float | None
    audio_ms: float
    underruns: int
    underrun_ms: float
    peak: float | None


class PlaybackClock:
    """Plays in mind: starts at the first chunk and stalls when the next sample has not arrived."""

    def __init__(self, rate: int, audio_format: str = "pcm_s16le") -> None:
        """Prepare for audio of a rate and a format; only PCM is listened to, other formats are timed."""
        self._rate = rate
        self._format = audio_format
        self._sent_s: float | None = None
        self._first_s: float | None = None
        self._runs_dry_s = 0.0
        self._samples = 0
        self._underruns = 0
        self._underrun_s = 0.0
        self._leading = np.zeros(0, dtype=np.float32)
        self._silence_samples: int | None = None
        self._peak: float | None = None

    def note_request(self, sent_s: float) -> None:
        """Note when the request was sent; the first counts."""
        self._sent_s = sent_s if self._sent_s is None else self._sent_s

    def note_pause(self) -> None:
        """Forget the deadline: what comes next is a new utterance, and waiting for it is no gap."""
        self._runs_dry_s = 0.0

    def note_chunk(self, chunk: AudioChunk) -> None:
        """Note one chunk, in order."""
        now_s = chunk.received_s
        if self._first_s is None:
            self._first_s = now_s
        if self._runs_dry_s and now_s > self._runs_dry_s:
            self._underruns += 1
            self._underrun_s += now_s - self._runs_dry_s
        self._runs_dry_s = max(self._runs_dry_s, now_s) + chunk.n_samples / self._rate
        self._samples += chunk.n_samples
        self._listen(chunk)

    def stats(self) -> PlaybackStats:
        """Return what was noticed so far."""
        ttfc_ms = audible_ms = None
        if self._first_s is not None and self._sent_s is not None:
            ttfc_ms = 1000 * (self._first_s - self._sent_s)
            if self._silence_samples is not None:
                audible_ms = ttfc_ms + 1000 * self._silence_samples / self._rate
        return PlaybackStats(
            ttfc_ms=ttfc_ms,
            audible_ttfc_ms=audible_ms,
            audio_ms=1000 * self._samples / self._rate,
            underruns=self._underruns,
            underrun_ms=1000 * self._underrun_s,
            peak=self._peak,
        )

    def _listen(self, chunk: AudioChunk) -> None:
        if self._format == "pcm_s16le":
            samples = np.frombuffer(chunk.pcm, dtype="<i2").astype(np.float32) / np.float32(32767)
        elif self._format == "pcm_f32le":
            samples = np.frombuffer(chunk.pcm, dtype="<f4").astype(np.float32)
        else:
            return
        self._peak = max(self._peak or 0.0, float(np.abs(samples).max(initial=0.0)))
        if self._silence_samples is not None:
            return
        self._leading = np.concatenate([self._leading, samples])
        window = self._rate * AUDIBLE_WINDOW_MS // 1000
        n_windows = len(self._leading) // window
        windows = self._leading[: n_windows * window].reshape(n_windows, window)
        audible = np.flatnonzero(np.sqrt(np.mean(windows**2, axis=1)) > AUDIBLE_RMS)
        if len(audible):
            self._silence_samples = int(audible[0]) * window
            self._leading = np.zeros(0, dtype=np.float32)
