"""What a reader of the figures has to be warned of.

Input   a Report
Output  sentences, for the table, the JSON and the page
State   none
"""

from __future__ import annotations

from clients.bench.options import Load
from clients.bench.report import LevelReport, Report

MAX_UNPLANNED_CACHED = 0.02  # of the texts that repeat none of this run


def caveats_of(report: Report) -> tuple[str, ...]:
    """Return the warnings of a run."""
    return (*_of_the_generator(report), *_of_the_cache(report), *_of_the_texts(report))


def _of_the_generator(report: Report) -> list[str]:
    return [
        f"do not trust {level_name(level)}: {warning}"
        for level in report.levels
        for warning in level.generator.warnings
    ]


def _of_the_cache(report: Report) -> list[str]:
    found = []
    hosts = [target.url.partition("://")[2].partition("/")[0] for target in report.targets]
    if len(set(hosts)) < len(hosts):
        found.append(
            "two targets are one host: they are sent the same texts, so a cache there answers the second "
            "from the first; turn it off (zhiyin serve: cache.memory_mb 0)"
        )
    fresh = [record for record in report.records if record.receipt is not None and not record.is_repeat]
    n_cached = sum(record.receipt is not None and record.receipt.cached for record in fresh)
    if n_cached > MAX_UNPLANNED_CACHED * len(fresh):
        found.append(
            f"{n_cached} of {len(fresh)} texts that were new here came from the server's cache, not from its "
            "networks: it has heard them before; take another --seed, or clear the cache"
        )
    return found


def _of_the_texts(report: Report) -> list[str]:
    numbers = {(record.level, record.number) for record in report.records if not record.is_repeat}
    if len(numbers) <= report.run.n_distinct_texts:
        return []
    return [
        f"{len(numbers)} utterances were made of {report.run.n_distinct_texts} distinct texts: "
        "some came back, and a cache may have answered"
    ]


def level_name(level: LevelReport) -> str:
    """Return how a level is called in sentences."""
    if level.purpose == "idle":
        return f"{level.target}, idle"
    return f"{level.target}, {Load(level.load_kind, level.load)}"
