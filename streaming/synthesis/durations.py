"""From predicted log durations to whole frames.

Input   log(1 + frames) per token, speech rate, sizes of the voice
Output  DurationPlan: frames per token, their total T, decoder steps M, attention band width
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
    """How long every token is.

    Attributes:
        token_frames: [n_tokens] int64; 0 is legal, the token is skipped.
        n_frames: T, sum of `token_frames`; 0 when nothing is audible.
        n_steps: M = ceil(T / outputs_per_step), decoder steps.
        band_width: Steps that the decoder's attention reaches back and memory rows it reaches
            ahead.
        window: Slots of the attention window: the smallest bucket >= band_width + 1.
    """

    token_frames: IntArray
    n_frames: int
    n_steps: int
    band_width: int
    window: int

    def token_start_frames(self) -> IntArray:
        """First frame of each token, and T at the end: [n_tokens + 1] int64."""
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(self.token_frames)])


def plan_durations(
    log_durations: FloatArray, *, speed: float, outputs_per_step: int, window_buckets: tuple[int, ...]
) -> DurationPlan:
    """Scale by the speech rate, round, and derive T, M, the band width and the window bucket.

    The band width comes from the unrounded durations. A token longer than the largest bucket can
    attend to is cut to that length: 64 slots of 3 frames are 2.4 s, far beyond speech.

    Args:
        log_durations: [n_tokens] float32, log(1 + frames), not negative.
        speed: Speech rate factor; durations are divided by it.
        outputs_per_step: r.
        window_buckets: Ascending window sizes of the voice.

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
    token_frames = np.floor(durations + np.float32(0.5)).astype(np.int64)
    n_frames = int(token_frames.sum())
    band_width = int(durations.max(initial=0.0) / outputs_per_step + 0.5)
    window = next(bucket for bucket in window_buckets if bucket >= band_width + 1)
    return DurationPlan(token_frames, n_frames, -(-n_frames // outputs_per_step), band_width, window)
