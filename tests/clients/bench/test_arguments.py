from __future__ import annotations

from pathlib import Path

import pytest

from clients.bench.arguments import parse, public_command
from clients.bench.options import Load


def test_without_arguments_there_is_a_sensible_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZHIYIN_URL", "ws://elsewhere:1/v1/stream")
    monkeypatch.setenv("ZHIYIN_TOKEN", "t")
    options = parse([])
    assert options.targets[0].url == "ws://elsewhere:1/v1/stream"
    assert options.voice.token == "t"
    assert [load.value for load in options.loads] == [1, 2, 4, 8]


def test_loads_are_lists() -> None:
    assert parse(["--rate", "2,4.5"]).loads == (Load("rate", 2.0), Load("rate", 4.5))
    assert parse(["--clients", "3"]).loads == (Load("clients", 3.0),)
    assert parse(["--find-capacity"]).loads == ()
    assert parse(["--find-capacity"]).search is not None
    assert parse(["--png", "a.png"]).outputs.png == Path("a.png")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--streams", "1", "--rate", "2"], "not allowed with"),
        (["--streams", "0"], "positive numbers"),
        (["--streams", "many"], "positive numbers"),
        (["--clients", "1.5"], "whole numbers"),
        (["--target", "openai=http://h/", "--trickle", "9"], "takes the whole text at once"),
        (["--abort", "0.1", "--multiplex", "4"], "take the others on it along"),
        (["--streams", "1", "--calibration", "0"], "need the calibration"),
        (["--rate", "1", "--think", "2"], "--think is for the users of --clients"),
        (["--barge-in", "1.5"], "'1.5' is not a share from 0 to 1"),
        (["--duration", "0"], "'0' is not a number above 0"),
        (["--target", "nonsense"], "is no URL of a native target"),
        (["--tok", "secret"], "unrecognized arguments"),
    ],
)
def test_what_makes_no_sense_has_status_2_and_a_reason(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(arguments)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


def test_the_command_is_shown_without_secrets() -> None:
    arguments = [
        "--token",
        "s1",
        "--token=s2",
        "--target",
        "a:native=ws://u:s3@h:1/v1/stream?token=s4",
        "--seed",
        "5",
    ]
    shown = public_command(arguments)
    assert not any(secret in shown for secret in ("s1", "s2", "s3", "s4"))
    assert shown.startswith("zhiyin bench --token ...")
    assert shown.endswith("--target a:native=ws://h:1/v1/stream --seed 5") or "h:1/v1/stream" in shown
