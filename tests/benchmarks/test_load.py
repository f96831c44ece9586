from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks.load import report, split_cores, summary
from benchmarks.machine import Machine

MACHINE = Machine("a processor", 2, 0.1, "Linux", "3.11", {"zhiyin": "0.1.0"}, "abc")
NONE = {"p50": None, "p99": None}


def level(ttfc_ms: float | None = 20.0) -> dict[str, Any]:
    latency = dict.fromkeys(("audible_ttfc_ms", "cached_ttfc_ms"), NONE)
    return {
        "load": 40.0,
        "trustworthy": True,
        "figures": {
            "latency": {**latency, "ttfc_ms": {"p50": ttfc_ms, "p99": ttfc_ms}},
            "counts": {"sent": 9, "ok": 8, "refused": 1, "error": 0},
            "continuity": {"c100": None if ttfc_ms is None else 0.995},
            "flow": {"streams": 38.0},
            "refusals": {"answered_ms": NONE},
            "speed": {"mean": 0.02},
        },
    }


LOAD = {"loop_lag": {"p99_ms": 2.0}, "busy_cores": 0.5, "peak_memory_mb": 300.0}


def test_all_cores_but_one_are_the_servers() -> None:
    assert split_cores([0, 1, 2, 3], None) == ([0, 1, 2], [3])
    assert split_cores([0, 1, 2, 3], 2) == ([0, 1], [2, 3])


@pytest.mark.parametrize(("cores", "n_server"), [([0], None), ([0, 1], 2), ([0, 1], 0)])
def test_server_and_generator_need_a_core_each(cores: list[int], n_server: int | None) -> None:
    with pytest.raises(SystemExit, match="one each"):
        split_cores(cores, n_server)


def test_the_report_ends_with_one_line_of_json() -> None:
    rows = [summary("75%", level(), LOAD), summary("nothing", level(None), LOAD)]
    result = {
        "capacity": 60.0,
        "rtf": 0.02,
        "server_cores": 1,
        "overload_memory_mb": [300.0, 310.0],
        "rows": rows,
    }
    lines = report(result, MACHINE, "python -m benchmarks.load").splitlines()
    assert "compute bound 50.0 (RTF 0.0200), ratio 1.20" in "\n".join(lines)
    assert "| 75% | 40 | 8 | 1 | 0 | 20.0 | 20.0 | - | 99.5 % | 2.0 | 0.50 | 300 |" in lines
    assert "| nothing | 40 | 8 | 1 | 0 | - | - | - | - | 2.0 | 0.50 | 300 |" in lines
    assert "300, 310 MB" in "\n".join(lines)
    assert json.loads(lines[-1])["capacity"] == 60.0
