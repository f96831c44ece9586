from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from tests.training.nets.small import largest_difference
from tests.training.test_parity import AUDIO_TOLERANCE, expected, vocoder
from training.nets.config import HifiganConfig, NsfConfig
from training.nets.hifigan import Generator, SourceDraws
from training.nets.streaming_vocoder import StreamingVocoder

TOLERANCE = 1e-5
CAUSAL = ("tiny_16k", "tiny_24k_nsf_causal")
NON_CAUSAL = ("tiny_16k_noncausal", "tiny_16k_nsf")

# Sample rate in kHz -> scales, kernels, dilations, look-ahead in frames.
LAYOUTS = {
    8: ((5, 5, 2, 2), (10, 10, 4, 4), (1, 3, 5, 7), 32),
    16: ((10, 5, 2, 2), (20, 11, 4, 4), (1, 3, 5, 7), 18),
    24: ((8, 5, 3, 2), (16, 11, 7, 4), (1, 3, 5), 14),
    48: ((10, 5, 3, 2, 2), (20, 10, 6, 4, 4), (1, 3, 5, 7), 18),
}


def inputs(voice: str, sentence: str = "e1") -> tuple[Tensor, Tensor | None]:
    """Mel [1, T, n_mels] of a fixture, and the harmonics of its random draws."""
    given = expected(voice, sentence)
    if "nsf_phase" not in given:
        return given["postnet_outputs"].unsqueeze(0), None
    f0, uv = given["vocoder_input"][:, 80:].T.reshape(2, 1, 1, -1)
    draws = SourceDraws(given["nsf_phase"], given["nsf_noise"])
    harmonics = vocoder(voice).source_module.harmonics(f0, uv, draws)
    return given["vocoder_input"][:, :80].unsqueeze(0), harmonics


def stream(streaming: StreamingVocoder, mel: Tensor, harmonics: Tensor | None, borders: list[int]) -> Tensor:
    state, audio, hop = streaming.initial_state(mel.size(0)), [], streaming.hop_length
    for start, stop in pairwise(borders):
        part = None if harmonics is None else harmonics[:, :, start * hop : stop * hop]
        flags = torch.tensor([start == 0, stop == mel.size(1)]).long()
        edges = flags if streaming.lookahead_frames else None
        block, state = streaming(mel[:, start:stop], state, part, edges)
        audio.append(block)
    return torch.cat(audio, dim=1)


def whole(generator: Generator, mel: Tensor, harmonics: Tensor | None) -> Tensor:
    excitation = None if harmonics is None else generator.source_module.mix(harmonics)
    return generator.synthesise(mel.transpose(1, 2), excitation)


def non_causal(rate: int, *, nsf: bool) -> Generator:
    torch.manual_seed(rate)
    scales, kernels, dilations, _ = LAYOUTS[rate]
    return Generator(
        HifiganConfig(
            in_channels=8,
            channels=32,
            upsample_scales=scales,
            upsample_kernel_sizes=kernels,
            resblock_dilations=(dilations,) * 3,
            causal=False,
            nsf=NsfConfig() if nsf else None,
        )
    )


def random_inputs(generator: Generator, n_frames: int) -> tuple[Tensor, Tensor | None]:
    config = generator.config
    mel = torch.randn(2, n_frames, config.in_channels)
    return mel, torch.randn(2, 8, n_frames * config.hop_length) * 0.1 if config.nsf else None


def even(n_frames: int, block: int) -> list[int]:
    return [*range(0, n_frames, block), n_frames]


@pytest.mark.parametrize("voice", CAUSAL)
@pytest.mark.parametrize("block", [1, 3, 4, 8, 16, 1000])
@torch.no_grad()
def test_blocks_of_any_size_equal_the_whole_generator(voice: str, block: int) -> None:
    mel, harmonics = inputs(voice)
    audio = stream(StreamingVocoder(vocoder(voice)), mel, harmonics, even(mel.size(1), block))
    assert largest_difference(audio, whole(vocoder(voice), mel, harmonics)) <= TOLERANCE


@pytest.mark.parametrize("voice", CAUSAL)
@torch.no_grad()
def test_a_ramp_of_blocks_equals_the_original_code(voice: str) -> None:
    mel, harmonics = inputs(voice)
    borders = [0, 4, 12, 28, 44, 60, 76, mel.size(1)]
    audio = stream(StreamingVocoder(vocoder(voice)), mel, harmonics, borders)
    assert largest_difference(audio[0], expected(voice, "e1")["audio"]) <= AUDIO_TOLERANCE


@pytest.mark.parametrize("voice", NON_CAUSAL)
@torch.no_grad()
def test_look_ahead_in_blocks_equals_the_original_code(voice: str) -> None:
    mel, harmonics = inputs(voice)
    audio = stream(
        StreamingVocoder(vocoder(voice)), mel, harmonics, [0, 22, *range(30, mel.size(1), 16), mel.size(1)]
    )
    assert largest_difference(audio[0], expected(voice, "e1")["audio"]) <= AUDIO_TOLERANCE


@pytest.mark.parametrize("nsf", [False, True])
@pytest.mark.parametrize("rate", LAYOUTS)
@torch.no_grad()
def test_look_ahead_in_blocks_of_any_size_equals_the_whole_generator(rate: int, nsf: bool) -> None:
    generator = non_causal(rate, nsf=nsf)
    mel, harmonics = random_inputs(generator, LAYOUTS[rate][3] + 9)
    borders = [0, *(LAYOUTS[rate][3] + step for step in (1, 2, 3, 6, 9))]
    audio = stream(StreamingVocoder(generator), mel, harmonics, borders)
    assert largest_difference(audio, whole(generator, mel, harmonics)) <= TOLERANCE


