"""The methods of explain by their formulas, on networks whose evidence is known, and under strain."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import convscope as cs
from convscope.attribution.cam import eigen_cam
from convscope.attribution.fills import blurred, filled
from convscope.attribution.gradients import slope, smoothed
from convscope.attribution.integrated import points_of
from convscope.results.heatmap import Heatmap
from convscope.taps.batching import in_batches
from convscope.taps.record import record
from convscope.verbs.attributions import METHODS
from tests.networks import DEEP, LABELS, MODULES, SPEC, network, noise, seeded

LAYER = "conv2"


def activations_and_gradient(net: cs.Network, picture: Tensor, layer: str, target: int) -> tuple[Tensor, Tensor]:
    recording = record(net, picture, [layer, "scores"], gradients=True)
    gradient = recording.gradients(recording.scores[:, target], [layer])
    return recording[layer].detach()[0], next(iter(gradient.values()))[0]


@pytest.mark.parametrize("method", ["grad_cam_pp", "layer_cam", "hires_cam"])
def test_cams_by_their_formulas(method: str) -> None:
    net, picture = network("plain"), noise(1)
    a, g = (x.double().numpy() for x in activations_and_gradient(net, picture, LAYER, 2))
    wanted = np.zeros(a.shape[1:])
    for k in range(len(a)):
        if method == "grad_cam_pp":
            weight = 0.0
            for y, x in np.ndindex(a.shape[1:]):
                below = 2 * g[k, y, x] ** 2 + a[k].sum() * g[k, y, x] ** 3
                weight += (g[k, y, x] ** 2 / below if g[k, y, x] else 0.0) * max(g[k, y, x], 0)
            wanted += weight * a[k]
        else:
            wanted += a[k] * (np.maximum(g[k], 0) if method == "layer_cam" else g[k])
    found = cs.explain(net, picture, 2, method=method, layer=LAYER, signed=True).arrays["coarse"]
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()
    shown = cs.explain(net, picture, 2, method=method, layer=LAYER).arrays["coarse"]
    assert np.abs(shown - np.maximum(wanted, 0)).max() <= 1e-5 * np.abs(wanted).max()


def test_eigen_cam_finds_the_direction_along_which_positions_differ_most() -> None:
    rng = np.random.default_rng(0)
    where = rng.uniform(size=(6, 5))
    direction = np.array([3.0, 1.0, 0.0, 2.0])
    maps = direction[:, None, None] * where + 0.01 * rng.normal(size=(4, 6, 5))
    found = eigen_cam(torch.tensor(maps[None], dtype=torch.float32)).numpy()
    assert np.corrcoef(found.ravel(), where.ravel())[0, 1] > 0.999


def test_score_cam_by_its_formula() -> None:
    net, picture = network("plain"), noise(1)
    a, _ = activations_and_gradient(net, picture, LAYER, 2)
    scores = []
    for k in range(len(a)):
        mask = F.interpolate(a[None, k : k + 1], (32, 32), mode="bilinear", align_corners=False)
        mask = (mask - mask.min()) / (mask.max() - mask.min())
        masked = 0.45 + mask * (picture - 0.45)
        with torch.no_grad():
            scores.append(float(record(net, masked, ["scores"]).scores[0, 2]))
    weights = np.exp(scores) / np.exp(scores).sum()
    wanted = (weights[:, None, None] * a.numpy()).sum(0)
    found = cs.explain(net, picture, 2, method="score_cam", layer=LAYER, signed=True).arrays["coarse"]
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()


def test_smooth_grad_is_the_mean_over_noisy_copies_whatever_the_batches() -> None:
    net, picture = network("plain"), noise(1)
    objective = cs.logit(2).bind(net)

    def attribute(pictures: Tensor) -> Tensor:
        return slope(net, pictures, objective).gradients

    found = [
        smoothed(attribute, picture, samples=7, noise=0.2, at_once=n, generator=torch.Generator().manual_seed(5),
                 seen=lambda _: None)
        for n in (1, 3, 7)
    ]  # fmt: skip
    assert max(float((one - found[0]).abs().max()) for one in found) <= 1e-6 * float(found[0].abs().max())
    plain = cs.explain(net, picture, 2, method="saliency").arrays["attribution"]
    still = cs.explain(net, picture, 2, method="smooth_grad", noise=0.0, samples=3).arrays["attribution"]
    assert np.abs(still - plain).max() <= 1e-6 * np.abs(plain).max()
    guided = cs.explain(net, picture, 2, method="guided_backprop").arrays["attribution"]
    still = cs.explain(net, picture, 2, method="smooth_grad", of="guided_backprop", noise=0.0, samples=2)
    assert np.abs(still.arrays["attribution"] - guided).max() <= 1e-6 * np.abs(guided).max()
    a, b = (cs.explain(net, picture, 2, method="smooth_grad", seed=seed).arrays["map"] for seed in (0, 1))
    assert np.abs(a - b).max() > 0


@pytest.mark.parametrize("rule", ["gauss_legendre", "midpoint", "trapezoid", "left", "right"])
def test_rules_of_integration(rule: str) -> None:
    points, weights = points_of(rule, 200)
    assert weights.sum() == pytest.approx(1)
    assert ((points >= 0) & (points <= 1)).all()
    assert (weights * points**2).sum() == pytest.approx(1 / 3, abs=3e-3)


@pytest.mark.parametrize("kind", MODULES)
def test_integrated_gradients_take_as_many_steps_as_completeness_needs(kind: str) -> None:
    net, picture = network(kind), noise(1)
    rough, fine = (
        cs.explain(net, picture, 1, method="integrated_gradients", tolerance=tolerance) for tolerance in (0.05, 0.001)
    )
    for found, tolerance in ((rough, 0.05), (fine, 0.001)):
        difference = found.facts["difference"]
        assert abs(found.facts["gap"]) <= tolerance * abs(difference)
        assert found.arrays["attribution"].sum() == pytest.approx(difference + found.facts["gap"], abs=1e-5)
        assert difference == pytest.approx(float(found.arrays["score"]) - found.facts["baseline_score"], abs=1e-6)
    assert rough.facts["steps"] <= fine.facts["steps"]


@pytest.mark.parametrize("kind", MODULES)
def test_integrated_gradients_of_a_layer_add_up_too(kind: str) -> None:
    found = cs.explain(network(kind), noise(1), 1, method="integrated_gradients", layer=DEEP[kind], tolerance=0.002)
    coarse = found.arrays["coarse"]
    assert coarse.sum() == pytest.approx(found.facts["difference"], rel=0.01)
    assert coarse.shape == tuple(network(kind).layer(DEEP[kind]).shape[1:])


def test_a_gap_that_stays_is_noted() -> None:
    found = cs.explain(network("plain"), noise(1), 1, method="integrated_gradients", steps=1, rule="left")
    assert any("take more steps" in note for note in found.notes)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tolerance": 0.001}, "; adds up to the difference from the baseline"),
        ({"steps": 1, "rule": "left"}, "; misses {share:.0%} of the difference from the baseline"),
        ({"steps": 1, "rule": "midpoint"}, None),
        ({"steps": 4, "rule": "left"}, None),
        ({"steps": 24, "rule": "right"}, None),
        ({"tolerance": 0.5}, None),
    ],
)
def test_the_title_of_integrated_gradients_says_what_the_gap_is(options: dict[str, object], words: str | None) -> None:
    found = cs.explain(network("plain"), noise(1), 1, method="integrated_gradients", **options)  # type: ignore[arg-type]
    share = abs(found.facts["gap"] / found.facts["difference"])
    said, warned = found.facts["subtitle"], any("the attributions miss" in note for note in found.notes)
    if words is not None:
        assert said.endswith(words.format(share=share))
    assert ("adds up to the difference" in said) == (share <= 0.01)
    assert ("misses" in said) == warned
    if share > 0.01 and not warned:
        assert said.endswith(f"adds up to within {share:.0%} of the difference from the baseline")


def test_the_board_says_so_too() -> None:
    methods = ["integrated_gradients steps=1 rule=left", "integrated_gradients"]
    rough, fine = cs.compare(network("plain"), noise(1), [1, 2], methods=methods).facts["methods"]
    assert rough["about"].startswith("misses ")
    assert rough["about"].endswith("of the difference from the baseline, one of the maps")
    assert fine["about"] == "adds up to the difference from the baseline"


def test_a_thousand_steps_hold_no_more_than_a_batch(batch_sizes: list[int]) -> None:
    net, picture = network("plain"), noise(1)
    cs.explain(net, picture, 1, method="integrated_gradients", steps=1000)
    assert max(batch_sizes) <= 16
    assert sum(batch_sizes) <= 1010


def test_in_batches_halves_and_repeats_what_failed() -> None:
    done: list[tuple[int, int]] = []

    def work(first: int, last: int) -> None:
        if last - first > 3:
            raise RuntimeError("DefaultCPUAllocator: not enough memory")
        done.append((first, last))

    assert in_batches(10, 8, work, "work") <= 3
    assert [i for first, last in done for i in range(first, last)] == list(range(10))

    def hopeless(first: int, last: int) -> None:
        raise MemoryError

    with pytest.raises(cs.ConvscopeError, match="memory ran out"):
        in_batches(4, 2, hopeless, "work")


@pytest.mark.parametrize("method", ["integrated_gradients", "score_cam", "rise", "smooth_grad"])
def test_out_of_memory_comes_to_the_same_result(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net, picture = network("plain"), noise(1)
    more = {"samples": 40} if method in ("rise", "smooth_grad") else {}
    wanted = cs.explain(net, picture, 1, method=method, **more).arrays["map"]
    run = cs.Network.run
    refused = []

    def scarce(self: cs.Network, images: Tensor, *args: object, **kwargs: object) -> object:
        if len(images) > 5:
            refused.append(len(images))
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return run(self, images, *args, **kwargs)

    monkeypatch.setattr(cs.Network, "run", scarce)
    found = cs.explain(net, picture, 1, method=method, **more).arrays["map"]
    assert refused
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()


def bilinear(coarse: np.ndarray, height: int, width: int) -> np.ndarray:
    """A grid enlarged by its cells' centres, written out; beyond the outermost centres it stays as it is."""
    found = np.zeros((height, width))
    rows, columns = coarse.shape
    for y, x in np.ndindex(height, width):
        at = np.clip([(y + 0.5) * rows / height - 0.5, (x + 0.5) * columns / width - 0.5], 0, [rows - 1, columns - 1])
        top, left = int(at[0]), int(at[1])
        below, right = min(top + 1, rows - 1), min(left + 1, columns - 1)
        down, across = at[0] - top, at[1] - left
        found[y, x] = (1 - down) * ((1 - across) * coarse[top, left] + across * coarse[top, right]) + down * (
            (1 - across) * coarse[below, left] + across * coarse[below, right]
        )
    return found


