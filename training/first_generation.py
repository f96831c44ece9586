"""What the first PyTorch voices of ModelScope (autumn 2022) call things, in the words of the later ones.

Input   `model.am` and `model.vocoder` of a configuration.json, state_dict of a first-generation vocoder
Output  documents as the later `config.yaml` files hold, state_dict with the later names
State   none; pure

The mathematics did not change; the vocoder is always causal. Spec section 5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from training.nets.config import SambertConfig
from training.untrusted import CheckpointError

Value = TypeVar("Value")

_ACOUSTIC_NAMES = {item.name for item in fields(SambertConfig)} - {"tables"}
# Name then -> name now. The first network had no other choices: 80 mel bins, kernel 7, causal.
_VOCODER_NAMES = {
    "upsample_initial_channel": "channels",
    "upsample_rates": "upsample_scales",
    "upsample_kernel_sizes": "upsample_kernal_sizes",
    "resblock_kernel_sizes": "resblock_kernel_sizes",
    "resblock_dilation_sizes": "resblock_dilations",
    "num_mels": "in_channels",
}
_KEY_CHANGES = (
    (re.compile(r"^ups\.(\d+)\.deconv\."), r"transpose_upsamples.\1.1.deconv."),
    (re.compile(r"^repeat_ups\.(\d+)\.2\.conv1d\."), r"repeat_upsamples.\1.2.conv1d."),
    (re.compile(r"^resblocks\.(\d+)\."), r"conv_blocks.\1."),
)


def acoustic_document(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return the acoustic `config.yaml` that says what `model.am` says; the rest keeps its default."""
    given = _innermost(section, "am", "hyperparameters")
    params = {name: value for name, value in given.items() if name in _ACOUSTIC_NAMES}
    units = section.get("linguistic_unit", given.get("linguistic_unit", {}))
    return {
        "Model": {"KanTtsSAMBERT": {"params": params}},
        "linguistic_unit": units if isinstance(units, Mapping) else {},
    }


def vocoder_document(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return the vocoder `config.yaml` that says what `model.vocoder` says.

    Raises:
        CheckpointError: It asks for the other residual block, which no published voice has.
    """
    given = _innermost(section, "vocoder", "hyperparameters")
    if str(given.get("resblock", "1")) != "1":
        raise CheckpointError(f"model.vocoder.resblock is {given['resblock']!r}, expected '1'")
    params = {now: given[then] for then, now in _VOCODER_NAMES.items() if then in given}
    return {"Model": {"Generator": {"params": params | {"causal": True}}}}


def vocoder_weights(weights: Mapping[str, Value]) -> dict[str, Value]:
    """Rename the keys of a first-generation generator; others stay, so that they can be named in an error."""
    return {_renamed(key): value for key, value in weights.items()}


def _renamed(key: str) -> str:
    for pattern, replacement in _KEY_CHANGES:
        key = pattern.sub(replacement, key)
    return key


def _innermost(section: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """Follow the given names as far as they exist: files differ in how deep the hyperparameters lie."""
    for name in names:
        inner = section.get(name)
        section = inner if isinstance(inner, Mapping) else section
    return section
