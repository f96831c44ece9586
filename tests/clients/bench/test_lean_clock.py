from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients.bench.lean_clock import LeanClock
from clients.python.playback import PlaybackClock
from clients.python.wire import AudioChunk

RATE = 8000
AMPLITUDES = (0.0, 0.005, 0.0099, 0.0102, 0.3, 1.0)

Chunks = list[tuple[float, int, float]]
chunks_of_audio = st.lists(
    st.tuples(st.floats(0, 0.3), st.integers(1, 900), st.sampled_from(AMPLITUDES)), max_size=12
)


def pcm_of(n_samples: int, amplitude: float) -> bytes:
    return np.full(n_samples, amplitude * 32767).astype("<i2").tobytes()


def fed(chunks: Chunks) -> tuple[LeanClock, PlaybackClock]:
    lean, full = LeanClock(RATE), PlaybackClock(RATE)
    full.note_request(1.0)
    now_s = 1.0
    for wait_s, n_samples, amplitude in chunks:
        now_s += wait_s
        pcm = pcm_of(n_samples, amplitude)
        lean.note_chunk(now_s, pcm)
        full.note_chunk(AudioChunk(1, 0, pcm, 0, n_samples, 0, False, False, False, False, now_s))
    return lean, full


@settings(deadline=None)
@given(chunks_of_audio)
def test_it_notices_what_the_playback_clock_notices(chunks: Chunks) -> None:
    lean, full = fed(chunks)
    stats = full.stats()
    assert 1000 * lean.audio_s == pytest.approx(stats.audio_ms)
    assert len(lean.gaps) == stats.underruns
    assert sum(lean.gaps_ms()) == pytest.approx(stats.underrun_ms)
    ttfc_ms = None if lean.first_s is None else 1000 * (lean.first_s - 1.0)
    assert ttfc_ms == stats.ttfc_ms
    audible_ms = None if ttfc_ms is None or lean.silence_ms is None else ttfc_ms + lean.silence_ms
    assert audible_ms == stats.audible_ttfc_ms


@settings(deadline=None)
@given(chunks_of_audio.filter(bool))
def test_all_has_been_heard_when_it_runs_dry(chunks: Chunks) -> None:
    lean, _ = fed(chunks)
    assert lean.heard_s(lean.runs_dry_s + 9) == pytest.approx(lean.audio_s)
    assert lean.moment_of(lean.audio_s) <= lean.runs_dry_s + 1e-9


def test_a_moment_after_a_gap_is_later_by_the_gap() -> None:
    lean, _ = fed([(0.0, RATE, 0.5), (1.5, RATE, 0.5)])  # 1 s of audio, half a second of nothing, 1 s
    assert lean.moment_of(0.9) == pytest.approx(1.9)
    assert lean.moment_of(1.2) == pytest.approx(2.7)
    assert lean.heard_s(2.7) == pytest.approx(1.2)


def test_gaps_after_leaving_are_not_heard_and_one_in_which_one_leaves_ends_there() -> None:
    lean, _ = fed([(0.0, RATE, 0.5), (1.5, RATE, 0.5)])
    assert lean.gaps_ms(1.9) == ()
    assert lean.gaps_ms(2.2) == pytest.approx((200,))
    assert lean.gaps_ms(9.0) == pytest.approx((500,))


def test_audio_is_not_looked_at_once_it_is_audible() -> None:
    lean, _ = fed([(0.0, 100, 0.5)])
    lean.note_chunk(1.01, b"odd")  # not even samples
    assert lean.silence_samples == 0
