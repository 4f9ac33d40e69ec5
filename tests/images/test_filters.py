import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from convscope.images.filters import bilinear, blurred, luma, resized
from convscope.images.luma import LUMA
from tests.networks import noise


@pytest.mark.parametrize("sd", [0.4, 1.0, 2.5, 6.0])
@pytest.mark.parametrize("size", [(32, 32), (25, 41)])
def test_the_blur_is_a_gaussian_cut_at_three_deviations(sd: float, size: tuple[int, int]) -> None:
    picture = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = gaussian_filter(picture.numpy(), (0, 0, sd, sd), mode="mirror", truncate=3.0)
    np.testing.assert_allclose(blurred(picture, sd).numpy(), expected, atol=1e-9)


def test_the_blur_of_a_picture_smaller_than_its_kernel() -> None:
    assert torch.allclose(blurred(torch.full((1, 3, 1, 1), 0.3), 2.0), torch.full((1, 3, 1, 1), 0.3))
    small = torch.rand(1, 1, 4, 9, generator=torch.Generator().manual_seed(0))
    assert blurred(small, 3.0).shape == small.shape
    assert small.min() <= blurred(small, 3.0).min() <= blurred(small, 3.0).max() <= small.max()


def test_no_blur_is_the_picture_itself_and_not_the_same_tensor() -> None:
    picture = noise(1)
    assert torch.equal(blurred(picture, 0.0), picture)
    assert blurred(picture, 0.0) is not picture


def test_resizing_keeps_an_even_picture_and_stays_in_range() -> None:
    even = torch.full((1, 3, 8, 8), 0.25)
    for size in ((5, 9), (16, 3)):
        assert torch.allclose(resized(even, size), torch.full((1, 3, *size), 0.25), atol=1e-6)
        assert torch.allclose(bilinear(even, size), torch.full((1, 3, *size), 0.25), atol=1e-6)
    edge = torch.zeros(1, 1, 8, 8)
    edge[..., 4:] = 1
    assert resized(edge, (32, 32)).min() >= 0
    assert resized(edge, (32, 32)).max() <= 1


def test_luma_of_the_primaries() -> None:
    primaries = torch.eye(3).view(3, 3, 1, 1)
    assert luma(primaries).flatten().tolist() == pytest.approx(LUMA)
    assert sum(LUMA) == pytest.approx(1)
