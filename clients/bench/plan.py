"""What is asked, and when: drawn beforehand from the seed, never from how the server behaves.

Input   a seed, the mixes, texts
Output  levels: sequences of planned utterances, equal for every target
State   the position in the texts; what has been asked before (for repeats)
It does not know clocks, servers or figures. Every property of an utterance is drawn from a random
sequence of its own, so that turning one mix on leaves the others as they were.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from random import Random
from typing import Protocol

from clients.bench.adapters.adapter import Token

TOKEN_CHARS = 4  # tokens have 1 to 4 characters
IDLE = -1  # number of the level of the calibration
MAX_ARRIVALS = 1_000_000  # a slip of the keyboard must not fill the memory


class Texts(Protocol):
    """An endless sequence of texts."""

    def text(self, number: int) -> str:
        """Return text `number`, from 0; the same for the same number."""
        ...


@dataclass(frozen=True, slots=True)
class Mix:
    """What the users are like; shares are probabilities per utterance, independent of each other."""

    trickle_per_s: float | None = None
    barge_in: float = 0.0
    slow_readers: float = 0.0
    abort: float = 0.0
    repeats: float = 0.0
    zipf: float = 1.0
    think_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Planned:
    """An utterance to come.

    Attributes:
        number: Position in its level.
        due_s: When it is due, from the start of the level; 0 in closed loop, where the user decides.
        text: What is said.
        tokens: The text in pieces with their times, if it is to be written slowly.
        is_repeat: The text was asked for before.
        is_slow: Its reader is slow.
        barge_in: Part of its audio after which the user interrupts; None: never.
        abort: Part of its audio after which the client is killed; None: never.
        think_s: How long its user thinks afterwards.
    """

    number: int
    due_s: float
    text: str
    tokens: tuple[Token, ...]
    is_repeat: bool
    is_slow: bool
    barge_in: float | None
    abort: float | None
    think_s: float


class LevelPlan:
    """The utterances of one level, drawn when they are first asked for, then the same for everybody."""

    def __init__(self, planner: Planner, level: int, mix: Mix, rate_per_s: float | None) -> None:
        self.level = level
        self._mix = mix
        self.rate_per_s = rate_per_s
        self._planner = planner
        self._random = {
            name: Random(f"{planner.seed}/{level}/{name}")
            for name in ("gap", "text", "token", "slow", "barge", "abort", "think", "start")
        }
        self._drawn: list[Planned] = []
        self._due_s = 0.0

    def __getitem__(self, number: int) -> Planned:
        while len(self._drawn) <= number:
            self._drawn.append(self._draw())
        return self._drawn[number]

    def until(self, end_s: float) -> list[Planned]:
        """Return the arrivals of an open loop before `end_s`.

        Raises:
            ValueError: There are more than anybody wants.
        """
        assert self.rate_per_s is not None
        if self.rate_per_s * end_s > MAX_ARRIVALS:
            raise ValueError(f"more than {MAX_ARRIVALS} utterances in one level")
        number = 0
        while self[number].due_s < end_s:
            number += 1
        return self._drawn[:number]

    def first_starts(self, n_clients: int, within_s: float) -> list[float]:
        """Return when the clients of a closed loop begin: not all at once."""
        random = Random(f"{self._planner.seed}/{self.level}/start")
        return [random.uniform(0.0, within_s) for _ in range(n_clients)]

    def _draw(self) -> Planned:
        random, mix = self._random, self._mix
        if self.rate_per_s is not None:
            self._due_s += random["gap"].expovariate(1.0) / self.rate_per_s
        text, is_repeat = self._planner.next_text(random["text"], mix)
        return Planned(
            number=len(self._drawn),
            due_s=self._due_s,
            text=text,
            tokens=_tokens(text, mix.trickle_per_s, random["token"]),
            is_repeat=is_repeat,
            is_slow=random["slow"].random() < mix.slow_readers,
            barge_in=_part(random["barge"], mix.barge_in),
            abort=_part(random["abort"], mix.abort),
            think_s=random["think"].expovariate(1.0) * mix.think_s,
        )


class Planner:
    """Makes the levels of a run, one after the other."""

    def __init__(self, seed: int, texts: Texts, mix: Mix) -> None:
        self.seed = seed
        self.mix = mix
        self._texts = texts
        self._n_levels = 0  # measured so far
        self._n_texts = 0
        self._asked: list[str] = []
        self._weights: list[float] = []  # cumulative, of the texts in the order of their first use

    def level(self, rate_per_s: float | None = None) -> LevelPlan:
        """Return the next level; `rate_per_s` for an open loop, None for a closed one."""
        self._n_levels += 1
        return LevelPlan(self, self._n_levels - 1, self.mix, rate_per_s)

    def idle_level(self) -> LevelPlan:
        """Return the utterances of the calibration: patient users who repeat nothing."""
        return LevelPlan(self, IDLE, Mix(trickle_per_s=self.mix.trickle_per_s), None)

    def next_text(self, random: Random, mix: Mix) -> tuple[str, bool]:
        """Return the next text, and whether it repeats an earlier one."""
        # Two draws whatever comes of them, so that the shares do not move the sequence.
        is_repeat, rank = random.random() < mix.repeats, random.random()
        if is_repeat and self._asked:
            return self._asked[bisect_left(self._weights, rank * self._weights[-1])], True
        text = self._texts.text(self._n_texts)
        self._n_texts += 1
        self._asked.append(text)
        weight = len(self._asked) ** -mix.zipf
        self._weights.append(weight + (self._weights[-1] if self._weights else 0.0))
        return text, False


def _part(random: Random, share: float) -> float | None:
    is_drawn, part = random.random() < share, random.random()
    return part if is_drawn else None


def _tokens(text: str, per_s: float | None, random: Random) -> tuple[Token, ...]:
    """Cut `text` as a language model would write it: 1 to 4 characters, exponential gaps."""
    if per_s is None:
        return ()
    tokens, start, after_s = [], 0, 0.0
    while start < len(text):
        end = start + random.randint(1, TOKEN_CHARS)
        tokens.append(Token(text[start:end], after_s))
        start, after_s = end, after_s + random.expovariate(per_s)
    return tuple(tokens)
