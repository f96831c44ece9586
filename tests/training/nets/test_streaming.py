from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor
from torch.nn.functional import pad

from streaming.text.symbols import SymbolTables
from tests.training.nets.small import largest_difference, sentence, small_sambert, with_some_pauses
from training.nets.filled_pauses import FilledPauses
from training.nets.sambert import Sambert, SambertOutput
from training.nets.streaming import DecoderMemory, SentenceEncoder, StreamingDecoderStep, StreamingPostnet

TOLERANCE = 1e-5
NEUTRAL = 1
PLAIN = (torch.ones(1), torch.ones(1), torch.zeros(1))  # emotion intensity, pitch scale, pitch shift
# Frames of the longest token (bands 5, 10 and 20), then of another (every remainder of T by 3).
CASES = [(15, 4), (15, 5), (15, 6), (30, 5), (30, 6), (60, 4), (60, 5)]


@cache
def network() -> Sambert:
    return small_sambert()


@cache
def reference(longest: int, other: int) -> SambertOutput:
    durations = torch.tensor([[2, 0, longest, 1, other, 3]]).float()
    return network().infer(*sentence(6), durations)


def decode(output: SambertOutput, slots: int) -> Tensor:
    """Step the decoder over the whole memory with windows of `slots`; frames [1, M r, F]."""
    keys, values = DecoderMemory(network())(output.memory)
    step = StreamingDecoderStep(network())
    _, n_layers, n_heads, n_steps, width = keys.shape
    keys, values = pad(keys, (0, 0, 0, slots)), pad(values, (0, 0, 0, slots))
    own_keys, own_values = (torch.zeros(1, n_layers, n_heads, slots, width) for _ in range(2))
    previous, frames = torch.zeros(1, output.dec_outputs.size(2)), []
    for index in range(n_steps):
        own_mask, memory_mask = (torch.full((1, slots), -torch.inf) for _ in range(2))
        own_mask[:, slots - 1 - min(index, output.band_width) :] = 0
        memory_mask[:, : min(output.band_width, n_steps - 1 - index) + 1] = 0
        window = slice(index, index + slots)
        decoded, own_keys, own_values = step(
            previous,
            output.memory[:, index],
            keys[:, :, :, window],
            values[:, :, :, window],
            memory_mask,
            own_keys,
            own_values,
            own_mask,
        )
        frames.append(decoded)
        previous = decoded[:, -1]
    return torch.cat(frames, dim=1)


def refine(output: SambertOutput, block: int, filler: float = 0.0) -> Tensor:
    """Run the PostNet in blocks; the frames after the last real one are `filler`. Frames [1, T, F]."""
    postnet = StreamingPostnet(network())
    total = output.n_frames + postnet.delay_frames
    frames = pad(output.dec_outputs, (0, 0, 0, postnet.delay_frames + block), value=filler)
    state, refined = postnet.initial_state(), []
    length = torch.tensor([output.n_frames])
    for start in range(0, total, block):
        chunk, state = postnet(frames[:, start : start + block], torch.tensor([start]), length, state)
        refined.append(chunk)
    return torch.cat(refined, dim=1)[:, postnet.delay_frames : total]


@pytest.mark.parametrize(("longest", "other"), CASES)
@torch.no_grad()
def test_decoder_steps_equal_inference(longest: int, other: int) -> None:
    output = reference(longest, other)
    frames = decode(output, slots=output.band_width + 1)
    assert largest_difference(frames[:, : output.n_frames], output.dec_outputs) <= TOLERANCE


@torch.no_grad()
def test_a_larger_window_bucket_changes_nothing() -> None:
    output = reference(15, 4)
    frames = decode(output, slots=16)
    assert largest_difference(frames[:, : output.n_frames], output.dec_outputs) <= TOLERANCE


@torch.no_grad()
def test_a_window_without_its_mask_would_be_noticed() -> None:
    output = reference(15, 4)
    wide = network().mel_decoder.mel_dec.infer(output.memory, output.band_width + 2)
    assert largest_difference(wide[:, : output.n_frames], output.dec_outputs) > 10 * TOLERANCE


@pytest.mark.parametrize("block", [1, 3, 4, 8, 16])
@pytest.mark.parametrize("other", [4, 5, 6])
@torch.no_grad()
def test_postnet_blocks_equal_inference(block: int, other: int) -> None:
    output = reference(15, other)
    assert largest_difference(refine(output, block), output.postnet_outputs) <= TOLERANCE


@torch.no_grad()
def test_frames_after_the_end_are_not_heard() -> None:
    output = reference(15, 4)
    assert torch.equal(refine(output, 3, filler=1e3), refine(output, 3))


@torch.no_grad()
def test_the_longest_and_the_shortest_sentence_refine_alike() -> None:
    short = network().infer(*sentence(1), torch.tensor([[2.0]]))
    assert short.n_frames == 2
    assert largest_difference(refine(short, 3), short.postnet_outputs) <= TOLERANCE


@torch.no_grad()
def test_postnet_delay_is_twelve_frames_with_the_published_filters() -> None:
    assert StreamingPostnet(network()).delay_frames == 12


@torch.no_grad()
def test_postnet_rows_of_a_batch_are_independent() -> None:
    output, postnet = reference(15, 4), StreamingPostnet(network())
    frames = output.dec_outputs[:, :6]
    start, length = torch.tensor([0]), torch.tensor([output.n_frames])
    alone, _ = postnet(frames, start, length, postnet.initial_state())
    noise = torch.randn(1, 6, frames.size(2))
    both, _ = postnet(
        torch.cat([noise, frames]),
        torch.tensor([9, 0]),
        torch.tensor([11, output.n_frames]),
        postnet.initial_state(2),
    )
    assert largest_difference(both[1:], alone) <= TOLERANCE