def test_rise_by_its_formula() -> None:
    """Equation 6, with the masks of section 3.3 drawn one by one: a grid of 4 cells with 0.4 of them open, enlarged to
    a cell more than the picture, and cut at a random offset within a cell."""
    net, picture = network("plain"), noise(1)
    found = cs.explain(net, picture, 2, method="rise", samples=12, cells=4, kept=0.4, seed=3).arrays["map"]
    seeds = torch.randint(2**62, (12,), generator=torch.Generator().manual_seed(3)).tolist()
    wanted, open_ = np.zeros((32, 32)), []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        coarse = (torch.rand((4, 4), generator=generator) < 0.4).double().numpy()
        open_.append(coarse.mean())
        large = bilinear(coarse, 40, 40)
        down, right = (int(torch.randint(8, (), generator=generator)) for _ in range(2))
        mask = large[down : down + 32, right : right + 32]
        grey = net.spec.neutral(picture)
        behind = (grey + torch.from_numpy(mask).float() * (picture - grey)).float()
        with torch.no_grad():
            share = float(net.probabilities(net.scores(net.run(behind)))[0, 2])
        wanted += share * mask / (12 * 0.4)
    assert np.abs(found - wanted).max() <= 1e-6
    assert 0.25 < np.mean(open_) < 0.55


