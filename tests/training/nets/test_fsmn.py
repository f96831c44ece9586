from __future__ import annotations

import pytest
import torch

from tests.training.nets.small import largest_difference
from training.nets.fsmn import Fsmn, FsmnMemory, memory_padding


@pytest.mark.parametrize(
    ("filter_size", "shift", "expected"),
    [(41, 0, (20, 20)), (41, 17, (37, 3)), (41, -5, (20, 20)), (40, 0, (20, 19)), (42, 0, (20, 20))],
)
def test_padding_shifts_only_to_the_past(filter_size: int, shift: int, expected: tuple[int, int]) -> None:
    assert memory_padding(filter_size, shift) == expected


def test_memory_adds_the_weighted_neighbourhood() -> None:
    memory = FsmnMemory(2, 5, 1)
    contexts = torch.randn(1, 6, 2)
    weight = memory.conv_dw.weight[:, 0].T.detach()
    found = memory(contexts, None).detach()
    for time in range(6):
        expected = contexts[0, time].clone()
        for tap in range(5):
            if 0 <= (source := time - 3 + tap) < 6:
                expected += weight[tap] * contexts[0, source]
        assert largest_difference(found[0, time], expected) <= 1e-6


def test_padded_rows_are_zero_and_seen_by_nobody() -> None:
    network = Fsmn(4, n_layers=3, memory_units=4, inner_units=8, filter_size=5, shift=1, dropout=0.0)
    x, keep = torch.randn(1, 9, 4), torch.ones(1, 9, 1)
    keep[:, 6:] = 0
    with torch.no_grad():
        padded, alone = network(x * keep, keep), network(x[:, :6])
    assert largest_difference(padded[:, :6], alone) <= 1e-6
