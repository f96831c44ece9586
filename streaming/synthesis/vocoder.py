"""The vocoder half of one segment: feature frames to samples, block by block of the grid.

Input   MelChunks of the acoustic stream, in order
Output  the network calls that are needed; samples [n] float32 per block, together exactly T * hop_length
State   frames not used yet, the excitation's phase, the network's packed state
Not here: who runs the network; volume, resampling, sample formats.
"""

from __future__ import annotations

import numpy as np

from streaming.errors import SynthesisError
from streaming.sambert_manifest import SambertManifest
from streaming.synthesis.engine import Array
from streaming.synthesis.excitation import Pitch, make_excitation, pitch_of_frames
from streaming.synthesis.grid import BlockPlan
from streaming.synthesis.steps import NetworkCall, Steps, as_state, owned
from streaming.types import AudioChunk, FloatArray, MelChunk, Style


class VocoderStream:
    """Takes the frames of a segment as they come and turns grid blocks into audio.

    Not thread-safe; the blocks must be asked for in order.
    """

    def __init__(self, voice: SambertManifest, style: Style, n_frames: int) -> None:
        self._voice = voice
        self._pitch_factor = style.pitch
        self._n_frames = n_frames
        self._excitation = make_excitation(voice, style.seed)
        self._state = np.zeros((1, voice.vocoder.state_size), np.float32)
        self._waiting: FloatArray = np.zeros((0, voice.acoustic.n_features), np.float32)
        self._last: FloatArray = np.zeros((1, voice.acoustic.n_features), np.float32)

    def push(self, chunk: MelChunk) -> None:
        """Add final feature frames."""
        if chunk.frames.shape[0]:
            self._waiting = np.concatenate([self._waiting, chunk.frames])
            self._last = chunk.frames[-1:]

    def block(self, plan: BlockPlan) -> Steps[AudioChunk]:
        """Run one block; its frames in [0, T) must have been pushed.

        A vocoder that takes edges gets the frames of the segment alone and returns its samples alone. Any
        other gets frames beyond T, which repeat the last one: they only fill the look-ahead and the fixed
        shape. The samples of the look-ahead at the start and those beyond T * hop_length are cut off.

        Raises:
            SynthesisError: The runtime failed or a sample is not a number.
        """
        hop, sizes = self._voice.hop_length, self._voice.vocoder
        audio = yield from self._run(self._take(plan), plan)
        if not np.isfinite(audio).all():
            msg = f"the vocoder returned values that are not finite at frame {plan.start_frame}"
            raise SynthesisError(msg)
        late_start = plan.start_frame - sizes.lookahead_frames
        start_frame = max(late_start, 0)
        if sizes.takes_edges:
            return AudioChunk(owned(audio), start_frame * hop, last=self._is_last(plan))
        end_frame = min(plan.end_frame - sizes.lookahead_frames, self._n_frames)
        samples = audio[(start_frame - late_start) * hop : (end_frame - late_start) * hop]
        return AudioChunk(owned(samples), start_frame * hop, last=end_frame == self._n_frames)

    def _is_last(self, plan: BlockPlan) -> bool:
        return plan.end_frame >= self._n_frames

    def _take(self, plan: BlockPlan) -> FloatArray:
        wanted = plan.end_frame - plan.start_frame
        real = min(plan.end_frame, self._n_frames) - min(plan.start_frame, self._n_frames)
        if self._waiting.shape[0] < real:
            msg = f"block {plan} needs {real} frames, {self._waiting.shape[0]} were pushed"
            raise RuntimeError(msg)
        frames, self._waiting = self._waiting[:real], self._waiting[real:]
        if self._voice.vocoder.takes_edges:
            return frames
        return np.concatenate([frames, np.repeat(self._last, wanted - real, axis=0)])

    def _run(self, frames: FloatArray, plan: BlockPlan) -> Steps[FloatArray]:
        voice = self._voice
        pitch = self._pitch(frames)
        inputs: dict[str, Array] = {
            "mel": np.ascontiguousarray(frames[None, :, : voice.n_mels]),
            "state": self._state,
        }
        if voice.vocoder.kind != "plain":
            inputs["excitation"] = self._excitation.push(pitch)[None]
        if voice.vocoder.takes_f0:
            inputs["f0"] = np.stack([np.log(pitch.f0_hz), pitch.voiced], axis=1).astype(np.float32)[None]
        if voice.vocoder.takes_edges:
            inputs["edges"] = np.array([plan.start_frame == 0, self._is_last(plan)], np.int64)
        # Edges are the same for all rows of a call: they have no batch axis.
        out = yield NetworkCall("vocoder", inputs, "vocoder_ms", stackable=not voice.vocoder.takes_edges)
        self._state = owned(as_state(out["state"]))
        return np.asarray(out["audio"][0], np.float32)

    def _pitch(self, frames: FloatArray) -> Pitch:
        if self._voice.f0 is None:
            return Pitch(np.zeros(frames.shape[0]), np.zeros(frames.shape[0]))
        return pitch_of_frames(frames, self._voice.f0, self._pitch_factor)
