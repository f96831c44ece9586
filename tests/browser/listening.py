"""What the tests compare: the server's samples as Python gets them, and what a page played.

Samples are int16 values held as int32, so that differences do not wrap.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clients.python.client import Client, SpeakOptions
from tests.browser.site import Site

Samples = NDArray[np.int32]
FADE_MS = 5


async def reference(site: Site, text: str, rate: int = 24_000, **options: Any) -> Samples:
    """The samples of a text, by the Python client."""
    async with (
        Client(site.stream) as client,
        client.speak(text, SpeakOptions(rate=rate, **options)) as speech,
    ):
        pcm = b"".join([chunk.pcm async for chunk in speech])
    return np.frombuffer(pcm, "<i2").astype(np.int32)


def floats(packed: str) -> NDArray[np.float32]:
    """What a page packed."""
    return np.frombuffer(base64.b64decode(packed), "<f4")


def ints(packed: str) -> Samples:
    """The same as int16 values; that they are whole numbers is checked."""
    scaled = floats(packed).astype(np.float64) * 32768
    whole = np.round(scaled)
    assert np.array_equal(scaled, whole), "samples were changed on the way"
    return whole.astype(np.int32)


def frame_at(said: dict[str, Any], index: int) -> int:
    """The context's frame at which a page played a sample of its recording."""
    block, within = divmod(int(index), 128)
    return int(said["frames"][block]) + within


def first_sound(samples: NDArray[Any]) -> int:
    """The index of the first sample that is not zero."""
    [indices] = np.nonzero(samples)
    assert len(indices), "nothing but silence"
    return int(indices[0])


def played(recorded: NDArray[Any], wanted: NDArray[Any]) -> NDArray[Any]:
    """The part of a recording that should be `wanted`, found by the first sound of both."""
    start = first_sound(recorded) - first_sound(wanted)
    assert start >= 0
    return recorded[start : start + len(wanted)]


def find(recorded: NDArray[Any], wanted: NDArray[Any]) -> int:
    """The last place where a recording holds the beginning of `wanted`."""
    key = wanted[first_sound(wanted) :][:64]
    windows = np.lib.stride_tricks.sliding_window_view(recorded, len(key))
    places = np.flatnonzero((windows == key).all(axis=1))
    assert len(places), "it was not played"
    return int(places[-1]) - first_sound(wanted)


def longest_silence(samples: NDArray[Any]) -> int:
    """The longest run of zeros."""
    sounding = np.flatnonzero(samples)
    return int(np.diff(sounding, prepend=-1, append=len(samples)).max()) - 1


def largest_step(samples: NDArray[Any]) -> float:
    """The largest difference of two neighbours."""
    return float(np.abs(np.diff(samples.astype(np.float64))).max())


def underruns(recorded: NDArray[np.float32], wanted: Samples, rate: int) -> int:
    """Follow a recording sample by sample; return how often it ran dry, each time with the right fades.

    Between the gaps every sample must be the right one, in order; a gap must begin with the last 5 ms
    backwards and fading, and end with a fade-in of the samples that come next.
    """
    fade = rate * FADE_MS // 1000
    down = 1 - np.arange(1, fade + 1) / fade
    up = np.arange(fade) / fade
    heard = recorded.astype(np.float64) * 32768
    at, place, count = first_sound(heard) - first_sound(wanted), 0, 0
    while True:
        n = min(len(heard) - at, len(wanted) - place)
        same = heard[at : at + n] == wanted[place : place + n]
        matched = n if same.all() else int(np.argmin(same))
        at, place = at + matched, place + matched
        if place == len(wanted):
            return count
        assert place >= fade, f"sample {place} is wrong"
        count += 1
        tail = wanted[place - fade : place][::-1] * down
        np.testing.assert_allclose(heard[at : at + fade], tail, atol=0.1, err_msg=f"no fade-out at {place}")
        at += fade
        following = wanted[place : place + fade] * up[: len(wanted) - place]
        at += first_sound(heard[at:]) - first_sound(following)
        np.testing.assert_allclose(heard[at : at + len(following)], following, atol=0.1)
        at, place = at + len(following), place + len(following)
