"""Turn the records of a level into its figures.

Input   records, the window that counts, the limit for a good TTFC
Output  LevelFigures; the definitions are in docs/metrics.md and docs/load.md
State   none
It does not know how the records were obtained. Readers that are slow on purpose are a class of
their own: what happens to them is in `slow`, and nowhere else but in the load.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from clients.bench.level import LevelRun, Window
from clients.bench.percentiles import Distribution, distribution
from clients.bench.record import Record

GAP_LIMITS_MS = (50.0, 100.0, 200.0)
GOOD_GAP_MS = 100.0


@dataclass(frozen=True, slots=True)
class Counts:
    """How the utterances of a class ended; `errors` by code."""

    sent: int
    ok: int
    refused: int
    cancelled: int
    aborted: int
    error: int
    errors: dict[str, int]
    refusals: dict[str, int]


@dataclass(frozen=True, slots=True)
class Speed:
    """Real-time factor: total, and its distribution over utterances.

    `source` is "receipt" (compute time over audio time, as the server reports it) or "wall" (first
    to last audio received over audio time, which includes waiting), "none" without either.
    """

    source: str
    mean: float | None
    per_utterance: Distribution


@dataclass(frozen=True, slots=True)
class Flow:
    """What was asked for and what came of it, per second of the window.

    Attributes:
        offered_per_s: Utterances due.
        ok_per_s, ok_audio_s_per_s: Goodput: complete, TTFC within the limit, no gap over 100 ms.
        streams: Mean number of utterances being played.
    """

    offered_per_s: float
    ok_per_s: float
    ok_audio_s_per_s: float
    streams: float


@dataclass(frozen=True, slots=True)
class Latency:
    """Times to first chunk, in milliseconds from when the utterance was due.

    `judged_ttfc_ms` is what limits are applied to: the same as `ttfc_ms`, but for text that is written
    piece by piece, where it is the server's own.
    """

    ttfc_ms: Distribution
    judged_ttfc_ms: Distribution
    audible_ttfc_ms: Distribution
    server_ttfc_ms: Distribution
    queue_ms: Distribution
    cached_ttfc_ms: Distribution
    computed_ttfc_ms: Distribution


@dataclass(frozen=True, slots=True)
class Continuity:
    """Gaps in playback; `c50` to `c200` are shares of the utterances that were not refused."""

    underruns: int
    underrun_ms: float
    c50: float | None
    c100: float | None
    c200: float | None


@dataclass(frozen=True, slots=True)
class Refusals:
    """Refused utterances: their share, how long each waited for its refusal, what was advised."""

    share: float
    answered_ms: Distribution
    retry_after_ms: Distribution


@dataclass(frozen=True, slots=True)
class SlowReaders:
    """The class of slow readers, if there were any."""

    counts: Counts
    ttfc_ms: Distribution


@dataclass(frozen=True, slots=True)
class LevelFigures:
    """All figures of one level on one target."""

    window_s: float
    counts: Counts
    latency: Latency
    speed: Speed
    continuity: Continuity
    refusals: Refusals
    flow: Flow
    cancel_ms: Distribution
    cached_share: float
    failed_share: float
    slow: SlowReaders | None


def figures_of(run: LevelRun, ttfc_limit_ms: float) -> LevelFigures:
    """Compute the figures of a level."""
    window = run.window
    counted = [record for record in run.records if window.from_s <= record.scheduled_s < window.to_s]
    main = [record for record in counted if not record.is_slow]
    slow = [record for record in counted if record.is_slow]
    counts = _counts(main)
    return LevelFigures(
        window_s=round(window.length_s, 3),
        counts=counts,
        latency=_latency(main),
        speed=_speed(main),
        continuity=_continuity(main),
        refusals=_refusals(main),
        flow=_flow(run.records, counted, main, window, ttfc_limit_ms),
        cancel_ms=distribution(record.cancel_ms for record in main),
        cached_share=_share(sum(_is_cached(record) for record in main), len(main)),
        failed_share=_share(counts.refused + counts.error, counts.sent),
        slow=SlowReaders(_counts(slow), distribution(_ttfc_ms(record) for record in slow)) if slow else None,
    )


def is_continuous(record: Record, limit_ms: float) -> bool:
    """Return whether the user heard no gap over the limit; an error is one."""
    return record.outcome != "error" and all(gap_ms <= limit_ms for gap_ms in record.gaps_ms)


def _ttfc_ms(record: Record) -> float | None:
    """Return the TTFC; who waited in vain until the timeout waited at least so long."""
    return record.answered_ms if _waited_in_vain(record) else record.ttfc_ms


def _judged_ttfc_ms(record: Record) -> float | None:
    return record.answered_ms if _waited_in_vain(record) else record.judged_ttfc_ms


def _waited_in_vain(record: Record) -> bool:
    return record.ttfc_ms is None and record.code == "timeout"


def _is_cached(record: Record) -> bool:
    return record.receipt is not None and record.receipt.cached


def _share(part: int, whole: int) -> float:
    return round(part / whole, 5) if whole else 0.0


def _counts(records: Sequence[Record]) -> Counts:
    outcomes = Counter(record.outcome for record in records)
    return Counts(
        sent=len(records),
        ok=outcomes["ok"],
        refused=outcomes["refused"],
        cancelled=outcomes["cancelled"],
        aborted=outcomes["aborted"],
        error=outcomes["error"],
        errors=_codes(records, "error"),
        refusals=_codes(records, "refused"),
    )


def _codes(records: Sequence[Record], outcome: str) -> dict[str, int]:
    return dict(Counter(record.code or "" for record in records if record.outcome == outcome).most_common())


def _latency(records: Sequence[Record]) -> Latency:
    receipts = [(record, record.receipt) for record in records if record.receipt is not None]
    return Latency(
        ttfc_ms=distribution(_ttfc_ms(record) for record in records),
        judged_ttfc_ms=distribution(_judged_ttfc_ms(record) for record in records),
        audible_ttfc_ms=distribution(record.audible_ttfc_ms for record in records),
        server_ttfc_ms=distribution(receipt.ttfc_ms for _, receipt in receipts),
        queue_ms=distribution(receipt.queue_ms for _, receipt in receipts),
        cached_ttfc_ms=distribution(record.ttfc_ms for record, receipt in receipts if receipt.cached),
        computed_ttfc_ms=distribution(record.ttfc_ms for record, receipt in receipts if not receipt.cached),
    )


def _speed(records: Sequence[Record]) -> Speed:
    whole = [record for record in records if record.outcome == "ok" and record.audio_ms > 0]
    receipts = [
        (record.receipt.rtf, record.audio_ms)
        for record in whole
        if record.receipt is not None and record.receipt.rtf is not None
    ]
    source = "receipt" if receipts else "wall" if whole else "none"
    pairs = receipts or [(record.stream_ms / record.audio_ms, record.audio_ms) for record in whole]
    audio_ms = sum(weight for _, weight in pairs)
    mean = sum(rtf * weight for rtf, weight in pairs) / audio_ms if audio_ms else None
    return Speed(source, mean, distribution(rtf for rtf, _ in pairs))


def _continuity(records: Sequence[Record]) -> Continuity:
    spoken = [record for record in records if record.outcome != "refused"]
    shares = [
        _share(sum(is_continuous(record, limit_ms) for record in spoken), len(spoken)) if spoken else None
        for limit_ms in GAP_LIMITS_MS
    ]
    gaps_ms = [gap_ms for record in records for gap_ms in record.gaps_ms]
    return Continuity(len(gaps_ms), sum(gaps_ms), *shares)


def _refusals(records: Sequence[Record]) -> Refusals:
    refused = [record for record in records if record.outcome == "refused"]
    return Refusals(
        share=_share(len(refused), len(records)),
        answered_ms=distribution(record.answered_ms for record in refused),
        retry_after_ms=distribution(record.retry_after_ms for record in refused),
    )


def _flow(
    records: Sequence[Record],
    counted: Sequence[Record],
    main: Sequence[Record],
    window: Window,
    ttfc_limit_ms: float,
) -> Flow:
    good = [
        record
        for record in main
        if record.outcome == "ok"
        and record.judged_ttfc_ms is not None
        and record.judged_ttfc_ms <= ttfc_limit_ms
        and is_continuous(record, GOOD_GAP_MS)
    ]
    length_s = window.length_s or 1.0  # an interrupted warm-up has no window, and no utterances in it
    return Flow(
        offered_per_s=len(counted) / length_s,
        ok_per_s=len(good) / length_s,
        ok_audio_s_per_s=sum(record.audio_ms for record in good) / 1000 / length_s,
        streams=sum(_played_s(record, window) for record in records) / length_s,
    )


def _played_s(record: Record, window: Window) -> float:
    """Return for how long of the window the utterance was being played."""
    if record.first_s is None or record.playback_end_s is None:
        return 0.0
    return max(0.0, min(record.playback_end_s, window.to_s) - max(record.first_s, window.from_s))
