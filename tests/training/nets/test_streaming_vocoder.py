from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv1d, conv_transpose1d, pad

from tests.training.nets.small import largest_difference
from tests.training.test_parity import AUDIO_TOLERANCE, expected, vocoder
from training.nets.config import HifiganConfig, NsfConfig
from training.nets.hifigan import Generator, SourceDraws
from training.nets.streaming_vocoder import StreamingVocoder, depth_to_space, merge_upsampling

TOLERANCE = 1e-5
CAUSAL = ("tiny_16k", "tiny_24k_nsf_causal")


def inputs(voice: str) -> tuple[Tensor, Tensor | None]:
    """Mel [1, T, n_mels] of a fixture, and the harmonics of its random draws."""
    given = expected(voice, "e1")
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
        block, state = streaming(mel[:, start:stop], state, part)
        audio.append(block)
    return torch.cat(audio, dim=1)


def even(n_frames: int, block: int) -> list[int]:
    return [*range(0, n_frames, block), n_frames]


@pytest.mark.parametrize("voice", CAUSAL)
@pytest.mark.parametrize("block", [1, 3, 4, 8, 16, 1000])
@torch.no_grad()
def test_blocks_of_any_size_equal_the_whole_generator(voice: str, block: int) -> None:
    mel, harmonics = inputs(voice)
    audio = stream(StreamingVocoder(vocoder(voice)), mel, harmonics, even(mel.size(1), block))
    generator = vocoder(voice)
    excitation = None if harmonics is None else generator.source_module.mix(harmonics)
    whole = generator.synthesise(mel.transpose(1, 2), excitation)
    assert largest_difference(audio, whole) <= TOLERANCE


@pytest.mark.parametrize("voice", CAUSAL)
@torch.no_grad()
def test_a_ramp_of_blocks_equals_the_original_code(voice: str) -> None:
    mel, harmonics = inputs(voice)
    borders = [0, 4, 12, 28, 44, 60, 76, mel.size(1)]
    audio = stream(StreamingVocoder(vocoder(voice)), mel, harmonics, borders)
    assert largest_difference(audio[0], expected(voice, "e1")["audio"]) <= AUDIO_TOLERANCE


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


@pytest.mark.parametrize(("scale", "kernel"), [(10, 20), (5, 10), (2, 4), (8, 16), (3, 6), (5, 11), (7, 8)])
@torch.no_grad()
def test_the_merged_kernel_equals_both_branches(scale: int, kernel: int) -> None:
    transpose, repeat = torch.randn(4, 3, kernel), torch.randn(3, 4, 7)
    x = torch.randn(2, 4, 9)
    repeated = conv1d(pad(x.repeat_interleave(scale, dim=2), (6, 0)), repeat)
    whole = repeated + conv_transpose1d(x, transpose, stride=scale)[:, :, : 9 * scale]
    merged = merge_upsampling(transpose, repeat, scale)
    low = conv1d(pad(x, (merged.size(2) - 1, 0)), merged)
    assert largest_difference(depth_to_space(low.unsqueeze(2), scale).squeeze(2), whole) <= 1e-4


def test_the_merged_kernels_have_the_measured_taps() -> None:
    taps = [
        merge_upsampling(torch.zeros(2, 1, 2 * scale), torch.zeros(1, 2, 7), scale).size(2)
        for scale in (10, 5, 2, 2)
    ]
    assert taps == [2, 3, 4, 4]


def test_full_width_state_has_the_measured_size() -> None:
    assert StreamingVocoder(Generator(HifiganConfig())).layout.size == 87_776


def test_a_generator_with_look_ahead_is_refused() -> None:
    generator = Generator(HifiganConfig(channels=16, causal=False, upsample_kernel_sizes=(20, 11, 4, 4)))
    with pytest.raises(ValueError, match="causal"):
        StreamingVocoder(generator)


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
