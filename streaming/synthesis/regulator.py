"""Expand token rows to frame rows and group them into the decoder's memory rows.

Input   text, speaker and emotion rows per token; frames per token
Output  memory rows [n_steps, r*p + s + e]
State   none
Formulas: spec section 1.4 (length regulator, duration position code) and 1.5 (LFR memory).
"""

from __future__ import annotations

import numpy as np

from streaming.types import FloatArray, IntArray


def expand(token_frames: IntArray, multiple_of: int) -> tuple[IntArray, IntArray]:
    """Give the token and the position inside it for every frame.

    Args:
        token_frames: [n_tokens] int64, frames per token.
        multiple_of: The result is padded to a multiple of this.

    Returns:
        token: [n_padded] int64, index of the frame's token, -1 on padding rows.
        position: [n_padded] int64, 1-based position inside the token, 0 on padding rows.
    """
    n_frames = int(token_frames.sum())
    n_padded = -(-n_frames // multiple_of) * multiple_of
    token = np.full(n_padded, -1, np.int64)
    position = np.zeros(n_padded, np.int64)
    token[:n_frames] = np.repeat(np.arange(token_frames.size), token_frames)
    starts = np.cumsum(token_frames) - token_frames
    position[:n_frames] = np.arange(n_frames) - np.repeat(starts, token_frames) + 1
    return token, position


def duration_position_code(position: IntArray, width: int) -> FloatArray:
    """Encode positions inside a token: [n] int64 to [n, width] float32.

    Column c is sin (even c) or cos (odd c) of position / 10000^(2*floor(c/2)/width), so padding
    rows (position 0) are (0, 1, 0, 1, ...), not zero.
    """
    columns = np.arange(width)
    timescales = np.power(10000.0, 2.0 * (columns // 2) / width).astype(np.float32)
    angle = position[:, None].astype(np.float32) / timescales  # (n, width)
    code: FloatArray = np.where(columns % 2 == 0, np.sin(angle), np.cos(angle)).astype(np.float32)
    return code


def memory_rows(
    text: FloatArray, speaker: FloatArray, emotion: FloatArray, token_frames: IntArray, outputs_per_step: int
) -> FloatArray:
    """Build the decoder's memory.

    Row j is [text row r*j | ... | text row r*j+r-1 | speaker row r*j | emotion row r*j]: speaker
    and emotion come from the first frame of the group.

    Args:
        text: [n_tokens, p] float32, text rows with pitch and energy added.
        speaker: [n_tokens, s] float32.
        emotion: [n_tokens, e] float32.
        token_frames: [n_tokens] int64, frames per token.
        outputs_per_step: r.

    Returns:
        [n_steps, r*p + s + e] float32; no rows when no token has a frame.
    """
    token, position = expand(token_frames, outputs_per_step)
    is_frame = (token >= 0)[:, None]
    rows = np.where(is_frame, text[token], np.float32(0.0)) + duration_position_code(position, text.shape[1])
    first = token[::outputs_per_step]  # never padding: the padding is shorter than a group
    n_steps = first.size
    grouped = rows.reshape(n_steps, outputs_per_step * text.shape[1])
    return np.concatenate([grouped, speaker[first], emotion[first]], axis=1).astype(np.float32)
