"""The acoustic model cut into the calls that a streaming engine makes.

    SentenceEncoder (once) -> DecoderMemory (once) -> StreamingDecoderStep (per r frames) -> StreamingPostnet
    (per block)

Input, output   the `encoder`, `memory`, `decoder` and `postnet` contracts of streaming/synthesis/engine.py
State           handed in and out: key/value windows of the decoder, one packed tensor of the PostNet

Built from a `Sambert`, whose weights they copy (fused where that saves operations); they never train.
Stepping them gives what `Sambert.infer` gives, up to float rounding (spec sections 6.1 to 6.3).
"""

from __future__ import annotations

from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.nets.attention import PncaLayer
from training.nets.duration_loop import DurationLoop
from training.nets.filled_pauses import FilledPauses, lengthened
from training.nets.fsmn import FsmnFeedForward, FsmnMemory
from training.nets.module_list import ModuleListOf
from training.nets.packed_state import StateLayout, StateReader
from training.nets.sambert import PostNet, Sambert

CLOSED_GATE = -1e4  # before a sigmoid this is an exact 0 in float32


class SentenceEncoder(nn.Module):
    """Everything that is computed once per sentence, up to the log durations."""

    speaker_vector: Tensor | None
    pause_rows: Tensor | None

    def __init__(
        self,
        model: Sambert,
        speaker_vector: Tensor | None = None,
        neutral_emotion: int | None = None,
        pauses: FilledPauses | None = None,
    ) -> None:
        """Bake in what is the voice's own.

        Args:
            model: The acoustic model.
            speaker_vector: [1, s] of an SE voice; the speaker ids are then not looked at.
            neutral_emotion: Id from which the intensity of an emotion is measured; without it the intensity
                changes nothing.
            pauses: Sounds of an FP voice's filled pauses; None fills none.
        """
        super().__init__()
        self.model = model
        self.neutral_emotion = neutral_emotion
        self.duration_loop = DurationLoop(model.variance_adaptor.duration_predictor)
        self.register_buffer("speaker_vector", speaker_vector)
        with torch.no_grad():
            rows = None if pauses is None else model.encode_pauses(pauses)
        self.register_buffer("pause_rows", rows)

    def forward(
        self,
        ling: Tensor,
        emotion: Tensor,
        speaker: Tensor,
        emotion_intensity: Tensor,
        pitch_scale: Tensor,
        pitch_shift: Tensor,
    ) -> tuple[Tensor, ...]:
        """Encode sentences of the same number of tokens (one, where pauses are filled).

        Args:
            ling: Ids [B, N, 4] int64, [B, N, 1] of a byte model.
            emotion: [B, N] int64.
            speaker: [B, N] int64.
            emotion_intensity: [B] float32, distance from neutral; 1 is the emotion as it was learnt.
            pitch_scale: [B] float32, factor on the predicted pitch.
            pitch_shift: [B] float32, added after it.

        Returns:
            aug [B, N', p], spk [B, N', s], emo [B, N', e], log_durations, pitch (as changed) and energy
            [B, N']; N' is N. Where pauses are filled, N' rows and one more result: the token of each
            row [B, N'] int64, -1 where there is none.
        """
        adaptor = self.model.variance_adaptor
        text_hid, token = self.model.text_encoder(ling), None
        if self.pause_rows is not None:
            text_hid, token = self.model.fill_pauses(text_hid, self.pause_rows)
            emotion, speaker = (lengthened(ids, token.size(1)) for ids in (emotion, speaker))
        vector = self.speaker_vector
        given = speaker if vector is None else vector.expand(text_hid.size(0), -1)
        spk = self.model.speaker_rows(given, text_hid.size(1))
        emo = self._emotion_rows(emotion, emotion_intensity)
        inputs = torch.cat([text_hid, spk, emo], dim=-1)
        pitch = adaptor.pitch_predictor(inputs) * pitch_scale[:, None] + pitch_shift[:, None]
        energy = adaptor.energy_predictor(inputs)
        aug = adaptor.augment(text_hid, pitch, energy)
        log_durations = self.duration_loop(torch.cat([aug, spk, emo], dim=-1))
        results = (aug, spk, emo, log_durations, pitch, energy)
        return results if token is None else (*results, token)

    def _emotion_rows(self, emotion: Tensor, intensity: Tensor) -> Tensor:
        """Rows [B, N, e] on the line from neutral through the emotion; exactly the emotion's at 1."""
        table = self.model.emo_tokenizer
        rows: Tensor = table(emotion)
        neutral = rows if self.neutral_emotion is None else table.weight[self.neutral_emotion]
        return rows + (intensity[:, None, None] - 1.0) * (rows - neutral)


