from __future__ import annotations

import numpy as np
import pytest

from benchmarks.quality import LIMITS, Spoken, judge, report, seam_db
from streaming.types import FloatArray

GOOD = {
    "duration_ms": 0.5,
    "log_mel_db": 0.1,
    "f0_rmse_cents": 1.0,
    "voicing_error": 0.0,
    "error_rate_change": 0.0,
    "pesq_wb": 4.5,
    "seam_db": 0.0,
}


def spoken(audio: FloatArray, *borders: int) -> Spoken:
    return Spoken(audio, borders, np.zeros(1, np.int64))


def limits() -> dict[str, float]:
    import yaml

    found: dict[str, float] = yaml.safe_load(LIMITS.read_text("utf-8"))
    return found


def test_the_limits_are_those_that_are_measured() -> None:
    assert limits().keys() == GOOD.keys()
    assert judge(GOOD, limits()) == []


@pytest.mark.parametrize(("name", "value"), [("log_mel_db", 9.0), ("pesq_wb", 1.1), ("f0_rmse_cents", 1e4)])
def test_each_limit_counts(name: str, value: float) -> None:
    (reason,) = judge({**GOOD, name: value}, limits())
    assert reason.startswith(f"{name} {value:g} (limit ")


def test_what_was_not_measured_does_not_pass() -> None:
    assert judge({**GOOD, "pesq_wb": None}, limits()) == ["pesq_wb not measured"]


def test_a_click_at_a_border_is_heard_and_one_elsewhere_is_not_a_seam() -> None:
    audio = np.sin(np.arange(16_000) * 0.05).astype(np.float32)
    smooth = seam_db([spoken(audio, 4000, 8000)], 16_000)
    clicks = audio.copy()
    clicks[8000] += 0.2
    assert seam_db([spoken(clicks, 4000, 8000)], 16_000) > smooth + 10.0
    assert seam_db([spoken(clicks, 4000, 12_000)], 16_000) < smooth


def test_the_report_says_why_a_rung_does_not_pass() -> None:
    rows = [
        {"name": "fp32", **GOOD, "fails": []},
        {"name": "int8", **GOOD, "pesq_wb": 2.0, "fails": ["pesq_wb 2 (limit 3.8)"]},
        {"name": "bf16", "reason": "not installed"},
    ]
    lines = report(rows, ["head"], {"rows": rows}).splitlines()
    assert lines[0] == "head"
    assert lines[4].endswith("| yes |")
    assert lines[5].endswith("| pesq_wb 2 (limit 3.8) |")
    assert lines[6] == "| bf16 | skipped: not installed |"