class Planted(nn.Module):
    """A class for each colour: how much of the picture's brightest spot of it there is, by a 5x5 mean and a square."""

    def __init__(self) -> None:
        super().__init__()
        self.spot = nn.Conv2d(3, 3, 5, padding=2, bias=False)
        self.act = nn.ReLU()
        self.head = nn.Linear(3, 3, bias=False)
        with torch.no_grad():
            self.spot.weight.zero_()
            for i in range(3):
                self.spot.weight[i, i] = 1 / 25
            self.head.weight.copy_(torch.eye(3))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.act(self.spot(x) - 0.3).square().sum((2, 3)))


PLANTED = cs.InputSpec(size=48, range=(0, 1), mean=0.0, std=1.0)
LOCALISING = [name for name in METHODS if name != "eigen_cam"]


def planted(seed: int) -> tuple[Tensor, tuple[int, int]]:
    """Faint noise with a square of blue 9 pixels wide, and where its middle is."""
    generator = torch.Generator().manual_seed(seed)
    picture = 0.2 * torch.rand((1, 3, 48, 48), generator=generator)
    y, x = (int(v) for v in torch.randint(6, 42, (2,), generator=generator))
    picture[:, 2, y - 4 : y + 5, x - 4 : x + 5] = 0.9
    return picture, (y, x)


