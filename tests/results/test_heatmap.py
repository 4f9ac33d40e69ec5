"""How a heatmap is shown."""

import pytest
import torch
from tests.networks import MODULES, seeded

import convscope as cs
from convscope.results.heatmap import Heatmap


@pytest.mark.parametrize("size", [(40, 56), (64, 64)])
@pytest.mark.parametrize("place", [(0, 0), (7, 9), (3, 5)])
def test_a_target_that_sees_a_part_is_shown_close_up(size: tuple[int, int], place: tuple[int, int]) -> None:
    """A neuron behind two 3x3 convolutions sees 5x5 pixels: all of them lie in the part that is shown."""
    net = cs.load_model(seeded(MODULES["plain"]), input=cs.InputSpec(size=size, range=(0, 1), mean=0.45, std=0.25))
    picture = torch.rand((1, 3, *size), generator=torch.Generator().manual_seed(0))
    y, x = place
    found = cs.explain(net, picture, f"conv1:2@{y},{x}", method="saliency")
    assert isinstance(found, Heatmap)
    part = found.seen_part()
    assert part is not None
    top, bottom, left, right = part
    assert 0 <= top <= max(0, y - 1)
    assert bottom >= y + 2
    assert 0 <= left <= max(0, x - 1)
    assert right >= x + 2
    assert (bottom - top) / (right - left) == pytest.approx(size[0] / size[1], abs=0.15)
    assert (bottom - top) * (right - left) < 0.4 * size[0] * size[1]
    inside = found.arrays["map"][top:bottom, left:right].sum()
    assert inside == pytest.approx(float(found.arrays["map"].sum()))
    found.image()
    whole = cs.explain(net, picture, 1, method="saliency")
    assert isinstance(whole, Heatmap)
    assert whole.seen_part() is None
    assert cs.explain(net, picture, 1).seen_part() is None  # type: ignore[attr-defined]
