"""One segment of a Piper (VITS) voice: the whole sentence to latent frames, then the decoder in blocks.

Input   Phonemes, Style; an Engine that any number of segments share
Output  AudioChunk per block of the grid, in order
State   the latent frames of the segment; nothing is shared between segments
Not here: threads, deadlines, clients. `steps` says what to compute; `advance` computes it, blocking.

VITS is not causal: durations, prior and flow see the sentence to its end, so the first audio has to wait
for them. The decoder is a stack of convolutions; given the frames that its kernels reach on both sides, a
block comes out as it does in the whole sentence. The networks:

encoder   input int64 [1,N], input_lengths int64 [1], scales [3] (noise_scale, length_scale, noise_w),
          speaker int64 [1], noise [S,K]  ->  latent [1,C,T], and conditioning_0, ... where the decoder is
          conditioned on the speaker
decoder   latent [1,C,t], the encoder's other outputs  ->  audio [1,t*hop]

Noise i of a network that draws noise is element i modulo K of its row.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from streaming.piper_manifest import PiperManifest
from streaming.synthesis.engine import Array, Engine
from streaming.synthesis.grid import Grid
from streaming.synthesis.noise import normal_noise, stream_key
from streaming.synthesis.steps import NetworkCall, Steps, owned, run_steps
from streaming.synthesis.volume import with_volume
from streaming.types import AudioChunk, FloatArray, IntArray, Phonemes, StageTimes, Style

NOISE_LENGTH = 1 << 18  # 15 s of 192 channels at 86 frames a second; beyond, the noise repeats
NOISE_TABLES = 4  # seeds whose tables are kept: nearly every request has the default one


@lru_cache(maxsize=NOISE_TABLES)
def noise_table(seed: int, n_rows: int) -> FloatArray:
    """Return the noise of a seed, [n_rows, NOISE_LENGTH] float32; the same for every sentence."""
    positions = np.arange(NOISE_LENGTH, dtype=np.int64)
    table = np.empty((n_rows, NOISE_LENGTH), np.float32)
    for row in range(n_rows):
        table[row] = normal_noise(stream_key(seed, row), positions)
    table.setflags(write=False)
    return table


def encoder_inputs(voice: PiperManifest, phonemes: Phonemes, style: Style) -> dict[str, Array]:
    """Return what the encoder is given for one segment."""
    ids = phonemes.ids[:, 0]
    scales = (voice.noise_scale, voice.length_scale / style.speed, voice.noise_w)
    return {
        "input": ids[None],
        "input_lengths": np.array([ids.size], np.int64),
        "scales": np.array(scales, np.float32),
        "speaker": np.array([voice.speaker_id(style.speaker)], np.int64),
        "noise": noise_table(style.seed, voice.n_noises),
    }


class PiperSynthesis:
    """Synthesises one segment, at most one decoder block per call.

    Not thread-safe, but successive calls may come from different threads. There is nothing to
    close: dropping the last reference frees all state.
    """

    def __init__(
        self,
        engine: Engine,
        voice: PiperManifest,
        phonemes: Phonemes,
        style: Style,
        *,
        times: StageTimes | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Check the style; no network runs yet.

        Raises:
            UnknownVoiceError: The voice has no such speaker, or an emotion is asked for.
            BadRequestError: A factor is out of range, or the pitch is not 1.
        """
        voice.check_style(style)
        self.times = StageTimes() if times is None else times  # an utterance sums over its segments
        self._engine = engine
        self._voice = voice
        self._phonemes = phonemes
        self._style = style
        self._clock = clock
        # The decoder takes its right context from frames that are there already: no block waits for another.
        self._grid = Grid(voice.block_frames, 1, 0, 0)
        self._latent: FloatArray | None = None
        self._conditioning: dict[str, Array] = {}
        self._next_block = 0

    @property
    def n_samples(self) -> int:
        """Length of the segment in samples; known after the first `advance`."""
        return self._n_frames * self._voice.hop_length

    @property
    def token_start_samples(self) -> IntArray:
        """Start of the first token and the end, int64; between them the networks keep it to themselves.

        Known after the first `advance`. Phonemes of a Piper voice have no words, which would need the rest.
        """
        starts = np.zeros(len(self._phonemes.tokens) + 1, np.int64)
        starts[-1] = self.n_samples
        return starts

    @property
    def _n_frames(self) -> int:
        assert self._latent is not None, "known after the first advance"
        return int(self._latent.shape[2])

    def advance(self) -> AudioChunk | None:
        """Compute the next block on this thread: `steps` with one call after the other.

        Raises:
            SynthesisError: The runtime failed; the segment cannot go on.
        """
        return run_steps(self._engine, self.steps(), self.times, self._clock)

    def steps(self) -> Steps[AudioChunk | None]:
        """Say what to compute for the next block; the first time also the encoder, over the whole sentence.

        Returns:
            The next samples of the segment, or None after the last.
        """
        latent = (yield from self._encode()) if self._latent is None else self._latent
        n_frames = self._n_frames
        start, end = self._grid.border(self._next_block), self._grid.border(self._next_block + 1)
        if start >= max(n_frames, 1):  # no frames: one empty chunk
            return None
        self._next_block += 1
        end = min(end, n_frames)
        samples = (yield from self._decode(latent, start, end)) if n_frames else np.zeros(0, np.float32)
        start_sample = start * self._voice.hop_length
        return AudioChunk(with_volume(samples, self._style.volume), start_sample, last=end == n_frames)

    def _encode(self) -> Steps[FloatArray]:
        inputs = encoder_inputs(self._voice, self._phonemes, self._style)
        outputs = dict((yield NetworkCall("encoder", inputs, "encoder_ms")))
        latent = np.asarray(outputs.pop("latent"), np.float32)
        self._latent, self._conditioning = latent, outputs
        return latent

    def _decode(self, latent: FloatArray, start: int, end: int) -> Steps[FloatArray]:
        """Return the samples of frames [start, end).

        The decoder sees nothing but real frames: where the segment itself ends, so does its input, and the
        convolutions pad there as they do in a run over the whole.
        """
        context = self._voice.context_frames
        first = max(start - context, 0)
        window = latent[:, :, first : end + context]
        inputs = {"latent": window, **self._conditioning}
        audio = (yield NetworkCall("decoder", inputs, "vocoder_ms", stackable=True))["audio"]
        hop = self._voice.hop_length
        return owned(np.asarray(audio.reshape(-1)[(start - first) * hop : (end - first) * hop], np.float32))
