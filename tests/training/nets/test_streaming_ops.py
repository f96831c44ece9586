from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv1d, conv_transpose1d, pad

from tests.training.nets.small import largest_difference
from training.nets.hifigan import SourceDown
from training.nets.packed_state import StateLayout, StateReader
from training.nets.streaming_ops import (
    Delay,
    Edges,
    StreamingConv,
    bias_of,
    depth_to_space,
    merge_upsampling,
)

TOLERANCE = 1e-5
KERNELS = [(10, 20), (5, 10), (5, 11), (2, 4), (8, 16), (3, 6), (3, 7), (7, 8)]


def blocks(op: StreamingConv | Delay, layout: StateLayout, x: Tensor, borders: list[int]) -> list[Tensor]:
    """What comes out, [B, C, T'] per block, of x [B, C, T] cut at `borders`."""
    state, out = layout.initial(x.size(0)), []
    for start, stop in pairwise(borders):
        reader = layout.unpack(state)
        edges = Edges.of(torch.tensor([start == 0, stop == x.size(2)]).long())
        out.append(op(x[:, :, start:stop].unsqueeze(2), reader, edges).squeeze(2))
        state = reader.pack()
    return out


@pytest.mark.parametrize("borders", [[0, 20], [0, 7, 8, 9, 20], [0, 19, 20], [0, 10, 20]])
def test_a_symmetric_convolution_cut_into_blocks_is_whole(borders: list[int]) -> None:
    x, weight, bias = torch.randn(2, 3, 20), torch.randn(4, 3, 5), torch.randn(4)
    layout = StateLayout()
    conv = StreamingConv(weight, bias, layout, dilation=3, padding=(6, 6))
    out = torch.cat(blocks(conv, layout, x, borders), dim=2)
    assert largest_difference(out, conv1d(x, weight, bias, padding=6, dilation=3)) <= TOLERANCE


def test_the_lag_is_missing_from_the_first_block_and_made_up_by_the_last() -> None:
    layout = StateLayout()
    conv = StreamingConv(torch.randn(1, 1, 7), torch.randn(1), layout, padding=(3, 3))
    widths = [block.size(2) for block in blocks(conv, layout, torch.randn(1, 1, 20), [0, 8, 9, 20])]
    assert conv.lag == 3
    assert widths == [5, 1, 14]


@pytest.mark.parametrize("stride", [2, 4, 20])
def test_a_strided_symmetric_convolution_lags_by_one_column(stride: int) -> None:
    down = SourceDown(3, stride, causal=False)
    x = torch.randn(1, 1, 6 * stride)
    layout = StateLayout()
    conv = StreamingConv(
        down.conv1d.normed_weight(), bias_of(down.conv1d), layout, stride=stride, padding=down.padding
    )
    out = torch.cat(blocks(conv, layout, x, [0, 2 * stride, 3 * stride, 6 * stride]), dim=2)
    assert conv.lag == 1
    assert largest_difference(out, down(x).detach()) <= TOLERANCE


def test_a_causal_convolution_does_not_look_at_the_edges() -> None:
    x, weight, bias = torch.randn(1, 3, 9), torch.randn(4, 3, 5), torch.randn(4)
    layout = StateLayout()
    conv = StreamingConv(weight, bias, layout)
    assert conv.lag == 0
    with_edges = torch.cat(blocks(conv, layout, x, [0, 4, 9]), dim=2)
    whole = conv(x.unsqueeze(2), layout.unpack(layout.initial())).squeeze(2)
    torch.testing.assert_close(with_edges, whole, atol=1e-6, rtol=0.0)


@pytest.mark.parametrize("n_columns", [1, 3, 5, 8])
def test_a_delay_gives_back_all_columns_in_order(n_columns: int) -> None:
    x = torch.arange(12.0).view(1, 2, 6)
    layout = StateLayout()
    out = blocks(Delay(2, n_columns, layout), layout, x, [0, 6])
    assert torch.equal(out[0], x)


def test_no_delay_needs_no_state() -> None:
    x, layout = torch.randn(1, 2, 1, 6), StateLayout()
    assert Delay(2, 0, layout)(x, StateReader([], [])) is x
    assert layout.size == 0


def test_a_delay_holds_columns_back_until_the_last_block() -> None:
    x = torch.arange(20.0).view(1, 2, 10)
    layout = StateLayout()
    out = blocks(Delay(2, 3, layout), layout, x, [0, 5, 6, 8, 10])
    assert [block.size(2) for block in out] == [2, 1, 2, 5]
    assert torch.equal(torch.cat(out, dim=2), x)


def test_a_negative_delay_is_refused() -> None:
    with pytest.raises(ValueError, match="a delay of -1 columns is impossible; allowed are 0 and more"):
        Delay(2, -1, StateLayout())


@pytest.mark.parametrize(("scale", "kernel"), KERNELS)
@pytest.mark.parametrize("causal", [True, False])
def test_the_merged_kernel_equals_both_branches(scale: int, kernel: int, causal: bool) -> None:
    transpose, repeat = torch.randn(4, 3, kernel), torch.randn(3, 4, 7)
    x = torch.randn(2, 4, 9)
    left, crop = (6, 0) if causal else (3, (kernel - scale) // 2)
    repeated = conv1d(pad(x.repeat_interleave(scale, dim=2), (left, 6 - left)), repeat)
    transposed = conv_transpose1d(x, transpose, stride=scale, padding=crop)[:, :, : 9 * scale]
    merged, ahead = merge_upsampling(transpose, repeat, scale, left=left, crop=crop)
    low = conv1d(pad(x, (merged.size(2) - 1 - ahead, ahead)), merged)
    merged_branches = depth_to_space(low.unsqueeze(2), scale).squeeze(2)
    assert largest_difference(merged_branches, repeated + transposed) <= 1e-4


@pytest.mark.parametrize(
    ("causal", "kernels", "taps"),
    [
        (True, (20, 10, 4, 4), [(2, 0), (3, 0), (4, 0), (4, 0)]),
        (False, (20, 11, 4, 4), [(3, 1), (3, 1), (5, 2), (5, 2)]),
    ],
)
def test_the_merged_kernels_have_no_tap_too_many(
    causal: bool, kernels: tuple[int, ...], taps: list[tuple[int, int]]
) -> None:
    found = []
    for scale, kernel in zip((10, 5, 2, 2), kernels, strict=True):
        left, crop = (6, 0) if causal else (3, (kernel - scale) // 2)
        merged, ahead = merge_upsampling(
            torch.ones(2, 1, kernel), torch.ones(1, 2, 7), scale, left=left, crop=crop
        )
        assert bool((merged != 0).any(dim=1).any(dim=0).all())
        found.append((merged.size(2), ahead))
    assert found == taps
