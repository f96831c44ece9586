from __future__ import annotations

import io
from itertools import pairwise

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.audio.encoders import open_encoder
from streaming.audio.formats import Codec, Encoding, rates_of
from streaming.audio.pcm import float_to_s16le
from streaming.types import FloatArray

FORMATS = [(codec, rate) for codec in Codec for rate in rates_of(codec)]
IN_CONTAINERS = (Codec.WAV, Codec.MP3, Codec.OPUS, Codec.FLAC, Codec.AAC)
# What a codec must have seen before it says anything: frame and look-ahead in milliseconds at 24 kHz.
MOST_DELAY_MS = {Codec.MP3: 48, Codec.OPUS: 20, Codec.FLAC: 24, Codec.AAC: 86, Codec.ULAW: 1, Codec.WAV: 1}


def tone(rate: int, seconds: float = 1.0) -> FloatArray:
    times = np.arange(round(rate * seconds)) / rate
    return (0.4 * np.sin(2 * np.pi * 440.0 * times) * np.minimum(1.0, 20 * times)).astype(np.float32)


def encoded(encoding: Encoding, samples: FloatArray, cuts: list[int]) -> bytes:
    encoder = open_encoder(encoding)
    pieces = [encoder.encode(samples[a:b]) for a, b in pairwise([0, *cuts, len(samples)])]
    return b"".join([*pieces, encoder.finish()])


def decoded(data: bytes) -> tuple[int, FloatArray]:
    with av.open(io.BytesIO(data)) as container:
        rate = container.streams.audio[0].rate
        converter = av.AudioResampler("flt", "mono", rate)
        frames = [frame for given in container.decode(audio=0) for frame in converter.resample(given)]
    return rate, np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])


@pytest.mark.parametrize(("codec", "rate"), FORMATS)
@settings(max_examples=5)
@given(cuts=st.lists(st.integers(0, 3000), max_size=12).map(sorted))
def test_any_cut_of_the_audio_gives_the_same_stream(codec: Codec, rate: int, cuts: list[int]) -> None:
    samples = tone(rate, 0.4)[:3000]
    encoding = Encoding(codec, rate)
    assert encoded(encoding, samples, [cut for cut in cuts if cut <= len(samples)]) == encoded(
        encoding, samples, []
    )


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
@pytest.mark.parametrize("codec", IN_CONTAINERS)
def test_a_player_hears_the_tone(codec: Codec, rate: int) -> None:
    samples = tone(rate)
    found_rate, heard = decoded(encoded(Encoding(codec, rate), samples, [rate // 3]))
    assert found_rate == (48000 if codec is Codec.OPUS else rate)  # Opus is always decoded at 48 kHz
    assert abs(len(heard) / found_rate - 1.0) < 0.3  # MP3 and AAC pad whole frames on both sides
    spectrum = np.abs(np.fft.rfft(heard))
    assert abs(np.argmax(spectrum) * found_rate / len(heard) - 440.0) < 3.0
    middle = heard[len(heard) // 3 : 2 * len(heard) // 3]
    assert 0.2 < np.sqrt(np.mean(middle**2)) < 0.34


@pytest.mark.parametrize("codec", MOST_DELAY_MS)
def test_a_stream_begins_as_soon_as_the_codec_can(codec: Codec) -> None:
    encoder, samples = open_encoder(Encoding(codec, 24000)), tone(24000)
    header = len(open_encoder(Encoding(codec, 24000)).finish()) if codec is not Codec.FLAC else 8400
    heard_ms, n_bytes = 0, 0
    while n_bytes <= header:
        n_bytes += len(encoder.encode(samples[heard_ms * 24 : (heard_ms + 1) * 24]))
        heard_ms += 1
    assert heard_ms <= MOST_DELAY_MS[codec]


@pytest.mark.parametrize("codec", Codec)
def test_a_stream_without_audio_ends_in_peace(codec: Codec) -> None:
    encoder = open_encoder(Encoding(codec, 24000))
    assert encoder.encode(np.zeros(0, np.float32)) in (
        b"",
        encoded(Encoding(codec, 24000), tone(24000)[:0], []),
    )
    assert isinstance(encoder.finish(), bytes)


@pytest.mark.parametrize("codec", [Codec.ULAW, Codec.ALAW])
def test_telephone_speech_is_a_byte_a_sample_and_near_the_original(codec: Codec) -> None:
    samples = tone(8000)
    data = encoded(Encoding(codec, 8000), samples, [17])
    assert len(data) == len(samples)
    with av.open(io.BytesIO(data), format="mulaw" if codec is Codec.ULAW else "alaw") as container:
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    heard = np.concatenate(frames).astype(np.float64) / 32767
    noise = heard[: len(samples)] - samples
    assert 10 * np.log10(np.mean(samples**2) / np.mean(noise**2)) > 35  # dB; G.711 is good for 38


def test_peaks_beyond_full_scale_are_clipped_not_wrapped() -> None:
    loud = np.array([2.0, -2.0, 0.5], np.float32)
    assert encoded(Encoding(Codec.PCM_S16LE, 16000), loud, []) == float_to_s16le(np.clip(loud, -1, 1))
    _, heard = decoded(encoded(Encoding(Codec.FLAC, 16000), np.repeat(loud, 1000), []))
    assert heard[500] > 0.99
    assert heard[1500] < -0.99


def test_a_higher_bit_rate_takes_more_bytes() -> None:
    sizes = [len(encoded(Encoding(Codec.MP3, 24000, kbps), tone(24000), [])) for kbps in (32, 64, 128)]
    assert sizes == sorted(sizes)
    assert sizes[2] > 3 * sizes[0]


@pytest.mark.parametrize("codec", [Codec.FLAC, Codec.AAC, Codec.MP3, Codec.OPUS])
def test_an_encoder_that_is_dropped_before_its_end_is_closed_at_once(codec: Codec) -> None:
    encoder = open_encoder(Encoding(codec, 24000))
    encoder.encode(tone(24000)[:5000])
    finalizer = getattr(encoder, "_on_drop", None)
    if finalizer is None:
        return  # what writes Opus' pages is no container of the library's
    assert finalizer.alive
    del encoder
    assert not finalizer.alive
