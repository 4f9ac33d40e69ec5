"""Rules of integration on [0,1]."""

from typing import Literal

import numpy as np

from convscope.errors import InputError

RuleName = Literal["gauss_legendre", "midpoint", "trapezoid", "left", "right"]
AT_MOST = 128
"""Points of one Gauss-Legendre rule: for more there are several rules, side by side."""


def points_of(rule: str, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The points of a rule with so many steps, and their weights. Raises InputError for a rule that there is not."""
    i = np.arange(steps)
    match rule:
        case "gauss_legendre":
            several = np.array_split(i, -(-steps // AT_MOST))
            parts = [np.polynomial.legendre.leggauss(len(part)) for part in several]
            points = [
                (part[0] + len(part) * (1 + at) / 2) / steps for part, (at, _) in zip(several, parts, strict=True)
            ]
            weights = [len(part) / steps * w / 2 for part, (_, w) in zip(several, parts, strict=True)]
            return np.concatenate(points), np.concatenate(weights)
        case "midpoint":
            return (i + 0.5) / steps, np.full(steps, 1 / steps)
        case "left":
            return i / steps, np.full(steps, 1 / steps)
        case "right":
            return (i + 1) / steps, np.full(steps, 1 / steps)
        case "trapezoid":
            ends = np.where((i == 0) | (i == steps - 1), 0.5, 1.0)
            return i / max(1, steps - 1), ends / ends.sum()
        case _:
            raise InputError(f"the rule is {rule!r}; expected gauss_legendre, midpoint, trapezoid, left or right")
