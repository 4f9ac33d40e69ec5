"""Pictures sampled at given places."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def sampled(pictures: Float[Tensor, "n c h w"], grid: Float[Tensor, "n hh ww 2"]) -> Float[Tensor, "n c hh ww"]:
    """The pictures at the places of a grid (x, y in [-1, 1] from edge to edge), interpolated linearly; edges mirror.

    On a graphics card the gradient of torch's own sampling adds up in another order each time; there it is done by
    indexing, whose gradient does not.
    """
    if pictures.is_cuda:
        return indexed(pictures, grid)
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def indexed(pictures: Float[Tensor, "n c h w"], grid: Float[Tensor, "n hh ww 2"]) -> Float[Tensor, "n c hh ww"]:
    """The same from the four pixels around each place, read by their indices."""
    height, width = pictures.shape[-2:]
    x, y = _mirrored(grid[..., 0], width), _mirrored(grid[..., 1], height)
    left, top = x.detach().floor(), y.detach().floor()
    across, down = x - left, y - top
    which = torch.arange(len(pictures), device=pictures.device).view(-1, 1, 1)
    columns = [left.long(), (left.long() + 1).clamp(max=width - 1)]
    rows = [top.long(), (top.long() + 1).clamp(max=height - 1)]
    result = None
    for row, by_row in zip(rows, (1 - down, down), strict=True):
        for column, by_column in zip(columns, (1 - across, across), strict=True):
            part = pictures[which, :, row, column] * (by_row * by_column).unsqueeze(-1)
            result = part if result is None else result + part
    assert result is not None
    return result.permute(0, 3, 1, 2)


def _mirrored(place: Tensor, side: int) -> Tensor:
    """Places in [-1, 1] as pixels, mirrored at the outer edges of the first and last pixel, and kept on the centres."""
    pixel = (place + 1) * side / 2
    folded = torch.remainder(pixel, 2 * side)
    folded = torch.where(folded > side, 2 * side - folded, folded)
    return (folded - 0.5).clamp(0, side - 1)
