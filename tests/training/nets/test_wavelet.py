from __future__ import annotations

import pytest
import torch

from training.nets.wavelet import WaveletDown


def test_the_filters_are_orthonormal() -> None:
    layer = WaveletDown()
    low, high = layer.h0.flatten(), layer.h1.flatten()
    bank = torch.stack([low, high])
    torch.testing.assert_close(bank @ bank.T, torch.eye(2), rtol=0, atol=1e-6)
    torch.testing.assert_close((low[2:] * low[:-2]).sum(), torch.tensor(0.0), rtol=0, atol=1e-6)


def test_the_high_band_is_silent_on_a_parabola_and_the_low_band_keeps_constants() -> None:
    """Three vanishing moments are what makes it db3."""
    time = torch.arange(40.0)
    low, high = WaveletDown()((1 + 0.5 * time + 0.1 * time.square()).reshape(1, 1, -1))[0]
    torch.testing.assert_close(high[4:-4], torch.zeros_like(high[4:-4]), rtol=0, atol=2e-3)
    constant = WaveletDown()(torch.ones(1, 1, 40))[0, 0]
    torch.testing.assert_close(constant[4:-4], torch.full_like(constant[4:-4], 2**0.5))
    assert low.abs().max() > 100


@pytest.mark.parametrize("n_samples", [6, 7, 40, 41])
def test_the_length_is_that_of_zero_extension_and_no_energy_is_lost(n_samples: int) -> None:
    x = torch.randn(1, 1, n_samples)
    bands = WaveletDown()(x)
    assert bands.shape == (1, 2, (n_samples + 5) // 2)
    torch.testing.assert_close(bands.square().sum(), x.square().sum())