@pytest.mark.parametrize("size", [1, 4])
@torch.no_grad()
def test_the_first_block_may_have_any_length_beyond_the_look_ahead(size: int) -> None:
    generator = non_causal(16, nsf=True)
    mel, harmonics = random_inputs(generator, 25)
    expected_audio = whole(generator, mel, harmonics)
    streaming = StreamingVocoder(generator)
    for first in range(19, 26):
        audio = stream(streaming, mel, harmonics, [0, *range(first, 25, size), 25])
        assert largest_difference(audio, expected_audio) <= TOLERANCE, first


@pytest.mark.parametrize("nsf", [False, True])
@pytest.mark.parametrize("n_frames", [1, 5])
@torch.no_grad()
def test_an_utterance_shorter_than_the_look_ahead_is_one_block(n_frames: int, nsf: bool) -> None:
    generator = non_causal(16, nsf=nsf)
    mel, harmonics = random_inputs(generator, n_frames)
    audio = stream(StreamingVocoder(generator), mel, harmonics, [0, n_frames])
    assert largest_difference(audio, whole(generator, mel, harmonics)) <= TOLERANCE


@torch.no_grad()
def test_the_look_ahead_is_missing_from_the_first_block_and_made_up_by_the_last() -> None:
    streaming = StreamingVocoder(non_causal(16, nsf=False))
    lengths = []
    for n_frames, edges in ((22, [1, 0]), (8, [0, 0]), (1, [0, 1]), (3, [1, 1])):
        audio, state = streaming(
            torch.zeros(1, n_frames, 8), streaming.initial_state(), None, torch.tensor(edges)
        )
        lengths.append(audio.size(1) // streaming.hop_length)
        assert state.shape == streaming.initial_state().shape
    assert lengths == [4, 8, 19, 3]


@pytest.mark.parametrize("nsf", [False, True])
@pytest.mark.parametrize("rate", LAYOUTS)
def test_the_look_ahead_is_known_in_frames(rate: int, nsf: bool) -> None:
    assert StreamingVocoder(non_causal(rate, nsf=nsf)).lookahead_frames == LAYOUTS[rate][3]


def test_the_look_ahead_is_not_longer_than_the_generator_needs() -> None:
    generator = non_causal(16, nsf=False)
    mel = torch.randn(1, 40, 8, requires_grad=True)
    last_sample_of_frame_9 = whole(generator, mel, None)[0, 10 * generator.config.hop_length - 1]
    (gradient,) = torch.autograd.grad(last_sample_of_frame_9, mel)
    assert int(gradient[0].abs().sum(dim=1).nonzero()[-1]) == 9 + 18


@torch.no_grad()
def test_a_fused_generator_streams_too() -> None:
    generator = Generator(HifiganConfig(in_channels=8, channels=16))
    mel = torch.randn(1, 7, 8)
    before = stream(StreamingVocoder(generator), mel, None, [0, 3, 7])
    generator.fuse()
    assert largest_difference(stream(StreamingVocoder(generator), mel, None, [0, 3, 7]), before) <= TOLERANCE


@torch.no_grad()
def test_streams_of_a_batch_do_not_meet() -> None:
    streaming = StreamingVocoder(Generator(HifiganConfig(in_channels=8, channels=16)))
    mel = torch.randn(2, 6, 8)
    together = stream(streaming, mel, None, [0, 2, 6])
    for row in range(2):
        alone = stream(streaming, mel[row : row + 1], None, [0, 2, 6])
        assert largest_difference(together[row : row + 1], alone) <= TOLERANCE


def test_full_width_state_has_the_measured_size() -> None:
    assert StreamingVocoder(Generator(HifiganConfig())).layout.size == 87_776


@pytest.mark.parametrize(("causal", "edges"), [(False, None), (True, torch.tensor([1, 0]))])
def test_edges_are_given_exactly_when_there_is_look_ahead(causal: bool, edges: Tensor | None) -> None:
    streaming = StreamingVocoder(Generator(HifiganConfig(in_channels=8, channels=16, causal=causal)))
    with pytest.raises(ValueError, match="a non-causal generator needs edges; a causal one takes none"):
        streaming(torch.zeros(1, 2, 8), streaming.initial_state(), None, edges)


def test_a_first_block_inside_the_look_ahead_is_refused() -> None:
    streaming = StreamingVocoder(non_causal(16, nsf=False))
    with pytest.raises(ValueError, match="the first block has 18 frames; more than 18 are needed"):
        streaming(torch.zeros(1, 18, 8), streaming.initial_state(), None, torch.tensor([1, 0]))


def test_a_state_of_another_network_is_refused() -> None:
    streaming = StreamingVocoder(Generator(HifiganConfig(in_channels=8, channels=16)))
    with pytest.raises(ValueError, match="state has 5 values"):
        streaming(torch.zeros(1, 2, 8), torch.zeros(1, 5))


@pytest.mark.parametrize("nsf", [None, NsfConfig()])
def test_excitation_is_given_exactly_when_there_is_a_source(nsf: NsfConfig | None) -> None:
    streaming = StreamingVocoder(Generator(HifiganConfig(in_channels=8, channels=16, nsf=nsf)))
    wrong = None if nsf else torch.zeros(1, 8, 400)
    with pytest.raises(ValueError, match="excitation"):
        streaming(torch.zeros(1, 2, 8), streaming.initial_state(), wrong)
