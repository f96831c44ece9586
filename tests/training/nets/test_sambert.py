from __future__ import annotations

import pytest
import torch

from tests.training.nets.small import batch_of, item, largest_difference, sentence, small_sambert
from training.nets.config import SambertConfig, TableSizes
from training.nets.sambert import Sambert, SambertBatch, SambertOutput, mixed_feedback
from training.nets.text_encoder import position_table

TOLERANCE = 5e-6
# Spec section 7, in parameters, the constant tensors counted.
FULL_SIZE = {
    "variance_adaptor.pitch_predictor": 469_377,
    "variance_adaptor.energy_predictor": 469_377,
    "variance_adaptor.duration_predictor": 330_241,
    "mel_decoder.mel_dec.prenet": 119_424,
    "mel_decoder.mel_dec.dec_in_proj": 36_992,
    "mel_decoder.mel_dec.dec_out_proj": 30_960,
    "mel_decoder.mel_dec.pnca.0": 387_584,
}
# Rows of the table in spec section 1.2.
FULL_SHAPES = {
    "text_encoder.sy_emb.weight": (147, 512),
    "text_encoder.ling_enc.fft.0.slf_attn.w_qkv.weight": (384, 512),
    "text_encoder.ling_enc.fft.7.slf_attn.layer_norm.weight": (128,),
    "text_encoder.ling_enc.fft.7.pos_ffn.w_1.weight": (1024, 128, 3),
    "text_encoder.ling_enc.position_enc.position_enc": (1, 800, 512),
    "text_encoder.ling_proj.weight": (32, 128),
    "variance_adaptor.pitch_predictor.fsmn.ffn_lst.0.w_1.weight": (256, 96, 1),
    "variance_adaptor.pitch_predictor.fsmn.memory_block_lst.2.conv_dw.weight": (128, 1, 41),
    "variance_adaptor.pitch_predictor.blstm.weight_hh_l0_reverse": (512, 128),
    "variance_adaptor.duration_predictor.prenet.fcs.3.weight": (128, 128),
    "variance_adaptor.duration_predictor.lstm.weight_ih_l0": (512, 224),
    "variance_adaptor.duration_predictor.lstm.weight_ih_l1": (512, 128),
    "variance_adaptor.dur_position_encoder.inv_timescales": (32,),
    "variance_adaptor.energy_emb.weight": (32, 1, 9),
    "mel_decoder.mel_dec.prenet.fcs.6.weight": (128, 256),
    "mel_decoder.mel_dec.dec_in_proj.weight": (128, 288),
    "mel_decoder.mel_dec.pnca.11.pnca_attn.w_h_kv.weight": (256, 160),
    "mel_decoder.mel_dec.pnca.11.pos_ffn.w_2.weight": (128, 1024, 1),
    "mel_decoder.mel_dec.dec_out_proj.weight": (240, 128),
    "mel_postnet.fsmn.ffn_lst.0.w_1.weight": (512, 80, 1),
    "mel_postnet.fsmn.memory_block_lst.3.conv_dw.weight": (256, 1, 41),
    "mel_postnet.lstm.weight_ih_l0": (512, 256),
    "mel_postnet.fc.weight": (80, 128),
}


def size(network: torch.nn.Module) -> int:
    return sum(value.numel() for value in network.state_dict().values())


@pytest.fixture(scope="module")
def full() -> Sambert:
    return Sambert(SambertConfig())


@pytest.fixture(scope="module")
def network() -> Sambert:
    return small_sambert()


def synthesise(network: Sambert, durations: list[int], seed: int = 0) -> SambertOutput:
    return network.infer(*sentence(len(durations), seed), torch.tensor([durations]).float())


@pytest.fixture(scope="module")
def pair(network: Sambert) -> tuple[SambertBatch, list[SambertOutput]]:
    """Two sentences of different length, neither a multiple of three frames long, with zero durations."""
    durations = [[3, 0, 14, 5, 1, 6, 7, 4], [2, 9, 0, 8]]
    outputs = [synthesise(network, frames, seed) for seed, frames in enumerate(durations)]
    batch = batch_of(outputs, [sentence(len(frames), seed) for seed, frames in enumerate(durations)], extra=4)
    return batch, outputs


