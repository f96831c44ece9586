"""Synthesis as a sequence of calls that somebody else makes.

Input   Steps: a generator that yields the calls it needs and is sent their results
Output  its result; the time that each stage took
State   Progress: the call that is next

Synthesis code says *what* to compute next and never computes it: whoever drives the steps decides when, on
which thread, and in whose company. A scheduler stacks equal calls of several streams into one
(`stack_inputs`, `split_outputs`); `run_steps` is the plain driver, one call after the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Generic, Literal, TypeVar, cast

import numpy as np

from streaming.synthesis.engine import Array, Engine, NetworkName, is_resident
from streaming.types import FloatArray, StageTimes

Result = TypeVar("Result")
Stage = Literal["frontend_ms", "encoder_ms", "decoder_ms", "vocoder_ms"]


@dataclass(frozen=True, slots=True, eq=False)
class NetworkCall:
    """A network to be run on one stream's inputs; it is sent the outputs, batch first like the inputs.

    Attributes:
        network: Which network.
        inputs: Its inputs, batch 1; need not be contiguous.
        stage: Which stage's time it is.
        stackable: Whether rows of other streams may run in the same call: every input has a batch axis.
    """

    network: NetworkName
    inputs: Mapping[str, Array]
    stage: Stage
    stackable: bool = False

    def run(self, engine: Engine, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run the network on the inputs of this call, or on those of several calls row by row.

        Raises:
            SynthesisError: The runtime failed.
        """
        return engine.run(self.network, {name: as_input(array) for name, array in inputs.items()})

    @property
    def size(self) -> int:
        """Numbers that go into it, wherever they are."""
        return sum(prod(array.shape) for array in self.inputs.values())

    def example(self) -> Mapping[str, Array]:
        """Return the inputs of one run of the network, such as runtimes are compared on."""
        return self.inputs


@dataclass(frozen=True, slots=True, eq=False)
class HostCall:
    """A function to be called, for work that is not a network and too long to hide between two calls."""

    function: Callable[[], Any]
    stage: Stage


Call = NetworkCall | HostCall
Steps = Generator[Call, Any, Result]


class Progress(Generic[Result]):
    """Steps under way. Not thread-safe, but successive calls may come from different threads.

    The code between two calls counts for the stage of the call that it prepares; what follows the last
    call counts for that call's stage.
    """

    def __init__(
        self, steps: Steps[Result], times: StageTimes, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """Take the steps; nothing runs before `resume`. What they cost is added to `times`."""
        self.call: Call | None = None
        """What is to be done next; None before the start and after the end."""
        self.over = False
        self._steps = steps
        self._times = times
        self._clock = clock
        self._result: Result | None = None
        self._started = False

    @property
    def started(self) -> bool:
        """Whether the steps have begun."""
        return self._started

    @property
    def result(self) -> Result:
        """What the steps returned; they must be over."""
        assert self.over
        return self._result  # type: ignore[return-value]  # None is a result like any other

    def resume(self, outcome: object = None, call_ms: float = 0.0) -> None:
        """Go on to the next call, or to the end.

        Args:
            outcome: What the last call returned; None at the start.
            call_ms: What the last call cost this stream.

        Raises:
            Exception: Whatever the steps raise; they are over then.
        """
        self._started = True
        self._go_on(lambda: self._steps.send(outcome), call_ms)

    def fail(self, error: BaseException, call_ms: float = 0.0) -> None:
        """Tell the steps that their call failed; they may go on, but end as a rule.

        Raises:
            BaseException: `error`, or what the steps make of it; they are over then.
        """
        self._go_on(lambda: self._steps.throw(error), call_ms)

    def close(self) -> None:
        """Give up: the steps end where they are. Idempotent."""
        self.call = None
        self.over = True
        self._steps.close()

    def _go_on(self, enter: Callable[[], Call], call_ms: float) -> None:
        done, self.call = self.call, None
        begun_s = self._clock()
        try:
            self.call = enter()
        except StopIteration as stop:
            self.over = True
            self._result = stop.value
        except BaseException:
            self.over = True
            raise
        finally:
            if done is not None:
                self._add(done.stage, call_ms)
            if (paying := self.call or done) is not None:
                self._add(paying.stage, 1000.0 * (self._clock() - begun_s))

    def _add(self, stage: Stage, ms: float) -> None:
        setattr(self._times, stage, getattr(self._times, stage) + ms)


def run_steps(
    engine: Engine,
    steps: Steps[Result],
    times: StageTimes | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Result:
    """Make the calls one after the other on this thread and return the steps' result. Blocking.

    Raises:
        SynthesisError: The runtime failed.
    """
    progress = Progress(steps, StageTimes() if times is None else times, clock)
    progress.resume()
    try:
        while (call := progress.call) is not None:
            begun_s = clock()
            try:
                outcome = perform(engine, call)
            except BaseException as error:  # noqa: BLE001 -- it is the steps' own, and comes back from them
                progress.fail(error, 1000.0 * (clock() - begun_s))
            else:
                progress.resume(outcome, 1000.0 * (clock() - begun_s))
        return progress.result
    finally:
        progress.close()


def perform(engine: Engine, call: Call) -> object:
    """Make one call.

    Raises:
        SynthesisError: The runtime failed.
    """
    if isinstance(call, HostCall):
        return call.function()
    return call.run(engine, call.inputs)


def perform_stacked(engine: Engine, calls: Sequence[NetworkCall]) -> list[dict[str, Array]]:
    """Make calls of the same network and the same shapes as one; return each one's outputs.

    A row of a batch has the samples of a call of its own: on the CPU bit for bit.

    Raises:
        SynthesisError: The runtime failed.
    """
    return split_outputs(calls[0].run(engine, stack_inputs(calls)), len(calls))


def stack_inputs(calls: Sequence[NetworkCall]) -> dict[str, Array]:
    """Return the inputs of all calls, row by row."""
    return {name: _stacked([call.inputs[name] for call in calls]) for name in calls[0].inputs}


def _stacked(parts: Sequence[Any]) -> Any:
    resident = next((part for part in parts if is_resident(part)), None)
    return np.concatenate(parts) if resident is None else resident.joined(parts)


def split_outputs(outputs: Mapping[str, Array], n_rows: int) -> list[dict[str, Array]]:
    """Return the outputs of each row, batch 1; they are views, so what is to be kept must be `owned`."""
    return [{name: _row(array, row) for name, array in outputs.items()} for row in range(n_rows)]


def _row(array: Any, row: int) -> Any:
    return array.row(row) if is_resident(array) else array[row : row + 1]


def as_input(array: Any) -> Any:
    """Return an array as runtimes want it, contiguous; what is resident as it is."""
    return array if is_resident(array) else np.ascontiguousarray(array)


def owned(array: FloatArray) -> FloatArray:
    """Return the array, copied if it is a view: a stream that rests must not hold the rows of its company."""
    return array if is_resident(array) or array.base is None else array.copy()


def as_state(output: Array) -> FloatArray:
    """Return what a network gave as its state, as float32; what is resident stays as it is."""
    return cast("FloatArray", output) if is_resident(output) else np.asarray(output, np.float32)
