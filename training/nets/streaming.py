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
from training.nets.decoder import PncaDecoder
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
    """One PNCA layer for a single step: own and memory heads side by side in one attention.

    Everything keeps the axes [B, 1, H, 2 or 1, W or 1, dh] that the decoder has cut it to, so that no
    operation is spent on adding or dropping one: a small network takes as long as it has operations.
    """

    qkv_weight: Tensor
    qkv_bias: Tensor
    out_weight: Tensor
    out_bias: Tensor

    def __init__(self, layer: PncaLayer) -> None:
        super().__init__()
        attention = layer.pnca_attn
        self.n_heads = attention.n_heads
        self.layer_norm, self.pos_ffn = attention.layer_norm, layer.pos_ffn
        self.units = units = attention.fc_x.in_features
        weight, bias = attention.w_x_qkv.weight.detach().clone(), attention.w_x_qkv.bias.detach().clone()
        scale = 1 / sqrt(units // self.n_heads)  # folded into the query
        weight[:units] *= scale
        bias[:units] *= scale
        self.register_buffer("qkv_weight", weight)
        self.register_buffer("qkv_bias", bias)
        # The attention yields [H, 2, dh] per stream: own and memory heads in turn.
        columns = [
            fc.weight.detach().reshape(units, self.n_heads, 1, -1) for fc in (attention.fc_x, attention.fc_h)
        ]
        self.register_buffer("out_weight", torch.cat(columns, dim=2).reshape(units, -1))
        self.register_buffer("out_bias", (attention.fc_x.bias + attention.fc_h.bias).detach())

    def forward(
        self, x: Tensor, own: tuple[Tensor, Tensor], memory: tuple[Tensor, Tensor], mask: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One step.

        Args:
            x: [B, d].
            own: Keys and values of the previous W - 1 steps, oldest first, each [B, 1, H, 1, W - 1, dh].
            memory: Keys and values of the memory window, each [B, 1, H, 1, W, dh].
            mask: Additive, [B, 1, 1, 2, 1, W]: own window (after the shift), then memory window.

        Returns:
            x [B, d], and the own key and value of this step, each [B, 1, H, 1, 1, dh].
        """
        projected = F.linear(self.layer_norm(x), self.qkv_weight, self.qkv_bias)
        heads = projected.reshape(-1, 3, self.n_heads, 1, 1, self.units // self.n_heads)
        query, key, value = heads.split(1, dim=1)
        keys, values = (
            torch.cat([torch.cat([before, newest], dim=4), ahead], dim=3)  # [B, 1, H, 2, W, dh]
            for before, newest, ahead in zip(own, (key, value), memory, strict=True)
        )
        weights = torch.softmax(torch.matmul(query, keys.transpose(-2, -1)) + mask, dim=-1)
        mixed = torch.matmul(weights, values).reshape(-1, 2 * self.units)
        x = x + F.linear(mixed, self.out_weight, self.out_bias)
        feed_forward = self.pos_ffn
        hidden = F.relu(
            F.linear(feed_forward.layer_norm(x), feed_forward.w_1.weight[:, :, 0], feed_forward.w_1.bias)
        )
        return x + F.linear(hidden, feed_forward.w_2.weight[:, :, 0], feed_forward.w_2.bias), key, value


class StreamingDecoderStep(nn.Module):
    """One decoder step: the `decoder` contract.

    The own window shifts by one slot and takes the newest step last; `self_mask` belongs to the window
    *after* the shift, so its last slot is always 0 and it has min(j, band) + 1 zeros at step j. The memory
    window starts at row j; `mem_mask` has min(band, M - 1 - j) + 1 zeros at its start. Unused slots may hold
    anything finite.
    """

    in_weight: Tensor
    in_bias: Tensor

    def __init__(self, model: Sambert) -> None:
        super().__init__()
        self.decoder = decoder = model.mel_decoder.mel_dec
        self.layers = ModuleListOf(_StepLayer(layer) for layer in decoder.pnca)
        self.prenet = nn.Sequential(*list(decoder.prenet.fcs)[:-1])
        weight, bias = _folded_input(decoder)
        self.register_buffer("in_weight", weight)
        self.register_buffer("in_bias", bias)

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
        n_layers = len(self.layers)
        x = F.linear(torch.cat([row, self.prenet(prev)], dim=-1), self.in_weight, self.in_bias)
        mask = torch.stack([self_mask, mem_mask], dim=1)[:, None, None, :, None, :]
        before = torch.cat([self_k, self_v], dim=1)[:, :, :, 1:].unsqueeze(3)  # [B, 2 L, H, 1, W - 1, dh]
        own = before.split(1, dim=1)
        memory = torch.cat([mem_k, mem_v], dim=1).unsqueeze(3).split(1, dim=1)
        keys: list[Tensor] = []
        values: list[Tensor] = []
        for index, layer in enumerate(self.layers):
            pairs = ((part[index], part[n_layers + index]) for part in (own, memory))
            x, key, value = layer(x, *pairs, mask)
            keys.append(key)
            values.append(value)
        after = torch.cat([before, torch.cat([*keys, *values], dim=1)], dim=4).squeeze(3)
        new_k, new_v = after.split(n_layers, dim=1)
        frames = self.decoder.dec_out_proj(self.decoder.ln(x))
        return frames.reshape(-1, self.decoder.outputs_per_step, self.decoder.n_features), new_k, new_v


@torch.no_grad()
def _folded_input(decoder: PncaDecoder) -> tuple[Tensor, Tensor]:
    """Weight and bias from [memory row, prenet's last hidden layer] to the first layer's input.

    Folds three linear maps that follow each other: the prenet's last layer, the input projection, the scale.
    """
    last = decoder.prenet.fcs[-1]
    assert isinstance(last, nn.Linear)
    projection = decoder.dec_in_proj
    weight = projection.weight.double() * decoder.scale
    of_row, of_prenet = weight.split([weight.size(1) - last.out_features, last.out_features], dim=1)
    bias = projection.bias.double() * decoder.scale + of_prenet @ last.bias.double()
    return torch.cat([of_row, of_prenet @ last.weight.double()], dim=1).float(), bias.float()


class _PostnetLayer(nn.Module):
    """One FSMN layer whose output lags `right` frames behind; keeps the last `filter - 1` contexts."""

    memory_weight: Tensor

    def __init__(self, feed_forward: FsmnFeedForward, memory: FsmnMemory, layout: StateLayout) -> None:
        super().__init__()
        self.feed_forward = feed_forward
        self.context, self.right = memory.left + memory.right, memory.right
        width_in, width = feed_forward.w_1.in_channels, memory.conv_dw.out_channels
        weight = memory.conv_dw.weight.detach().unsqueeze(2).clone()
        if memory.right >= 0:  # else the manifest refuses the voice: no output may come before its input
            weight[..., memory.left] += 1.0  # the context itself, which the memory is added to
        self.register_buffer("memory_weight", weight)
        self.residual = width_in == width
        layout.reserve(width, 1, self.context)
        if self.residual:
            layout.reserve(width, 1, self.right)

    def forward(self, x: Tensor, inside: Tensor, state: StateReader) -> Tensor:
        """Map [B, C_in, 1, T] to [B, C, 1, T]; `inside` [B, 1, 1, T] is 0 beyond the utterance."""
        w_1, w_2 = self.feed_forward.w_1, self.feed_forward.w_2
        hidden = F.relu(F.conv2d(x, w_1.weight.unsqueeze(2), w_1.bias))
        contexts = F.conv2d(hidden, w_2.weight.unsqueeze(2)) * inside
        window = torch.cat([_required(state.take()), contexts], dim=3)
        state.give(window[..., -self.context :])
        memory = F.conv2d(window, self.memory_weight, groups=self.memory_weight.size(0))
        if self.residual:
            earlier = state.take()
            if earlier is not None:
                x = torch.cat([earlier, x], dim=3)
                state.give(x[..., -self.right :])
                x = x[..., : -self.right]
            memory = memory + x
        return memory


class StreamingPostnet(nn.Module):
    """The PostNet over blocks of any length: the `postnet` contract.

    Output frame i of a call is the utterance's frame start + i - delay_frames. Frames before 0 mean nothing;
    to get the last ones, go on with any finite frames at positions from `length` on: their contexts are
    forced to zero, layer by layer (zero *inputs* would not do, the layers have a bias).
    """

    delays: Tensor

    def __init__(self, model: Sambert) -> None:
        super().__init__()
        postnet: PostNet = model.mel_postnet
        self.layout = layout = StateLayout()
        self.n_features = model.config.num_mels
        self.layers = ModuleListOf[_PostnetLayer]()
        delay, delays = 0, list[int]()
        for feed_forward, memory in zip(postnet.fsmn.ffn_lst, postnet.fsmn.memory_block_lst, strict=True):
            self.layers.append(_PostnetLayer(feed_forward, memory, layout))
            delays.append(delay)
            delay += memory.right
        self.delay_frames = delay
        self.register_buffer("delays", torch.tensor(delays)[None, :, None, None])
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
        seen = positions[:, None, None] - self.delays  # [B, layers, 1, T]: what each layer is given
        inside = ((seen >= 0) & (seen < length[:, None, None, None])).float().split(1, dim=1)
        x = frames.transpose(1, 2).unsqueeze(2)
        for layer, of_layer in zip(self.layers, inside, strict=True):
            x = layer(x, of_layer, reader)
        waiting = (positions < self.delay_frames).float().unsqueeze(-1)
        inputs = torch.cat([x.squeeze(2).transpose(1, 2), waiting], dim=-1)
        hidden, cell = _required(reader.take()), _required(reader.take())
        refined, (hidden, cell) = self.lstm(inputs, (hidden[None], cell[None]))
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
