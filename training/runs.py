"""What every training run keeps: checkpoints to resume from, averaged weights, a loss log and a plot of it.

Files in the run's folder: checkpoint.pt (weights, optimiser, step, random state), log.jsonl, losses.png.
"""

from __future__ import annotations

import copy
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, Generic, TypeVar

import matplotlib as mpl
import numpy as np
import torch
from torch import Tensor, nn

mpl.use("Agg")
from matplotlib import pyplot as plt

_CHECKPOINT_EVERY_S = 120.0  # what a killed run loses at most
_AVERAGE_DECAY = 0.999  # per step

Net = TypeVar("Net", bound=nn.Module)


class TrainingRun:
    """Checkpoints and logs of one network's training."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._log_path = folder / "log.jsonl"
        self._sums: dict[str, list[float]] = defaultdict(list)
        self._saved_at = time.monotonic()

    @property
    def checkpoint_path(self) -> Path:
        """Where the newest state lies."""
        return self.folder / "checkpoint.pt"

    def resume(self, parts: dict[str, Any]) -> int:
        """Load every part's state (anything with load_state_dict); return the step to go on from."""
        if not self.checkpoint_path.exists():
            return 0
        state = torch.load(self.checkpoint_path, map_location="cpu", weights_only=True)
        for name, part in parts.items():
            if name in state:
                part.load_state_dict(state[name])
        return int(state["step"])

    def save(self, parts: dict[str, Any], step: int) -> None:
        """Write the checkpoint; a kill during the write leaves the old one."""
        state = {name: part.state_dict() for name, part in parts.items()} | {"step": step}
        temporary = self.checkpoint_path.with_suffix(".tmp")
        torch.save(state, temporary)
        temporary.replace(self.checkpoint_path)
        self._saved_at = time.monotonic()

    def save_if_due(self, parts: dict[str, Any], step: int) -> None:
        """Write the checkpoint if the last one is old."""
        if time.monotonic() - self._saved_at > _CHECKPOINT_EVERY_S:
            self.save(parts, step)

    def add(self, losses: dict[str, float]) -> None:
        """Collect losses of one step."""
        for name, value in losses.items():
            self._sums[name].append(value)

    def log(self, step: int, **values: float) -> dict[str, float]:
        """Write the means since the last call, with `values`, as one line; return them."""
        row = {name: float(np.mean(items)) for name, items in self._sums.items()} | values
        self._sums.clear()
        with self._log_path.open("a", encoding="utf-8") as log:
            log.write(json.dumps({"step": step, **{k: round(v, 5) for k, v in row.items()}}) + "\n")
        return row

    def plot(self) -> None:
        """Draw all logged values over the steps."""
        rows = [json.loads(line) for line in self._log_path.read_text("utf-8").splitlines()]
        names = sorted({name for row in rows for name in row} - {"step"})
        figure, axes = plt.subplots(len(names), 1, figsize=(8, 2 * len(names)), squeeze=False, sharex=True)
        for axis, name in zip(axes[:, 0], names, strict=True):
            points = [(row["step"], row[name]) for row in rows if name in row]
            axis.plot(*zip(*points, strict=True))
            axis.set_ylabel(name)
            axis.grid(visible=True, alpha=0.3)
        figure.savefig(self.folder / "losses.png", dpi=80, bbox_inches="tight")
        plt.close(figure)


def saved_weights(path: Path, network: str) -> dict[str, Tensor]:
    """Read one network's weights, `acoustic` or `vocoder`, from a state file (training/export_voice.py)."""
    weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)[network]
    return weights


class WeightAverage(Generic[Net]):
    """Exponential moving average of a network's weights: what is validated and exported."""

    def __init__(self, net: Net) -> None:
        self.net = copy.deepcopy(net).eval().requires_grad_(requires_grad=False)

    @torch.no_grad()
    def update(self, net: Net, step: int) -> None:
        """Move towards the present weights; faster in the first steps, where they are worth little."""
        decay = min(_AVERAGE_DECAY, (1.0 + step) / (10.0 + step))
        for ours, theirs in zip(self.net.parameters(), net.parameters(), strict=True):
            ours.lerp_(theirs, 1.0 - decay)

    def state_dict(self) -> dict[str, Tensor]:
        """The averaged weights."""
        return self.net.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take over averaged weights."""
        self.net.load_state_dict(state)
