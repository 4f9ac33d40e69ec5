"""Images as parameters: they can be any picture, of any size."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import convscope as cs
from convscope.synthesis.images import EPS, Fourier, Image, Pixels
from convscope.synthesis.phase import Phase

KINDS = {"pixels": Pixels, "fourier": Fourier, "fourier, flat": lambda *a: Fourier(*a, decay=0.0, decorrelate=False)}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None)
@given(height=st.integers(2, 19), width=st.integers(2, 19), channels=st.sampled_from([1, 3, 4]), seed=st.integers(0, 9))
def test_encode_is_the_inverse_of_forward(kind: str, height: int, width: int, channels: int, seed: int) -> None:
    pictures = torch.rand((2, channels, height, width), generator=torch.Generator().manual_seed(seed))
    image: Image = KINDS[kind](2, channels, (height, width))
    image.encode(pictures)
    assert torch.allclose(image(), pictures.clamp(EPS, 1 - EPS), atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_an_unset_image_is_mid_grey_and_can_reach_a_picture(kind: str) -> None:
    image: Image = KINDS[kind](1, 3, (16, 17))
    assert torch.allclose(image(), torch.full((1, 3, 16, 17), 0.5))
    wanted = 0.1 + 0.8 * torch.rand((1, 3, 16, 17), generator=torch.Generator().manual_seed(0))
    optimiser = torch.optim.Adam(image.parameters(), lr=0.1)
    for _ in range(300):
        loss = (image() - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 1e-3


def test_noise_is_the_same_for_each_picture_and_follows_the_seed() -> None:
    image = Fourier(2, 3, (24, 24))
    image.add_noise(0.01, torch.Generator().manual_seed(1))
    first = image().detach()
    assert torch.equal(first[0], first[1])
    again = Fourier(2, 3, (24, 24))
    again.add_noise(0.01, torch.Generator().manual_seed(1))
    assert torch.equal(again().detach(), first)
    image.add_noise(0.01, torch.Generator().manual_seed(2))
    assert not torch.equal(image().detach(), first)


def test_fourier_noise_falls_with_frequency_as_photographs_do() -> None:
    """Amplitude falls as 1/f: the slope of log amplitude against log frequency is near -1."""
    image = Fourier(1, 1, (128, 128), decorrelate=False)
    image.add_noise(0.001, torch.Generator().manual_seed(0))
    plain = image().detach().logit()[0, 0].numpy()
    amplitude = np.abs(np.fft.fft2(plain))
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128)))
    keep = (f > 0.02) & (f < 0.5)
    slope = np.polyfit(np.log(f[keep]), np.log(amplitude[keep]), 1)[0]
    assert -1.1 < slope < -0.9


def test_decorrelated_colours_are_mostly_brightness() -> None:
    image = Fourier(1, 3, (64, 64))
    image.add_noise(0.01, torch.Generator().manual_seed(0))
    r, g, b = (image().detach().logit()[0, i].flatten().numpy() for i in range(3))
    assert np.corrcoef(r, g)[0, 1] > 0.8
    assert np.corrcoef(g, b)[0, 1] > 0.8


def test_phase_has_the_magnitude_of_the_photographs_and_begins_as_one_of_them() -> None:
    photographs = torch.rand(3, 3, 20, 31, generator=torch.Generator().manual_seed(2)) * 0.8 + 0.1
    alone = Phase(1, 3, (20, 31), photographs[:1])
    alone.encode(photographs[:1])
    assert torch.allclose(alone(), photographs[:1], atol=1e-4)
    several = Phase(1, 3, (20, 31), photographs)
    several.add_noise(6.3, torch.Generator().manual_seed(0))
    plain = Fourier(3, 3, (20, 31))
    plain.encode(photographs)
    wanted = torch.view_as_complex(plain.spectrum.detach() * plain.scale).abs().mean(0)
    plain.encode(several().detach().expand(3, -1, -1, -1))
    found = torch.view_as_complex(plain.spectrum.detach() * plain.scale).abs()[0]
    assert torch.allclose(found[:, 1:-1, 1:], wanted[:, 1:-1, 1:], rtol=1e-2, atol=1e-2)
    with pytest.raises(cs.ConvscopeError, match="expected \\(3, 20, 30\\)"):
        Phase(1, 3, (20, 30), photographs)