class DecoderMemory(nn.Module):
    """Keys and values of every layer for all memory rows: one product instead of one per layer and step."""

    weight: Tensor
    bias: Tensor

    def __init__(self, model: Sambert) -> None:
        super().__init__()
        decoder = model.mel_decoder.mel_dec
        self.n_layers, self.n_heads = len(decoder.pnca), decoder.n_heads
        projections = [layer.pnca_attn.w_h_kv for layer in decoder.pnca]
        self.register_buffer("weight", torch.cat([projection.weight.detach() for projection in projections]))
        self.register_buffer("bias", torch.cat([projection.bias.detach() for projection in projections]))

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Project rows [B, M, D] to mem_k and mem_v, each [B, L, H, M, dh]."""
        projected = F.linear(rows, self.weight, self.bias)
        parts = projected.reshape(rows.size(0), rows.size(1), self.n_layers, 2, self.n_heads, -1)
        keys, values = parts.permute(3, 0, 2, 4, 1, 5).unbind(0)
        return keys, values


class _StepLayer(nn.Module):
    """One PNCA layer for a single step: own and memory heads side by side in one attention."""

    qkv_weight: Tensor
    qkv_bias: Tensor
    out_weight: Tensor
    out_bias: Tensor

    def __init__(self, layer: PncaLayer) -> None:
        super().__init__()
        attention = layer.pnca_attn
        self.n_heads = attention.n_heads
        self.layer_norm, self.pos_ffn = attention.layer_norm, layer.pos_ffn
        units = attention.fc_x.in_features
        weight, bias = attention.w_x_qkv.weight.detach().clone(), attention.w_x_qkv.bias.detach().clone()
        scale = 1 / sqrt(units // self.n_heads)  # folded into the query
        weight[:units] *= scale
        bias[:units] *= scale
        self.register_buffer("qkv_weight", weight)
        self.register_buffer("qkv_bias", bias)
        self.register_buffer(
            "out_weight", torch.cat([attention.fc_x.weight, attention.fc_h.weight], dim=1).detach()
        )
        self.register_buffer("out_bias", (attention.fc_x.bias + attention.fc_h.bias).detach())

    def forward(
        self, x: Tensor, own: tuple[Tensor, Tensor], memory: tuple[Tensor, Tensor], mask: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One step.

        Args:
            x: [B, d].
            own: Keys and values of the previous steps, oldest first, each [B, H, W, dh].
            memory: Keys and values of the memory window, each [B, H, W, dh].
            mask: Additive, [B, 2, 1, 1, W]: own window (after the shift), then memory window.

        Returns:
            x [B, d], and the own keys and values shifted by one slot, each [B, H, W, dh].
        """
        n_batch, n_heads = x.size(0), self.n_heads
        projected = F.linear(self.layer_norm(x), self.qkv_weight, self.qkv_bias)
        query, key, value = projected.reshape(n_batch, 3, n_heads, 1, -1).unbind(1)
        keys = torch.cat([own[0][:, :, 1:], key], dim=2)
        values = torch.cat([own[1][:, :, 1:], value], dim=2)
        all_keys = torch.stack([keys, memory[0]], dim=1)  # [B, 2, H, W, dh]
        all_values = torch.stack([values, memory[1]], dim=1)
        weights = torch.softmax(torch.matmul(query.unsqueeze(1), all_keys.transpose(-2, -1)) + mask, dim=-1)
        mixed = torch.matmul(weights, all_values).reshape(n_batch, -1)
        x = x + F.linear(mixed, self.out_weight, self.out_bias)
        feed_forward = self.pos_ffn
        hidden = F.relu(
            F.linear(feed_forward.layer_norm(x), feed_forward.w_1.weight[:, :, 0], feed_forward.w_1.bias)
        )
        return x + F.linear(hidden, feed_forward.w_2.weight[:, :, 0], feed_forward.w_2.bias), keys, values


