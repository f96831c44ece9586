"""Hold an exported voice against its PyTorch networks, and time it.

Input   the networks, the bundle's manifest, an engine that runs the bundle's graphs
Output  `SelfCheck`: largest deviations and speed on built-in sentences
State   none
The graphs are run as the server runs them, block by block on the voice's grid. Each stage is compared on the
same input, so that a rounding in one (a duration at x.5, a U/V value at the threshold) does not pass for an
error of the next.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from streaming.errors import UnspeakableTextError
from streaming.frontends import make_frontend
from streaming.sambert_manifest import SambertManifest
from streaming.synthesis.acoustic import AcousticStream
from streaming.synthesis.engine import Array, Engine, NetworkName
from streaming.synthesis.excitation import make_excitation, pitch_of_frames
from streaming.synthesis.segment import SegmentSynthesis, grid_of
from streaming.synthesis.steps import run_steps
from streaming.types import FloatArray, Phonemes, Style
from training.checkpoints import AcousticModel
from training.nets.filled_pauses import FilledPauses
from training.nets.hifigan import Generator

SENTENCES = (
    "你好，欢迎使用语音合成服务。",
    "北京今天天气怎么样？",
    "请稍等，我帮你查一下明天从上海到杭州的高铁，还有没有靠窗的座位。",
    "Hello, how are you today?",
)
PSEUDO_SENTENCE_TOKENS = (3, 24, 60)  # where no frontend pronounces the voice's language
FORCED_FRAMES = 6.0  # per token, where a voice's own durations are no speech: 75 ms at 80 frames a second
MAX_FRAMES = 100.0  # per token, on average: more than a second each
LIMIT = 1e-3  # of a log duration, a normalised mel value, full scale; sound graphs differ by 1e-6 to 1e-4


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """What the check saw; deviations are the largest over all sentences.

    Attributes:
        n_sentences: Sentences spoken.
        log_durations: Of the encoder's log durations.
        mel: Of mel frames, given the same durations (normalised units).
        audio: Of samples, given the same frames (1 is full scale).
        audio_s: Duration of all sentences.
        own_frames: Frames per token as the voice itself paces the sentences.
        is_paced: Whether that is no speech, and everything else was checked at `FORCED_FRAMES` a token.
        first_block_ms: Compute time to the first samples of the longest sentence, on one thread.
        rtf: Compute time over audio time, on one thread.
    """

    n_sentences: int
    log_durations: float
    mel: float
    audio: float
    audio_s: float
    first_block_ms: float
    rtf: float
    own_frames: float
    is_paced: bool = False


class SelfCheckError(RuntimeError):
    """The exported graphs do not speak as the networks do."""


@dataclass(frozen=True, slots=True)
class Original:
    """The networks as they were before the export.

    Attributes:
        acoustic: The acoustic model.
        generator: The vocoder.
        pauses: What an FP model inserts; None where nothing is inserted.
    """

    acoustic: AcousticModel
    generator: Generator
    pauses: FilledPauses | None = None


def self_check(original: Original, voice: SambertManifest, engine: Engine) -> SelfCheck:
    """Speak the built-in sentences both ways.

    Raises:
        SelfCheckError: A second run gives other bits.
        SynthesisError: The runtime failed or a value is not finite.
    """
    sentences = list(built_in_sentences(original.acoustic, voice))
    watched = _WatchedEngine(engine)
    own_frames = _frames_per_token(watched, voice, sentences)
    watched.is_paced = not own_frames or own_frames > MAX_FRAMES
    deviations = np.max([_deviations(original, voice, watched, phonemes) for phonemes in sentences], axis=0)
    times = [_timed(voice, watched, phonemes) for phonemes in sentences]
    audio_s = sum(n_samples for n_samples, _, _ in times) / voice.sample_rate
    return SelfCheck(
        n_sentences=len(sentences),
        log_durations=float(deviations[0]),
        mel=float(deviations[1]),
        audio=float(deviations[2]),
        audio_s=audio_s,
        first_block_ms=max(times)[1],  # of the longest sentence
        rtf=sum(total_ms for _, _, total_ms in times) / 1000.0 / audio_s,
        own_frames=own_frames,
        is_paced=watched.is_paced,
    )


def refuse_deviation(check: SelfCheck) -> None:
    """Refuse what deviates by more than rounding explains.

    Raises:
        SelfCheckError: A stage is off by more than `LIMIT`.
    """
    for stage, value in (
        ("log durations", check.log_durations),
        ("mel", check.mel),
        ("audio", check.audio),
    ):
        if not value <= LIMIT:  # also true for NaN
            raise SelfCheckError(f"{stage} of the exported graphs are off by {value:.1e}; allowed is {LIMIT}")


def built_in_sentences(acoustic: AcousticModel, voice: SambertManifest) -> Iterator[Phonemes]:
    """Yield the sentences that the voice's frontend pronounces, or made-up tokens where there are none."""
    frontend = make_frontend(voice)
    spoken = 0
    for text in SENTENCES:
        try:
            phonemes = frontend.phonemes(text)
        except UnspeakableTextError:
            continue
        if phonemes is not None:
            spoken += 1
            yield phonemes
    if not spoken:
        for n_tokens in PSEUDO_SENTENCE_TOKENS:
            yield _pseudo_sentence(acoustic, n_tokens)


