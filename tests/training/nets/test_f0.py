from __future__ import annotations

import torch

from training.nets.f0 import F0Normalisation


def test_f0_is_floored_and_never_gated_and_voicing_is_binary() -> None:
    frames = torch.tensor([[5.0, -4.0, 0.6], [6.0, 0.5, 0.59], [7.0, 0.0, 2.0]])
    prepared = F0Normalisation(offset_hz=190.0, scale_hz=50.0).vocoder_input(frames)
    assert prepared.tolist() == [[5.0, 30.0, 1.0], [6.0, 215.0, 0.0], [7.0, 190.0, 1.0]]
