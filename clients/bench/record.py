"""What is known of one utterance after it is over.

Input   none
Output  Record, the row that every figure is computed from
State   none
It does not know how it was obtained. Times in seconds count from the start of the level, so that
records of two targets can be laid side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from clients.bench.adapters.adapter import Receipt

Outcome = Literal["ok", "refused", "cancelled", "aborted", "error"]


@dataclass(frozen=True, slots=True)
class Record:
    """One utterance.

    Attributes:
        target: Name of the server.
        level: Number of the load level, from 0.
        number: Position in the level's plan.
        scheduled_s: When it was due; every latency counts from here.
        sent_s: When its request left; None if it never did.
        first_s: When its first audio arrived.
        end_s: When nothing more was expected of the server.
        playback_end_s: When its user stopped listening.
        connect_ms: Wait for a new connection; 0 with a warm one.
        chars: Length of the text.
        audio_ms: Audio received.
        ttfc_ms: Due to first audio.
        audible_ttfc_ms: The same plus leading silence.
        stream_ms: First to last audio.
        gaps_ms: Each gap that the user heard.
        outcome: How it ended.
        code: Stable code of a refusal or error.
        retry_after_ms: With a refusal, what the server advised.
        cancel_ms: With a cancelled one, cancel to acknowledgement.
        is_slow: Its reader was slow; such records are a class of their own.
        is_repeat: Its text had been asked for before.
        is_trickled: Its text was written piece by piece.
        receipt: What the server says that it cost.
    """

    target: str
    level: int
    number: int
    scheduled_s: float
    sent_s: float | None
    first_s: float | None
    end_s: float
    playback_end_s: float | None
    connect_ms: float
    chars: int
    audio_ms: float
    ttfc_ms: float | None
    audible_ttfc_ms: float | None
    stream_ms: float
    gaps_ms: tuple[float, ...]
    outcome: Outcome
    code: str | None = None
    retry_after_ms: int | None = None
    cancel_ms: float | None = None
    is_slow: bool = False
    is_repeat: bool = False
    is_trickled: bool = False
    receipt: Receipt | None = None

    @property
    def late_ms(self) -> float | None:
        """Return how late the generator itself was: due to sent, without the wait for a connection."""
        if self.sent_s is None:
            return None
        return 1000 * (self.sent_s - self.scheduled_s) - self.connect_ms

    @property
    def judged_ttfc_ms(self) -> float | None:
        """Return the TTFC that a limit is applied to.

        Where the text was written piece by piece that is the server's own, which starts when there was
        enough text to speak: the time that the writer takes is not the server's.
        """
        if not self.is_trickled:
            return self.ttfc_ms
        return self.receipt.ttfc_ms if self.receipt is not None else None

    @property
    def answered_ms(self) -> float:
        """Return due to end: for a refusal, how long the user waited for it."""
        return 1000 * (self.end_s - self.scheduled_s)
