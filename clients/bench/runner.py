"""Run everything that was asked for: calibrate, then each level on each target in turn.

Input   Options
Output  Report
State   the connections to the targets, the planner, what was measured so far
It does not know the command line, or what a report looks like.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from clients.bench.adapters.adapter import Adapter, UnreachableError
from clients.bench.calibration import Calibration, calibrate, lengths
from clients.bench.capacity import CapacitySearch, passes
from clients.bench.caveats import caveats_of
from clients.bench.figures import figures_of
from clients.bench.generator import judge
from clients.bench.level import LevelRun, LevelRunner, LevelSetup
from clients.bench.machine import describe_machine
from clients.bench.options import Load, Options
from clients.bench.plan import LevelPlan, Planner
from clients.bench.progress import Progress
from clients.bench.record import Record
from clients.bench.report import CapacityReport, LevelReport, Report, RunReport, TargetReport
from clients.bench.tally import Tally
from clients.bench.targets import Target, adapter_of
from clients.bench.texts import TextSet

DEFAULT_S_PER_CHAR = 0.22  # Mandarin at 4.5 characters per second, until the calibration knows better
MAX_CALIBRATION_TEXTS = 50


class BenchError(Exception):
    """The run cannot go on; the message says why."""


@dataclass(slots=True)
class Session:
    """A target under measurement."""

    target: Target
    adapter: Adapter
    server: str
    calibration: Calibration | None = None


class Runner:
    """One run. `stop` ends it early; what was measured until then is reported."""

    def __init__(
        self,
        options: Options,
        texts: TextSet,
        command: str,
        progress: Progress,
        clock: Callable[[], float],
    ) -> None:
        self.stop = asyncio.Event()
        self._options = options
        self._texts = texts
        self._command = command
        self._progress = progress
        self._clock = clock
        self._planner = Planner(options.seed, texts, options.mix)
        self._machine = describe_machine()
        self._date = datetime.now(UTC).isoformat(timespec="seconds")
        self._sessions: list[Session] = []
        self._levels: list[LevelReport] = []
        self._records: list[Record] = []
        self._capacities: list[CapacityReport] = []

    async def run(self) -> Report:
        """Do it.

        Raises:
            BenchError: A target cannot be measured.
        """
        async with AsyncExitStack() as stack:
            for target in self._options.targets:
                self._sessions.append(await self._open(target, stack))
            await self._calibrate()
            # What exists by now stays; walking through it again and again would only delay arrivals.
            gc.collect()
            gc.freeze()
            stack.callback(gc.unfreeze)
            if self._options.search is not None:
                await self._find_capacity()
            else:
                await self._sweep()
        return self._report()

    async def _open(self, target: Target, stack: AsyncExitStack) -> Session:
        options = self._options
        adapter = adapter_of(target, options.voice, options.timeout_s, options.multiplex, self._clock)
        stack.push_async_callback(adapter.close)
        try:
            info = await adapter.open()
        except UnreachableError as error:
            raise BenchError(f"cannot measure {target.public_url}: {error}") from error
        return Session(target, adapter, info.version)

    async def _calibrate(self) -> None:
        """Speak each text once, unloaded, on each target."""
        n_texts = self._options.n_calibration
        if n_texts is None:
            n_texts = min(len(self._texts.templates), MAX_CALIBRATION_TEXTS)
        if n_texts == 0:
            return
        plan = self._planner.idle_level()
        for session in self._sessions:
            name, tally = session.target.name, Tally()
            setup = self._setup(session, 0.0)
            label = f"{name}, idle, {n_texts} texts"
            run = await self._shown(
                label, tally, calibrate(name, session.adapter, plan, n_texts, setup, tally)
            )
            self._keep(run, Load("clients", 1), "idle", None)
            session.calibration = lengths(run.records)
            if session.calibration is None and not self.stop.is_set():
                codes = ", ".join(sorted({record.code or record.outcome for record in run.records}))
                raise BenchError(f"{session.target.public_url} speaks none of the texts: {codes}")

    async def _sweep(self) -> None:
        for load in self._options.loads:
            if self.stop.is_set():
                return  # maybe before the calibration that the plan needs
            plan = self._plan(load)
            for session in self._sessions:
                if self.stop.is_set():
                    return
                await self._level(session, load, plan, "level", self._options.duration_s)

    async def _find_capacity(self) -> None:
        """Search on all targets, one probe of each in turn."""
        asked = self._options.search
        assert asked is not None
        searches = [CapacitySearch(asked.start, asked.resolution, asked.most) for _ in self._sessions]
        while any(search.next_load is not None for search in searches):
            for session, search in zip(self._sessions, searches, strict=True):
                if self.stop.is_set():
                    return
                if search.next_load is None:
                    continue
                load = Load("streams", search.next_load)
                plan = self._plan(load)
                assert plan.rate_per_s is not None
                duration_s = max(self._options.duration_s, asked.min_utterances / plan.rate_per_s)
                level = await self._level(session, load, plan, search.phase, duration_s)
                if not level.interrupted:
                    search.note(bool(level.passed))
        for session, search in zip(self._sessions, searches, strict=True):
            found = CapacityReport(session.target.name, search.capacity, search.is_at_least)
            self._capacities.append(found)

    def _plan(self, load: Load) -> LevelPlan:
        if load.kind == "clients":
            return self._planner.level()
        return self._planner.level(load.value / (self._mean_audio_s() if load.kind == "streams" else 1.0))

    def _mean_audio_s(self) -> float:
        """Return the mean on the first target: every target gets the same arrivals."""
        calibration = self._sessions[0].calibration
        assert calibration is not None, "loads in streams need a calibration"
        return calibration.mean_audio_s

    async def _level(
        self, session: Session, load: Load, plan: LevelPlan, purpose: str, duration_s: float
    ) -> LevelReport:
        tally = Tally()
        name = session.target.name
        runner = LevelRunner(name, session.adapter, plan, self._setup(session, duration_s), tally)
        if load.kind == "clients":
            work = runner.closed_loop(round(load.value), self._options.warm_up_s)
        elif session.calibration is not None and plan.rate_per_s is not None:
            work = runner.open_loop(plan.rate_per_s * session.calibration.mean_audio_s)
        else:
            work = runner.open_loop(load.value)
        run = await self._shown(f"{name}, {load}", tally, work)
        if len(self._sessions) > 1:
            await session.adapter.cool()
        report = self._keep(run, load, purpose, plan.rate_per_s)
        verdict = "" if report.passed is None else ", passed" if report.passed else ", failed"
        self._progress.say(f"{name}, {load}{verdict}: {tally.line()}")
        return report

    def _setup(self, session: Session, duration_s: float) -> LevelSetup:
        options, calibration = self._options, session.calibration
        return LevelSetup(
            warm_up_s=options.warm_up_s,
            duration_s=duration_s,
            timeout_s=options.timeout_s,
            slow_factor=options.slow_factor,
            s_per_char=calibration.s_per_char if calibration else DEFAULT_S_PER_CHAR,
            clock=self._clock,
            stop=self.stop,
        )

    async def _shown(self, label: str, tally: Tally, work: Coroutine[Any, Any, LevelRun]) -> LevelRun:
        showing = asyncio.create_task(self._progress.show(label, tally))
        try:
            return await work
        finally:
            showing.cancel()
            await asyncio.wait([showing])

    def _keep(self, run: LevelRun, load: Load, purpose: str, rate_per_s: float | None) -> LevelReport:
        limit_ms = self._options.ttfc_limit_ms
        figures = figures_of(run, limit_ms)
        late_ms = [late_ms for record in run.records if (late_ms := record.late_ms) is not None]
        connects_ms = [record.connect_ms for record in run.records if record.connect_ms > 0]
        p99_ms = figures.latency.ttfc_ms.p99
        generator = judge(late_ms, run.lags_ms, connects_ms, run.cpu_share, p99_ms)
        is_probe = purpose not in ("idle", "level")
        report = LevelReport(
            target=run.target,
            level=run.level,
            purpose=purpose,
            load_kind=load.kind,
            load=load.value,
            rate_per_s=rate_per_s,
            passed=passes(figures, limit_ms) if is_probe and not run.is_interrupted else None,
            trustworthy=not generator.warnings,
            interrupted=run.is_interrupted,
            generator=generator,
            figures=figures,
        )
        self._levels.append(report)
        self._records.extend(run.records)
        return report

    def _report(self) -> Report:
        options = self._options
        calibration = self._sessions[0].calibration
        report = Report(
            run=RunReport(
                date=self._date,
                command=self._command,
                seed=options.seed,
                texts=self._texts.name,
                n_distinct_texts=self._texts.n_distinct,
                mean_audio_s=calibration.mean_audio_s if calibration else None,
                mix=options.mix,
                duration_s=options.duration_s,
                warm_up_s=options.warm_up_s,
                timeout_s=options.timeout_s,
                ttfc_limit_ms=options.ttfc_limit_ms,
                multiplex=options.multiplex,
                machine=self._machine,
            ),
            targets=tuple(
                TargetReport(s.target.name, s.target.kind, s.target.public_url, s.server)
                for s in self._sessions
            ),
            levels=tuple(self._levels),
            capacities=tuple(self._capacities),
            warnings=(),
            interrupted=self.stop.is_set(),
            records=tuple(self._records),
        )
        return replace(report, warnings=caveats_of(report))