def test_full_width_has_the_published_size(full: Sambert) -> None:
    assert round(size(full) / 1e6, 3) == 12.707
    assert round(sum(value.numel() for value in full.parameters()) / 1e6, 3) == 12.297


@pytest.mark.parametrize(("part", "expected"), FULL_SIZE.items())
def test_parts_have_the_published_size(full: Sambert, part: str, expected: int) -> None:
    assert size(full.get_submodule(part)) == expected


def test_encoder_and_postnet_have_the_published_size(full: Sambert) -> None:
    encoder = size(full.text_encoder.ling_enc) + size(full.text_encoder.ling_proj) - 409_600
    assert abs(encoder / 1e6 - 4.888) < 0.001
    assert round(size(full.mel_postnet) / 1e6, 3) == 1.210


@pytest.mark.parametrize(("key", "shape"), FULL_SHAPES.items())
def test_full_width_tensors_have_the_published_shapes(
    full: Sambert, key: str, shape: tuple[int, ...]
) -> None:
    assert tuple(full.state_dict()[key].shape) == shape


@pytest.mark.parametrize(
    ("config", "millions"),
    [
        (SambertConfig(NSF=True, num_mels=82), 12.709),
        (SambertConfig(NSF=True, num_mels=82, SE=True, speaker_units=192), 13.385),
        (SambertConfig(num_mels=128, max_len=900), 12.820),
    ],
)
def test_variants_have_the_published_size(config: SambertConfig, millions: float) -> None:
    assert abs(size(Sambert(config)) / 1e6 - millions) < 0.0015


def test_a_small_voice_fits_in_five_million_parameters() -> None:
    config = SambertConfig(
        embedding_dim=256,
        encoder_num_layers=4,
        encoder_ffn_inner_dim=512,
        decoder_num_layers=6,
        decoder_ffn_inner_dim=512,
        predictor_lstm_units=64,
        dur_pred_lstm_units=64,
        postnet_num_memory_units=128,
        postnet_ffn_inner_dim=256,
    )
    assert 3e6 < size(Sambert(config)) < 5e6


def test_positions_start_at_one_with_sines_before_cosines() -> None:
    table = position_table(3, 4)[0]
    angles = torch.tensor([[row, row / 10000.0] for row in (1.0, 2.0, 3.0)])
    torch.testing.assert_close(table, torch.cat([angles.sin(), angles.cos()], dim=1))


def test_a_sentence_longer_than_the_position_table_extends_it() -> None:
    ling = sentence(12)[0]
    short, long = small_sambert(max_len=4), small_sambert(max_len=40)
    with torch.no_grad():
        assert torch.equal(short.text_encoder(ling), long.text_encoder(ling))


def test_teacher_forcing_on_its_own_output_repeats_inference(
    network: Sambert, pair: tuple[SambertBatch, list[SambertOutput]]
) -> None:
    batch, outputs = pair
    with torch.no_grad():
        trained = network(batch)
    for index, output in enumerate(outputs):
        frames, tokens = output.n_frames, output.pitch.size(1)
        assert frames % 3 != 0
        assert largest_difference(trained.dec_outputs[index, :frames], output.dec_outputs[0]) <= TOLERANCE
        assert (
            largest_difference(trained.postnet_outputs[index, :frames], output.postnet_outputs[0])
            <= TOLERANCE
        )
        assert largest_difference(trained.pitch[index, :tokens], output.pitch[0]) <= TOLERANCE
        assert largest_difference(trained.energy[index, :tokens], output.energy[0]) <= TOLERANCE


def test_teacher_forced_durations_repeat_free_running_ones(network: Sambert) -> None:
    inputs = sentence(7)
    output = network.infer(*inputs)
    adaptor = network.variance_adaptor
    aug = adaptor.augment(output.text_hid, output.pitch, output.energy)
    speaker = network.speaker_rows(inputs[2], 7)
    condition = torch.cat([aug, speaker, network.emo_tokenizer(inputs[1])], dim=-1)
    forced = adaptor.duration_predictor(condition, output.log_durations)
    assert largest_difference(forced, output.log_durations) <= TOLERANCE


