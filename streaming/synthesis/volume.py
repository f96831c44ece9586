"""The volume of a style, applied to samples.

Input, output   audio [n_samples] float32
State           none: a sample depends on nothing but itself, so streamed == offline
"""

from __future__ import annotations

import numpy as np

from streaming.types import FloatArray

NORMAL_VOLUME = 50.0  # Style.volume that leaves the amplitude as it is
KNEE = np.float32(0.8)  # -1.9 dB of full scale: speech is rarely above, and is bent there, not cut


def with_volume(samples: FloatArray, volume: float) -> FloatArray:
    """Return audio [n_samples] within [-1, 1] at `volume` (0 to 100, 50 changes nothing).

    Every vocoder ends in a bound of its own (tanh, or the limiter of the embedded one): at normal volume
    the network's samples are the voice's samples.
    """
    gain = np.float32(volume / NORMAL_VOLUME)  # a gain of 1 changes no bit
    if gain <= 1.0:
        return np.asarray(np.clip(samples * gain, -1.0, 1.0), np.float32)
    return soft_limited(samples * gain)


def soft_limited(samples: FloatArray) -> FloatArray:
    """Return audio [n_samples] within [-1, 1]: unchanged up to KNEE, above it bent by a tanh.

    Clipping would be heard as clicks where the volume is raised; the curve and its slope are continuous.
    """
    over = np.abs(samples) > KNEE
    if not over.any():
        return np.asarray(samples, np.float32)
    limited = np.array(samples, np.float32)
    loud = limited[over]
    room = np.float32(1.0) - KNEE
    limited[over] = np.copysign(KNEE + room * np.tanh((np.abs(loud) - KNEE) / room), loud)
    return limited
