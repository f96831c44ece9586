from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from streaming.engines.bundle import BundleEngine
from streaming.piper_manifest import PiperManifest
from streaming.synthesis.engine import Array, NetworkName
from streaming.voice import load_manifest
from tests.training.piper_shaped import PHONEMES, write_voice
from training import piper_check
from training.import_piper import find_piper, import_piper
from training.imported_manifest import ImportOptions
from training.piper_check import check_piper, every_phoneme, refuse_deviation
from training.self_check import SelfCheckError


class Meddler:
    """An engine that changes what the networks make."""

    name = "meddler"

    def __init__(self, engine: BundleEngine, louder: float = 1.0, n_frames: int | None = None) -> None:
        self._engine, self._louder, self._n_frames = engine, louder, n_frames

    def run(self, network: NetworkName, inputs: Mapping[str, Array]) -> dict[str, Array]:
        outputs = self._engine.run(network, inputs)
        if network == "encoder":
            return outputs | {"latent": outputs["latent"][:, :, : self._n_frames]}
        return outputs | {"audio": outputs["audio"] * np.float32(self._louder)}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, PiperManifest, BundleEngine]:
    """The original of a voice, and what was made of it."""
    folder = tmp_path_factory.mktemp("check")
    network = write_voice(folder / "published")
    (folder / "made").mkdir()
    import_piper(find_piper(network)[0], folder / "made", ImportOptions(), str)
    manifest = load_manifest(folder / "made")
    assert isinstance(manifest, PiperManifest)
    return network.read_bytes(), manifest, BundleEngine(folder / "made", manifest)


def test_every_phoneme_is_said_once(bundle: tuple[bytes, PiperManifest, BundleEngine]) -> None:
    ids = every_phoneme(bundle[1]).ids[:, 0].tolist()
    assert ids[:2] == [PHONEMES.index("^"), PHONEMES.index("_")]
    assert ids[-1] == PHONEMES.index("$")
    assert set(ids) == set(range(len(PHONEMES)))


def test_a_sound_cut_passes(bundle: tuple[bytes, PiperManifest, BundleEngine]) -> None:
    check = check_piper(*bundle)
    refuse_deviation(check)
    assert check.rtf > 0


@pytest.mark.parametrize("louder", [1.01, np.nan])
def test_other_samples_are_refused(bundle: tuple[bytes, PiperManifest, BundleEngine], louder: float) -> None:
    original, manifest, engine = bundle
    check = check_piper(original, manifest, Meddler(engine, louder))
    with pytest.raises(SelfCheckError, match="the cut networks are off by"):
        refuse_deviation(check)
    with pytest.raises(SelfCheckError, match="blocks are off by"):
        refuse_deviation(replace(check, original=0.0, blocks=float("nan")))


def test_another_length_is_refused(bundle: tuple[bytes, PiperManifest, BundleEngine]) -> None:
    original, manifest, engine = bundle
    with pytest.raises(SelfCheckError, match=r"make 24 samples, the original \d+"):
        check_piper(original, manifest, Meddler(engine, n_frames=2))


def test_a_voice_without_a_sample_is_refused(
    bundle: tuple[bytes, PiperManifest, BundleEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    original, manifest, engine = bundle
    monkeypatch.setattr(piper_check, "_run", lambda session, inputs: np.zeros(0, np.float32))
    with pytest.raises(SelfCheckError, match="in no time"):
        check_piper(original, manifest, Meddler(engine, n_frames=0))
