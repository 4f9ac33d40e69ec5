"""Rules of integration on functions whose integral is known."""

import numpy as np
import pytest

from convscope.attribution.quadrature import points_of


@pytest.mark.parametrize("rule", ["gauss_legendre", "midpoint", "trapezoid", "left", "right"])
def test_rules_of_integration(rule: str) -> None:
    points, weights = points_of(rule, 200)
    assert weights.sum() == pytest.approx(1)
    assert ((points >= 0) & (points <= 1)).all()
    assert (weights * points**2).sum() == pytest.approx(1 / 3, abs=3e-3)


@pytest.mark.parametrize("steps", [1, 2, 127, 129, 300, 1001])
def test_many_points_of_gauss_legendre(steps: int) -> None:
    points, weights = points_of("gauss_legendre", steps)
    assert len(points) == len(weights) == steps
    assert (np.diff(points) > 0).all()
    assert weights.sum() == pytest.approx(1)
    if steps > 2:
        assert (weights * np.exp(points)).sum() == pytest.approx(np.e - 1, abs=1e-12)
