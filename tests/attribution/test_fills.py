"""What covers a picture, or is compared with it."""

import pytest
import torch

import convscope as cs
from convscope.attribution.fills import filled
from tests.networks import noise


@pytest.mark.parametrize(
    ("fill", "wanted"),
    [("black", 0.0), ("grey", 0.5), ("white", 1.0), ("0.25", 0.25)],
)  # fmt: skip
def test_fills(fill: str, wanted: float) -> None:
    found = filled(noise(1), fill, torch.Generator(), "value")
    assert bool((found == wanted).all())


def test_fills_of_the_picture() -> None:
    picture = noise(1)
    generator = torch.Generator().manual_seed(0)
    assert torch.allclose(filled(picture, "mean", generator, "value")[0, :, 5, 5], picture.mean((0, 2, 3)))
    colour = filled(picture, "1, 0.5,0", generator, "value")[0, :, 3, 4]
    assert colour.tolist() == [1.0, 0.5, 0.0]
    assert filled(picture, "noise", generator, "value").std() > 0.2
    for wrong in ("purple", "2", "0.1,0.2", "-1", "..", "1,,2", ""):
        with pytest.raises(cs.ConvscopeError, match="value is"):
            filled(picture, wrong, generator, "value")
