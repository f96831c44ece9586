"""One flat state tensor per network, cut into the buffers of its layers.

Input   a packed state [B, S] float32
Output  the buffers [B, *shape], and back
State   none: a layout only knows shapes

One packed tensor costs a runtime the same as a hundred small ones, and travels as one value. All-zero is the
state before the first sample, because zero buffers reproduce zero padding exactly (spec section 6.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor


class StateLayout:
    """The order and shapes of buffers inside a packed state; networks reserve slots when they are built."""

    def __init__(self) -> None:
        self._shapes: list[tuple[int, ...]] = []

    @property
    def size(self) -> int:
        """Floats per stream."""
        return sum(map(prod, self._shapes))

    def reserve(self, *shape: int) -> None:
        """Append a buffer of this shape (without the batch axis); one with a zero in it takes no room."""
        self._shapes.append(shape)

    def initial(self, batch: int = 1) -> Tensor:
        """The state before the first call, [B, S]."""
        return torch.zeros(batch, self.size)

    def unpack(self, state: Tensor) -> StateReader:
        """Start reading a packed state [B, S].

        Raises:
            ValueError: The state is of another size.
        """
        if not torch.onnx.is_in_onnx_export() and state.size(1) != self.size:
            raise ValueError(f"state has {state.size(1)} values, expected {self.size}")
        parts = torch.split(state, [size for shape in self._shapes if (size := prod(shape))], dim=1)
        return StateReader(self._shapes, parts)


class StateReader:
    """Hands out the buffers in the order of reservation and collects their successors in the same order."""

    def __init__(self, shapes: Sequence[tuple[int, ...]], parts: Sequence[Tensor]) -> None:
        self._shapes, self._parts = iter(shapes), iter(parts)
        self._successors: list[Tensor] = []

    def take(self) -> Tensor | None:
        """The next buffer [B, *shape], or None where an empty one was reserved."""
        shape = next(self._shapes)
        return next(self._parts).reshape(-1, *shape) if prod(shape) else None

    def give(self, successor: Tensor) -> None:
        """Record what the buffer taken last becomes."""
        self._successors.append(successor.flatten(1))

    def pack(self) -> Tensor:
        """The next packed state [B, S]."""
        return torch.cat(self._successors, dim=1)
