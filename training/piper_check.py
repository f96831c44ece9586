"""Hold the cut networks of a Piper voice against its original network, and time them.

Input   the original model, the bundle's manifest, an engine that runs the bundle's networks
Output  `PiperCheck`: largest deviations and speed on a sentence of all the voice's phonemes
State   none
The original draws its own noise, so it is compared without: with both noise scales at 0.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from streaming.errors import SynthesisError
from streaming.piper_manifest import END, PAD, START, PiperManifest
from streaming.synthesis.engine import Engine
from streaming.synthesis.piper import PiperSynthesis, encoder_inputs
from streaming.types import FloatArray, Phonemes, Style
from training.self_check import SelfCheckError
from training.untrusted import CheckpointError

LIMIT = 1e-4  # of full scale; a sound cut differs by 1e-7 to 1e-6
WHOLE = 1 << 30  # a block of this length is the whole utterance


@dataclass(frozen=True, slots=True)
class PiperCheck:
    """What the check saw; deviations are the largest of all samples (1 is full scale).

    Attributes:
        original: Of the cut networks from the original, over the first and the last speaker.
        blocks: Of the decoder in blocks from the decoder over the whole sentence.
        first_block_ms: Compute time to the first samples, on one thread.
        rtf: Compute time over audio time, on one thread.
    """

    original: float
    blocks: float
    first_block_ms: float
    rtf: float


def check_piper(original: bytes, manifest: PiperManifest, engine: Engine) -> PiperCheck:
    """Speak every phoneme of the voice both ways.

    Args:
        original: The serialised model that the networks were cut from.
        manifest: Describes the cut networks.
        engine: Runs them.

    Raises:
        CheckpointError: The networks cannot be run, or lack a phoneme or speaker of the configuration.
        SelfCheckError: The cut networks speak for another time than the original.
    """
    phonemes = every_phoneme(manifest)
    try:
        deviation = _deviation_from_original(original, manifest, engine, phonemes)
        pieces, first_block_ms, seconds = _timed(manifest, engine, phonemes)
        [whole], _, _ = _timed(manifest.changed(block_frames=(WHOLE,)), engine, phonemes)
    except SynthesisError as error:
        raise CheckpointError(f"voice {manifest.name!r} cannot speak: {error}") from error
    if not whole.size:
        raise SelfCheckError("the voice speaks all its phonemes in no time")
    rtf = seconds * manifest.sample_rate / whole.size
    return PiperCheck(deviation, _difference(np.concatenate(pieces), whole), first_block_ms, rtf)


def refuse_deviation(check: PiperCheck) -> None:
    """Refuse what deviates by more than rounding explains.

    Raises:
        SelfCheckError: A deviation is above `LIMIT`.
    """
    for what, value in (("the cut networks", check.original), ("blocks", check.blocks)):
        if not value <= LIMIT:  # also true for NaN
            raise SelfCheckError(f"{what} are off by {value:.1e}; allowed is {LIMIT}")


def every_phoneme(manifest: PiperManifest) -> Phonemes:
    """Return a sentence of all phonemes, so that an id the network has no row for is found now."""
    ids = manifest.phoneme_ids
    framing = {START, PAD, END}
    inside = [number for name in ids if name not in framing for number in (*ids[name], *ids[PAD])]
    row = [*ids[START], *ids[PAD], *inside, *ids[END]]
    return Phonemes(tuple(map(str, row)), np.array(row, np.int64)[:, None])


def _deviation_from_original(
    original: bytes, manifest: PiperManifest, engine: Engine, phonemes: Phonemes
) -> float:
    quiet = manifest.changed(noise_scale=0.0, noise_w=0.0)
    session = _session(original)
    taken = {node.name for node in session.get_inputs()}
    worst = 0.0
    for speaker in {manifest.speakers[0], manifest.speakers[-1]}:
        style = Style(speaker=speaker)
        inputs = encoder_inputs(quiet, phonemes, style)
        inputs["sid"] = inputs["speaker"]
        expected = _run(session, {name: value for name, value in inputs.items() if name in taken})
        synthesis = PiperSynthesis(engine, quiet, phonemes, style)
        found = np.concatenate(_drained(synthesis))
        if found.size != expected.size:
            raise SelfCheckError(f"the cut networks make {found.size} samples, the original {expected.size}")
        worst = float(np.maximum(worst, _difference(found, expected)))
    return worst


def _timed(
    manifest: PiperManifest, engine: Engine, phonemes: Phonemes
) -> tuple[list[FloatArray], float, float]:
    """Return the blocks, milliseconds to the first and seconds to the last."""
    synthesis = PiperSynthesis(engine, manifest, phonemes, Style())
    started = time.perf_counter()
    first = _drained(synthesis, limit=1)
    first_block_ms = 1000.0 * (time.perf_counter() - started)
    return [*first, *_drained(synthesis)], first_block_ms, time.perf_counter() - started


def _drained(synthesis: PiperSynthesis, limit: int | None = None) -> list[FloatArray]:
    pieces: list[FloatArray] = []
    while len(pieces) != limit and (chunk := synthesis.advance()) is not None:
        pieces.append(chunk.samples)
    return pieces


def _session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # as in streaming/engines/onnx.py
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises classes of its own with no common base
        msg = f"the original cannot be loaded: {error}"
        raise SynthesisError(msg) from error


def _run(session: onnxruntime.InferenceSession, inputs: Mapping[str, NDArray[np.generic]]) -> FloatArray:
    try:
        audio, *_ = session.run(None, dict(inputs))
    except Exception as error:  # as above
        msg = f"the original failed: {error}"
        raise SynthesisError(msg) from error
    return np.asarray(audio, np.float32).reshape(-1)


def _difference(found: FloatArray, expected: FloatArray) -> float:
    return float(np.abs(found - expected).max(initial=0.0))
