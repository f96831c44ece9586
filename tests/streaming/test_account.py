from __future__ import annotations

import math

import numpy as np
import pytest

from streaming.account import SAFETY_S, Account, LeadingSilence

RATE = 16_000
SILENT = np.zeros(160, np.float32)
LOUD = np.full(160, 0.2, np.float32)


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.parametrize("size", [1, 7, 160, 161, 1000, 5000])
def test_leading_silence_does_not_depend_on_the_chunks(size: int):
    audio = np.concatenate([SILENT, SILENT, SILENT[:100], LOUD[:60], LOUD])
    silence = LeadingSilence(RATE)
    for start in range(0, audio.size, size):
        silence.push(audio[start : start + size])
    assert silence.silent_ms == 20


def test_the_threshold_is_minus_40_dbfs():
    below, above = LeadingSilence(RATE), LeadingSilence(RATE)
    below.push(SILENT + np.float32(0.0099))
    above.push(SILENT + np.float32(0.0101))
    assert (below.silent_ms, above.silent_ms) == (None, 0)


def test_ttfc_runs_from_the_speakable_text_to_the_transport():
    clock = Clock()
    account = Account(RATE, clock)
    account.note_text(3)
    clock.now_s += 1.0
    account.note_segment(clock.now_s)
    account.note_wait(0.004)
    clock.now_s += 0.02
    account.note_audio(np.concatenate([SILENT, LOUD]))
    clock.now_s += 0.005
    account.note_sent()
    clock.now_s += 0.5
    account.note_sent()  # changes nothing
    account.note_wait(1.0)  # after the first audio: not part of TTFC
    account.stages.vocoder_ms = 5.0
    receipt = account.receipt()
    assert receipt.ttfc_ms == pytest.approx(25.0)
    assert receipt.audible_ttfc_ms == pytest.approx(35.0)
    assert receipt.queue_ms == pytest.approx(4.0)
    assert receipt.total_ms == pytest.approx(1525.0)
    assert receipt.rtf == pytest.approx(0.25)
    assert (receipt.samples, receipt.chars, receipt.segments) == (320, 3, 1)


def test_nothing_spoken_has_no_times():
    receipt = Account(RATE, Clock()).receipt()
    assert receipt.ttfc_ms is receipt.audible_ttfc_ms is receipt.queue_ms is receipt.rtf is None


def test_silence_alone_has_a_ttfc_but_no_audible_one():
    account = Account(RATE, Clock())
    account.note_segment(100.0)
    account.note_audio(SILENT)
    assert account.receipt().ttfc_ms == 0.0
    assert account.receipt().audible_ttfc_ms is None


def test_the_first_block_is_due_when_its_text_is_there_and_the_next_before_the_listener_runs_dry():
    clock = Clock()
    account = Account(RATE, clock)
    assert account.deadline_s(received_s=99.0) == 99.0
    assert account.dry_s == -math.inf
    account.note_audio(np.zeros(RATE, np.float32))
    clock.now_s = 100.2
    assert account.deadline_s(99.0) == pytest.approx(101.0 - SAFETY_S)
    account.note_sent()
    assert account.deadline_s(99.0) == pytest.approx(101.2 - SAFETY_S)
    assert account.dry_s == pytest.approx(101.2)


def test_who_has_run_dry_goes_on_when_the_next_audio_is_there():
    clock = Clock()
    account = Account(RATE, clock)
    account.note_audio(np.zeros(RATE, np.float32))
    clock.now_s = 105.0  # its text came late; nobody is to blame
    assert account.deadline_s(received_s=104.9) == 104.9
    account.note_audio(np.zeros(RATE, np.float32))
    assert account.dry_s == pytest.approx(106.0)