def _pseudo_sentence(acoustic: AcousticModel, n_tokens: int) -> Phonemes:
    """Tokens of random ids below the special rows."""
    tables = acoustic.network.config.tables
    n_special = 3
    of_bytes = tables.byte_index
    per_feature = (tables.sy, tables.tone, tables.syllable_flag, tables.word_segment)
    sizes = per_feature if of_bytes is None else (of_bytes,)
    random = np.random.default_rng(n_tokens)
    columns = [random.integers(0, max(size - n_special, 1), n_tokens) for size in sizes]
    return Phonemes(("",) * n_tokens, np.stack(columns, axis=1))


@torch.no_grad()
def _deviations(
    original: Original, voice: SambertManifest, engine: _WatchedEngine, phonemes: Phonemes
) -> FloatArray:
    """Largest deviation of log durations, mel and audio of one sentence, [3]; zeros where nothing sounds."""
    frames = _streamed_frames(engine, voice, phonemes)
    if not len(frames):
        return np.zeros(3, np.float32)
    # The streamed durations, unrounded and computed as `plan_durations` does, so that both round alike.
    longest = np.float32(voice.acoustic.outputs_per_step * (voice.acoustic.window_buckets[-1] - 1))
    durations = np.clip(np.exp(engine.paced_log_durations) - np.float32(1.0), np.float32(0.0), longest)
    ids = torch.from_numpy(phonemes.ids)[None]
    emotion = torch.full(ids.shape[:2], voice.emotion_id(""))
    vector = original.acoustic.speaker_vector
    speaker = torch.zeros_like(emotion) if vector is None else vector
    expected = original.acoustic.network.infer(
        ids, emotion, speaker, durations=torch.from_numpy(durations), pauses=original.pauses
    )
    audio = _streamed_audio(engine, voice, phonemes)
    if not np.array_equal(audio, _streamed_audio(engine, voice, phonemes)):
        raise SelfCheckError("the same sentence gave other samples the second time")
    pairs = (
        (expected.log_durations.numpy(), engine.log_durations),
        (expected.postnet_outputs[0].numpy(), frames),
        (whole_audio(original.generator, voice, frames), audio),
    )
    return np.array([np.abs(reference - value).max() for reference, value in pairs], np.float32)


def _frames_per_token(engine: Engine, voice: SambertManifest, sentences: Sequence[Phonemes]) -> float:
    """The voice's own pace; only the encoder runs."""
    streams = [AcousticStream(voice, phonemes, Style()) for phonemes in sentences]
    n_frames = sum(run_steps(engine, stream.encode()).n_frames for stream in streams)
    return n_frames / sum(len(phonemes.ids) for phonemes in sentences)


def _streamed_frames(engine: Engine, voice: SambertManifest, phonemes: Phonemes) -> FloatArray:
    """Feature frames [T, F], block by block."""
    stream = AcousticStream(voice, phonemes, Style())
    grid = grid_of(voice)
    n_blocks = grid.n_blocks(run_steps(engine, stream.encode()).n_frames)
    none = np.zeros((0, voice.acoustic.n_features), np.float32)
    chunks = [run_steps(engine, stream.frames(grid.block(index))) for index in range(n_blocks)]
    return np.concatenate([none, *(chunk.frames for chunk in chunks)])


def _streamed_audio(engine: Engine, voice: SambertManifest, phonemes: Phonemes) -> FloatArray:
    synthesis = SegmentSynthesis(engine, voice, phonemes, Style())
    chunks = []
    while (chunk := synthesis.advance()) is not None:
        chunks.append(chunk.samples)
    return np.concatenate(chunks)


@torch.no_grad()
def whole_audio(
    generator: Generator, voice: SambertManifest, frames: FloatArray, seed: int = 0
) -> FloatArray:
    """Samples [T * hop] of frames [T, F] by the whole-utterance generator, with the server's noise."""
    mel = torch.from_numpy(np.ascontiguousarray(frames[:, : voice.n_mels].T))[None]
    excitation = None
    if voice.f0 is not None and generator.config.nsf:
        harmonics = make_excitation(voice, seed).push(pitch_of_frames(frames, voice.f0, 1.0))
        excitation = generator.source_module.mix(torch.from_numpy(harmonics)[None])
    return np.asarray(generator.synthesise(mel, excitation)[0].numpy(), np.float32)


def _timed(voice: SambertManifest, engine: Engine, phonemes: Phonemes) -> tuple[int, float, float]:
    """Samples, compute time to the first of them and to the last, in milliseconds."""
    clock = time.perf_counter
    started = clock()
    synthesis = SegmentSynthesis(engine, voice, phonemes, Style())
    n_samples, first_s = 0, started
    while (chunk := synthesis.advance()) is not None:
        if not n_samples:
            first_s = clock()
        n_samples += chunk.samples.size
    return n_samples, 1000.0 * (first_s - started), 1000.0 * (clock() - started)


class _WatchedEngine:
    """Passes calls on, keeps the encoder's log durations, and paces a voice that has none of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.is_paced = False
        self.log_durations: FloatArray = np.zeros((1, 0), np.float32)  # as the network returned them
        self.paced_log_durations = self.log_durations

    @property
    def name(self) -> str:
        """The engine's name."""
        return self._engine.name

    def run(self, network: NetworkName, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run one network."""
        outputs = self._engine.run(network, inputs)
        if network == "encoder":
            found = np.asarray(outputs["log_durations"], np.float32)
            self.log_durations = found
            self.paced_log_durations = (
                np.full_like(found, np.log1p(FORCED_FRAMES)) if self.is_paced else found
            )
            outputs["log_durations"] = self.paced_log_durations
        return outputs
