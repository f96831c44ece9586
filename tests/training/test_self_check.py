"""The check must see a wrong graph; here wrong graphs are made."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from streaming.engines.bundle import BundleEngine
from streaming.sambert_manifest import SambertManifest, as_sambert
from streaming.synthesis.engine import Array, NetworkName
from streaming.voice import load_manifest
from tests.streaming.doubles import VOICES
from tests.training.imported import PARITY
from training.checkpoints import load_acoustic, load_vocoder
from training.self_check import (
    FORCED_FRAMES,
    PSEUDO_SENTENCE_TOKENS,
    Original,
    SelfCheck,
    SelfCheckError,
    built_in_sentences,
    refuse_deviation,
    self_check,
)
from training.sources import find_sources


@pytest.fixture(scope="module")
def manifest() -> SambertManifest:
    return as_sambert(load_manifest(VOICES / "tiny_16k"))


@pytest.fixture
def original() -> Original:
    (source,) = find_sources(PARITY / "tiny_16k", Path())
    return Original(load_acoustic(source), load_vocoder(source))


class Spoilt(BundleEngine):
    """Adds something to one output of one network."""

    network: NetworkName
    output: str
    offset: float | np.ndarray = 0.0

    def run(self, network: NetworkName, inputs: Mapping[str, Array]) -> dict[str, Array]:
        outputs = super().run(network, inputs)
        if network == self.network:
            outputs[self.output] = np.asarray(outputs[self.output] + self.offset, np.float32)
        return outputs


def spoilt(manifest: SambertManifest, network: NetworkName, output: str, offset: float) -> Spoilt:
    engine = Spoilt(VOICES / "tiny_16k", manifest)
    engine.network, engine.output, engine.offset = network, output, offset
    return engine


def test_a_good_export_passes(original: Original, manifest: SambertManifest):
    check = self_check(original, manifest, BundleEngine(VOICES / "tiny_16k", manifest))
    refuse_deviation(check)
    assert not check.is_paced
    assert check.n_sentences >= 3
    assert max(check.log_durations, check.mel, check.audio) < 2e-5
    assert check.audio_s > 1.0


@pytest.mark.parametrize(
    ("network", "output", "stage"),
    [
        ("encoder", "log_durations", "log durations"),
        ("postnet", "frames", "mel"),
        ("vocoder", "audio", "audio"),
    ],
)
def test_a_stage_that_is_off_is_named(
    original: Original, manifest: SambertManifest, network: NetworkName, output: str, stage: str
):
    check = self_check(original, manifest, spoilt(manifest, network, output, 0.01))
    with pytest.raises(SelfCheckError, match=f"{stage} of the exported graphs are off by 1"):
        refuse_deviation(check)


def test_a_deviation_that_is_no_number_is_refused():
    check = SelfCheck(1, 0.0, float("nan"), 0.0, 1.0, 1.0, 0.1, 6.0)
    with pytest.raises(SelfCheckError, match="mel"):
        refuse_deviation(check)


def test_an_engine_that_never_gives_the_same_twice_is_refused(original: Original, manifest: SambertManifest):
    engine = spoilt(manifest, "vocoder", "audio", 0.0)
    draws = np.random.default_rng(0)

    class Restless(type(engine)):  # type: ignore[misc]
        def run(self, network: NetworkName, inputs: Mapping[str, Array]) -> dict[str, Array]:
            self.offset = float(draws.uniform(1e-6, 1e-3))
            return super().run(network, inputs)

    engine.__class__ = Restless
    with pytest.raises(SelfCheckError, match="other samples"):
        self_check(original, manifest, engine)


@pytest.mark.parametrize(("offset", "own_frames"), [(-100.0, 0.0), (100.0, 189.0)])
def test_a_voice_whose_durations_are_no_speech_is_checked_at_a_forced_pace(
    original: Original, manifest: SambertManifest, offset: float, own_frames: float
):
    """Silent, or seconds a token: both would make the rest of the check useless, the second endless."""
    check = self_check(original, manifest, spoilt(manifest, "encoder", "log_durations", offset))
    assert check.is_paced
    assert check.own_frames == own_frames
    assert check.mel < 2e-5  # the rest is right
    assert check.audio_s * manifest.sample_rate / manifest.hop_length % FORCED_FRAMES == 0


def test_a_language_that_no_frontend_pronounces_is_spoken_with_made_up_tokens(
    original: Original, manifest: SambertManifest
):
    dialect = manifest.model_copy(update={"languages": ("yue-HK",)})
    sentences = list(built_in_sentences(original.acoustic, dialect))
    assert [len(phonemes.ids) for phonemes in sentences] == list(PSEUDO_SENTENCE_TOKENS)
    tables = original.acoustic.network.config.tables
    assert max(ids.ids[:, 0].max() for ids in sentences) < tables.sy - 3


def test_made_up_tokens_of_a_byte_voice_are_bytes(original: Original, manifest: SambertManifest):
    config = dataclasses.replace(
        original.acoustic.network.config,
        tables=dataclasses.replace(original.acoustic.network.config.tables, byte_index=259),
    )
    original.acoustic.network.config = config
    dialect = manifest.model_copy(update={"languages": ("yue-HK",)})
    assert next(iter(built_in_sentences(original.acoustic, dialect))).ids.shape[1] == 1
