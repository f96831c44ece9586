"""Make a checkpoint of full width with random weights, to see what importing and streaming one costs.

The networks are those of `sambert_16k` and `hifigan_v1_16k`, 12.7 and 4.9 million parameters, in the layout
that ModelScope publishes. They make noise at the price of speech: the duration predictor's bias gives every
token about 80 ms, and no time here depends on what the weights are.

Run `python -m benchmarks.full_width FOLDER`, then `python -m benchmarks.ttfc --voice FOLDER`; `make
bench-import` does both.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from math import log1p
from pathlib import Path
from typing import Any, cast

import yaml

from training.nets.config import HifiganConfig, SambertConfig

SEED = 20
TOKEN_FRAMES = 6.4  # 80 ms: with the pauses between words, 60 phones become about 6 s
DURATION_SPREAD = 0.1  # of the predictor's last layer, so that no token is much longer than that
AUDIO = {"sampling_rate": 16_000, "hop_length": 200, "num_mels": 80}
SPEAKERS = "F7"


def write_checkpoint(folder: Path) -> None:
    """Write `am/`, `voc/` and `audio_config.yaml` of one voice. Needs torch."""
    import torch  # not at the top: the module can be looked at without it

    from training.nets.hifigan import Generator
    from training.nets.sambert import Sambert

    torch.manual_seed(SEED)
    acoustic, vocoder = Sambert(SambertConfig()), Generator(HifiganConfig())
    with torch.no_grad():
        last = acoustic.variance_adaptor.duration_predictor.fc
        last.weight.mul_(DURATION_SPREAD)
        last.bias.fill_(log1p(TOKEN_FRAMES))
    units = {"language": "PinYin", "speaker_list": SPEAKERS}
    _write(
        folder / "am",
        {"Model": {"KanTtsSAMBERT": {"params": _params(acoustic.config)}}, "linguistic_unit": units},
    )
    _write(folder / "voc", {"Model": {"Generator": {"params": _params(vocoder.config)}}})
    torch.save({"model": acoustic.state_dict()}, folder / "am" / "ckpt" / "checkpoint_0.pth")
    torch.save({"model": {"generator": vocoder.state_dict()}}, folder / "voc" / "ckpt" / "checkpoint_0.pth")
    (folder / "audio_config.yaml").write_text(yaml.safe_dump({"audio_config": AUDIO}))


def _params(config: SambertConfig | HifiganConfig) -> dict[str, Any]:
    """The hyperparameters as a configuration file has them: table sizes are the checkpoint's matter."""
    left_out = {"tables", "nsf", "negative_slope"}
    params = {name: value for name, value in asdict(config).items() if name not in left_out}
    return cast("dict[str, Any]", json.loads(json.dumps(params)))  # tuples become lists


def _write(folder: Path, config: dict[str, Any]) -> None:
    (folder / "ckpt").mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


def main(arguments: list[str] | None = None) -> None:
    """Write the checkpoint."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.full_width", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("folder", type=Path, help="where to write it; its name becomes the voice's")
    write_checkpoint(parser.parse_args(arguments).folder)


if __name__ == "__main__":
    main()
