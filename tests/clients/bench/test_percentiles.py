from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.bench.percentiles import SHARES, distribution


def test_the_percentile_is_a_sample_by_nearest_rank() -> None:
    found = distribution(float(n) for n in range(1, 101))
    assert (found.p50, found.p90, found.p95, found.p99, found.p999, found.max) == (50, 90, 95, 99, 100, 100)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300))
def test_the_share_of_samples_up_to_a_percentile_is_at_least_what_it_says(samples: list[float]) -> None:
    found = distribution(samples)
    for name, share in SHARES.items():
        value = getattr(found, name)
        assert value in samples
        assert sum(sample <= value for sample in samples) >= share * len(samples) - 1e-6


@pytest.mark.parametrize(
    ("n", "unsure"),
    [
        (1, ("p50", "p90", "p95", "p99", "p999")),
        (20, ("p99", "p999")),
        (99, ("p99", "p999")),
        (100, ("p999",)),
        (999, ("p999",)),
        (1000, ()),
    ],
)
def test_percentiles_of_too_few_samples_are_marked(n: int, unsure: tuple[str, ...]) -> None:
    assert distribution([1.0] * n).unsure == unsure


def test_nothing_is_none_and_none_is_no_sample() -> None:
    assert distribution([None]).p50 is None
    assert distribution([None, 3.0]).n == 1
