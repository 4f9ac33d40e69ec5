"""Random views: what they show, and that they are the generator's alone."""

import pytest
import torch
from torch import Tensor

import convscope as cs
from convscope.synthesis.transforms import Crops, Plain, Transform, Wobble, smallest_side
from tests.networks import noise

TRANSFORMS: dict[str, Transform] = {
    "plain": Plain(),
    "crops": Crops(views=3, size=(12, 10)),
    "wobble": Wobble(noise=0.1),
}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ramp(height: int, width: int) -> Tensor:
    """Channel 0 is the row in [0,1], channel 1 the column, channel 2 is zero."""
    y = (torch.arange(height) + 0.5)[:, None].expand(height, width) / height
    x = (torch.arange(width) + 0.5)[None, :].expand(height, width) / width
    return torch.stack([y, x, torch.zeros(height, width)])[None]


@pytest.mark.parametrize("name", TRANSFORMS)
def test_looks_are_the_same_for_every_picture_and_side_by_side(name: str) -> None:
    transform = TRANSFORMS[name]
    pictures = noise(n=2)
    images = transform(pictures, generator())
    assert images.shape[0] == 2 * transform.views
    for i in range(2):
        alone = transform(pictures[i : i + 1], generator())
        assert torch.equal(images[i * transform.views : (i + 1) * transform.views], alone)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_only_the_generator_decides(name: str) -> None:
    transform = TRANSFORMS[name]
    state = torch.get_rng_state()
    first = transform(noise(), generator(1))
    assert torch.equal(transform(noise(), generator(1)), first)
    assert torch.equal(torch.get_rng_state(), state)
    if name != "plain":
        assert not torch.equal(transform(noise(), generator(2)), first)


def test_crops_show_parts_of_the_asked_sizes() -> None:
    """Of a ramp, the spread of rows and columns in a crop tells the share of the side that it shows."""
    crops = Crops(views=400, size=(32, 32), scale=(0.25, 0.9), rotate=0.0, flip=False, noise=0.0)
    images = crops(ramp(64, 64), generator())
    shares = (images[:, 0, -1, 0] - images[:, 0, 0, 0]) * 32 / 31
    assert 0.25 - 0.01 <= float(shares.min()) < 0.3
    assert 0.85 < float(shares.max()) <= 0.9 + 0.01
    assert float(images[:, :2].min()) >= 0
    centres = images[:, 0].mean((1, 2))
    assert float((centres - 0.5).abs().max()) <= (1 - 0.25) / 2 + 0.01


def test_the_whole_picture_as_a_crop_is_the_picture() -> None:
    whole = Crops(views=1, size=(20, 30), scale=(1.0, 1.0), rotate=0.0, flip=False, noise=0.0)
    picture = torch.rand((1, 3, 20, 30), generator=generator())
    assert torch.allclose(whole(picture, generator()), picture, atol=1e-5)


def test_half_of_the_crops_are_mirrored() -> None:
    crops = Crops(views=400, size=(8, 8), scale=(0.5, 0.5), rotate=0.0, flip=True, noise=0.0)
    images = crops(ramp(32, 32), generator())
    mirrored = (images[:, 1, 0, -1] < images[:, 1, 0, 0]).float().mean()
    assert 0.4 < float(mirrored) < 0.6
    assert bool((images[:, 0, -1, 0] > images[:, 0, 0, 0]).all())


def test_turning_keeps_shapes_in_pictures_that_are_not_square() -> None:
    """A disc in a wide picture stays a disc of the same area."""
    y, x = torch.meshgrid(torch.arange(40.0), torch.arange(80.0), indexing="ij")
    disc = ((y - 19.5) ** 2 + (x - 39.5) ** 2 < 100).float().expand(1, 3, 40, 80)
    turned = Wobble(jitter=0.0, scale=(1.0, 1.0), rotate=0.6)(disc, generator(4))
    assert float(turned.sum()) == pytest.approx(float(disc.sum()), rel=0.02)
    rows = (turned[0, 0].sum(1) > 0.5).sum()
    columns = (turned[0, 0].sum(0) > 0.5).sum()
    assert abs(int(rows) - int(columns)) <= 2


def test_wobble_moves_by_at_most_its_jitter() -> None:
    wobble = Wobble(jitter=4.0, scale=(1.0, 1.0), rotate=0.0)
    seen = []
    for seed in range(60):
        moved = wobble(ramp(64, 64), generator(seed))
        seen.append(float(moved[0, 0, 32, 32] - ramp(64, 64)[0, 0, 32, 32]) * 64)
    assert -4.01 <= min(seen) < -3
    assert 3 < max(seen) <= 4.01


def test_sizes_and_wrong_numbers() -> None:
    assert smallest_side((224, 224), 128) == (128, 128)
    assert smallest_side((100, 200), 50) == (50, 100)
    assert smallest_side((32, 48), 128) == (32, 48)
    for wrong in ({"views": 0}, {"scale": (0.0, 0.5)}, {"scale": (0.9, 0.2)}, {"scale": (0.5, 1.5)}):
        with pytest.raises(cs.ConvscopeError, match="expected at least 1, 0 < low <= high <= 1"):
            Crops(**wrong)  # type: ignore[arg-type]