def test_padding_changes_nothing_and_padded_rows_are_zero(
    network: Sambert, pair: tuple[SambertBatch, list[SambertOutput]]
) -> None:
    batch, _ = pair
    with torch.no_grad():
        together = network(batch)
        for index in range(2):
            alone = network(item(batch, index))
            for name in ("dec_outputs", "postnet_outputs", "log_durations", "pitch", "energy"):
                ours, padded = getattr(alone, name)[0], getattr(together, name)[index]
                assert largest_difference(padded[: len(ours)], ours) <= TOLERANCE
                assert not padded[len(ours) :].any()


def test_a_wrong_band_would_be_noticed(
    network: Sambert, pair: tuple[SambertBatch, list[SambertOutput]]
) -> None:
    """The two tests above can fail: a wider band changes the mel."""
    output = synthesise(network, [3, 0, 14, 5, 1, 6, 7, 4])
    wider = network.mel_decoder.mel_dec.infer(output.memory, output.band_width + 1)[:, : output.n_frames]
    assert largest_difference(wider, output.dec_outputs) > 100 * TOLERANCE


def test_gradients_reach_every_parameter(pair: tuple[SambertBatch, list[SambertOutput]]) -> None:
    batch, _ = pair
    network = small_sambert().train()
    output = network(batch)
    torch.stack([getattr(output, name).square().sum() for name in output.__slots__]).sum().backward()
    silent = [
        name for name, value in network.named_parameters() if value.grad is None or not value.grad.any()
    ]
    assert silent == []


def test_inference_is_deterministic_and_training_drops_out(network: Sambert) -> None:
    inputs = sentence(5)
    first, second = (network.infer(*inputs).postnet_outputs for _ in range(2))
    assert torch.equal(first, second)
    batch = batch_of([network.infer(*inputs)], [inputs])
    training = small_sambert().train()
    assert not torch.equal(training(batch).dec_outputs, training(batch).dec_outputs)


def test_a_speaker_vector_takes_the_place_of_the_table() -> None:
    network = small_sambert(SE=True)
    assert "spk_tokenizer.weight" not in network.state_dict()
    ling, emotion, _ = sentence(5)
    one, other = (network.infer(ling, emotion, torch.full((1, 4), value)) for value in (0.0, 1.0))
    assert not torch.equal(one.pitch, other.pitch)


def test_speaker_and_emotion_are_heard() -> None:
    network = small_sambert(tables=TableSizes(speaker=5))
    ling, emotion, speaker = sentence(5)
    plain = network.infer(ling, emotion, speaker)
    assert not torch.equal(network.infer(ling, emotion + 1, speaker).pitch, plain.pitch)
    assert not torch.equal(network.infer(ling, emotion, speaker + 1).pitch, plain.pitch)


def test_a_sentence_without_frames_is_an_error(network: Sambert) -> None:
    with pytest.raises(ValueError, match="no frames"):
        synthesise(network, [0, 0, 0])


def test_infer_refuses_a_batch(network: Sambert) -> None:
    ling, emotion, speaker = (torch.cat([part, part]) for part in sentence(3))
    with pytest.raises(ValueError, match="one sentence, got 2"):
        network.infer(ling, emotion, speaker)


def test_mixed_feedback_replaces_whole_groups() -> None:
    teacher, own = torch.zeros(2, 12, 4), torch.ones(2, 12, 4)
    torch.manual_seed(0)
    mixed = mixed_feedback(teacher, own, 0.5, 3).reshape(2, 4, 12)
    assert set(mixed.mean(-1).flatten().tolist()) == {0.0, 1.0}
    assert torch.equal(mixed_feedback(teacher, own, 0.0, 3), teacher)
    assert torch.equal(mixed_feedback(teacher, own, 1.0, 3), own)
