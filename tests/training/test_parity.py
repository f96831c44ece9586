"""Every number of the original code's fixtures against ours (tests/data/parity/README.md)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from streaming.text.symbols import SymbolTables, parse_symbol_line
from tests.training.nets.small import largest_difference
from training.checkpoints import AcousticModel, load_acoustic, load_vocoder
from training.nets.hifigan import Generator, SourceDraws
from training.nets.sambert import SambertOutput
from training.sources import VoiceSource, find_sources

PARITY = Path(__file__).parents[1] / "data" / "parity"
VOICES = ("tiny_16k", "tiny_16k_noncausal", "tiny_16k_nsf", "tiny_24k_nsf_causal")
SENTENCES = ("e1", "e3", "e5")
CASES = [(voice, sentence) for voice in VOICES for sentence in SENTENCES]
NSF_CASES = [(voice, sentence) for voice, sentence in CASES if "nsf" in voice]

VARIANCE_TOLERANCE = 1e-5
MEL_TOLERANCE = 2e-5
AUDIO_TOLERANCE = 2e-5
F0_TOLERANCE_HZ = 1e-4  # a float32 step at 400 Hz is 3e-5

over_all = pytest.mark.parametrize(("voice", "sentence"), CASES)


@cache
def expected(voice: str, sentence: str) -> Mapping[str, Tensor]:
    with np.load(PARITY / voice / f"{sentence}.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


@cache
def source(voice: str) -> VoiceSource:
    (found,) = find_sources(PARITY / voice, scratch=PARITY)  # nothing to unpack
    return found


@cache
def acoustic(voice: str) -> AcousticModel:
    return load_acoustic(source(voice))


@cache
def vocoder(voice: str) -> Generator:
    return load_vocoder(source(voice))


@cache
def inferred(voice: str, sentence: str) -> SambertOutput:
    given = expected(voice, sentence)
    return acoustic(voice).network.infer(given["ling"], given["emotion"], given["speaker"])


@over_all
def test_symbols_get_the_reference_ids(voice: str, sentence: str) -> None:
    line = parse_symbol_line((PARITY / voice / f"{sentence}.txt").read_text(encoding="utf-8"))
    tables = SymbolTables()
    given = expected(voice, sentence)
    np.testing.assert_array_equal(tables.encode(line.tokens), given["ling"][0].numpy())
    assert [tables.emotion.id(name) for name in line.emotions] == given["emotion"][0].tolist()
    speakers = source(voice).speakers
    assert [speakers.index(name) for name in line.speakers] == given["speaker"][0].tolist()


@over_all
def test_band_width_and_frame_count_are_equal(voice: str, sentence: str) -> None:
    output, given = inferred(voice, sentence), expected(voice, sentence)
    assert (output.band_width, output.n_frames) == (int(given["band_width"]), int(given["n_frames"]))


@over_all
@pytest.mark.parametrize("name", ["text_hid", "pitch", "energy", "log_durations"])
def test_text_and_variance_match(voice: str, sentence: str, name: str) -> None:
    found = getattr(inferred(voice, sentence), name)
    assert largest_difference(found, expected(voice, sentence)[name]) <= VARIANCE_TOLERANCE


@over_all
@pytest.mark.parametrize("name", ["dec_outputs", "postnet_outputs"])
def test_mel_matches(voice: str, sentence: str, name: str) -> None:
    found = getattr(inferred(voice, sentence), name)[0]
    assert largest_difference(found, expected(voice, sentence)[name]) <= MEL_TOLERANCE


@pytest.mark.parametrize(("voice", "sentence"), NSF_CASES)
def test_f0_and_voicing_are_prepared_for_the_vocoder_alike(voice: str, sentence: str) -> None:
    given, f0 = expected(voice, sentence), acoustic(voice).f0
    assert f0 is not None
    found = f0.vocoder_input(given["postnet_outputs"])
    assert torch.equal(found[:, :-2], given["vocoder_input"][:, :-2])
    assert largest_difference(found[:, -2], given["vocoder_input"][:, -2]) <= F0_TOLERANCE_HZ
    assert torch.equal(found[:, -1], given["vocoder_input"][:, -1])


@over_all
@pytest.mark.parametrize("fused", [False, True])
def test_audio_of_the_given_mel_matches(voice: str, sentence: str, fused: bool) -> None:
    given = expected(voice, sentence)
    generator = vocoder(voice)
    if fused:
        generator = load_vocoder(source(voice))
        generator.fuse()
    with torch.no_grad():
        if "nsf_phase" in given:
            draws = SourceDraws(given["nsf_phase"], given["nsf_noise"])
            audio = generator(given["vocoder_input"].T.unsqueeze(0), draws)[0]
        else:
            audio = generator(given["postnet_outputs"].T.unsqueeze(0))[0]
    assert largest_difference(audio, given["audio"]) <= AUDIO_TOLERANCE
