"""State that stays on the GPU between two calls of a network.

Input   rows of an engine's output, copied inside the device
Output  ResidentRows, which the next call copies back; arrays for whoever asks
State   memory that was given back, kept for the next rows of its size

A row is a stream's; a batch takes the rows of several, wherever they are. Memory that is given back is not
freed: the most that was in use at one time stays reserved.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streaming.engines.cuda_device import CudaDevice, Memory
from streaming.synthesis.engine import Resident


class StateMemory:
    """Device memory for rows. Thread-safe: what is taken is somebody's alone until it is given back."""

    def __init__(self, device: CudaDevice) -> None:
        self.device = device
        self._free: defaultdict[int, list[Memory]] = defaultdict(list)

    def row(self, n_bytes: int) -> Row:
        """Return memory for one row; the device must be active.

        Raises:
            EngineError: There is no room for it.
        """
        free = self._free[n_bytes]
        try:
            memory = free.pop()  # one step of the interpreter: threads need no lock
        except IndexError:
            memory = self.device.reserve(n_bytes)
        return Row(memory, n_bytes, free)


class Row:
    """One row on the device; its memory is given back with the last reference."""

    def __init__(self, memory: Memory, n_bytes: int, free: list[Memory]) -> None:
        self.address = memory.address
        self.n_bytes = n_bytes
        self._memory, self._free = memory, free

    def __del__(self) -> None:
        self._free.append(self._memory)


class ResidentRows(Resident):
    """State of one or more streams."""

    def __init__(
        self,
        rows: Sequence[Row | NDArray[Any]],
        row_shape: tuple[int, ...],
        dtype: np.dtype[Any],
        device: CudaDevice,
    ) -> None:
        """Hold rows on the device, and arrays of `row_shape` that have not been there yet."""
        self.rows = tuple(rows)
        self.shape = (len(self.rows), *row_shape)
        self._dtype, self._device = dtype, device

    def row(self, index: int) -> ResidentRows:
        """See Resident."""
        return self._with(self.rows[index : index + 1])

    def joined(self, parts: Sequence[Any]) -> ResidentRows:
        """See Resident."""
        return self._with([row for part in parts for row in rows_of(part)])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.float32]:
        """See Resident."""
        with self._device.active():
            array = np.stack([self._fetched(row).reshape(self.shape[1:]) for row in self.rows])
        return array.astype(np.float32 if dtype is None else dtype, copy=False)

    def _fetched(self, row: Row | NDArray[Any]) -> NDArray[Any]:
        if not isinstance(row, Row):
            return row
        return self._device.fetch(row.address, row.n_bytes).view(self._dtype)

    def _with(self, rows: Sequence[Row | NDArray[Any]]) -> ResidentRows:
        return ResidentRows(rows, self.shape[1:], self._dtype, self._device)


def rows_of(state: Any) -> Sequence[Row | NDArray[Any]]:
    """Return the rows of a state, or of an array with the batch first."""
    return state.rows if isinstance(state, ResidentRows) else list(np.asarray(state))
