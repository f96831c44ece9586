"""benchmarks/full_width.py makes a checkpoint that reads like a published one and speaks at a human pace."""

from __future__ import annotations

from pathlib import Path

import torch

from benchmarks.full_width import TOKEN_FRAMES, main
from training.checkpoints import load_acoustic, load_vocoder
from training.sources import find_sources


def test_the_checkpoint_is_of_published_size_and_pace(tmp_path: Path):
    main([str(tmp_path / "full_width")])
    (source,) = find_sources(tmp_path / "full_width", tmp_path)
    acoustic, generator = load_acoustic(source), load_vocoder(source)
    for network, millions in ((acoustic.network, 12.7), (generator, 4.9)):
        assert round(sum(value.numel() for value in network.state_dict().values()) / 1e6, 1) == millions
    condition = torch.randn(1, 12, acoustic.network.config.variance_units)
    durations = acoustic.network.variance_adaptor.duration_predictor.infer(condition)
    assert abs(torch.expm1(durations).mean() - TOKEN_FRAMES) < 1.0
