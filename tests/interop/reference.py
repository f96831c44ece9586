"""What the native protocol says for the same text: every other one is held against it."""

from __future__ import annotations

import asyncio
import base64

import numpy as np
from numpy.typing import NDArray

from clients.python.client import Client
from clients.python.speech import SpeakOptions

Samples = NDArray[np.int16]


def native_pcm(port: int, text: str, rate: int = 24000) -> Samples:
    """Return the samples of a text by our own client."""

    async def speak() -> bytes:
        async with Client(f"ws://127.0.0.1:{port}/v1/stream") as client:
            speech = client.speak(text, SpeakOptions(rate=rate))
            return b"".join([chunk.pcm async for chunk in speech])

    return np.frombuffer(asyncio.run(speak()), "<i2")


def samples(encoded: str) -> Samples:
    """Return the samples of base64 as client scripts report them."""
    return np.frombuffer(base64.b64decode(encoded), "<i2")


def similarity(decoded: NDArray[np.float64], reference: Samples, *, most_delay: int = 4000) -> float:
    """Return the best normalised correlation over the delays that lossy codecs have (in samples)."""
    wanted = reference.astype(np.float64)
    size = 1 << (len(decoded) + len(wanted) - 1).bit_length()
    spectrum = np.fft.rfft(decoded, size) * np.conj(np.fft.rfft(wanted, size))
    correlation = np.fft.irfft(spectrum, size)[:most_delay]
    return float(correlation.max() / (np.linalg.norm(decoded) * np.linalg.norm(wanted)))