@pytest.mark.parametrize("method", LOCALISING)
def test_evidence_at_a_known_place_is_found(method: str) -> None:
    torch.manual_seed(0)
    net = cs.load_model(Planted(), input=PLANTED)
    more = {"rise": {"samples": 300, "cells": 8}, "smooth_grad": {"samples": 8}}.get(method, {})
    more |= {"occlusion": {"patch": 6, "stride": 3, "value": "black"}, "score_cam": {"layer": "act"}}.get(method, {})
    hits = 0
    for seed in range(100):
        picture, (y, x) = planted(seed)
        heat = cs.explain(net, picture, 2, method=method, **more).arrays["map"]
        top = np.unravel_index(heat.argmax(), heat.shape)
        hits += abs(top[0] - y) <= 7 and abs(top[1] - x) <= 7
    assert hits >= 99


class Cells(nn.Module):
    """Means over 8x8 cells, one after another: whichever the picture's size, cell i of the map sees cell i alone."""

    def __init__(self, cell: int) -> None:
        super().__init__()
        self.mean = nn.Conv2d(3, 4, cell, stride=cell, bias=False)
        nn.init.constant_(self.mean.weight, 1.0)
        self.head = nn.Linear(4, 2)
        nn.init.constant_(self.head.weight, 1.0)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.mean(x).relu().mean((2, 3)))


