"""Voices as KAN-TTS and ModelScope publish them, with small random networks, in every layout."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from streaming.text.symbols import (
    BREAKS,
    EMOTIONS,
    PINYIN_PHONES,
    PINYIN_TONES,
    SYLLABLE_FLAGS,
    WORD_SEGMENTS,
)
from tests.training.nets.small import small_config
from training.checkpoints import aligner_shapes
from training.nets.config import HifiganConfig, TableSizes
from training.nets.hifigan import Generator
from training.nets.sambert import Sambert

Weights = dict[str, Tensor]

SPEAKERS = ("F7", "M7")
WITHOUT_MASK = TableSizes(sy=146, tone=9, syllable_flag=7, word_segment=7, emotion=35, speaker=4)
WITH_MASK = TableSizes(speaker=5)
BYTES = TableSizes(byte_index=259, speaker=5)

VOCODER_PARAMS: Mapping[str, Any] = {
    "in_channels": 10,
    "channels": 16,
    "upsample_scales": [10, 5, 2, 2],
    "upsample_kernal_sizes": [20, 10, 4, 4],
    "resblock_kernel_sizes": [3],
    "resblock_dilations": [[1]],
    "causal": True,
}
CARD: Mapping[str, Any] = {
    "framework": "pytorch",
    "task": "text-to-speech",
    "model": {"type": "sambert-hifigan"},
}


class Touch:
    """A pickle that leaves a file behind when it is run."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.canary}",)


@cache
def _acoustic_weights(tables: TableSizes, changes: tuple[tuple[str, object], ...]) -> Weights:
    torch.manual_seed(3)
    config = small_config(tables=tables, **dict(changes))
    weights: Weights = dict(Sambert(config).state_dict())
    # Tokens of some 60 ms: what a random network predicts rounds to nothing.
    weights["variance_adaptor.duration_predictor.fc.bias"] = torch.tensor([1.8])
    if config.MAS:
        weights |= {key: torch.randn(shape) for key, shape in aligner_shapes(config).items()}
    return weights


def acoustic_weights(tables: TableSizes = WITH_MASK, **changes: object) -> Weights:
    """state_dict of a small acoustic model, the MAS aligner included where asked for."""
    return dict(_acoustic_weights(tables, tuple(changes.items())))


@cache
def _vocoder_weights() -> Weights:
    torch.manual_seed(4)
    return dict(Generator(HifiganConfig.from_yaml_dict(vocoder_config())).state_dict())


def vocoder_weights() -> Weights:
    """state_dict of a small generator."""
    return dict(_vocoder_weights())


def acoustic_params(**changes: object) -> dict[str, Any]:
    """`Model.KanTtsSAMBERT.params` of a small acoustic model."""
    params = asdict(small_config(**changes))
    del params["tables"]
    return {name: list(value) if isinstance(value, tuple) else value for name, value in params.items()}


def acoustic_config(units: Mapping[str, object] | None = None, **changes: object) -> dict[str, Any]:
    """An acoustic config.yaml."""
    listed = {"cleaners": "english_cleaners", "speaker_list": ",".join(SPEAKERS)}
    return {
        "model_type": "sambert",
        "Model": {"KanTtsSAMBERT": {"params": acoustic_params(**changes)}},
        "linguistic_unit": listed | dict(units or {}),
    }


def vocoder_config(**changes: object) -> dict[str, Any]:
    """A vocoder config.yaml."""
    return {"model_type": "hifigan", "Model": {"Generator": {"params": {**VOCODER_PARAMS, **changes}}}}


def write_yaml(path: Path, document: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(dict(document)), encoding="utf-8")


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")


def save(path: Path, document: Mapping[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(document, path)
    return path


def write_voice(
    folder: Path,
    *,
    parts: tuple[str, str] = ("am", "voc"),
    tables: TableSizes = WITH_MASK,
    units: Mapping[str, object] | None = None,
    audio: Mapping[str, object] | None = None,
    **changes: object,
) -> Path:
    """Write a voice folder of generation B or C, or a bare one (`audio` None); return it."""
    acoustic, vocoder = (folder / part for part in parts)
    write_yaml(acoustic / "config.yaml", acoustic_config(units, **changes))
    write_yaml(vocoder / "config.yaml", vocoder_config())
    weights = acoustic_weights(tables, **changes)
    save(acoustic / "ckpt" / "checkpoint_10.pth", {"model": weights, "steps": 10})
    save(vocoder / "ckpt" / "checkpoint_20.pth", {"model": {"generator": vocoder_weights()}})
    if audio is not None:
        write_yaml(folder / "audio_config.yaml", {"audio_config": dict(audio)})
    return folder


def write_first_generation(model: Path, name: str = "zhibei", **card: Any) -> Path:
    """Write a model folder of generation A with one voice; return it."""
    voice = model / "voices" / name
    save(voice / "am" / "pytorch_model.bin", {"fsnet": acoustic_weights(WITHOUT_MASK)})
    save(voice / "vocoder" / "pytorch_model.bin", {"generator": _first_names(vocoder_weights())})
    write_dicts(voice)
    write_json(model / "voices" / "voices.json", {"voices": [name]})
    acoustic = {
        "am": acoustic_params(),
        "linguistic_unit": {"has_mask": False, "sy": "sy_dict.txt"},
        "seed": 1,
    }
    section = {"lang_type": "pinyin", "am": acoustic, "vocoder": first_vocoder_section(), **card}
    write_json(model / "configuration.json", {**CARD, "model": section})
    return model


def first_vocoder_section() -> dict[str, Any]:
    """`model.vocoder` as the first generation wrote it."""
    return {
        "resblock": "1",
        "batch_size": 16,
        "upsample_rates": [10, 5, 2, 2],
        "upsample_kernel_sizes": [20, 10, 4, 4],
        "upsample_initial_channel": 16,
        "resblock_kernel_sizes": [3],
        "resblock_dilation_sizes": [[1]],
        "num_mels": 10,
        "sampling_rate": 16000,
    }


def write_dicts(folder: Path, **changes: str) -> Path:
    """Write *_dict.txt files of the PinYin inventory; a change replaces the text of one of them."""
    texts = {
        "sy": "\n".join(PINYIN_PHONES + BREAKS),
        "tone": "\n".join(PINYIN_TONES),
        "syllable_flag": "\n".join(SYLLABLE_FLAGS),
        "word_segment": "\n".join(WORD_SEGMENTS),
        "emo_category": "\n".join(EMOTIONS),
        "speaker": "\n".join(SPEAKERS),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (texts | changes).items():
        (folder / f"{name}_dict.txt").write_text(text + "\n", encoding="utf-8")
    return folder


def edit_checkpoint(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a saved checkpoint in place; `change` gets the whole of it."""
    document = torch.load(path, weights_only=True)
    change(document)
    torch.save(document, path)


def edit_yaml(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a YAML file in place."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(yaml.safe_dump(document), encoding="utf-8")


def _first_names(weights: Weights) -> Weights:
    renamed = {}
    for key, value in weights.items():
        then = key.replace("repeat_upsamples.", "repeat_ups.").replace("conv_blocks.", "resblocks.")
        if key.startswith("transpose_upsamples."):
            then = key.replace("transpose_upsamples.", "ups.").replace(".1.deconv", ".deconv")
        renamed[then] = value
    return renamed
