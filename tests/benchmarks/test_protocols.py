from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.http_timer import MissingError
from benchmarks.machine import describe_machine
from benchmarks.protocols import (
    LEAST_ROUNDS,
    MAX_REPETITIONS,
    Round,
    Way,
    arrival_ms,
    main,
    measure,
    parse_arguments,
    report,
    summarise,
)
from benchmarks.wire import Reception
from streaming.audio.formats import Codec

TEXTS = [f"text {number}" for number in range(6)]


def native(ttfc_ms: float = 10.0) -> Reception:
    """40 ms of audio, and 5 ms later 100 ms more."""
    frames = ((ttfc_ms, 960), (ttfc_ms + 5.0, 2400))
    return Reception(np.zeros(3360, dtype=np.float32), 24000, frames, {})


class Speaker:
    """Notes what it is asked to say."""

    def __init__(self, name: str, log: list[tuple[str, str]], error: Exception | None = None) -> None:
        self.name, self.log, self.error = name, log, error

    async def speak(self, text: str) -> float:
        self.log.append((self.name, text))
        if self.error is not None:
            raise self.error
        return 12.0

    async def native(self, text: str) -> Reception:
        self.log.append((self.name, text))
        return native()


def way(name: str, codec: Codec = Codec.PCM_S16LE, speaker: Speaker | None = None) -> Way:
    return Way(name, codec, 24000, "", (speaker or Speaker(name, [])).speak)


async def test_every_text_is_spoken_in_every_way_in_changing_order() -> None:
    log: list[tuple[str, str]] = []
    ways = [way(name, speaker=Speaker(name, log)) for name in "ab"]
    rounds = await measure(Speaker("native", log).native, ways, TEXTS, {})
    assert [round_.ttfc_ms for round_ in rounds] == [{"a": 12.0, "b": 12.0}] * len(TEXTS)
    orders = [tuple(name for name, said in log if said == text) for text in TEXTS]
    assert {tuple(sorted(order)) for order in orders} == {("a", "b", "native")}
    assert len(set(orders)) > 1
    assert [said for _, said in log] == [text for text in TEXTS for _ in range(3)]


async def test_what_is_missing_is_asked_for_once_and_has_no_row() -> None:
    log: list[tuple[str, str]] = []
    skipped: dict[str, str] = {}
    ways = [way("gone", speaker=Speaker("gone", log, MissingError("answers 404"))), way("there")]
    rounds = await measure(Speaker("native", log).native, ways, TEXTS, skipped)
    assert skipped == {"gone": "answers 404"}
    assert sum(name == "gone" for name, _ in log) == 1
    assert [row.name for row in summarise(ways, rounds, skipped)] == ["native pcm", "there"]


def test_audio_has_arrived_when_its_last_frame_has() -> None:
    assert [arrival_ms(native(), audio_ms) for audio_ms in (0, 40, 41, 140, 999)] == [10, 10, 15, 15, 15]


def test_overhead_is_that_of_the_same_round_with_and_without_framing() -> None:
    rounds = [Round(native(ttfc), {"mp3": ttfc + 7.0}) for ttfc in (10.0, 50.0, 20.0)]
    base, row = summarise([way("mp3", Codec.MP3)], rounds, {})
    assert (base.ttfc_p50_ms, base.overhead_ms, base.framing_ms) == (20.0, 0.0, 0)
    assert (row.ttfc_p50_ms, row.overhead_ms) == (27.0, 7.0)
    assert 40 < row.framing_ms < 140
    assert (row.framing_wait_ms, row.beyond_framing_ms) == (5.0, 2.0)


def test_the_last_line_is_json_with_rows_machine_and_config() -> None:
    rows = summarise([way("a")], [Round(native(), {"a": 11.0})], {})
    config = {
        "command": "c",
        "voice": "v",
        "sample_rate": 16000,
        "rounds": 1,
        "phones": 60,
        "server_flags": "",
    }
    lines = report(rows, {"b": "answers 404"}, describe_machine(("numpy",)), config).splitlines()
    result = json.loads(lines[-1])
    assert [row["name"] for row in result["rows"]] == ["native pcm", "a"]
    assert result["skipped"] == {"b": "answers 404"}
    assert {"cpu", "cores", "versions", "commit", "config"} <= set(result)
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1
    assert "skipped   b: answers 404" in lines


@pytest.mark.parametrize("rounds", [LEAST_ROUNDS - 1, MAX_REPETITIONS + 1])
def test_too_few_rounds_say_nothing_and_too_many_repeat_texts(rounds: int, capsys) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["--rounds", str(rounds)])
    assert f"allowed: {LEAST_ROUNDS} to {MAX_REPETITIONS}" in capsys.readouterr().err


def test_without_a_voice_it_says_so(tmp_path) -> None:
    with pytest.raises(SystemExit, match="no voice in"):
        main(["--voices", str(tmp_path)])
