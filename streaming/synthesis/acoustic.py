"""The acoustic half of one segment: phonemes to feature frames, block by block.

Input   Phonemes and Style
Output  the network calls that are needed; MelChunk per block of the grid
State   the decoder's windows, the last frame, the PostNet's packed state; all owned by the stream
Not here: who runs the networks, on which thread, when, and what is done with the frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from streaming.errors import SynthesisError
from streaming.sambert_manifest import SambertManifest
from streaming.synthesis.decoder_steps import DecoderSteps
from streaming.synthesis.durations import DurationPlan, plan_durations
from streaming.synthesis.engine import Array
from streaming.synthesis.grid import BlockPlan
from streaming.synthesis.regulator import memory_rows
from streaming.synthesis.steps import NetworkCall, Steps, as_state, owned
from streaming.types import FloatArray, IntArray, MelChunk, Phonemes, Style

MASKED = np.float32(-np.inf)  # additive attention mask of an unused slot
MASKS = 1024  # windows times bands, of all voices


class AcousticStream:
    """Encodes a segment, which gives the durations, then decodes block by block.

    Not thread-safe; the blocks must be asked for in order.
    """

    def __init__(self, voice: SambertManifest, phonemes: Phonemes, style: Style) -> None:
        self._voice = voice
        self._sizes = voice.acoustic
        self._phonemes = phonemes
        self._style = style
        self._postnet_state = np.zeros((1, self._sizes.postnet_state_size), np.float32)
        self._prev = np.zeros((1, self._sizes.n_features), np.float32)
        self._next_step = 0
        self._plan: DurationPlan | None = None

    @property
    def plan(self) -> DurationPlan:
        """Durations of the segment; known after `encode`."""
        if self._plan is None:
            msg = "encode() has not run yet"
            raise RuntimeError(msg)
        return self._plan

    def encode(self) -> Steps[DurationPlan]:
        """Run the networks that see the whole segment: encoder, durations, decoder memory.

        Raises:
            SynthesisError: The runtime failed or a duration is not a number.
        """
        inputs = encoder_inputs(self._voice, self._phonemes.ids, self._style)
        encoded = yield NetworkCall("encoder", inputs, "encoder_ms")
        sizes = self._sizes
        plan = plan_durations(
            np.asarray(encoded["log_durations"][0], np.float32),
            speed=self._style.speed,
            outputs_per_step=sizes.outputs_per_step,
            window_buckets=sizes.window_buckets,
            token=np.asarray(encoded["token"][0], np.int64) if sizes.inserts_tokens else None,
        )
        text, speaker, emotion = (np.asarray(encoded[name][0], np.float32) for name in ("aug", "spk", "emo"))
        self._rows = memory_rows(text, speaker, emotion, plan.row_frames, sizes.outputs_per_step)
        self._plan = plan
        if plan.n_frames:
            memory = yield NetworkCall("memory", {"rows": self._rows[None]}, "encoder_ms")
            self._prepare_windows(memory, plan)
        return plan

    def _prepare_windows(self, memory: Mapping[str, Array], plan: DurationPlan) -> None:
        tail = ((0, 0), (0, 0), (0, 0), (0, plan.window), (0, 0))  # so that every window is full
        mem_k, mem_v = (np.asarray(memory[name], np.float32) for name in ("mem_k", "mem_v"))
        self._mem_k: FloatArray = np.pad(mem_k, tail)  # (1, L, H, M + W, dh)
        self._mem_v: FloatArray = np.pad(mem_v, tail)
        sizes = self._sizes
        shape = (1, sizes.decoder_layers, sizes.decoder_heads, plan.window, sizes.decoder_head_dim)
        self._self_k: FloatArray = np.zeros(shape, np.float32)
        self._self_v: FloatArray = np.zeros(shape, np.float32)

    def frames(self, block: BlockPlan) -> Steps[MelChunk]:
        """Run the decoder steps and the PostNet group of one block of the grid.

        Returns:
            The frames in [0, T) that became final: start_frame is the grid's step border minus
            the PostNet's delay. Empty when all T frames came out before.

        Raises:
            SynthesisError: The runtime failed or a frame is not a number.
        """
        r, delay = self._sizes.outputs_per_step, self._sizes.postnet_delay_frames
        group_start = block.start_step * r
        start, end = group_start - delay, block.end_step * r - delay
        n_frames = self.plan.n_frames
        if start >= n_frames:
            return MelChunk(np.zeros((0, self._sizes.n_features), np.float32), n_frames)
        decoded = np.zeros((1, (block.end_step - block.start_step) * r, self._sizes.n_features), np.float32)
        n_steps = min(block.end_step, self.plan.n_steps) - block.start_step
        if n_steps > 0:
            decoded[0, : n_steps * r] = yield from self._steps(block.start_step, n_steps)
        decoded[0, max(n_frames - group_start, 0) :] = 0.0  # rows beyond T (spec section 1.6)
        inputs: dict[str, Array] = {
            "frames": decoded,
            "start": np.array([group_start], np.int64),
            "length": np.array([n_frames], np.int64),
            "state": self._postnet_state,
        }
        out = yield NetworkCall("postnet", inputs, "decoder_ms", stackable=True)
        self._postnet_state = owned(as_state(out["state"]))
        frames = np.asarray(out["frames"][0], np.float32)[max(-start, 0) : min(end, n_frames) - start]
        if not np.isfinite(frames).all():
            msg = f"the acoustic networks returned values that are not finite at frame {max(start, 0)}"
            raise SynthesisError(msg)
        return MelChunk(frames, max(start, 0))

    def _steps(self, first: int, n_steps: int) -> Steps[FloatArray]:
        """Decoder steps: [n_steps * r, n_features]; moves the windows on by as many slots."""
        steps, slots = slice(first, first + n_steps), slice(first, first + n_steps - 1 + self.plan.window)
        masks = zip(*(self._masks(step) for step in range(first, first + n_steps)), strict=True)
        mem_mask, self_mask = (np.stack(of_steps, axis=1) for of_steps in masks)
        inputs: dict[str, Array] = {
            "prev": self._prev,
            "row": self._rows[None, steps],
            "mem_k": self._mem_k[:, :, :, slots],
            "mem_v": self._mem_v[:, :, :, slots],
            "mem_mask": mem_mask,
            "self_k": self._self_k,
            "self_v": self._self_v,
            "self_mask": self_mask,
        }
        out = yield DecoderSteps("decoder", inputs, "decoder_ms", stackable=True)
        self._self_k, self._self_v = owned(as_state(out["self_k"])), owned(as_state(out["self_v"]))
        frames = np.asarray(out["frames"][0], np.float32)
        self._prev = frames[None, -1].copy()
        return frames

    def _masks(self, step: int) -> tuple[FloatArray, FloatArray]:
        """Masks [1, W] of the window: memory rows step..step+band, own history step-band..step.

        Slot i of the memory window is row step + i; slot W-1-i of the history is step - i.
        """
        plan = self.plan
        ahead = min(plan.band_width, plan.n_steps - 1 - step)
        back = min(plan.band_width, step)
        return window_mask(plan.window, ahead), window_mask(plan.window, back)[:, ::-1]


@lru_cache(maxsize=MASKS)
def window_mask(window: int, last: int) -> FloatArray:
    """Return the additive mask [1, window] whose slots up to `last` are open; the same for every stream."""
    mask = np.where(np.arange(window) <= last, np.float32(0.0), MASKED)[None]
    mask.setflags(write=False)
    return mask


def encoder_inputs(voice: SambertManifest, ids: IntArray, style: Style) -> dict[str, Array]:
    """Build the inputs of the `encoder` network for the ids [n_tokens, columns] of one segment.

    A voice with F0 rows changes F0 itself, in the vocoder. Elsewhere the factor q acts on the predicted
    pitch, which is normalised: (q f0 - mean) / std = q (f0 - mean) / std + (q - 1) mean / std.
    """
    factor = 1.0 if voice.f0 else style.pitch
    shape = (1, len(ids))
    return {
        "ling": ids.astype(np.int64, copy=False)[None],
        "emotion": np.full(shape, voice.emotion_id(style.emotion), np.int64),
        "speaker": np.full(shape, voice.speaker_id(style.speaker), np.int64),
        "emotion_intensity": np.array([style.emotion_intensity], np.float32),
        "pitch_scale": np.array([factor], np.float32),
        "pitch_shift": np.array([(factor - 1.0) * voice.pitch_mean_over_std], np.float32),
    }
