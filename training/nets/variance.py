"""Variance adaptor: pitch, energy and duration per token, and the expansion of tokens to frames.

Input   text_hid [B, N, p], speaker [B, N, s], emotion [B, N, e]
Output  pitch, energy (mean/std-normalised) and log durations log(1 + frames) [B, N]; decoder memory [B, M, D]
State   none between sentences; the duration predictor's LSTM state lives inside one call

Spec section 1.4. The order of concatenation is always text, speaker, emotion.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from training.nets.config import SambertConfig
from training.nets.fsmn import Fsmn
from training.nets.text_encoder import keep_rows

PROSODY_KERNEL = 9  # tokens seen by pitch_emb and energy_emb


class Prenet(nn.Module):
    """Linear-ReLU-dropout layers, then a last linear one where `out_units` is given."""

    def __init__(
        self, in_units: int, units: tuple[int, ...], dropout: float, out_units: int | None = None
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width_in, width in zip((in_units, *units), units, strict=False):
            layers += [nn.Linear(width_in, width), nn.ReLU(), nn.Dropout(dropout)]
        if out_units is not None:
            layers.append(nn.Linear(units[-1], out_units))
        self.fcs = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., in_units] to [..., out_units] or [..., units[-1]]."""
        output: Tensor = self.fcs(x)
        return output


