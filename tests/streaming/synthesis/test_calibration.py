from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from streaming.synthesis import calibration
from streaming.synthesis.calibration import MAX_ROWS, rows_that_pay
from streaming.synthesis.engine import Array, NetworkName
from streaming.synthesis.steps import NetworkCall


class Timed:
    """Networks whose calls take as long as we say, on a clock of their own."""

    name = "timed"

    def __init__(self, call_s: Callable[[str, int], float]) -> None:
        self.now_s = 0.0
        self._call_s = call_s

    def run(self, network: NetworkName, inputs: Mapping[str, Array]) -> dict[str, Array]:
        self.now_s += self._call_s(network, inputs["x"].shape[0])
        return {}


X = {"x": np.zeros((1, 2), np.float32)}


def rows(call_s: Callable[[int], float], stackable: bool = True) -> int:
    engine = Timed(lambda _, n: call_s(n))
    call = NetworkCall("decoder", X, "decoder_ms", stackable)
    return rows_that_pay(engine, [call], clock=lambda: engine.now_s).get("decoder", 1)


@pytest.mark.parametrize(
    ("call_ms", "expected"),
    [
        (lambda n: 1.0 * n, 1),  # all work, as a vocoder: company gains nothing
        (lambda n: 0.97 * n + 0.03, 1),  # too little to wait for
        (lambda n: 1.0 + 0.01 * n, MAX_ROWS),  # all weights, as on a GPU
        (lambda n: 0.07 + 0.03 * n, 16),  # from 16 to 32 rows: 6 %
        (lambda n: 1.0 if n <= 4 else 1.0 * n, 4),
    ],
)
def test_rows_are_doubled_for_as_long_as_that_pays(
    call_ms: Callable[[int], float], expected: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(calibration, "CALL_S", 0.0)
    assert rows(lambda n: 1e-3 * call_ms(n)) == expected


def test_company_saves_what_calls_cost_beside_their_networks():
    assert rows(lambda n: 100e-6 * n) == 16  # as short as a compiled decoder step


@pytest.mark.parametrize(("alone_ms", "expected"), [(0.5, 8), (2.0, 2), (40.0, 1)])
def test_nobody_waits_longer_for_company_than_for_a_call_anyway(alone_ms: float, expected: int):
    assert rows(lambda n: 1e-3 * alone_ms * (1.0 + 0.6 * (n - 1))) == expected


@pytest.mark.parametrize("stackable", [True, False])  # as a vocoder that looks ahead is not
def test_beside_a_network_that_takes_longer_there_is_more_time_for_company(stackable: bool):
    def call_s(network: str, n: int) -> float:
        return 0.040 * n if network == "vocoder" else 0.008 * (0.8 + 0.2 * n)

    engine = Timed(call_s)
    calls = [
        NetworkCall("decoder", X, "decoder_ms", stackable=True),
        NetworkCall("vocoder", X, "vocoder_ms", stackable=stackable),
    ]
    assert rows_that_pay(engine, calls, clock=lambda: engine.now_s) == {"decoder": 16}


def test_a_network_that_takes_no_rows_is_not_asked():
    assert rows(lambda n: 1e-3, stackable=False) == 1


def test_a_disturbed_measurement_does_not_count():
    calls = 0

    def noisy(n: int) -> float:
        nonlocal calls
        calls += 1
        return 1e-3 * (1.0 + 0.05 * n) * (20.0 if calls % 3 == 0 else 1.0)

    assert rows(noisy) == rows(lambda n: 1e-3 * (1.0 + 0.05 * n))