class StreamingDecoderStep(nn.Module):
    """One decoder step: the `decoder` contract.

    The own window shifts by one slot and takes the newest step last; `self_mask` belongs to the window
    *after* the shift, so its last slot is always 0 and it has min(j, band) + 1 zeros at step j. The memory
    window starts at row j; `mem_mask` has min(band, M - 1 - j) + 1 zeros at its start. Unused slots may hold
    anything finite.
    """

    def __init__(self, model: Sambert) -> None:
        super().__init__()
        decoder = model.mel_decoder.mel_dec
        self.decoder = decoder
        self.layers = ModuleListOf(_StepLayer(layer) for layer in decoder.pnca)

    def forward(
        self,
        prev: Tensor,
        row: Tensor,
        mem_k: Tensor,
        mem_v: Tensor,
        mem_mask: Tensor,
        self_k: Tensor,
        self_v: Tensor,
        self_mask: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Decode r frames.

        Args:
            prev: Last frame of the previous step [B, F]; zeros before the first.
            row: Memory row j [B, D].
            mem_k: Memory keys of rows j, j + 1, ... [B, L, H, W, dh].
            mem_v: Memory values of the same rows.
            mem_mask: Additive [B, W].
            self_k: Own keys [B, L, H, W, dh], oldest first.
            self_v: Own values, likewise.
            self_mask: Additive [B, W], for the window after the shift.

        Returns:
            frames [B, r, F], self_k, self_v.
        """
        x = self.decoder.dec_in_proj(torch.cat([row, self.decoder.prenet(prev)], dim=-1)) * self.decoder.scale
        mask = torch.stack([self_mask, mem_mask], dim=1)[:, :, None, None, :]
        keys: list[Tensor] = []
        values: list[Tensor] = []
        for index, layer in enumerate(self.layers):
            own = (self_k[:, index], self_v[:, index])
            x, key, value = layer(x, own, (mem_k[:, index], mem_v[:, index]), mask)
            keys.append(key)
            values.append(value)
        frames = self.decoder.dec_out_proj(self.decoder.ln(x))
        frames = frames.reshape(x.size(0), self.decoder.outputs_per_step, self.decoder.n_features)
        return frames, torch.stack(keys, dim=1), torch.stack(values, dim=1)


class _PostnetLayer(nn.Module):
    """One FSMN layer whose output lags `right` frames behind; keeps the last `filter - 1` contexts."""

    def __init__(
        self, feed_forward: FsmnFeedForward, memory: FsmnMemory, delay: int, layout: StateLayout
    ) -> None:
        super().__init__()
        self.feed_forward, self.conv = feed_forward, memory.conv_dw
        self.context, self.delay, self.right = memory.left + memory.right, delay, memory.right
        width_in, width = feed_forward.w_1.in_channels, memory.conv_dw.out_channels
        self.residual = width_in == width
        layout.reserve(width, 1, self.context)
        if self.residual:
            layout.reserve(self.right, width)

    def forward(self, x: Tensor, positions: Tensor, length: Tensor, state: StateReader) -> Tensor:
        """Map [B, T, C_in] to [B, T, C]; `positions` [B, T] are those of the PostNet's input frames."""
        contexts = self.feed_forward(x) * _inside(positions - self.delay, length)
        before = state.take()
        assert before is not None
        window = torch.cat([before, contexts.transpose(1, 2).unsqueeze(2)], dim=3)  # [B, C, 1, context + T]
        state.give(window[..., -self.context :])
        around = F.conv2d(window, self.conv.weight.unsqueeze(2), groups=self.conv.groups)
        centre = window[..., self.context - self.right : window.size(3) - self.right]
        memory = (around + centre).squeeze(2).transpose(1, 2)
        if self.residual:
            earlier = state.take()
            if earlier is not None:
                x = torch.cat([earlier, x], dim=1)
                state.give(x[:, -self.right :])
                x = x[:, : -self.right]
            memory = memory + x
        return memory


def _inside(positions: Tensor, length: Tensor) -> Tensor:
    """[B, T, 1]: 1 where a frame position lies inside the utterance, else 0."""
    return ((positions >= 0) & (positions < length[:, None])).float().unsqueeze(-1)


class StreamingPostnet(nn.Module):
    """The PostNet over blocks of any length: the `postnet` contract.

    Output frame i of a call is the utterance's frame start + i - delay_frames. Frames before 0 mean nothing;
    to get the last ones, go on with any finite frames at positions from `length` on: their contexts are
    forced to zero, layer by layer (zero *inputs* would not do, the layers have a bias).
    """

    def __init__(self, model: Sambert) -> None:
        super().__init__()
        postnet: PostNet = model.mel_postnet
        self.layout = layout = StateLayout()
        self.n_features = model.config.num_mels
        self.layers = ModuleListOf[_PostnetLayer]()
        delay = 0
        for feed_forward, memory in zip(postnet.fsmn.ffn_lst, postnet.fsmn.memory_block_lst, strict=True):
            self.layers.append(_PostnetLayer(feed_forward, memory, delay, layout))
            delay += memory.right
        self.delay_frames = delay
        self.lstm, self.fc = _gated_lstm(postnet.lstm), postnet.fc
        layout.reserve(postnet.lstm.hidden_size)
        layout.reserve(postnet.lstm.hidden_size)
        layout.reserve(delay, self.n_features)

    def initial_state(self, batch: int = 1) -> Tensor:
        """The packed state before the first block, [B, S]."""
        return self.layout.initial(batch)

    def forward(self, frames: Tensor, start: Tensor, length: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Refine one block.

        Args:
            frames: Decoder frames [B, T, F] at positions start, start + 1, ...
            start: [B] int64.
            length: Frames of the whole utterance [B] int64.
            state: [B, S] as the previous block returned it.

        Returns:
            Frames [B, T, F] at positions start - delay_frames, ..., and the next state [B, S].
        """
        reader = self.layout.unpack(state)
        positions = start[:, None] + torch.arange(frames.size(1), device=frames.device)
        x = frames
        for layer in self.layers:
            x = layer(x, positions, length, reader)
        waiting = (positions < self.delay_frames).float().unsqueeze(-1)
        hidden, cell = _required(reader.take()), _required(reader.take())
        refined, (hidden, cell) = self.lstm(torch.cat([x, waiting], dim=-1), (hidden[None], cell[None]))
        reader.give(hidden[0])
        reader.give(cell[0])
        if self.delay_frames:
            frames = torch.cat([_required(reader.take()), frames], dim=1)
            reader.give(frames[:, -self.delay_frames :])
            frames = frames[:, : -self.delay_frames]
        return self.fc(refined) + frames, reader.pack()


def _required(buffer: Tensor | None) -> Tensor:
    assert buffer is not None
    return buffer


def _gated_lstm(lstm: nn.LSTM) -> nn.LSTM:
    """The same LSTM with one more input that, when 1, shuts the input gate: a zero state stays zero.

    That keeps the state untouched while the delayed input has not begun, in one call and for any block
    border.
    """
    units, width = lstm.hidden_size, lstm.input_size
    gated = nn.LSTM(width + 1, units, batch_first=True)
    with torch.no_grad():
        from_input = gated.get_parameter("weight_ih_l0").zero_()
        from_input[:, :width] = lstm.get_parameter("weight_ih_l0")
        from_input[:units, width] = CLOSED_GATE
        for name in ("weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
            gated.get_parameter(name).copy_(lstm.get_parameter(name))
    return gated
