from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.machine import describe_machine
from benchmarks.sentences import MAX_REPETITIONS
from benchmarks.ttfc import Row, count_phones, parse_arguments, report, summarise
from benchmarks.wire import Reception
from streaming.types import Phonemes


def reception(ttfc_ms: float, rtf: float) -> Reception:
    frames = ((ttfc_ms, 800), (ttfc_ms + 60.0, 800))  # the second is 10 ms late at 16 kHz
    return Reception(np.full(1600, 0.5, dtype=np.float32), 16_000, frames, {"rtf": rtf})


def row() -> Row:
    wholes = [(2000.0, 1000.0), (3000.0, 1000.0), (4000.0, 1000.0)]
    return summarise(60, wholes, [reception(20.0, 0.05), reception(30.0, 0.06), reception(40.0, 0.07)])


def test_a_row_holds_medians_and_their_ratio() -> None:
    assert row().whole_ms == 3000.0
    assert row().ttfc_p50_ms == 30.0
    assert row().ttfc_p95_ms == pytest.approx(39.0)
    assert row().ratio == 100.0
    assert row().rtf == 0.06
    assert row().whole_rtf == 3.0


def test_underruns_of_all_repetitions_are_added_up() -> None:
    assert row().underruns == 3
    assert row().underrun_ms == pytest.approx(30.0)


def test_the_last_line_is_json_with_rows_machine_and_config() -> None:
    config = {"command": "c", "voice": "v", "sample_rate": 16000, "repetitions": 3, "server_flags": ""}
    lines = report([row()], describe_machine(("numpy",)), config).splitlines()
    result = json.loads(lines[-1])
    assert {"phones", "whole_ms", "ttfc_p50_ms", "ttfc_p95_ms", "rtf", "ratio"} <= set(result["rows"][0])
    assert {"cpu", "cores", "versions", "commit", "config"} <= set(result)
    table = [line for line in lines if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1


def test_breaks_between_words_are_not_phones() -> None:
    tokens = ("n_c$tone3$s_begin$word_begin", "i_c$tone3$s_end$word_end", "#4$tone_none$s_none$word_none")
    assert count_phones(Phonemes(tokens, np.zeros((3, 4), dtype=np.int64))) == 2


@pytest.mark.parametrize("repetitions", ["0", str(MAX_REPETITIONS + 1)])
def test_more_repetitions_than_distinct_texts_are_refused(repetitions: str, capsys) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["--repetitions", repetitions])
    assert f"allowed: 1 to {MAX_REPETITIONS}" in capsys.readouterr().err
