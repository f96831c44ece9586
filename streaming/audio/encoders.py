"""From float samples to the bytes of a coded stream, a piece at a time.

Input   audio [n] float32 in [-1, 1] at the encoding's rate, cut anywhere
Output  bytes; all of them joined are one stream, the same however the audio was cut
State   what the codec holds back: under a frame of samples and its look-ahead
Not here: resampling, files, sockets, threads. An encoder serves one stream and one thread at a time.

A codec can only say what it has decided: nothing for the first 20 ms (Opus), 24 (FLAC), 48 (MP3) or 85 (AAC)
of audio at 24 kHz. Beyond that no container buffers: each packet is written as it comes.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from streaming.audio.formats import Codec, Encoding
from streaming.audio.ogg import OpusPages
from streaming.audio.pcm import PcmFormat, float_to_f32le, float_to_s16le
from streaming.audio.wav import wav_header
from streaming.types import FloatArray

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream


class Encoder(Protocol):
    """Codes one stream."""

    def encode(self, samples: FloatArray) -> bytes:
        """Return what is known of the stream when `samples` [n] have come; often nothing yet."""
        ...

    def finish(self) -> bytes:
        """Return the rest; the encoder is used up then. Without any audio it is an empty stream."""
        ...


def open_encoder(encoding: Encoding) -> Encoder:
    """Return an encoder for one stream. The first one of a lossy codec loads its library (0.1 s)."""
    match encoding.codec:
        case Codec.PCM_S16LE | Codec.PCM_F32LE:
            return PcmEncoder(encoding.codec)
        case Codec.WAV:
            return WavEncoder(encoding.rate)
        case Codec.OPUS:
            return OpusEncoder(encoding)
        case _:
            return LibraryEncoder(encoding)


def load_library() -> None:
    """Load what codes the lossy formats (0.1 s), so that no request has to wait for it. Blocking.

    Where it is not installed nothing happens: `Encoding` refuses these formats.
    """
    if Codec.MP3.is_available:
        LibraryEncoder(Encoding(Codec.MP3, 24000)).finish()


class PcmEncoder:
    """Plain samples."""

    def __init__(self, codec: Codec) -> None:
        self._convert = float_to_s16le if codec is Codec.PCM_S16LE else float_to_f32le

    def encode(self, samples: FloatArray) -> bytes:
        """Return the samples."""
        return self._convert(samples)

    def finish(self) -> bytes:
        """Return nothing."""
        return b""


class WavEncoder:
    """16-bit samples behind a header that leaves their number open."""

    def __init__(self, rate: int) -> None:
        self._header = wav_header(PcmFormat.S16LE, rate)

    def encode(self, samples: FloatArray) -> bytes:
        """Return the samples; before the first ones, the header."""
        header, self._header = self._header, b""
        return header + float_to_s16le(samples)

    def finish(self) -> bytes:
        """Return the header if no sample came: an empty file is a file."""
        header, self._header = self._header, b""
        return header


@dataclass(frozen=True, slots=True)
class _Recipe:
    """How FFmpeg is asked for a codec: encoder, muxer and their options."""

    encoder: str
    muxer: str
    encoder_options: dict[str, str]
    muxer_options: dict[str, str]


_RECIPES = {
    # Without the bit reservoir a frame needs no later one: 24 ms less of delay.
    Codec.MP3: _Recipe("libmp3lame", "mp3", {"reservoir": "0"}, {"write_xing": "0", "id3v2_version": "0"}),
    Codec.AAC: _Recipe("aac", "adts", {}, {}),
    Codec.FLAC: _Recipe("flac", "flac", {"compression_level": "2"}, {}),  # above 2, frames of 105 ms
    Codec.ULAW: _Recipe("pcm_mulaw", "mulaw", {}, {}),
    Codec.ALAW: _Recipe("pcm_alaw", "alaw", {}, {}),
}


class LibraryEncoder:
    """What FFmpeg codes (PyAV, the extra `codecs`). It releases the GIL while it does."""

    def __init__(self, encoding: Encoding) -> None:
        import av

        recipe = _RECIPES[encoding.codec]
        self._frames = _Frames(encoding.rate)
        self._written = _Written()
        self._container = av.open(
            self._written,
            "w",
            format=recipe.muxer,
            options={"flush_packets": "1", "fflags": "+bitexact", **recipe.muxer_options},
        )
        stream = self._container.add_stream(
            recipe.encoder, rate=encoding.rate, options=recipe.encoder_options, layout="mono"
        )
        self._stream = cast("AudioStream", stream)
        if encoding.bits_per_second is not None:
            self._stream.bit_rate = encoding.bits_per_second

    def encode(self, samples: FloatArray) -> bytes:
        """Return the packets that `samples` complete; the first of them behind the container's header."""
        if len(samples):
            for packet in self._stream.encode(self._frames.frame(samples)):
                self._container.mux(packet)
        return self._written.take()

    def finish(self) -> bytes:
        """Return the last packets and the container's end."""
        if self._frames.n_samples:
            for packet in self._stream.encode(None):
                self._container.mux(packet)
        self._container.close()
        return self._written.take()


class OpusEncoder:
    """Opus, coded by FFmpeg and put into Ogg by ourselves."""

    def __init__(self, encoding: Encoding) -> None:
        import av

        self._frames = _Frames(encoding.rate)
        codec = av.CodecContext.create("libopus", "w")
        codec.sample_rate, codec.layout, codec.format = encoding.rate, "mono", "flt"
        codec.time_base = Fraction(1, encoding.rate)
        codec.options = {"frame_duration": "20"}
        if encoding.bits_per_second is not None:
            codec.bit_rate = encoding.bits_per_second
        codec.open()
        self._codec = codec
        self._pages = OpusPages(codec.extradata or b"", encoding.rate)

    def encode(self, samples: FloatArray) -> bytes:
        """Return the packets that `samples` complete; the first of them behind the container's headers."""
        if not len(samples):
            return b""
        packets = self._codec.encode(self._frames.frame(samples))
        return b"".join([self._pages.packet(bytes(packet)) for packet in packets])

    def finish(self) -> bytes:
        """Return the last packets and the container's end."""
        packets = [bytes(packet) for packet in self._codec.encode(None)] if self._frames.n_samples else []
        *others, last = packets or [b""]
        pages = [self._pages.packet(packet) for packet in others]
        return b"".join([*pages, self._pages.end(last, self._frames.n_samples)])


class _Frames:
    """Samples as FFmpeg takes them, and how many there were."""

    def __init__(self, rate: int) -> None:
        import av

        self.n_samples = 0
        self._rate = rate
        self._frame_of = av.AudioFrame.from_ndarray

    def frame(self, samples: FloatArray) -> AudioFrame:
        """Return the next ones."""
        clipped = np.clip(samples, -1.0, 1.0)[None]
        frame = self._frame_of(np.ascontiguousarray(clipped), format="flt", layout="mono")
        frame.sample_rate = self._rate
        frame.pts = self.n_samples
        self.n_samples += len(samples)
        return frame


class _Written:
    """The file that the container writes to."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes) -> int:
        """Keep what the container writes."""
        self._data += data
        return len(data)

    def take(self) -> bytes:
        """Return what was written since the last time."""
        data = bytes(self._data)
        self._data.clear()
        return data
