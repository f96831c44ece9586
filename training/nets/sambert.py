"""The acoustic model KanTtsSAMBERT: linguistic ids to mel frames.

    ling -> text encoder -> variance adaptor -> memory -> decoder (autoregressive) -> PostNet -> mel

Input   ids of sentences; when training also durations, pitch, energy and mel of the corpus
Output  `SambertTrainingOutput` (teacher-forced batch) or `SambertOutput` (one sentence, free-running
        reference)
State   none

state_dict names and shapes are those of KAN-TTS (spec section 1.2). Mel stays in the data set's normalised
domain.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.nets.config import SambertConfig
from training.nets.decoder import MelDecoder
from training.nets.filled_pauses import FilledPausePredictor, FilledPauses, insert_pauses, lengthened
from training.nets.fsmn import Fsmn
from training.nets.text_encoder import TextEncoder, keep_rows
from training.nets.variance import VarianceAdaptor, band_width, round_durations


@dataclass(frozen=True, slots=True)
class SambertBatch:
    """A padded batch of corpus items; B items, N tokens and T frames in the longest.

    Attributes:
        ling: [B, N, 4] int64, no EOS; padding may be any valid id.
        emotion: [B, N] int64.
        speaker: [B, N] int64, or [B, E] float32 speaker vectors.
        n_tokens: [B] int64, at least 1.
        durations: [B, N] int64 frames, 0 on padding; each row sums to the item's n_frames.
        pitch: [B, N] normalised; 0 on padding.
        energy: [B, N] normalised; 0 on padding.
        mel: [B, T, F] normalised; 0 on padding.
        n_frames: [B] int64.
    """

    ling: Tensor
    emotion: Tensor
    speaker: Tensor
    n_tokens: Tensor
    durations: Tensor
    pitch: Tensor
    energy: Tensor
    mel: Tensor
    n_frames: Tensor


@dataclass(frozen=True, slots=True)
class SambertTrainingOutput:
    """Predictions of a batch: mel [B, T, F] (0 after each item's frames), token values [B, N]."""

    dec_outputs: Tensor
    postnet_outputs: Tensor
    log_durations: Tensor
    pitch: Tensor
    energy: Tensor


@dataclass(frozen=True, slots=True)
class SambertOutput:
    """Everything computed for one sentence of N tokens (filled pauses included) and T frames.

    Attributes:
        text_hid: [1, N, p].
        token: Index of the given token that each row encodes [1, N] int64; -1 in a filled pause.
        pitch: [1, N]; energy and log_durations (log(1 + frames)) likewise.
        energy: [1, N].
        log_durations: [1, N], as predicted.
        durations: Whole frames per token [1, N], int64.
        band_width: W in decoder steps.
        n_frames: T.
        memory: Decoder memory [1, M, D].
        dec_outputs: [1, T, F].
        postnet_outputs: [1, T, F].
    """

    text_hid: Tensor
    token: Tensor
    pitch: Tensor
    energy: Tensor
    log_durations: Tensor
    durations: Tensor
    band_width: int
    n_frames: int
    memory: Tensor
    dec_outputs: Tensor
    postnet_outputs: Tensor


def mixed_feedback(teacher: Tensor, own: Tensor, own_share: float, outputs_per_step: int) -> Tensor:
    """Replace a random share of the decoder's groups of frames by its own predictions.

    A decoder that has only ever been fed the teacher's frames does not know what to do with its own.
    Predicting all steps from the teacher first and mixing them in keeps training parallel over time
    (scheduled sampling: Bengio et al. 2015; this form: Mihaylova and Martins 2019).

    Args:
        teacher: [B, M r, F].
        own: [B, M r, F], predictions made with the teacher's feedback.
        own_share: Probability of a group to be replaced.
        outputs_per_step: Frames per group, r.
    """
    n_groups = teacher.size(1) // outputs_per_step
    chosen = torch.rand(teacher.size(0), n_groups, 1, device=teacher.device) < own_share
    return torch.where(chosen.repeat_interleave(outputs_per_step, dim=1), own, teacher)


class PostNet(nn.Module):
    """Adds detail to decoder frames: FSMN with little look-ahead, LSTM, linear; residual on the input."""

    def __init__(self, config: SambertConfig) -> None:
        super().__init__()
        self.fsmn = Fsmn(
            config.num_mels,
            n_layers=config.postnet_fsmn_num_layers,
            memory_units=config.postnet_num_memory_units,
            inner_units=config.postnet_ffn_inner_dim,
            filter_size=config.postnet_filter_size,
            shift=config.postnet_shift,
            dropout=config.postnet_dropout,
        )
        self.lstm = nn.LSTM(config.postnet_num_memory_units, config.postnet_lstm_units, batch_first=True)
        self.fc = nn.Linear(config.postnet_lstm_units, config.num_mels)

    def forward(self, frames: Tensor, keep: Tensor | None = None) -> Tensor:
        """Map frames [B, T, F] to [B, T, F]; `keep` [B, T, 1] marks valid rows."""
        refined: Tensor = self.fc(self.lstm(self.fsmn(frames, keep))[0]) + frames
        return refined if keep is None else refined * keep


class Sambert(nn.Module):
    """The whole acoustic model.

    Variants: NSF (two more rows a frame), SE (speaker vector in place of the table), FP (filled pauses).
    """

    def __init__(self, config: SambertConfig) -> None:
        super().__init__()
        self.config = config
        self.text_encoder = TextEncoder(config)
        if not config.SE:
            self.spk_tokenizer = nn.Embedding(config.tables.speaker, config.speaker_units)
        self.emo_tokenizer = nn.Embedding(config.tables.emotion, config.emotion_units)
        self.variance_adaptor = VarianceAdaptor(config)
        self.mel_decoder = MelDecoder(config)
        self.mel_postnet = PostNet(config)
        if config.FP:
            self.FP_predictor = FilledPausePredictor(config)

    def speaker_rows(self, speaker: Tensor, n_tokens: int) -> Tensor:
        """[B, N, s] of speaker ids [B, N], or of vectors [B, s] or [B, 1, s] repeated for every token."""
        if not self.config.SE:
            rows: Tensor = self.spk_tokenizer(speaker)
            return rows
        return speaker.reshape(speaker.size(0), 1, -1).expand(-1, n_tokens, -1)

    def encode_pauses(self, pauses: FilledPauses) -> Tensor:
        """Encode the sounds of filled pauses, each as a sentence of its own: rows [3, 3, p]."""
        rows: Tensor = self.text_encoder(pauses.ids)
        return rows

    def fill_pauses(self, text_hid: Tensor, pause_rows: Tensor) -> tuple[Tensor, Tensor]:
        """Put encoded pauses [3, 3, p] before the tokens of text_hid [1, N, p] that the voice chooses.

        Returns:
            text_hid [1, N', p] and the token of each row [1, N'] int64, -1 where it was put in.
        """
        return insert_pauses(text_hid, self.FP_predictor(text_hid).argmax(dim=-1), pause_rows)

    def forward(self, batch: SambertBatch, own_share: float = 0.0) -> SambertTrainingOutput:
        """Teacher-forced pass over a corpus batch: its durations, pitch, energy and mel are the teachers.

        Args:
            batch: The corpus items.
            own_share: Share of the decoder steps that are fed the model's own previous frame instead of the
                teacher's; above 0 this costs a second pass of the decoder (see `mixed_feedback`).
        """
        adaptor = self.variance_adaptor
        n_tokens, r = batch.ling.size(1), self.config.outputs_per_step
        text_hid = self.text_encoder(batch.ling, batch.n_tokens)
        speaker = self.speaker_rows(batch.speaker, n_tokens)
        emotion = self.emo_tokenizer(batch.emotion)
        inputs = torch.cat([text_hid, speaker, emotion], dim=-1)
        aug = adaptor.augment(text_hid, batch.pitch, batch.energy)
        condition = torch.cat([aug, speaker, emotion], dim=-1)
        keep_tokens = keep_rows(batch.n_tokens, n_tokens)
        log_durations = adaptor.duration_predictor(condition, torch.log1p(batch.durations.float()))
        n_frames = batch.mel.size(1)
        mel = F.pad(batch.mel, (0, 0, 0, -n_frames % r))
        memory = adaptor.expand(aug, speaker, emotion, batch.durations, mel.size(1))
        steps = torch.div(batch.n_frames + r - 1, r, rounding_mode="floor")
        decoder, band = self.mel_decoder.mel_dec, band_width(batch.durations, r)
        if own_share > 0:
            with torch.no_grad():
                mel = mixed_feedback(mel, decoder(memory, mel, band, steps), own_share, r)
        frames = decoder(memory, mel, band, steps)[:, :n_frames]
        keep = keep_rows(batch.n_frames, n_frames)
        frames = frames if keep is None else frames * keep
        return SambertTrainingOutput(
            dec_outputs=frames,
            postnet_outputs=self.mel_postnet(frames, keep),
            log_durations=log_durations if keep_tokens is None else log_durations * keep_tokens.squeeze(-1),
            pitch=adaptor.pitch_predictor(inputs, batch.n_tokens),
            energy=adaptor.energy_predictor(inputs, batch.n_tokens),
        )

    @torch.no_grad()
    def infer(
        self,
        ling: Tensor,
        emotion: Tensor,
        speaker: Tensor,
        durations: Tensor | None = None,
        pauses: FilledPauses | None = None,
    ) -> SambertOutput:
        """Synthesise one sentence, free-running; the reference that streaming is held against.

        Args:
            ling: [1, N, 4] int64, no EOS; [1, N, 1] of a byte model.
            emotion: [1, N] int64.
            speaker: [1, N] int64, or the speaker vector [1, s] float32 of an SE model.
            durations: Frames per row [1, N'], unrounded, in place of the predicted ones.
            pauses: What an FP model's filled pauses say; None fills none.

        Raises:
            ValueError: The batch is not 1, or not a single frame is predicted.
        """
        if ling.size(0) != 1:
            raise ValueError(f"infer takes one sentence, got {ling.size(0)}")
        adaptor, r = self.variance_adaptor, self.config.outputs_per_step
        text_hid, token = self.text_encoder(ling), torch.arange(ling.size(1)).unsqueeze(0)
        if pauses is not None:
            text_hid, token = self.fill_pauses(text_hid, self.encode_pauses(pauses))
            emotion = lengthened(emotion, token.size(1))
            speaker = speaker if self.config.SE else lengthened(speaker, token.size(1))
        speaker, emotion = self.speaker_rows(speaker, token.size(1)), self.emo_tokenizer(emotion)
        inputs = torch.cat([text_hid, speaker, emotion], dim=-1)
        pitch, energy = adaptor.pitch_predictor(inputs), adaptor.energy_predictor(inputs)
        aug = adaptor.augment(text_hid, pitch, energy)
        log_durations = adaptor.duration_predictor.infer(torch.cat([aug, speaker, emotion], dim=-1))
        durations = torch.exp(log_durations) - 1 if durations is None else durations.float()
        rounded, band = round_durations(durations), int(band_width(durations, r))
        n_frames = int(rounded.sum())
        if n_frames == 0:
            raise ValueError("the sentence has no frames: every predicted duration rounds to 0")
        memory = adaptor.expand(aug, speaker, emotion, rounded, n_frames + -n_frames % r)
        dec_outputs = self.mel_decoder.mel_dec.infer(memory, band)[:, :n_frames]
        return SambertOutput(
            text_hid=text_hid,
            token=token,
            pitch=pitch,
            energy=energy,
            log_durations=log_durations,
            durations=rounded,
            band_width=band,
            n_frames=n_frames,
            memory=memory,
            dec_outputs=dec_outputs,
            postnet_outputs=self.mel_postnet(dec_outputs),
        )
