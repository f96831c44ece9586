from __future__ import annotations

import pytest
import torch

from tests.training.nets.small import largest_difference, small_config
from training.nets.duration_loop import DurationLoop
from training.nets.variance import DurationPredictor


@torch.no_grad()
@pytest.mark.parametrize("n_tokens", [1, 2, 17])
def test_the_loop_equals_the_predictor(n_tokens: int) -> None:
    predictor = DurationPredictor(small_config()).eval()
    condition = torch.randn(3, n_tokens, small_config().variance_units)
    assert largest_difference(DurationLoop(predictor)(condition), predictor.infer(condition)) <= 1e-6


@torch.no_grad()
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_the_compiled_loop_equals_the_plain_one() -> None:
    loop = DurationLoop(DurationPredictor(small_config()).eval())
    condition = torch.randn(2, 9, small_config().variance_units)
    plain = loop(condition)
    loop.script()
    assert largest_difference(loop(condition), plain) <= 1e-6


def test_another_prenet_depth_is_refused() -> None:
    with pytest.raises(ValueError, match="has 3 layers, expected 2"):
        DurationLoop(DurationPredictor(small_config(dur_pred_prenet_units=(8, 8, 8))))
