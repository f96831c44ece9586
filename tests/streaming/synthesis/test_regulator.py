from __future__ import annotations

import math

import numpy as np
import pytest

from streaming.synthesis.regulator import duration_position_code, expand, memory_rows


def test_expansion_of_the_specifications_example():
    token, position = expand(np.array([1, 0, 3, 1]), 3)
    assert token.tolist() == [0, 2, 2, 2, 3, -1]
    assert position.tolist() == [1, 1, 2, 3, 1, 0]


def test_padding_rows_are_not_zero():
    assert duration_position_code(np.array([0]), 6).tolist() == [[0.0, 1.0, 0.0, 1.0, 0.0, 1.0]]


def test_position_code_equals_its_formula():
    code = duration_position_code(np.array([1, 7]), 4)
    for row, position in enumerate((1, 7)):
        for column in range(4):
            angle = position / 10000 ** (2 * (column // 2) / 4)
            expected = math.sin(angle) if column % 2 == 0 else math.cos(angle)
            assert code[row, column] == pytest.approx(expected, abs=1e-6)


def loop_rows(text, speaker, emotion, frames, r):
    """The specification, frame by frame."""
    rows, owners = [], []
    for index, count in enumerate(frames):
        for position in range(1, count + 1):
            rows.append(text[index] + duration_position_code(np.array([position]), text.shape[1])[0])
            owners.append(index)
    while len(rows) % r:
        rows.append(duration_position_code(np.array([0]), text.shape[1])[0])
    return np.array(
        [
            np.concatenate([*rows[start : start + r], speaker[owners[start]], emotion[owners[start]]])
            for start in range(0, len(rows), r)
        ]
    )


@pytest.mark.parametrize("frames", [[2, 0, 5, 1], [3], [0, 4, 4], [1, 1, 1, 1, 1, 0]])
@pytest.mark.parametrize("r", [1, 2, 3])
def test_memory_equals_a_straightforward_loop(frames: list[int], r: int):
    random = np.random.default_rng(len(frames) * 10 + r)
    text, speaker, emotion = (
        random.normal(size=(len(frames), width)).astype(np.float32) for width in (4, 3, 2)
    )
    found = memory_rows(text, speaker, emotion, np.array(frames), r)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, loop_rows(text, speaker, emotion, frames, r), atol=1e-6)


def test_no_frames_give_no_rows():
    one = np.ones((2, 4), np.float32)
    assert memory_rows(one, one, one, np.array([0, 0]), 3).shape == (0, 20)
