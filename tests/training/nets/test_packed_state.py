from __future__ import annotations

import pytest
import torch

from training.nets.packed_state import StateLayout


def layout() -> StateLayout:
    made = StateLayout()
    made.reserve(2, 1, 3)
    made.reserve(4, 0)
    made.reserve(5)
    return made


def test_buffers_come_back_as_they_were_packed() -> None:
    state = torch.randn(3, layout().size)
    reader = layout().unpack(state)
    first, nothing, last = reader.take(), reader.take(), reader.take()
    assert nothing is None
    assert first is not None
    assert last is not None
    assert (first.shape, last.shape) == ((3, 2, 1, 3), (3, 5))
    reader.give(first)
    reader.give(last)
    assert torch.equal(reader.pack(), state)


def test_the_initial_state_is_all_zero() -> None:
    assert layout().size == 11
    assert torch.equal(layout().initial(2), torch.zeros(2, 11))


def test_a_state_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="state has 7 values, expected 11"):
        layout().unpack(torch.zeros(1, 7))
