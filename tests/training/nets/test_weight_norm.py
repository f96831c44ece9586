from __future__ import annotations

import pytest
import torch

from tests.training.nets.small import largest_difference
from training.nets.weight_norm import WeightNormConv1d, WeightNormConv2d, WeightNormConvTranspose1d


def test_the_weight_is_length_times_direction_per_output_channel() -> None:
    conv = WeightNormConv1d(3, 4, 5)
    with torch.no_grad():
        conv.weight_g.copy_(torch.arange(1.0, 5.0).reshape(4, 1, 1))
    lengths = conv.normed_weight().flatten(1).norm(dim=1)
    torch.testing.assert_close(lengths, torch.arange(1.0, 5.0))


def test_a_transposed_convolution_is_normalised_per_input_channel() -> None:
    assert WeightNormConvTranspose1d(3, 4, 6, 2).weight_g.shape == (3, 1, 1)


@pytest.mark.parametrize(
    ("conv", "shape"),
    [
        (WeightNormConv1d(3, 4, 5, dilation=2), (1, 3, 20)),
        (WeightNormConv2d(3, 4, (5, 1), (3, 1), (2, 0)), (1, 3, 20, 2)),
        (WeightNormConvTranspose1d(3, 4, 6, 2, 1), (1, 3, 20)),
    ],
)
def test_fusing_keeps_the_output(
    conv: WeightNormConv1d | WeightNormConv2d | WeightNormConvTranspose1d, shape: tuple[int, ...]
) -> None:
    x = torch.randn(shape)
    with torch.no_grad():
        before = conv(x)
        assert set(conv.state_dict()) == {"bias", "weight_g", "weight_v"}
        conv.fuse()
        conv.fuse()
        assert set(conv.state_dict()) == {"bias", "weight"}
        assert largest_difference(conv(x), before) <= 1e-6


def test_an_output_size_is_refused() -> None:
    with pytest.raises(ValueError, match="output_size"):
        WeightNormConvTranspose1d(3, 4, 6, 2)(torch.zeros(1, 3, 5), [10])
