"""Convert float samples to the PCM formats of the wire.

Input   audio [n_samples] float32, nominally in [-1, 1]
Output  little-endian bytes: signed 16-bit integers or 32-bit floats
State   none
It does not know rates, headers or framing.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from streaming.types import FloatArray

S16_FULL_SCALE = 32767.0  # +1.0 and -1.0 map to +-32767: symmetric, and +1.0 cannot wrap to -32768


class PcmFormat(StrEnum):
    """The uncompressed formats that an utterance can be delivered in."""

    S16LE = "pcm_s16le"
    F32LE = "pcm_f32le"

    @property
    def sample_bytes(self) -> int:
        """Bytes per sample."""
        return 2 if self is PcmFormat.S16LE else 4


def float_to_s16le(samples: FloatArray) -> bytes:
    """Convert audio [n_samples] to little-endian int16: clipped to [-1, 1], rounded to nearest."""
    clipped = np.clip(samples, -1.0, 1.0)
    return bytes(np.rint(clipped * S16_FULL_SCALE).astype("<i2").tobytes())


def float_to_f32le(samples: FloatArray) -> bytes:
    """Convert audio [n_samples] to little-endian float32, clipped to [-1, 1]."""
    return bytes(np.clip(samples, -1.0, 1.0).astype("<f4").tobytes())


def encode_pcm(samples: FloatArray, pcm_format: PcmFormat) -> bytes:
    """Convert audio [n_samples] to `pcm_format`."""
    if pcm_format is PcmFormat.S16LE:
        return float_to_s16le(samples)
    return float_to_f32le(samples)


def s16le_to_float(data: bytes) -> FloatArray:
    """Read little-endian int16 back as float32 [n_samples] in [-1, 1].

    Raises:
        ValueError: The data ends in the middle of a sample.
    """
    if len(data) % 2:
        raise ValueError(f"{len(data)} bytes are not a whole number of 16-bit samples")
    return np.frombuffer(data, dtype="<i2").astype(np.float32) / np.float32(S16_FULL_SCALE)
