from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from training import runs
from training.runs import TrainingRun, WeightAverage, saved_weights


def linear(seed: int) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(3, 2)


def step(net: nn.Linear, optimiser: torch.optim.Optimizer) -> None:
    optimiser.zero_grad()
    net(torch.ones(1, 3)).sum().backward()
    optimiser.step()


def test_a_fresh_folder_starts_at_step_zero_and_changes_nothing(tmp_path: Path) -> None:
    net = linear(0)
    assert TrainingRun(tmp_path / "new" / "run").resume({"net": net}) == 0
    assert torch.equal(net.weight, linear(0).weight)


def test_a_resumed_run_goes_on_as_if_never_stopped(tmp_path: Path) -> None:
    def parts(net: nn.Linear) -> dict[str, Any]:
        return {"net": net, "optimiser": torch.optim.Adam(net.parameters()), "average": WeightAverage(net)}

    first, second = parts(linear(0)), parts(linear(1))
    step(first["net"], first["optimiser"])
    TrainingRun(tmp_path).save(first, 7)
    assert TrainingRun(tmp_path).resume(second) == 7
    assert torch.equal(second["average"].net.weight, linear(0).weight)
    for given in (first, second):
        step(given["net"], given["optimiser"])
    assert torch.equal(first["net"].weight, second["net"].weight)


def test_a_kill_during_the_save_leaves_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = TrainingRun(tmp_path)
    run.save({"net": linear(0)}, 1)
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"]

    def killed(_: object, path: Path) -> None:
        path.write_bytes(b"half a check")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        run.save({"net": linear(1)}, 2)
    net = linear(2)
    assert TrainingRun(tmp_path).resume({"net": net}) == 1
    assert torch.equal(net.weight, linear(0).weight)


def test_checkpoints_are_written_when_two_minutes_have_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(runs, "time", SimpleNamespace(monotonic=lambda: clock.now))
    run = TrainingRun(tmp_path)
    newest = []
    for number, clock.now in enumerate((1119.0, 1121.0, 1240.0, 1242.0), 1):
        run.save_if_due({}, number)
        newest.append(TrainingRun(tmp_path).resume({}))
    assert newest == [0, 2, 2, 4]


def test_the_log_holds_means_since_the_last_line(tmp_path: Path) -> None:
    run = TrainingRun(tmp_path)
    for loss in (1.0, 2.0, 6.0):
        run.add({"loss": loss})
    assert run.log(3, error_rate=0.5) == {"loss": 3.0, "error_rate": 0.5}
    run.add({"loss": 10.0})
    run.log(4)
    lines = (tmp_path / "log.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"step": 3, "loss": 3.0, "error_rate": 0.5},
        {"step": 4, "loss": 10.0},
    ]


def test_a_resumed_run_appends_to_the_log(tmp_path: Path) -> None:
    for number in (1, 2):
        run = TrainingRun(tmp_path)
        run.add({"loss": float(number)})
        run.log(number)
    assert len((tmp_path / "log.jsonl").read_text("utf-8").splitlines()) == 2


def test_values_logged_at_some_steps_only_are_plotted(tmp_path: Path) -> None:
    run = TrainingRun(tmp_path)
    run.add({"loss": 1.0})
    run.log(1)
    run.add({"loss": 0.5})
    run.log(2, validation=0.7)
    run.plot()
    assert (tmp_path / "losses.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("at_step", "decay"), [(1, 2 / 11), (90, 0.91), (10**6, 0.999)])
def test_the_average_moves_towards_the_weights_slower_with_time(at_step: int, decay: float) -> None:
    average, net = WeightAverage(linear(0)), linear(1)
    average.update(net, at_step)
    expected = decay * linear(0).weight + (1 - decay) * net.weight
    torch.testing.assert_close(average.net.weight, expected)


def test_the_average_is_not_trained_and_not_the_network(tmp_path: Path) -> None:
    net = linear(0)
    average = WeightAverage(net)
    assert not average.net.training
    assert not any(parameter.requires_grad for parameter in average.net.parameters())
    with torch.no_grad():
        net.weight.zero_()
    assert average.net.weight.any()


def test_one_networks_weights_are_read_from_a_state_file(tmp_path: Path) -> None:
    torch.save(
        {"acoustic": linear(0).state_dict(), "vocoder": {}, "statistics": {"f0_mean": 1.0}}, tmp_path / "a.pt"
    )
    net = linear(1)
    net.load_state_dict(saved_weights(tmp_path / "a.pt", "acoustic"))
    assert torch.equal(net.weight, linear(0).weight)
