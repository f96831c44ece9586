"""The compiled decoder: against plain numpy, row by row, and with what it must refuse."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

from streaming.engines import numba as engine
from streaming.engines.choice import Choice
from streaming.engines.network import Network, open_network
from streaming.errors import EngineError, MissingLibraryError, SynthesisError
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


def test_neighbours_in_memory_change_no_bit(decoder: Network) -> None:
    """A compiled loop has a second form for arrays that lie close to each other."""
    random, kept = np.random.default_rng(0), [np.empty(0)] * 20
    inputs = random_inputs(1)
    expected = decoder(inputs)["frames"]
    for turn in range(500):
        kept[turn % 20] = np.empty(random.integers(1, 200))
        np.testing.assert_array_equal(decoder(inputs)["frames"], expected)


def test_what_is_masked_does_not_count(decoder: Network) -> None:
    inputs = random_inputs(1, open_slots=2)
    changed = {name: value.copy() for name, value in inputs.items()}
    changed["mem_k"][:, :, :, 2:] = 1e30
    changed["self_v"][:, :, :, : WINDOW - 1] += (
        5.0  # open after the shift: the last slot before it, and the newest
    )
    np.testing.assert_array_equal(decoder(inputs)["frames"], decoder(changed)["frames"])


def test_a_window_with_no_open_slot_is_not_a_number(decoder: Network) -> None:
    assert np.isnan(decoder(random_inputs(1, open_slots=0))["frames"]).all()


def test_inputs_are_left_alone_and_may_be_read_only(decoder: Network) -> None:
    inputs = random_inputs(2)
    before = {name: value.copy() for name, value in inputs.items()}
    for value in inputs.values():
        value.setflags(write=False)
    first = decoder(inputs)
    for name, value in before.items():
        np.testing.assert_array_equal(inputs[name], value)
    second = decoder({name: first.get(name, value) for name, value in inputs.items()})
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
    ("name", "change", "message"),
    [
        ("prev", lambda value: value[:, 1:], r"prev: found \[2, 6\]; needed: \[2, 7\]"),
        ("row", lambda value: np.concatenate([value, value], axis=1), r"row: found \[2, 18\]"),
        ("mem_k", lambda value: value[:, :, :, 1:], "mem_k: found"),
        ("mem_v", lambda value: value[:, 1:], "mem_v: found"),
        ("mem_mask", lambda value: value[:, 1:], r"mem_mask: found \[2, 7\]; needed: \[2, 8\]"),
        ("self_v", lambda value: value[:1], "self_v: found"),
        (
            "self_k",
            lambda value: value[:, :1],
            r"self_k: found \[2, 1, 3, 8, 4\]; needed: \[B >= 1, 2, H, W >= 1, 12 / H",
        ),
        ("self_k", lambda value: value.reshape(2, 2, 3, 16, 2), "self_k: found"),
        ("self_k", lambda value: value[:, :, :, :0], "self_k: found"),
        ("self_k", lambda value: value[:0], "self_k: found"),
        ("self_k", lambda value: value[0], "self_k: found"),
    ],
)
def test_other_shapes_are_refused_before_anything_is_read(
    decoder: Network, name: str, change: Callable[[Any], Any], message: str
) -> None:
    inputs = random_inputs(2)
    inputs[name] = np.ascontiguousarray(change(inputs[name]))
    with pytest.raises(SynthesisError, match=message):
        decoder(inputs)


def test_inputs_that_are_missing_or_unknown_are_refused(decoder: Network) -> None:
    inputs = random_inputs(1)
    with pytest.raises(SynthesisError, match=r"decoder: found inputs .*'unknown'"):
        decoder(inputs | {"unknown": inputs["row"]})
    del inputs["row"]
    with pytest.raises(SynthesisError, match="decoder: found inputs"):
        decoder(inputs)


def test_another_dtype_is_no_reason_to_compile(decoder: Network) -> None:
    inputs = random_inputs(1)
    inputs["prev"] = inputs["prev"].astype(np.float64)
    with pytest.raises(TypeError):
        decoder(inputs)


def test_threads_may_share_it(decoder: Network) -> None:
    several = [random_inputs(2, seed=seed) for seed in range(16)]
    alone = [decoder(inputs) for inputs in several]
    with ThreadPoolExecutor(4) as pool:
        for expected, found in zip(alone * 8, pool.map(decoder, several * 8), strict=True):
            np.testing.assert_array_equal(found["frames"], expected["frames"])


def test_it_runs_where_nothing_can_be_cached(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, decoder: Network
) -> None:
    monkeypatch.setattr("numba.core.caching.CompileResultCacheImpl._locator_classes", [])  # no folder serves
    monkeypatch.setattr(engine, "decoder_step", engine.decoder_step.__wrapped__)
    uncached, inputs = engine.NumbaDecoder(random_weights()), random_inputs(1)
    np.testing.assert_array_equal(uncached(inputs)["frames"], decoder(inputs)["frames"])
    assert "numba's cache cannot be used, so the decoder is compiled at every start" in caplog.text


@pytest.mark.parametrize(
    "broken", [EOFError(), pickle.UnpicklingError("invalid load key"), OSError(28, "No space")]
)
def test_a_broken_cache_is_done_without(monkeypatch: pytest.MonkeyPatch, broken: Exception) -> None:
    def compiled(*, cached: bool) -> str:
        if cached:
            raise broken
        return "compiled"

    monkeypatch.setattr(engine, "_compiled", compiled)
    assert engine.decoder_step.__wrapped__() == "compiled"


def test_what_numba_cannot_compile_is_an_error_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def compiled(*, cached: bool) -> str:
        raise numba.errors.UnsupportedError("this processor")

    monkeypatch.setattr(engine, "_compiled", compiled)
    with pytest.raises(EngineError, match="numba does not compile the decoder step: this processor"):
        engine.decoder_step.__wrapped__()


def test_without_numba_it_is_said_what_brings_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "streaming.engines.numba")
    with pytest.raises(MissingLibraryError, match=r"numba is not installed; pip install 'zhiyin\[numba\]'"):
        open_network(tmp_path / "any", CHOICE)


def test_a_numba_that_does_not_fit_is_an_error_of_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str) -> None:
        raise ImportError("Numba needs NumPy 2.5 or less")

    monkeypatch.setattr("streaming.engines.network.importlib.import_module", refuse)
    with pytest.raises(MissingLibraryError, match=r"numba: Numba needs NumPy 2.5 or less"):
        open_network(tmp_path / "any", CHOICE)
