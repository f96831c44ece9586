"""Counts while a level runs, for the progress line.

Input   utterances as they begin and end
Output  counts and a rough distribution of TTFC
State   the counts of one level
It does not know terminals, and no figure of a report comes from here.
"""

from __future__ import annotations

from clients.bench.percentiles import nearest_rank
from clients.bench.record import Record


class Tally:
    """What has happened so far in one level."""

    def __init__(self) -> None:
        self.sent = 0
        self.live = 0
        self.outcomes = dict.fromkeys(("ok", "refused", "cancelled", "aborted", "error"), 0)
        self.underruns = 0
        self._ttfc_ms: list[float] = []

    def begin(self) -> None:
        """An utterance is being sent."""
        self.sent += 1
        self.live += 1

    def drop(self) -> None:
        """An utterance was given up because the run ends."""
        self.live -= 1

    def end(self, record: Record) -> None:
        """An utterance is over."""
        self.live -= 1
        self.outcomes[record.outcome] += 1
        if not record.is_slow:
            self.underruns += len(record.gaps_ms)
            if record.ttfc_ms is not None:
                self._ttfc_ms.append(record.ttfc_ms)

    def line(self) -> str:
        """Return the counts in one line."""
        done = sum(self.outcomes.values()) - self.outcomes["refused"] - self.outcomes["error"]
        words = [
            f"streams {self.live}",
            f"sent {self.sent}",
            f"done {done}",
            f"refused {self.outcomes['refused']}",
            f"errors {self.outcomes['error']}",
        ]
        if self._ttfc_ms:
            ordered = sorted(self._ttfc_ms)
            p50, p99 = nearest_rank(ordered, 0.5), nearest_rank(ordered, 0.99)
            words.append(f"TTFC p50 {p50:.0f} p99 {p99:.0f} ms")
        words.append(f"underruns {self.underruns}")
        return ", ".join(words)
