"""The compiled decoder: against plain numpy, row by row, and with what it must refuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streaming.engines.choice import Choice
from streaming.engines.network import Network, open_network
from streaming.errors import SynthesisError
from tests.streaming.engines.decoders import WINDOW, expected_step, random_inputs, random_weights

CHOICE = Choice("numba", "int8-weights")


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Network:
    path = tmp_path_factory.mktemp("weights") / "decoder.int8-weights.npz"
    random_weights().save(path)
    return open_network(path, CHOICE)


@pytest.mark.parametrize("open_slots", [1, 5, WINDOW])
@pytest.mark.parametrize("n_rows", [1, 5])
def test_a_step_is_what_the_contract_says(decoder: Network, n_rows: int, open_slots: int) -> None:
    inputs = random_inputs(n_rows, open_slots)
    expected, found = expected_step(random_weights(), inputs), decoder(inputs)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-4)


def test_a_row_of_a_batch_is_the_row_alone_to_the_bit(decoder: Network) -> None:
    together = random_inputs(6)
    found = decoder(together)
    for row in range(6):
        alone = decoder({name: value[row : row + 1] for name, value in together.items()})
        for name, value in alone.items():
            np.testing.assert_array_equal(value, found[name][row : row + 1])


def test_what_is_masked_does_not_count(decoder: Network) -> None:
    inputs = random_inputs(1, open_slots=2)
    changed = {name: value.copy() for name, value in inputs.items()}
    changed["mem_k"][:, :, :, 2:] = 1e30
    changed["self_v"][:, :, :, 1 : WINDOW - 1] += 5.0  # the last but one slot is the newest after the shift
    changed["self_v"][:, :, :, WINDOW - 1 :] = inputs["self_v"][:, :, :, WINDOW - 1 :]
    np.testing.assert_array_equal(decoder(inputs)["frames"], decoder(changed)["frames"])


def test_inputs_are_left_alone_and_may_be_read_only(decoder: Network) -> None:
    inputs = random_inputs(2)
    before = {name: value.copy() for name, value in inputs.items()}
    for value in inputs.values():
        value.setflags(write=False)
    first = decoder(inputs)
    for name, value in before.items():
        np.testing.assert_array_equal(inputs[name], value)
    second = decoder(first | {name: inputs[name] for name in inputs if name not in first})
    assert not np.shares_memory(first["self_k"], second["self_k"])


def test_inputs_may_be_windows_of_something_longer(decoder: Network) -> None:
    inputs = random_inputs(1)
    longer = {name: np.repeat(value, 2, axis=-1)[..., ::2] for name, value in inputs.items()}
    assert not any(value.flags.c_contiguous for value in longer.values())
    np.testing.assert_array_equal(decoder(longer)["frames"], decoder(inputs)["frames"])


def test_a_stream_that_went_wrong_is_known_by_what_comes_out(decoder: Network) -> None:
    inputs = random_inputs(2)
    inputs["prev"][1, 0] = np.nan
    frames = decoder(inputs)["frames"]
    assert np.isfinite(frames[0]).all()
    assert not np.isfinite(frames[1]).all()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("prev", lambda value: value[:, 1:]),
        ("row", lambda value: np.concatenate([value, value], axis=1)),
        ("mem_k", lambda value: value[:, :, :, 1:]),
        ("mem_v", lambda value: value[:, 1:]),
        ("mem_mask", lambda value: value[:, 1:]),
        ("self_v", lambda value: value[:1]),
        ("self_k", lambda value: value.reshape(2, 2, 3, 16, 2)),
    ],
)
def test_other_shapes_are_refused_before_anything_is_read(
    decoder: Network, name: str, change: Callable[[Any], Any]
) -> None:
    inputs = random_inputs(2)
    inputs[name] = np.ascontiguousarray(change(inputs[name]))
    with pytest.raises(SynthesisError, match=r"decoder: found \[.*\]; needed: \["):
        decoder(inputs)


def test_fewer_layers_than_the_weights_have_are_refused(decoder: Network) -> None:
    inputs = random_inputs(1)
    for name in ("mem_k", "mem_v", "self_k", "self_v"):
        inputs[name] = np.ascontiguousarray(inputs[name][:, :1])
    with pytest.raises(SynthesisError, match="decoder: found"):
        decoder(inputs)


def test_another_dtype_is_no_reason_to_compile(decoder: Network) -> None:
    inputs = random_inputs(1)
    inputs["prev"] = inputs["prev"].astype(np.float64)
    with pytest.raises(TypeError):
        decoder(inputs)


def test_it_runs_where_nothing_can_be_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoder: Network
) -> None:
    from streaming.engines import numba

    class Uncached:
        """A compiler whose cache has no place."""

        def enable_caching(self) -> None:
            raise RuntimeError("cannot cache function: no locator available")

        def compile(self, signature: Any) -> None:
            compiled.append(signature)

        def disable_compile(self) -> None:
            pass

    compiled: list[Any] = []
    monkeypatch.setattr(numba, "jit", lambda _: Uncached())
    numba._compiled(lambda: None)
    assert len(compiled) == 1
