"""The five networks of a voice, ready for export (contract: streaming/synthesis/engine.py).

Input   trained networks
Output  `Graph` per network
State   none
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from streaming.manifest import NetworkName
from streaming.sambert_manifest import AcousticSizes
from training.export import EXAMPLE_LENGTH, Graph
from training.nets.duration_loop import DOMAIN
from training.nets.filled_pauses import FilledPauses
from training.nets.sambert import Sambert
from training.nets.streaming import DecoderMemory, SentenceEncoder, StreamingDecoderStep, StreamingPostnet
from training.nets.streaming_vocoder import StreamingVocoder

WINDOW_BUCKETS = (8, 16, 32, 64)  # slots; 8 suffices for tokens up to 260 ms, 64 for 2.4 s


class VocoderGraph(nn.Module):
    """A vocoder whose optional inputs are those it takes, by position in the order of the contract."""

    def __init__(self, vocoder: StreamingVocoder) -> None:
        super().__init__()
        self.vocoder = vocoder

    def forward(self, mel: Tensor, *others: Tensor) -> tuple[Tensor, Tensor]:
        """Return audio and the next state of mel, excitation (NSF), edges (look-ahead) and state."""
        *optional, state = others
        excitation = optional.pop(0) if self.vocoder.n_harmonics else None
        edges = optional.pop(0) if self.vocoder.lookahead_frames else None
        result: tuple[Tensor, Tensor] = self.vocoder(mel, state, excitation, edges)
        return result


def encoder_graph(
    model: Sambert,
    speaker_vector: Tensor | None = None,
    neutral_emotion: int | None = None,
    pauses: FilledPauses | None = None,
) -> Graph:
    """The `encoder` network; its duration loop becomes one ONNX Scan.

    What the arguments bake in is told at `SentenceEncoder`.
    """
    encoder = SentenceEncoder(model, speaker_vector, neutral_emotion, pauses).eval()
    ids = torch.ones(1, EXAMPLE_LENGTH, dtype=torch.int64)
    per_token = {
        "ling": ids.unsqueeze(2).repeat(1, 1, model.config.tables.ling_columns),
        "emotion": ids,
        "speaker": torch.zeros_like(ids),
    }
    per_sentence = {name: torch.ones(1) for name in ("emotion_intensity", "pitch_scale", "pitch_shift")}
    names: tuple[str, ...] = ("aug", "spk", "emo", "log_durations", "pitch", "energy")
    batch, rows = {0: "batch"}, "tokens"
    if pauses is not None:
        # How many rows come out depends on the words: such a graph takes one sentence a call.
        names, batch, rows = (*names, "token"), {}, "rows"
    axes = {name: batch | {1: "tokens"} for name in per_token} | dict.fromkeys(per_sentence, batch)
    axes |= {name: batch | {1: rows} for name in names}
    # An SE voice has its vector baked in; the contract still has the input.
    module = encoder if speaker_vector is None else _WithUnusedSpeaker(encoder).eval()
    finish = encoder.duration_loop.insert_scan
    return Graph(module, per_token | per_sentence, names, axes, {DOMAIN: 1}, finish)


class _WithUnusedSpeaker(nn.Module):
    """Keeps the speaker input in the graph of a voice that does not look at it."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, ling: Tensor, emotion: Tensor, speaker: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        aug, *results = self.encoder(ling, emotion, speaker, *others)
        return (aug + 0.0 * speaker.sum(), *results)


def memory_graph(model: Sambert) -> Graph:
    """The `memory` network."""
    rows = torch.randn(1, EXAMPLE_LENGTH, model.config.memory_units)
    axes = {
        "rows": {0: "batch", 1: "rows"},
        "mem_k": {0: "batch", 3: "rows"},
        "mem_v": {0: "batch", 3: "rows"},
    }
    return Graph(DecoderMemory(model).eval(), {"rows": rows}, ("mem_k", "mem_v"), axes)