@pytest.mark.parametrize("size", [(24, 24), (33, 25), (31, 47)])
@pytest.mark.parametrize("method", ["grad_cam", "layer_cam", "input_x_gradient", "occlusion", "integrated_gradients"])
def test_what_is_planted_in_a_cell_is_found_in_that_cell(method: str, size: tuple[int, int]) -> None:
    """The whole overlay is aligned: the middle of what is hot lies in the planted cell, for odd sizes too."""
    cell = 8
    net = cs.load_model(Cells(cell), input=cs.InputSpec(size=size, range=(0, 1), mean=0.0, std=1.0))
    rows, columns = size[0] // cell, size[1] // cell
    more = {"patch": 4, "stride": 2, "value": "black"} if method == "occlusion" else {}
    if method in ("grad_cam", "layer_cam"):
        more["layer"] = "mean"
    for row, column in np.ndindex(rows, columns):
        picture = torch.zeros(1, 3, *size)
        picture[:, :, row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] = 1
        heat = np.abs(cs.explain(net, picture, 1, method=method, **more).arrays["map"])
        ys, xs = np.mgrid[: size[0], : size[1]]
        shares = heat / heat.sum()
        middle = float((shares * ys).sum()), float((shares * xs).sum())
        aim = ((row + 0.5) * cell - 0.5, (column + 0.5) * cell - 0.5)
        top = np.unravel_index(heat.argmax(), heat.shape)
        assert abs(top[0] - aim[0]) <= cell / 2 + 1
        assert abs(top[1] - aim[1]) <= cell / 2 + 1
        if 0 < row < rows - 1 and 0 < column < columns - 1:
            assert abs(middle[0] - aim[0]) <= 1.0
            assert abs(middle[1] - aim[1]) <= 1.0


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
    soft = blurred(picture, 2.0)
    assert soft.std() < 0.3 * picture.std()
    assert torch.allclose(soft.mean(), picture.mean(), atol=0.02)
    assert torch.equal(blurred(torch.full((1, 3, 1, 1), 0.3), 2.0), torch.full((1, 3, 1, 1), 0.3))
    for wrong in ("purple", "2", "0.1,0.2", "-1", "..", "1,,2", ""):
        with pytest.raises(cs.ConvscopeError, match="value is"):
            filled(picture, wrong, generator, "value")


def test_a_rule_needs_steps_and_steps_exclude_a_tolerance() -> None:
    net = network("plain")
    with pytest.raises(cs.ConvscopeError, match="give steps too"):
        cs.explain(net, noise(1), 1, method="integrated_gradients", rule="left")
    with pytest.raises(cs.ConvscopeError, match="both given"):
        cs.explain(net, noise(1), 1, method="integrated_gradients", steps=9, tolerance=0.1)


@pytest.mark.parametrize("steps", [1, 2, 127, 129, 300, 1001])
def test_many_points_of_gauss_legendre(steps: int) -> None:
    points, weights = points_of("gauss_legendre", steps)
    assert len(points) == len(weights) == steps
    assert (np.diff(points) > 0).all()
    assert weights.sum() == pytest.approx(1)
    if steps > 2:
        assert (weights * np.exp(points)).sum() == pytest.approx(np.e - 1, abs=1e-12)


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_a_baseline_is_fitted_as_the_picture_is(fit: str) -> None:
    """A picture against itself has nothing to explain, however it is fitted."""
    picture = np.random.default_rng(0).random((40, 80, 3)).astype(np.float32)
    found = cs.explain(network("plain"), picture, 1, method="integrated_gradients", baseline=picture, fit=fit)  # type: ignore[arg-type]
    assert found.facts["difference"] == 0
    assert (found.arrays["map"] == 0).all()


def test_settled_pieces_are_not_lost() -> None:
    """Many rounds of halving, the gap never small enough: what is folded away is still in the sum."""
    from convscope.attribution.integrated import integrated_gradients
    from convscope.objectives.units import logit

    net, picture = network("plain"), noise(1)
    objective = logit(1).bind(net)
    found = integrated_gradients(net, picture, objective, torch.zeros_like(picture), tolerance=1e-6, most=400)
    exact = integrated_gradients(net, picture, objective, torch.zeros_like(picture), steps=4000)
    assert torch.allclose(found.attribution, exact.attribution, atol=0.02 * float(exact.attribution.abs().max()))
    assert abs(found.gap) <= 2e-3 * abs(found.value - found.base)


