from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.cache import Row, check_pair, main, parse_arguments, report, summarise
from benchmarks.machine import describe_machine
from benchmarks.sentences import MAX_REPETITIONS
from benchmarks.wire import Reception


def reception(ttfc_ms: float, cached: bool, level: float = 0.5) -> Reception:
    samples = np.full(1600, level, dtype=np.float32)
    receipt = {"cached": cached, "ttfc_ms": ttfc_ms / 2}
    return Reception(samples, 16_000, ((ttfc_ms, 1600),), receipt)


def row() -> Row:
    misses = [reception(ttfc_ms, cached=False) for ttfc_ms in (10.0, 20.0, 60.0)]
    return summarise(20, misses, [reception(ttfc_ms, cached=True) for ttfc_ms in (1.0, 2.0, 3.0)])


def test_a_row_holds_percentiles_and_the_ratio_of_medians() -> None:
    assert (row().miss_p50_ms, row().hit_p50_ms, row().ratio) == (20.0, 2.0, 10.0)
    assert (row().hit_p99_ms, row().hit_server_p50_ms) == (2.98, 1.0)
    assert (row().repetitions, row().audio_s) == (3, 0.1)


@pytest.mark.parametrize(
    ("miss", "hit"), [(True, True), (False, False)], ids=["never computed", "never cached"]
)
def test_what_is_not_a_miss_and_a_hit_is_not_measured(miss: bool, hit: bool) -> None:
    with pytest.raises(RuntimeError, match="is the cache on"):
        check_pair("text", reception(1.0, miss), reception(1.0, hit))


def test_a_cached_answer_with_other_samples_is_an_error() -> None:
    check_pair("text", reception(9.0, cached=False), reception(1.0, cached=True))
    with pytest.raises(RuntimeError, match="other samples"):
        check_pair("text", reception(9.0, cached=False), reception(1.0, cached=True, level=0.4))


def test_the_last_line_is_json_with_rows_machine_and_config() -> None:
    config = {"command": "c", "voice": "v", "sample_rate": 16000, "repetitions": 3, "server_flags": ""}
    lines = report([row()], describe_machine(("numpy",)), config).splitlines()
    result = json.loads(lines[-1])
    assert {"phones", "miss_p50_ms", "hit_p50_ms", "hit_server_p99_ms", "ratio"} <= set(result["rows"][0])
    assert {"cpu", "cores", "versions", "commit", "config"} <= set(result)
    table = [line for line in lines if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1


@pytest.mark.parametrize("repetitions", ["0", str(MAX_REPETITIONS + 1)])
def test_more_repetitions_than_distinct_texts_are_refused(repetitions: str, capsys) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["--repetitions", repetitions])
    assert f"allowed: 1 to {MAX_REPETITIONS}" in capsys.readouterr().err


def test_without_a_voice_it_says_so(tmp_path) -> None:
    with pytest.raises(SystemExit, match="no voice in"):
        main(["--voices", str(tmp_path)])
