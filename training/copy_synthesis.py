"""Copy synthesis: how well a vocoder gives back the audio whose mel it is shown.

Measures: log-mel L1 (n_fft 1024, hop 200, window 1000, 80 mels, natural logarithm floored at 1e-5) and the
median absolute F0 error in cents (DIO), on frames that both hold voiced.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from streaming.types import FloatArray
from training.mel import dio_f0
from training.nets.spectral import LogMel
from training.settings import AudioSettings


@dataclass(frozen=True, slots=True)
class CopyError:
    """Log-mel L1 in nepers, F0 error in cents (NaN where nothing is voiced)."""

    log_mel_l1: float
    f0_cents: float


def copy_error(
    generated: FloatArray, real: FloatArray, log_mel: LogMel, settings: AudioSettings
) -> CopyError:
    """Compare two recordings of the same length, [n_samples] each."""
    pair: Tensor = torch.from_numpy(np.stack([generated, real]))
    spectra = log_mel(pair)
    a, b = dio_f0(generated, settings)[0], dio_f0(real, settings)[0]
    both = (a > 0) & (b > 0)
    cents = float(np.median(np.abs(1200.0 * np.log2(a[both] / b[both])))) if both.any() else float("nan")
    return CopyError(float((spectra[0] - spectra[1]).abs().mean()), cents)
