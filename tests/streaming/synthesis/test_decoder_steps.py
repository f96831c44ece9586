from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from streaming.synthesis.decoder_steps import DecoderSteps
from streaming.synthesis.engine import Array, NetworkName, Resident
from streaming.synthesis.steps import perform, perform_stacked
from tests.streaming.engines.decoders import (
    HEADS,
    LAYERS,
    ROW,
    SIZE,
    WINDOW,
    expected_step,
    random_inputs,
    random_weights,
)


class NumpyDecoder:
    """A decoder step in plain numpy, in float64; remembers what it was given."""

    name = "numpy"

    def __init__(self) -> None:
        self.given: list[Mapping[str, Array]] = []

    def run(self, network: NetworkName, inputs: Mapping[str, Array]) -> dict[str, Array]:
        assert network == "decoder"
        assert {array.dtype for array in inputs.values()} == {np.dtype(np.float32)}
        self.given.append(inputs)
        return expected_step(random_weights(), inputs)


class OnDevice(Resident):
    """State that can be fetched, and counts how often it is."""

    fetched = 0

    def __init__(self, value: Any) -> None:
        self.value = value
        self.shape = value.shape

    def row(self, index: int) -> OnDevice:
        return OnDevice(self.value[index : index + 1])

    def joined(self, parts: Sequence[Any]) -> OnDevice:
        return OnDevice(np.concatenate([getattr(part, "value", part) for part in parts]))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        OnDevice.fetched += 1
        return np.asarray(self.value, dtype)


class ResidentDecoder(NumpyDecoder):
    """The same with its state on a device."""

    def run(self, network: NetworkName, inputs: Mapping[str, Any]) -> dict[str, Any]:
        held = {name: getattr(array, "value", array) for name, array in inputs.items()}
        out: dict[str, Any] = super().run(network, held)
        return out | {name: OnDevice(out[name].astype(np.float32)) for name in ("self_k", "self_v")}


def several(n_steps: int, seed: int) -> DecoderSteps:
    """Steps whose masks open slot by slot."""
    random = np.random.default_rng(seed)
    inputs = random_inputs(1, seed=seed)
    inputs["row"] = random.normal(size=(1, n_steps, ROW)).astype(np.float32)
    longer = (1, LAYERS, HEADS, n_steps - 1 + WINDOW, SIZE)
    inputs |= {name: random.normal(size=longer).astype(np.float32) for name in ("mem_k", "mem_v")}
    masks = [random_inputs(1, open_slots=step + 1) for step in range(n_steps)]
    inputs |= {name: np.stack([mask[name] for mask in masks], axis=1) for name in ("mem_mask", "self_mask")}
    return DecoderSteps("decoder", inputs, "decoder_ms", stackable=True)


def one_by_one(call: DecoderSteps) -> dict[str, Any]:
    inputs: Mapping[str, Any] = call.inputs
    prev, own, frames = inputs["prev"], (inputs["self_k"], inputs["self_v"]), []
    for step in range(inputs["row"].shape[1]):
        given = {
            "prev": prev,
            "row": inputs["row"][:, step],
            "mem_k": inputs["mem_k"][:, :, :, step : step + WINDOW],
            "mem_v": inputs["mem_v"][:, :, :, step : step + WINDOW],
            "mem_mask": inputs["mem_mask"][:, step],
            "self_k": own[0],
            "self_v": own[1],
            "self_mask": inputs["self_mask"][:, step],
        }
        out = expected_step(random_weights(), given)
        frames.append(out["frames"])
        prev = out["frames"][:, -1].astype(np.float32)
        own = tuple(out[name].astype(np.float32) for name in ("self_k", "self_v"))
    return {"frames": np.concatenate(frames, axis=1), "self_k": own[0], "self_v": own[1]}


def close(found: Any, expected: Mapping[str, Any]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(found[name], "value", found[name]), value, rtol=1e-6, atol=1e-7)


def test_several_steps_are_steps_one_by_one() -> None:
    for n_steps in (1, 4):
        call = several(n_steps, seed=n_steps)
        close(perform(NumpyDecoder(), call), one_by_one(call))


def test_rows_of_several_streams_come_back_row_by_row() -> None:
    calls = [several(3, seed) for seed in range(3)]
    for call, found in zip(calls, perform_stacked(NumpyDecoder(), calls), strict=True):
        close(found, one_by_one(call))


def test_state_on_a_device_stays_there_alone_and_in_company() -> None:
    OnDevice.fetched = 0
    first, second = several(3, seed=0), several(3, seed=1)
    begun: Any = perform(ResidentDecoder(), first)
    close(begun, one_by_one(first))
    assert isinstance(begun["self_k"], OnDevice)
    on_device = {name: begun[name] for name in ("self_k", "self_v")}
    going_on = DecoderSteps("decoder", {**first.inputs, **on_device}, "decoder_ms", stackable=True)
    held = {name: value.value for name, value in on_device.items()}
    expected = one_by_one(DecoderSteps("decoder", {**first.inputs, **held}, "decoder_ms", stackable=True))
    together = perform_stacked(ResidentDecoder(), [going_on, second])  # the second comes from the host
    close(together[0], expected)
    close(together[1], one_by_one(second))
    assert OnDevice.fetched == 0
    assert going_on.size == first.size


def test_runtimes_get_what_lies_in_one_piece() -> None:
    engine = NumpyDecoder()
    perform(engine, several(3, seed=0))
    assert len(engine.given) == 3
    assert all(array.flags.c_contiguous for inputs in engine.given for array in inputs.values())


def test_the_example_is_a_step_by_itself() -> None:
    call = several(3, seed=0)
    example = call.example()
    assert {name: array.shape for name, array in example.items()} == {
        name: array.shape for name, array in random_inputs(1).items()
    }
    first = expected_step(random_weights(), example)["frames"]
    np.testing.assert_array_equal(one_by_one(call)["frames"][:, :3], first)
