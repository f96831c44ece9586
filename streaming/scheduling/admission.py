"""Who is let in: a request that would make others stutter is refused at once, or waits its turn.

Input   streams that want to be computed; what they still have to say
Output  yes, no with a time to come back, or a place in the queue
State   the streams that were let in, the queue, counters
Not here: in which order those who were let in are computed (schedule.py).

The test is that of a fluid earliest-deadline schedule (demand bound): at every moment t ahead, the work that
listeners need by then must not exceed what the cores can do by then. A stream needs nothing while its
listener has audio in hand, then its cost per second of audio until it has said what there is to say.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from streaming.errors import OverloadedError
from streaming.scheduling.capacity import Capacity
from streaming.scheduling.schedule import Tenant

Policy = Literal["refuse", "queue", "off"]

SLACK_S = 0.05  # a listener does not notice that little; without it, one late block would close the door
RESERVE_S = 1.0  # of what a listener has in hand: it is there for what nobody planned, not to be planned with
OPEN_ENDED_S = 4.0  # audio that is expected of an utterance whose text goes on
SHORTEST_RETRY_MS = 100
LONGEST_RETRY_MS = 10_000
QUEUE_CHECK_S = 0.02


class Stream(Protocol):
    """What admission wants to know of an utterance."""

    @property
    def tenant(self) -> Tenant:
        """On whose account it is."""
        ...

    @property
    def voice_name(self) -> str:
        """Who speaks."""
        ...

    @property
    def dry_s(self) -> float:
        """When its listener has heard all there is; -inf before the first audio."""
        ...

    @property
    def text_goes_on(self) -> bool:
        """Whether more text may come."""
        ...

    def unspoken_s(self, audio_s_per_char: float) -> float:
        """Audio that its text still makes."""
        ...


@dataclass(frozen=True, slots=True)
class AdmissionRules:
    """How admission decides.

    Attributes:
        policy: `refuse` at once, `queue` up to `max_queued` for `queue_s`, or `off`: let everybody in.
        max_load: Share of the cores that may be planned with.
        ttfc_s: Time within which a stream's first audio must be possible.
        reserve: Share of that load which a tenant beyond its fair share leaves to the others.
        max_queued: Streams that may wait.
        queue_s: How long.
        max_chars: Characters that may wait to be spoken, of all utterances together.
    """

    policy: Policy = "refuse"
    max_load: float = 0.9
    ttfc_s: float = 0.2
    reserve: float = 0.1
    max_queued: int = 64
    queue_s: float = 2.0
    max_chars: int = 1_000_000


@dataclass(frozen=True, slots=True)
class AdmissionStatistics:
    """Counters since the start, and the present load.

    Attributes:
        streams: Streams that were let in and are not over.
        queued: Streams that wait to be let in.
        admitted: Streams that were let in.
        refused: Streams that were not.
        chars: Characters that wait to be spoken.
        load: Compute seconds per second that the streams need in the long run.
        cores: Cores that can be counted on.
    """

    streams: int
    queued: int
    admitted: int
    refused: int
    chars: int
    load: float
    cores: float


class Admission:
    """Keeps the door. Belongs to one event loop."""

    def __init__(
        self, capacity: Capacity, rules: AdmissionRules, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.capacity = capacity
        self._rules = rules
        self._clock = clock
        self._streams: set[Stream] = set()
        self._queue: dict[Stream, asyncio.Future[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._admitted = self._refused = self._chars = 0

    def statistics(self) -> AdmissionStatistics:
        """Return a snapshot of the counters."""
        return AdmissionStatistics(
            streams=len(self._streams),
            queued=len(self._queue),
            admitted=self._admitted,
            refused=self._refused,
            chars=self._chars,
            load=sum(self.capacity.cost(stream.voice_name) for stream in self._streams),
            cores=self.capacity.cores(),
        )

    def take_text(self, n_chars: int) -> None:
        """Count text that waits to be spoken.

        Raises:
            OverloadedError: It would be too much; nothing is counted.
        """
        if self._chars + n_chars > self._rules.max_chars:
            text = f"{self._chars} characters wait to be spoken; the limit is {self._rules.max_chars}"
            raise OverloadedError(text, self._retry_ms(0.0))
        self._chars += n_chars

    def give_back_text(self, n_chars: int) -> None:
        """Count text that was spoken or dropped."""
        self._chars -= n_chars

    async def enter(self, stream: Stream) -> None:
        """Let a stream in, at once or when its turn comes; every stream that was let in must `leave`.

        Cancel-safe: a stream that gives up waiting has left.

        Raises:
            OverloadedError: There is no room for it, or not in time.
        """
        excess_s = self._excess_s(stream)
        if not (self._queue or excess_s):
            self._let_in(stream)
        elif self._rules.policy != "queue" or len(self._queue) >= self._rules.max_queued:
            self._refuse(excess_s)
        else:
            await self._wait(stream)

    def try_enter(self, stream: Stream) -> bool:
        """Let a stream in if there is room for it now, past all who wait."""
        if self._excess_s(stream):
            return False
        self._let_in(stream)
        return True

    def leave(self, stream: Stream) -> None:
        """Forget a stream; idempotent, also for one that was never let in."""
        self._streams.discard(stream)
        self._check_queue()

    def _let_in(self, stream: Stream) -> None:
        self._streams.add(stream)
        self._admitted += 1

    def _excess_s(self, stream: Stream) -> float:
        """Return how far behind the cores would get at the worst moment with `stream`; 0 if never."""
        if self._rules.policy == "off":
            return 0.0
        cores = self.capacity.cores() * self._rules.max_load
        if self._exceeds_its_share(stream, cores):
            cores *= 1.0 - self._rules.reserve
        leads, remaining, costs, starts = self._demands([*self._streams, stream])
        moments = np.unique(np.concatenate([leads, leads + remaining]))
        spoken = np.clip(moments[:, None] - leads, 0.0, remaining)
        needed = spoken @ costs + (moments[:, None] >= leads) @ starts
        behind_s = needed / cores - moments
        return max(float(behind_s.max(initial=0.0)) - SLACK_S, 0.0)

    def _demands(self, streams: Iterable[Stream]) -> tuple[NDArray[np.float64], ...]:
        """Return per stream: time until it needs audio, seconds of it, cost per second and at the start."""
        now_s = self._clock()
        rows = []
        for stream in streams:
            voice = self.capacity.voice(stream.voice_name)
            cost = self.capacity.cost(stream.voice_name)
            remaining_s = stream.unspoken_s(voice.audio_s_per_char)
            if stream.text_goes_on:
                remaining_s += OPEN_ENDED_S
            is_new = stream.dry_s == -np.inf
            lead_s = self._rules.ttfc_s if is_new else max(stream.dry_s - now_s - RESERVE_S, 0.0)
            rows.append((lead_s, remaining_s, cost, voice.first_block_s if is_new else 0.0))
        return tuple(np.array(rows, np.float64).T)

    def _exceeds_its_share(self, stream: Stream, cores: float) -> bool:
        """Tell whether the stream's tenant would have more than its weight among those who speak now."""
        tenants = {other.tenant for other in self._streams} | {stream.tenant}
        if len(tenants) == 1:
            return False
        used = sum(
            self.capacity.cost(other.voice_name) for other in self._streams if other.tenant is stream.tenant
        )
        share = cores * stream.tenant.weight / sum(tenant.weight for tenant in tenants)
        return used + self.capacity.cost(stream.voice_name) > share

    def _refuse(self, waits_s: float) -> None:
        self._refused += 1
        n_streams = len(self._streams)
        text = f"the server is at its limit with {n_streams} streams; another would make them stutter"
        raise OverloadedError(text, self._retry_ms(waits_s))

    def _retry_ms(self, waits_s: float) -> int:
        return int(min(max(1000.0 * waits_s, SHORTEST_RETRY_MS), LONGEST_RETRY_MS))

    async def _wait(self, stream: Stream) -> None:
        turn = self._queue[stream] = asyncio.get_running_loop().create_future()
        self._set_timer()
        try:
            async with asyncio.timeout(self._rules.queue_s):
                await turn
        except TimeoutError:
            self._refuse(self._excess_s(stream))
        except asyncio.CancelledError:
            self._streams.discard(stream)  # it may have been let in a moment ago
            raise
        finally:
            self._queue.pop(stream, None)

    def _check_queue(self) -> None:
        """Let in who has room now, in order; one whose tenant must wait does not hold up the others."""
        for stream, turn in list(self._queue.items()):
            if not turn.done() and self.try_enter(stream):
                del self._queue[stream]
                turn.set_result(None)

    def _set_timer(self) -> None:
        if self._timer is None and self._queue:
            self._timer = asyncio.get_running_loop().call_later(QUEUE_CHECK_S, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._check_queue()
        self._set_timer()
