"""Further precisions for a voice that is there already, whoever exported it.

Input   a bundle, names of precisions, texts to calibrate on
Output  the bundle with more files, in its place or as a copy elsewhere
State   none
Every file is held against fp32 on calls of real sentences before the manifest names it. The folder is written
anew beside its place and then moved there: a server never sees half of it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from streaming.engines.bundle import snr_db
from streaming.engines.choice import MIN_SNR_DB, REFERENCE, processor_choice
from streaming.engines.network import open_network
from streaming.errors import MissingLibraryError, VoiceBundleError
from streaming.manifest import NetworkName, VoiceManifest
from streaming.recorded_calls import TEXTS, record_calls
from streaming.synthesis.engine import Array
from streaming.voice import MANIFEST_NAME, dump_manifest, file_sha256, load_manifest, verify_files
from training.half import convert_to_half
from training.quantise import QUANTISED, quantise_dynamically
from training.quantise_weights import write_decoder_weights
from training.static_quantisation import Flavour, quantise_statically

Progress = Callable[[str], None]
Calls = Mapping[NetworkName, Sequence[Mapping[str, Array]]]

PRECISIONS = ("int8-dynamic", "int8-static", "int8-weights", "fp16", "int8-tensorrt")
SUFFIXES = {"int8-weights": "npz"}
N_COMPARED = 8  # calls


@dataclass(slots=True)
class _Workshop:
    """A bundle on its way to more precisions."""

    folder: Path
    manifest: VoiceManifest
    calls: Calls
    progress: Progress
    files: dict[NetworkName, dict[str, str]] = field(default_factory=dict)

    def add(self, precision: str) -> None:
        """Write one precision of every network that gains by it.

        Raises:
            VoiceBundleError: No network can be had in it.
        """
        made = [network for network in self.manifest.network_names if self._make(network, precision)]
        if not made:
            raise VoiceBundleError(f"voice {self.manifest.name!r}: no network can be made {precision}")

    def _make(self, network: NetworkName, precision: str) -> bool:
        source = self.folder / self.manifest.network_file(network, "fp32")
        target = self.folder / f"{network}.{precision}.{SUFFIXES.get(precision, 'onnx')}"
        if not self._write(network, precision, source, target):
            return False
        size_mb, before_mb = target.stat().st_size / 1e6, source.stat().st_size / 1e6
        text = f"{network} {precision}: {before_mb:.1f} -> {size_mb:.1f} MB"
        if precision in MIN_SNR_DB:
            try:
                agreement = self._agreement_db(network, precision, source, target)
            except MissingLibraryError:
                raise
            except VoiceBundleError as error:
                return self._left_out(f"{text}: {error}", target)
            if agreement < MIN_SNR_DB[precision]:
                return self._left_out(f"{text}, agrees with fp32 to {agreement:.1f} dB only", target)
            text += f", agrees with fp32 to {agreement:.1f} dB"
        self.progress(text)
        self.files.setdefault(network, {})[precision] = target.name
        return True

    def _left_out(self, text: str, target: Path) -> bool:
        self.progress(f"{text}: left out")
        target.unlink()
        return False

    def _write(self, network: NetworkName, precision: str, source: Path, target: Path) -> bool:
        if precision == "fp16":
            convert_to_half(source, target)
            return True
        if precision == "int8-dynamic":
            if network not in QUANTISED:
                return False
            quantise_dynamically(source, target)
            return True
        if precision == "int8-weights":
            return network == "decoder" and self._write_weights(source, target)
        if precision == "int8-static":
            is_static = self._quantise_statically(network, precision, source, target, "cpu")
            if network in QUANTISED:  # what is not a convolution there is a matrix product
                quantise_dynamically(target if is_static else source, target)
            return is_static or network in QUANTISED
        return self._quantise_statically(network, precision, source, target, "tensorrt")

    def _write_weights(self, source: Path, target: Path) -> bool:
        written = write_decoder_weights(source, target)
        if not written:
            self.progress(f"{source.name} is not the decoder of a Sambert voice as this version exports it")
        return written

    def _quantise_statically(
        self, network: NetworkName, precision: str, source: Path, target: Path, flavour: Flavour
    ) -> bool:
        calls = self.calls.get(network, ())
        found = quantise_statically(source, target, calls, self.progress, flavour=flavour) if calls else None
        if found is not None:
            left = ", ".join(found.excluded) or "none"
            self.progress(f"{network} {precision}: {found.snr_db:.1f} dB; convolutions left in float: {left}")
        return found is not None

    def _agreement_db(self, network: NetworkName, precision: str, source: Path, target: Path) -> float:
        choice = processor_choice(precision)
        assert choice is not None  # those that only a GPU runs have no limit here
        reference, other = open_network(source, REFERENCE), open_network(target, choice)
        calls = self.calls[network]
        chosen = calls[:: max(len(calls) // N_COMPARED, 1)]
        return min(snr_db(reference(call), other(call)) for call in chosen)


def optimise_voice(
    folder: Path,
    target: Path,
    precisions: Sequence[str],
    progress: Progress,
    texts: Sequence[str] = TEXTS,
) -> VoiceManifest:
    """Write a voice with further precisions; `target` may be `folder` itself.

    Raises:
        VoiceBundleError: The bundle is broken, or no network can be had in one of the precisions.
        UnspeakableTextError: The voice can pronounce none of the texts.
        OSError: The target cannot be written.
    """
    manifest = load_manifest(folder)
    verify_files(folder, manifest)
    progress(f"speaking {len(texts)} sentences to calibrate on")
    calls = record_calls(folder, manifest, texts)
    building = target.with_name(f".{target.name}.optimising")
    shutil.rmtree(building, ignore_errors=True)
    try:
        shutil.copytree(folder, building)
        workshop = _Workshop(building, manifest, calls, progress)
        for precision in precisions:
            workshop.add(precision)
        changed = _described(building, manifest, workshop.files)
        _replace(building, target)
        return changed
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _described(
    folder: Path, manifest: VoiceManifest, files: Mapping[NetworkName, Mapping[str, str]]
) -> VoiceManifest:
    networks = {name: {**known, **files.get(name, {})} for name, known in manifest.networks.items()}
    names = {file for known in networks.values() for file in known.values()}
    sums = {**manifest.sha256, **{file: file_sha256(folder / file) for file in sorted(names)}}
    changed = manifest.changed(networks=networks, sha256=sums)
    (folder / MANIFEST_NAME).write_text(dump_manifest(changed), encoding="utf-8")
    return changed


def _replace(building: Path, target: Path) -> None:
    """Move a finished folder to its place; what was there is out of sight before."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        building.rename(target)
        return
    old = target.with_name(f".{target.name}.before")
    shutil.rmtree(old, ignore_errors=True)
    target.rename(old)
    building.rename(target)
    shutil.rmtree(old, ignore_errors=True)