def test_score_cam_of_a_network_of_half_precision() -> None:
    with torch.random.fork_rng(devices=[]):
        net = cs.load_model(seeded(MODULES["plain"]).to(torch.bfloat16), input=SPEC, labels=LABELS)
    found = cs.explain(net, noise(1), 1, method="score_cam").arrays["map"]
    like = cs.explain(network("plain"), noise(1), 1, method="score_cam").arrays["map"]
    assert np.isfinite(found).all()
    assert np.corrcoef(found.ravel(), like.ravel())[0, 1] > 0.95


def test_digits_of_other_scripts_are_no_numbers() -> None:
    with pytest.raises(cs.ConvscopeError, match="expected pixels"):
        cs.explain(network("plain"), noise(1), 1, method="occlusion", patch="²")


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


def test_rise_that_is_stopped_keeps_the_mean_of_its_masks() -> None:
    net = network("plain")

    def watch(at: cs.Progress) -> None:
        if at.done >= 40:
            raise KeyboardInterrupt

    with pytest.raises(cs.Stopped, match=r"stopped after (\d+) of 200 masks") as stopped:
        cs.explain(net, noise(1), 1, method="rise", samples=200, cells=4, watch=watch)
    done = int(str(stopped.value).split()[2])
    assert 40 <= done < 100
    kept = stopped.value.result
    assert any("replay makes all" in note for note in kept.notes)
    whole = cs.explain(net, noise(1), 1, method="rise", samples=200, cells=4).arrays["map"]
    assert kept.arrays["map"].mean() == pytest.approx(whole.mean(), rel=0.1)


@pytest.mark.parametrize("kept", [1, 40_000, 10**9])
def test_integrated_gradients_come_out_the_same_however_few_gradients_are_kept(
    kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not kept is computed again in the end, and the search goes on as if it had been."""
    from convscope.attribution import integrated as home
    from convscope.objectives.units import logit

    net, picture = network("plain"), noise(1)
    objective = logit(1).bind(net)
    black = torch.zeros_like(picture)
    wanted = home.integrated_gradients(net, picture, objective, black, tolerance=1e-4)
    monkeypatch.setattr(home, "KEPT", kept)
    found = home.integrated_gradients(net, picture, objective, black, tolerance=1e-4)
    assert torch.allclose(found.attribution, wanted.attribution, atol=1e-7)
    assert abs(found.gap) <= 1.1e-4 * abs(found.value - found.base)
    assert found.steps >= wanted.steps


def test_trapezoids_are_halved_where_the_gap_is() -> None:
    """A function with a jump of its slope: the sum is exact to the tolerance, and most looks are near the jump."""
    from convscope.attribution.integrated import _refined

    class Way:
        """y(a) = max(0, a - 0.37) ** 2 + 0.1 a along one direction."""

        whole = torch.ones(1, 1, 1, 1)
        steps = 0
        rounding = 0.0

        def __init__(self) -> None:
            self.seen: list[float] = []

        def value(self, at: float) -> float:
            return max(0.0, at - 0.37) ** 2 * 40 * max(0.0, at - 0.37) + 0.1 * at

        def look(self, places, take, seen):  # type: ignore[no-untyped-def]
            self.seen += places
            self.steps += len(places)
            slopes = [120 * max(0.0, at - 0.37) ** 2 + 0.1 for at in places]
            take(places, torch.tensor(slopes).view(-1, 1, 1, 1))

    way = Way()
    total = _refined(way, 1e-5, 1000, lambda steps: None)  # type: ignore[arg-type]
    difference = way.value(1.0) - way.value(0.0)
    assert abs(float(total.sum()) - difference) <= 1.5e-5 * difference
    assert len(way.seen) == len(set(way.seen)), "no place is looked at twice"
    assert sum(at < 0.37 for at in way.seen[32:]) <= 2
