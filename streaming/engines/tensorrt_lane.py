"""What one thread runs a TensorRT engine with: a stream, buffers, execution contexts, recorded graphs.

Input   arrays of the shapes that the engine takes
Output  arrays
State   all of that; nothing of any speech stream, whose rows are the stream's

Buffers are as large as the engine's largest input, so that their addresses stay. A call whose shapes come
again gets a context of its own, runs in it once, which makes its kernels ready, and is recorded the next
time: one CUDA graph of its uploads, kernels and downloads. Shapes that came once share a context.
State does not leave the device: before the graph its rows are copied from where each stream has them, after
it to where the next call finds them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streaming.engines.cuda_device import Buffer
from streaming.engines.resident import ResidentRows, Row, StateMemory, rows_of
from streaming.errors import EngineError
from streaming.synthesis.engine import Array

MAX_CALLS = 32  # of one thread: sentences of ever other lengths must not fill the memory

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output as the engine declares it.

    Attributes:
        name: In the engine.
        dtype: On both sides.
        batched: Whether its first axis is the batch.
        is_state: Whether it is an input that comes out again, or that output: it stays on the device.
        on_host: Whether the host reads it when a call is queued: a size that kernels are planned with.
        most_bytes: Largest size of an input; 0 for an output, whose size only a context knows.
    """

    name: str
    dtype: np.dtype[Any]
    batched: bool
    is_state: bool
    on_host: bool
    most_bytes: int


@dataclass(slots=True)
class _Call:
    """A call of certain shapes in a context of its own."""

    context: Any
    warm: bool = False
    launch: Callable[[], None] | None = None


