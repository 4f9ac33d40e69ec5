"""Sampling by indices is torch's own sampling."""

import pytest
import torch

from convscope.images.sampling import indexed, sampled


@pytest.mark.parametrize(("height", "width", "reach"), [(7, 5, 1.0), (1, 6, 1.5), (4, 1, 2.5), (9, 12, 5.0)])
def test_by_indices(height: int, width: int, reach: float) -> None:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand((3, 2, height, width), generator=generator, dtype=torch.float64, requires_grad=True)
    grid = (2 * torch.rand((3, 6, 8, 2), generator=generator, dtype=torch.float64) - 1) * reach
    weights = torch.rand((3, 2, 6, 8), generator=generator, dtype=torch.float64)
    expected, found = sampled(pictures, grid), indexed(pictures, grid)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
    gradients = [torch.autograd.grad((values * weights).sum(), pictures)[0] for values in (expected, found)]
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-12, rtol=0)