@torch.no_grad()
def test_sentence_encoder_equals_inference() -> None:
    inputs = sentence(9, seed=2)
    output = network().infer(*inputs)
    aug, spk, emo, log_durations, pitch, energy = SentenceEncoder(network())(*inputs, *PLAIN)
    assert largest_difference(log_durations, output.log_durations) <= TOLERANCE
    assert largest_difference(pitch, output.pitch) <= TOLERANCE
    assert largest_difference(energy, output.energy) <= TOLERANCE
    rows = output.n_frames + -output.n_frames % 3
    memory = network().variance_adaptor.expand(aug, spk, emo, output.durations, rows)
    assert largest_difference(memory, output.memory) <= TOLERANCE


@torch.no_grad()
def test_sentence_encoder_bakes_in_a_speaker_vector() -> None:
    model, vector = small_sambert(SE=True), torch.tensor([[0.5, -1.0, 2.0, 0.1]])
    ling, emotion, speaker = sentence(5)
    output = model.infer(ling, emotion, vector)
    encoder = SentenceEncoder(model, vector)
    found = encoder(ling, emotion, speaker, *PLAIN)
    assert largest_difference(found[3], output.log_durations) <= TOLERANCE
    assert torch.equal(found[1], vector.expand(1, 5, -1))
    other_ids = encoder(ling, emotion, speaker + 3, *PLAIN)
    assert all(torch.equal(a, b) for a, b in zip(found, other_ids, strict=True))


@torch.no_grad()
def test_plain_controls_change_no_bit() -> None:
    inputs = sentence(9, seed=2)
    encoder, model = SentenceEncoder(network(), neutral_emotion=NEUTRAL), network()
    aug, spk, emo, _, pitch, energy = encoder(*inputs, *PLAIN)
    text_hid = model.text_encoder(inputs[0])
    assert torch.equal(emo, model.emo_tokenizer(inputs[1]))
    joined = torch.cat([text_hid, spk, emo], dim=-1)
    assert torch.equal(pitch, model.variance_adaptor.pitch_predictor(joined))
    assert torch.equal(energy, model.variance_adaptor.energy_predictor(joined))
    assert torch.equal(aug, model.variance_adaptor.augment(text_hid, pitch, energy))


@pytest.mark.parametrize("intensity", [0.0, 0.5, 1.7])
@torch.no_grad()
def test_intensity_moves_the_emotion_on_the_line_through_neutral(intensity: float) -> None:
    inputs = sentence(5, seed=2)
    table = network().emo_tokenizer.weight
    neutral, emotion = table[NEUTRAL], table[inputs[1][0, 0]]
    assert not torch.equal(neutral, emotion)
    encoder = SentenceEncoder(network(), neutral_emotion=NEUTRAL)
    found = encoder(*inputs, torch.tensor([intensity]), *PLAIN[1:])
    expected = (1 - intensity) * neutral + intensity * emotion
    assert largest_difference(found[2], expected.expand(1, 5, -1)) <= TOLERANCE
    assert not torch.equal(found[4], encoder(*inputs, *PLAIN)[4])


@torch.no_grad()
def test_intensity_changes_nothing_without_a_neutral_emotion() -> None:
    inputs, encoder = sentence(5), SentenceEncoder(network())
    found, plain = (encoder(*inputs, torch.tensor([value]), *PLAIN[1:]) for value in (0.3, 1.0))
    assert all(torch.equal(a, b) for a, b in zip(found, plain, strict=True))


@torch.no_grad()
def test_pitch_is_scaled_and_shifted_before_it_is_embedded() -> None:
    inputs, encoder = sentence(6, seed=1), SentenceEncoder(network())
    scale, shift = torch.tensor([1.3]), torch.tensor([0.4])
    aug, _, _, log_durations, pitch, energy = encoder(*inputs, PLAIN[0], scale, shift)
    plain = encoder(*inputs, *PLAIN)
    assert largest_difference(pitch, 1.3 * plain[4] + 0.4) <= TOLERANCE
    assert torch.equal(energy, plain[5])
    text_hid = network().text_encoder(inputs[0])
    assert torch.equal(aug, network().variance_adaptor.augment(text_hid, pitch, energy))
    assert not torch.equal(log_durations, plain[3])


@torch.no_grad()
def test_controls_are_those_of_the_row_of_a_batch() -> None:
    encoder = SentenceEncoder(network(), neutral_emotion=NEUTRAL)
    first, second = sentence(6, seed=1), sentence(6, seed=2)
    controls = torch.tensor([[0.5, 1.5], [0.8, 1.2], [-0.1, 0.3]])  # intensity, scale, shift
    both = encoder(*(torch.cat(pair) for pair in zip(first, second, strict=True)), *controls)
    alone = encoder(*second, *controls[:, 1:])
    for found, expected in zip(both, alone, strict=True):
        assert largest_difference(found[1:], expected) <= TOLERANCE


@torch.no_grad()
def test_filled_pauses_reach_the_encoder_as_they_reach_inference() -> None:
    inputs = sentence(9, seed=4)
    model = with_some_pauses(small_sambert(FP=True), inputs[0])
    pauses = FilledPauses.spelled(SymbolTables())
    output = model.infer(*inputs, pauses=pauses)
    *found, token = SentenceEncoder(model, pauses=pauses)(*inputs, *PLAIN)
    assert 9 < token.size(1) < 36
    assert torch.equal(token, output.token)
    assert largest_difference(found[3], output.log_durations) <= TOLERANCE
    memory = model.variance_adaptor.expand(
        *found[:3], output.durations, output.n_frames + -output.n_frames % 3
    )
    assert largest_difference(memory, output.memory) <= TOLERANCE