class Lane:
    """Serves one thread; the device must be active in every call."""

    def __init__(
        self, memory: StateMemory, engine: Any, inputs: Sequence[Tensor], outputs: Sequence[Tensor]
    ) -> None:
        """Make the stream."""
        self._device, self._memory = memory.device, memory
        self._engine, self._inputs, self._outputs = engine, inputs, outputs
        self._stream = memory.device.new_stream()
        self._buffers: dict[str, Buffer] = {}
        self._shared: dict[int, Any] = {}
        self._calls: OrderedDict[tuple[int, tuple[Shape, ...]], _Call | None] = OrderedDict()

    def run(
        self, profile: int, shapes: tuple[Shape, ...], inputs: Mapping[str, Array], n_rows: int
    ) -> list[Any]:
        """Run the engine; blocking.

        Args:
            profile: Which optimisation profile.
            shapes: Of the inputs, in the engine's order; at least as long in the first axis as the arrays.
            inputs: The arrays by name, or what is resident; what they lack in the first axis becomes zeros,
                or in a state whatever was there before, since no row sees another.
            n_rows: How many rows are somebody's.

        Returns:
            The outputs in the engine's order: arrays, and ResidentRows of `n_rows`.

        Raises:
            EngineError: The engine does not take the shapes, there is no memory, or the GPU failed.
        """
        for tensor, shape in zip(self._inputs, shapes, strict=True):
            view, value = self._view(tensor, shape), inputs[tensor.name]
            if not tensor.is_state:
                view[: len(value)] = value
                view[len(value) :] = 0
        call = self._call(profile, shapes)
        output_shapes = [self._output_shape(call.context, tensor) for tensor in self._outputs]
        views = [self._view(*pair) for pair in zip(self._outputs, output_shapes, strict=True)]
        states = {
            tensor.name: self._new_state(tensor, shape, n_rows)
            for tensor, shape in zip(self._outputs, output_shapes, strict=True)
            if tensor.is_state
        }
        try:
            for tensor, shape in zip(self._inputs, shapes, strict=True):
                if tensor.is_state:
                    self._place(tensor, shape, rows_of(inputs[tensor.name]))
            self._start(call, shapes, [view.nbytes for view in views])
            for name, state in states.items():
                self._keep(name, state)
        finally:  # what is queued uses memory that the next call writes; that of `states` nobody has yet
            self._device.synchronize(self._stream)
        return [
            states[tensor.name] if tensor.is_state else view.copy()
            for tensor, view in zip(self._outputs, views, strict=True)
        ]

    def _place(self, tensor: Tensor, shape: Shape, rows: Sequence[Row | NDArray[Any]]) -> None:
        """Queue the copies of a state's rows to where the engine reads them."""
        buffer, view = self._buffers[tensor.name], self._view(tensor, shape)
        for number, row in enumerate(rows):
            start, n_bytes = number * view[number].nbytes, view[number].nbytes
            if isinstance(row, Row):
                self._device.copy(row.address, buffer.address + start, n_bytes, self._stream)
            else:
                view[number] = row
                self._device.upload(buffer, n_bytes, self._stream, start)

    def _new_state(self, tensor: Tensor, shape: Shape, n_rows: int) -> ResidentRows:
        n_bytes = prod(shape[1:]) * tensor.dtype.itemsize
        rows = [self._memory.row(n_bytes) for _ in range(n_rows)]
        return ResidentRows(rows, shape[1:], tensor.dtype, self._device)

    def _keep(self, name: str, state: ResidentRows) -> None:
        """Queue the copies of an output's rows to memory of their own."""
        address = self._buffers[name].address
        for row in state.rows:
            assert isinstance(row, Row)
            self._device.copy(address, row.address, row.n_bytes, self._stream)
            address += row.n_bytes

    def _call(self, profile: int, shapes: tuple[Shape, ...]) -> _Call:
        key = profile, shapes
        known = key in self._calls
        call = self._calls.pop(key, None)
        if call is None:
            context = self._new_context(profile) if known else self._shared.get(profile)
            if context is None:
                context = self._shared[profile] = self._new_context(profile)
            for tensor, shape in zip(self._inputs, shapes, strict=True):
                if not context.set_input_shape(tensor.name, shape):
                    raise EngineError(f"{tensor.name}: the engine was not built for shape {list(shape)}")
            call = _Call(context)
        self._calls[key] = call if known else None
        while len(self._calls) > MAX_CALLS:
            self._calls.popitem(last=False)
        return call

    def _new_context(self, profile: int) -> Any:
        context = self._engine.create_execution_context()
        if context is None:
            raise EngineError("TensorRT could not make an execution context: is there enough GPU memory?")
        context.set_optimization_profile_async(profile, self._stream)
        self._device.synchronize(self._stream)
        return context

    def _output_shape(self, context: Any, tensor: Tensor) -> Shape:
        shape = tuple(context.get_tensor_shape(tensor.name))
        if min(shape, default=0) < 0:
            raise EngineError(
                f"{tensor.name}: its size is known only when the network has run; run this network with onnx"
            )
        return shape

    def _view(self, tensor: Tensor, shape: Shape) -> Any:
        """Return the host side of a tensor's buffer; the buffer is made when first needed, or too small."""
        n_bytes = prod(shape) * tensor.dtype.itemsize
        buffer = self._buffers.get(tensor.name)
        if buffer is None or buffer.host.size < n_bytes:
            buffer = self._device.allocate(max(n_bytes, tensor.most_bytes))
            self._buffers[tensor.name] = buffer
            for call in self._calls.values():
                if call is not None:
                    call.launch = None  # recorded with the address of the buffer before
        return buffer.host[:n_bytes].view(tensor.dtype).reshape(shape)

    def _start(self, call: _Call, shapes: tuple[Shape, ...], output_bytes: Sequence[int]) -> None:
        """Put the call on the stream."""

        def queue() -> None:
            self._queue(call.context, shapes, output_bytes)

        may_record = call.warm and not any(tensor.on_host for tensor in self._inputs)
        if may_record and call.launch is None:
            call.launch = self._device.capture(self._stream, queue)
        (call.launch or queue)()
        call.warm = True

    def _queue(self, context: Any, shapes: tuple[Shape, ...], output_bytes: Sequence[int]) -> None:
        for tensor, shape in zip(self._inputs, shapes, strict=True):
            buffer = self._buffers[tensor.name]
            if tensor.on_host:
                context.set_tensor_address(tensor.name, buffer.host.ctypes.data)
                continue
            context.set_tensor_address(tensor.name, buffer.address)
            if not tensor.is_state:
                self._device.upload(buffer, prod(shape) * tensor.dtype.itemsize, self._stream)
        for tensor in self._outputs:
            context.set_tensor_address(tensor.name, self._buffers[tensor.name].address)
        if not context.execute_async_v3(self._stream):
            raise EngineError("TensorRT refused the call")
        for tensor, n_bytes in zip(self._outputs, output_bytes, strict=True):
            if not tensor.is_state:
                self._device.download(self._buffers[tensor.name], n_bytes, self._stream)