class TokenPredictor(nn.Module):
    """One value per token (pitch or energy) from the whole sentence: FSMN, BLSTM, linear."""

    def __init__(self, config: SambertConfig) -> None:
        super().__init__()
        self.fsmn = Fsmn(
            config.variance_units,
            n_layers=config.predictor_fsmn_num_layers,
            memory_units=config.predictor_num_memory_units,
            inner_units=config.predictor_ffn_inner_dim,
            filter_size=config.predictor_filter_size,
            shift=config.predictor_shift,
            dropout=config.predictor_dropout,
        )
        units = config.predictor_lstm_units
        self.blstm = nn.LSTM(config.predictor_num_memory_units, units, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(2 * units, 1)

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map [text | speaker | emotion] [B, N, V] to [B, N]; padded tokens come out as 0."""
        keep = keep_rows(lengths, inputs.size(1))
        x = self.fsmn(inputs, keep)
        if lengths is None or keep is None:
            values: Tensor = self.fc(self.blstm(x)[0]).squeeze(-1)
            return values
        # Packed, so that the backward direction starts at each item's own last token.
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        x, _ = pad_packed_sequence(self.blstm(packed)[0], batch_first=True, total_length=inputs.size(1))
        values = (self.fc(x) * keep).squeeze(-1)
        return values


class DurationPredictor(nn.Module):
    """log(1 + frames) per token, autoregressive over tokens in the log domain."""

    def __init__(self, config: SambertConfig) -> None:
        super().__init__()
        prenet_units = config.dur_pred_prenet_units
        self.prenet = Prenet(1, prenet_units, config.prenet_dropout)
        units = config.dur_pred_lstm_units
        self.lstm = nn.LSTM(prenet_units[-1] + config.variance_units, units, num_layers=2, batch_first=True)
        self.fc = nn.Linear(units, 1)

    def forward(self, condition: Tensor, log_durations: Tensor) -> Tensor:
        """Teacher-forced: condition [B, N, V] and targets [B, N] give predictions [B, N] in one LSTM call."""
        previous = F.pad(log_durations[:, :-1], (1, 0)).unsqueeze(-1)
        hidden, _ = self.lstm(torch.cat([self.prenet(previous), condition], dim=-1))
        return F.relu(self.fc(hidden)).squeeze(-1)

    def step(
        self, previous: Tensor, condition: Tensor, state: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """One token: previous [B, 1], condition [B, V], LSTM state (h, c) [2, B, units] or None at first."""
        inputs = torch.cat([self.prenet(previous), condition], dim=-1).unsqueeze(1)
        hidden, state = self.lstm(inputs, state)
        return F.relu(self.fc(hidden[:, 0])), state

    def infer(self, condition: Tensor) -> Tensor:
        """Free-running: condition [B, N, V] gives log durations [B, N]."""
        value, state = condition.new_zeros(condition.size(0), 1), None
        values: list[Tensor] = []
        for token in range(condition.size(1)):
            value, state = self.step(value, condition[:, token], state)
            values.append(value)
        return torch.cat(values, dim=1)


def duration_timescales(units: int) -> Tensor:
    """[units] float32: what a frame's position inside its token is divided by, column by column."""
    return torch.tensor([10000.0 ** (2 * (column // 2) / units) for column in range(units)])


class DurationPosition(nn.Module):
    """Sine/cosine code of a frame's position inside its token (1-based; 0 on padding rows)."""

    inv_timescales: Tensor

    def __init__(self, units: int) -> None:
        super().__init__()
        # Named so in checkpoints, yet the tensor holds the timescales: positions are divided by it.
        self.register_buffer("inv_timescales", duration_timescales(units))

    def forward(self, positions: Tensor) -> Tensor:
        """Code positions [B, T] (int64) as [B, T, p]: sine in even columns, cosine in odd ones."""
        angles = positions.float().unsqueeze(-1) / self.inv_timescales
        pairs = torch.stack([torch.sin(angles[..., 0::2]), torch.cos(angles[..., 1::2])], dim=-1)
        return pairs.flatten(-2)


def round_durations(durations: Tensor) -> Tensor:
    """Whole frames per token, int64, of durations exp(y) - 1 >= 0: floor(d + 0.5); may be 0."""
    return (durations + 0.5).long()


def band_width(durations: Tensor, outputs_per_step: int) -> Tensor:
    """W [B], int64, of frames per token [B, N]: trunc(max / r + 0.5).

    At inference the durations are the unrounded ones, with given targets the integers (spec section 1.5).
    """
    return (durations.float().amax(dim=1) / outputs_per_step + 0.5).long()


def token_of_frame(durations: Tensor, n_rows: int) -> tuple[Tensor, Tensor]:
    """Which token each frame row belongs to, and its 1-based position in it; both [B, n_rows] int64.

    Rows after the last frame get token -1 and position 0.
    """
    ends = durations.cumsum(dim=1)
    rows = torch.arange(n_rows, device=durations.device).expand(durations.size(0), -1).contiguous()
    tokens = torch.searchsorted(ends, rows, right=True)
    inside = tokens < durations.size(1)
    clipped = tokens.clamp(max=durations.size(1) - 1)
    starts = ends.gather(1, clipped) - durations.gather(1, clipped)
    positions = torch.where(inside, rows - starts + 1, 0)
    return torch.where(inside, tokens, -1), positions


class VarianceAdaptor(nn.Module):
    """The predictors, the prosody embeddings and the expansion to decoder memory."""

    def __init__(self, config: SambertConfig) -> None:
        super().__init__()
        units = config.encoder_projection_units
        self.outputs_per_step = config.outputs_per_step
        self.pitch_predictor = TokenPredictor(config)
        self.energy_predictor = TokenPredictor(config)
        self.duration_predictor = DurationPredictor(config)
        self.dur_position_encoder = DurationPosition(units)
        self.pitch_emb = nn.Conv1d(1, units, PROSODY_KERNEL, padding=PROSODY_KERNEL // 2)
        self.energy_emb = nn.Conv1d(1, units, PROSODY_KERNEL, padding=PROSODY_KERNEL // 2)

    def augment(self, text_hid: Tensor, pitch: Tensor, energy: Tensor) -> Tensor:
        """Add embeddings of pitch and energy [B, N] to text_hid [B, N, p]."""
        prosody = self.pitch_emb(pitch.unsqueeze(1)) + self.energy_emb(energy.unsqueeze(1))
        return text_hid + prosody.transpose(1, 2)

    def expand(self, aug: Tensor, speaker: Tensor, emotion: Tensor, durations: Tensor, n_rows: int) -> Tensor:
        """Repeat tokens to frames and stack r frames to a memory row.

        Args:
            aug: [B, N, p]; speaker [B, N, s]; emotion [B, N, e].
            speaker: One vector per token.
            emotion: One vector per token.
            durations: Frames per token [B, N], int64.
            n_rows: Frame rows to produce, a multiple of r and at least the longest item.

        Returns:
            Memory [B, n_rows / r, D]. Rows after an item's last frame carry position 0, so their text part is
            (0, 1, 0, 1, ...), not zero; speaker and emotion are those of the first frame of a row's group.
        """
        tokens, positions = token_of_frame(durations, n_rows)
        text = _rows(aug, tokens) + self.dur_position_encoder(positions)
        first = tokens[:, :: self.outputs_per_step]
        grouped = text.reshape(text.size(0), -1, self.outputs_per_step * text.size(2))
        return torch.cat([grouped, _rows(speaker, first), _rows(emotion, first)], dim=-1)


def _rows(values: Tensor, tokens: Tensor) -> Tensor:
    """Rows `tokens` [B, T] of values [B, N, C] as [B, T, C]; token -1 gives a row of zeros."""
    index = tokens.clamp(min=0).unsqueeze(-1).expand(-1, -1, values.size(2))
    return values.gather(1, index) * (tokens >= 0).unsqueeze(-1)
