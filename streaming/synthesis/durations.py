"""From predicted log durations to whole frames.

Input   log(1 + frames) per row of the encoder, speech rate, sizes of the voice
Output  DurationPlan: frames per row, their total T, decoder steps M, attention band width
State   none
Formulas: spec section 1.4 (rounding) and 1.5 (band width).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streaming.errors import SynthesisError
from streaming.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class DurationPlan:
    """How long every row of the encoder is: a token, or a part of a pause that the voice filled itself.

    Attributes:
        row_frames: [n_rows] int64; 0 is legal, the row is skipped.
        token_rows: [n_tokens] int64, ascending: the row of each token.
        n_frames: T, sum of `row_frames`; 0 when nothing is audible.
        n_steps: M = ceil(T / outputs_per_step), decoder steps.
        band_width: Steps that the decoder's attention reaches back and memory rows it reaches
            ahead.
        window: Slots of the attention window: the smallest bucket >= band_width + 1.
    """

    row_frames: IntArray
    token_rows: IntArray
    n_frames: int
    n_steps: int
    band_width: int
    window: int

    def token_start_frames(self) -> IntArray:
        """First frame of each token, and T at the end: [n_tokens + 1] int64.

        A filled pause belongs to no token: the one that it stands before starts after it.
        """
        starts = np.cumsum(self.row_frames) - self.row_frames
        return np.append(starts[self.token_rows], self.n_frames)


def plan_durations(
    log_durations: FloatArray,
    *,
    speed: float,
    outputs_per_step: int,
    window_buckets: tuple[int, ...],
    token: IntArray | None = None,
) -> DurationPlan:
    """Scale by the speech rate, round, and derive T, M, the band width and the window bucket.

    The band width comes from the unrounded durations. A token longer than the largest bucket can
    attend to is cut to that length: 64 slots of 3 frames are 2.4 s, far beyond speech.

    Args:
        log_durations: [n_rows] float32, log(1 + frames), not negative.
        speed: Speech rate factor; durations are divided by it.
        outputs_per_step: r.
        window_buckets: Ascending window sizes of the voice.
        token: Token of each row [n_rows] int64, -1 where there is none; None: the rows are the tokens.

    Raises:
        SynthesisError: A duration is not a number.
    """
    with np.errstate(over="ignore"):  # an infinite duration is cut below
        durations = (np.exp(log_durations.astype(np.float32)) - np.float32(1.0)) / np.float32(speed)
    if np.isnan(durations).any():
        msg = "the duration predictor returned a duration that is not a number"
        raise SynthesisError(msg)
    longest = np.float32(outputs_per_step * (window_buckets[-1] - 1))
    durations = np.clip(durations, np.float32(0.0), longest)
    row_frames = np.floor(durations + np.float32(0.5)).astype(np.int64)
    n_frames = int(row_frames.sum())
    band_width = int(durations.max(initial=0.0) / outputs_per_step + 0.5)
    return DurationPlan(
        row_frames=row_frames,
        token_rows=np.arange(row_frames.size) if token is None else np.flatnonzero(token >= 0),
        n_frames=n_frames,
        n_steps=-(-n_frames // outputs_per_step),
        band_width=band_width,
        window=next(bucket for bucket in window_buckets if bucket >= band_width + 1),
    )
