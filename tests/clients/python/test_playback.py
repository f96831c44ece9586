from __future__ import annotations

import numpy as np
import pytest

from clients.python.playback import PlaybackClock
from clients.python.wire import AudioChunk

RATE = 1000


def chunk(received_s: float, samples: list[float] | np.ndarray) -> AudioChunk:
    pcm = (np.asarray(samples, dtype=np.float64) * 32767).astype("<i2").tobytes()
    return AudioChunk(1, 0, pcm, 0, len(samples), 0, False, False, False, False, received_s)


def silence(received_s: float, n_samples: int) -> AudioChunk:
    return chunk(received_s, np.zeros(n_samples))


def test_time_to_first_chunk_is_from_the_first_request() -> None:
    clock = PlaybackClock(RATE)
    clock.note_request(10.0)
    clock.note_request(10.5)
    clock.note_chunk(silence(10.25, 10))
    assert clock.stats().ttfc_ms == pytest.approx(250)


def test_audio_in_time_is_no_underrun() -> None:
    clock = PlaybackClock(RATE)
    for received_s in (0.0, 0.1, 0.2):
        clock.note_chunk(silence(received_s, 100))
    assert (clock.stats().underruns, clock.stats().audio_ms) == (0, 300)


def test_a_late_chunk_is_one_underrun_of_its_lateness_and_playback_waits_for_it() -> None:
    clock = PlaybackClock(RATE)
    clock.note_chunk(silence(0.0, 100))
    clock.note_chunk(silence(0.15, 100))  # 50 ms late; plays until 0.25
    clock.note_chunk(silence(0.24, 100))
    clock.note_chunk(silence(0.36, 100))  # 10 ms late
    stats = clock.stats()
    assert stats.underruns == 2
    assert stats.underrun_ms == pytest.approx(60)


def test_the_pause_between_utterances_is_no_underrun() -> None:
    clock = PlaybackClock(RATE)
    clock.note_chunk(silence(0.0, 100))
    clock.note_pause()
    clock.note_chunk(silence(9.0, 100))
    assert clock.stats().underruns == 0


@pytest.mark.parametrize("size", [1, 7, 10, 100])
def test_leading_silence_is_counted_in_windows_whatever_the_chunks(size: int) -> None:
    samples = np.zeros(200)
    samples[55:] = 0.5
    clock = PlaybackClock(RATE)
    clock.note_request(0.0)
    for start in range(0, 200, size):
        clock.note_chunk(chunk(1.0, samples[start : start + size]))
    assert clock.stats().audible_ttfc_ms == pytest.approx(1050)


def test_the_threshold_is_minus_forty_decibels() -> None:
    for amplitude, audible in ((0.0099, None), (0.0102, 0.0)):
        clock = PlaybackClock(RATE)
        clock.note_request(0.0)
        clock.note_chunk(chunk(0.0, np.full(50, amplitude)))
        assert clock.stats().audible_ttfc_ms == audible


def test_nothing_heard_is_none() -> None:
    stats = PlaybackClock(RATE).stats()
    assert (stats.ttfc_ms, stats.audible_ttfc_ms, stats.audio_ms) == (None, None, 0)


def test_float_audio_is_understood() -> None:
    clock = PlaybackClock(RATE, "pcm_f32le")
    pcm = np.full(20, -0.75, dtype="<f4").tobytes()
    clock.note_chunk(AudioChunk(1, 0, pcm, 0, 20, 0, False, False, False, False, 0.0))
    assert clock.stats().peak == 0.75
