"""A training configuration small enough to run all of training/ in a test."""

from __future__ import annotations

from pathlib import Path

import yaml

from training.settings import TrainingSettings, load_settings

SHIPPED = Path(__file__).parents[2] / "configs" / "training" / "shanquan.yaml"

_SMALL: dict[str, dict[str, object]] = {
    "corpus": {"n_train": 10, "n_validation": 3},
    "vocoder": {
        "channels": 16,
        "segment_frames": 8,
        "batch_size": 2,
        "source_steps": 3,
        "body_steps": 3,
        "adversarial_after_steps": 1,
    },
    "acoustic": {
        "embedding_dim": 16,
        "encoder_layers": 2,
        "encoder_heads": 2,
        "encoder_units": 16,
        "encoder_inner": 16,
        "projection_units": 8,
        "predictor_layers": 1,
        "predictor_units": 8,
        "predictor_inner": 8,
        "predictor_lstm_units": 8,
        "duration_units": 8,
        "decoder_prenet_units": 16,
        "decoder_layers": 2,
        "decoder_heads": 2,
        "decoder_units": 16,
        "decoder_inner": 16,
        "postnet_layers": 4,
        "postnet_units": 8,
        "postnet_inner": 8,
        "postnet_lstm_units": 8,
        "batch_frames": 2000,
        "steps": 3,
    },
    "recogniser": {"units": 16, "layers": 2, "steps": 3, "batch_frames": 2000},
}


def tiny_settings(path: Path) -> TrainingSettings:
    """Write the shipped configuration with small numbers to `path` and load it."""
    document = yaml.safe_load(SHIPPED.read_text("utf-8"))
    for section, values in _SMALL.items():
        document[section] |= values
    document["vocoder"]["source"] |= {"channels": 8, "n_layers": 2}
    document["name"] = "tiny"
    path.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
    return load_settings(path)
