from __future__ import annotations

import io
import wave

import pytest

from server.audio_shelf import AudioShelf, KeptAudio, fill_in_sizes
from streaming.audio.formats import Codec
from streaming.audio.pcm import PcmFormat
from streaming.audio.wav import wav_header
from streaming.errors import BadRequestError, OverloadedError

MB = 1_000_000


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def shelf(max_mb: int = 1, clock: Clock | None = None) -> AudioShelf:
    return AudioShelf(max_mb, 60.0, 1000, clock or Clock())


def put(on: AudioShelf, data: bytes, codec: Codec = Codec.MP3) -> KeptAudio:
    with on.record(codec) as recording:
        recording.write(data)
        return recording.keep()


def test_what_was_kept_is_found_by_a_name_that_nobody_guesses() -> None:
    full = shelf()
    first, second = put(full, b"one"), put(full, b"two")
    assert full.get(first.name) == first
    assert first.data == b"one"
    assert first.expires_s == 1060.0
    assert first.name != second.name
    assert len(first.name) >= 32
    assert first.name.endswith(".mp3")
    assert full.get("guess.mp3") is None


def test_audio_expires() -> None:
    clock = Clock()
    full = shelf(clock=clock)
    kept = put(full, b"one")
    clock.now_s += 59.9
    assert full.get(kept.name)
    clock.now_s += 0.1
    assert full.get(kept.name) is None
    assert full.n_bytes == 0


def test_the_oldest_makes_room() -> None:
    full = shelf()
    kept = [put(full, bytes(400_000)) for _ in range(3)]
    assert [full.get(audio.name) is not None for audio in kept] == [False, True, True]
    assert full.n_bytes == 800_000


def test_a_recording_that_fits_nowhere_is_refused() -> None:
    full = shelf()
    with full.record(Codec.MP3) as recording:
        recording.write(bytes(MB))
        with pytest.raises(BadRequestError, match="stream"):
            recording.write(b"x")
    assert full.n_bytes == 0


def test_recordings_that_are_not_finished_count() -> None:
    full = shelf()
    with full.record(Codec.MP3) as first, full.record(Codec.MP3) as second:
        first.write(bytes(600_000))
        second.write(bytes(400_000))
        assert full.n_bytes == MB
        with full.record(Codec.MP3) as third, pytest.raises(OverloadedError):
            third.write(b"x")
        assert full.n_bytes == MB
    assert full.n_bytes == 0


def test_nothing_is_kept_where_nothing_may_be() -> None:
    with shelf(0).record(Codec.MP3) as recording, pytest.raises(BadRequestError):
        recording.write(b"x")


def test_a_wav_file_gets_its_length() -> None:
    data = put(shelf(), wav_header(PcmFormat.S16LE, 24000) + bytes(10), Codec.WAV).data
    assert data == wav_header(PcmFormat.S16LE, 24000, 10) + bytes(10)
    with wave.open(io.BytesIO(data)) as file:
        assert file.getnframes() == 5
    short = bytearray(b"short")
    fill_in_sizes(short)
    assert short == b"short"


def test_a_recording_that_is_refused_gives_its_room_back_at_once() -> None:
    full = shelf()
    with full.record(Codec.MP3) as refused, full.record(Codec.MP3) as other:
        refused.write(bytes(600_000))
        other.write(bytes(300_000))
        with pytest.raises(OverloadedError):
            refused.write(bytes(200_000))
        assert full.n_bytes == 300_000
        other.write(bytes(700_000))
        with pytest.raises(AssertionError):
            refused.keep()
    assert full.n_bytes == 0


def test_what_is_kept_stays_where_its_room_is_not_enough() -> None:
    full = shelf()
    kept = put(full, bytes(300_000))
    with full.record(Codec.MP3) as first, full.record(Codec.MP3) as second:
        first.write(bytes(700_000))
        with pytest.raises(OverloadedError):
            second.write(bytes(400_000))
        assert full.get(kept.name) is kept
    assert full.n_bytes == 300_000
