"""Integrated gradients: completeness, the gap, bisection, baselines."""

import numpy as np
import pytest
import torch

import convscope as cs
from convscope.attribution.integrated import Bisection, integrated_gradients
from convscope.attribution.integration_path import IntegrationPath
from convscope.objectives.units import logit
from tests.networks import DEEP, MODULES, network, noise


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


def test_a_rule_needs_steps_and_steps_exclude_a_tolerance() -> None:
    net = network("plain")
    with pytest.raises(cs.ConvscopeError, match="give steps too"):
        cs.explain(net, noise(1), 1, method="integrated_gradients", rule="left")
    with pytest.raises(cs.ConvscopeError, match="both given"):
        cs.explain(net, noise(1), 1, method="integrated_gradients", steps=9, tolerance=0.1)


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_a_baseline_is_fitted_as_the_picture_is(fit: str) -> None:
    """A picture against itself has nothing to explain, however it is fitted."""
    picture = np.random.default_rng(0).random((40, 80, 3)).astype(np.float32)
    found = cs.explain(network("plain"), picture, 1, method="integrated_gradients", baseline=picture, fit=fit)  # type: ignore[arg-type]
    assert found.facts["difference"] == 0
    assert (found.arrays["map"] == 0).all()


def test_settled_pieces_are_not_lost() -> None:
    """Many rounds of halving, the gap never small enough: what is folded away is still in the sum."""
    from convscope.objectives.units import logit

    net, picture = network("plain"), noise(1)
    objective = logit(1).bind(net)
    found = integrated_gradients(net, picture, objective, torch.zeros_like(picture), tolerance=1e-6, most=400)
    exact = integrated_gradients(net, picture, objective, torch.zeros_like(picture), steps=4000)
    assert torch.allclose(found.attribution, exact.attribution, atol=0.02 * float(exact.attribution.abs().max()))
    assert abs(found.gap) <= 2e-3 * abs(found.value - found.base)


@pytest.mark.parametrize("kept", [1, 40_000, 10**9])
def test_integrated_gradients_come_out_the_same_however_few_gradients_are_kept(
    kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not kept is computed again in the end, and the search goes on as if it had been."""
    from convscope.attribution import integrated as home

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
    """A function with a jump of its gradient: the sum is exact to the tolerance, and most steps are near the jump."""

    class Path(IntegrationPath):
        """y(a) = max(0, a - 0.37) ** 2 + 0.1 a along one direction."""

        rounding = 0.0  # type: ignore[assignment]

        def __init__(self) -> None:
            self.whole, self.steps = torch.ones(1, 1, 1, 1), 0
            self.seen: list[float] = []

        def value(self, at: float) -> float:
            return max(0.0, at - 0.37) ** 2 * 40 * max(0.0, at - 0.37) + 0.1 * at

        def gradients(self, points, take):  # type: ignore[no-untyped-def]
            self.seen += points
            self.steps += len(points)
            gradients = [120 * max(0.0, at - 0.37) ** 2 + 0.1 for at in points]
            take(points, torch.tensor(gradients).view(-1, 1, 1, 1))

    path = Path()
    total = Bisection(path, 1e-5, 1000).mean_gradient()  # type: ignore[arg-type]
    difference = path.value(1.0) - path.value(0.0)
    assert abs(float(total.sum()) - difference) <= 1.5e-5 * difference
    assert len(path.seen) == len(set(path.seen)), "no place is looked at twice"
    assert sum(at < 0.37 for at in path.seen[32:]) <= 2