def decoder_graph(model: Sambert) -> Graph:
    """The `decoder` network; the window is a dynamic axis, one graph serves all buckets."""
    config, window = model.config, EXAMPLE_LENGTH
    heads = (1, config.decoder_num_layers, config.decoder_num_heads, window)
    shape = (*heads, config.decoder_num_units // config.decoder_num_heads)
    inputs = {
        "prev": torch.randn(1, config.num_mels),
        "row": torch.randn(1, config.memory_units),
        "mem_k": torch.randn(shape),
        "mem_v": torch.randn(shape),
        "mem_mask": torch.zeros(1, window),
        "self_k": torch.randn(shape),
        "self_v": torch.randn(shape),
        "self_mask": torch.zeros(1, window),
    }
    axes: dict[str, dict[int, str]] = {name: {0: "batch"} for name in ("prev", "row", "frames")}
    axes |= {name: {0: "batch", 1: "window"} for name in ("mem_mask", "self_mask")}
    axes |= {name: {0: "batch", 3: "window"} for name in ("mem_k", "mem_v", "self_k", "self_v")}
    return Graph(StreamingDecoderStep(model).eval(), inputs, ("frames", "self_k", "self_v"), axes)


def postnet_graph(model: Sambert) -> Graph:
    """The `postnet` network."""
    postnet = StreamingPostnet(model).eval()
    inputs = {
        "frames": torch.randn(1, EXAMPLE_LENGTH, model.config.num_mels),
        "start": torch.zeros(1, dtype=torch.int64),
        "length": torch.full((1,), 40, dtype=torch.int64),
        "state": postnet.initial_state(1),
    }
    axes = {
        "frames": {0: "batch", 1: "frames"},
        "start": {0: "batch"},
        "length": {0: "batch"},
        "state": {0: "batch"},
    }
    return Graph(postnet, inputs, ("frames", "state"), axes)


def vocoder_graph(vocoder: StreamingVocoder, n_mels: int) -> Graph:
    """The `vocoder` network of an imported generator, plain or NSF, causal or not."""
    n_frames = EXAMPLE_LENGTH
    inputs = {"mel": torch.randn(1, n_frames, n_mels)}
    axes: dict[str, dict[int, str]] = {"mel": {0: "batch", 1: "frames"}, "audio": {0: "batch", 1: "samples"}}
    if vocoder.n_harmonics:
        inputs["excitation"] = torch.randn(1, vocoder.n_harmonics, n_frames * vocoder.hop_length)
        axes["excitation"] = {0: "batch", 2: "samples"}
    if vocoder.lookahead_frames:
        inputs["edges"] = torch.ones(2, dtype=torch.int64)  # a whole utterance: any length is allowed
    inputs["state"] = vocoder.initial_state(1)
    axes["state"] = {0: "batch"}
    return Graph(VocoderGraph(vocoder).eval(), inputs, ("audio", "state"), axes)


def block_ramp(lookahead_frames: int) -> tuple[int, ...]:
    """The vocoder's grid of an imported voice.

    The first block yields 3 frames, whatever looks ahead: with the post-net's 12 they are five whole decoder
    steps. They last 37.5 ms, twice what the second block takes at full width on the CPU measured; each later
    block finds more sound ahead of it.
    """
    return (lookahead_frames + 3, 6, 12, 16)


def acoustic_graphs(
    model: Sambert,
    speaker_vector: Tensor | None = None,
    neutral_emotion: int | None = None,
    pauses: FilledPauses | None = None,
) -> dict[NetworkName, Graph]:
    """The four networks of the acoustic model; the arguments as in `encoder_graph`."""
    return {
        "encoder": encoder_graph(model, speaker_vector, neutral_emotion, pauses),
        "memory": memory_graph(model),
        "decoder": decoder_graph(model),
        "postnet": postnet_graph(model),
    }


def acoustic_sizes(model: Sambert, *, inserts_tokens: bool = False) -> AcousticSizes:
    """Sizes of an acoustic model as the manifest states them; `inserts_tokens` where it fills pauses."""
    config = model.config
    postnet = StreamingPostnet(model)
    return AcousticSizes(
        outputs_per_step=config.outputs_per_step,
        text_width=config.encoder_projection_units,
        speaker_width=config.speaker_units,
        emotion_width=config.emotion_units,
        n_features=config.num_mels,
        decoder_layers=config.decoder_num_layers,
        decoder_heads=config.decoder_num_heads,
        decoder_head_dim=config.decoder_num_units // config.decoder_num_heads,
        window_buckets=WINDOW_BUCKETS,
        postnet_state_size=postnet.layout.size,
        postnet_delay_frames=postnet.delay_frames,
        inserts_tokens=inserts_tokens,
    )
