"""Which positions of a map to compute, and in which order: coarse to fine, so that it may be left at any time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

LEAST, FIRST = 16, 64
"""LEAST: minimum positions in the coarsest grid. FIRST: its maximum when every position will be computed."""


@dataclass(frozen=True)
class Survey:
    """What is known of a map by now: its values, and where these were computed; elsewhere they are interpolated, once
    the coarsest lattice is done (`rough`), and zero before."""

    values: Float[np.ndarray, "rows columns"]
    computed: Bool[np.ndarray, "rows columns"]
    rough: bool = True


def survey(
    ask: Callable[[np.ndarray], np.ndarray], shape: tuple[int, int], *, share: float = 1.0, batch: int = 64
) -> Iterator[Survey]:
    """Compute a map, or a share of it: a coarse lattice first, then ever finer ones, first where the map varies most.

    ask: values for positions `(n, 2)` by row and column. What is not computed is a cubic spline through the rest.
    After each batch it says what is known.
    """
    budget = budget_of(shape, share)
    values, computed = np.zeros(shape), np.zeros(shape, dtype=bool)
    before: tuple[np.ndarray, np.ndarray] | None = None
    for step in _steps(shape, budget / 2 if share < 1 else FIRST):
        rows, columns = _lattice(shape[0], step), _lattice(shape[1], step)
        lattice = np.ix_(rows, columns)
        restless, guessed = np.zeros(shape), before is not None
        if before is not None:
            guess = _filled(values[np.ix_(*before)], before, shape)
            values = np.where(computed, values, guess)
            restless = _variation(guess, step)
        before = rows, columns
        open_ = np.zeros(shape, dtype=bool)
        open_[lattice] = ~computed[lattice]
        places = np.argwhere(open_)
        places = places[np.argsort(-restless[open_], kind="stable")]
        left = budget - int(computed.sum())
        places = places[: left if step == 1 or share >= 1 or not computed.any() else -(-left // 2)]
        for first in range(0, len(places), batch):
            some = places[first : first + batch]
            values[some[:, 0], some[:, 1]] = ask(some)
            computed[some[:, 0], some[:, 1]] = True
            whole = bool(computed[lattice].all())
            told = _filled(values[lattice], before, shape) if whole else values
            yield Survey(np.where(computed, values, told), computed.copy(), guessed or whole)
        if computed.sum() >= budget:
            if not computed.all():
                yield Survey(np.where(computed, values, _filled(values[lattice], before, shape)), computed.copy())
            return


def budget_of(shape: tuple[int, int], share: float) -> int:
    """How many positions a share of a map is: at least LEAST, as far as there are."""
    total = shape[0] * shape[1]
    return total if share >= 1 else min(total, max(LEAST, round(share * total)))


def _steps(shape: tuple[int, int], most: float) -> list[int]:
    """The distances of the lattices, from wide to 1; the widest has at most so many positions, or LEAST."""
    step = 1
    while len(_lattice(shape[0], step)) * len(_lattice(shape[1], step)) > max(LEAST, most):
        step *= 2
    return [2**i for i in range(step.bit_length())][::-1]


def _lattice(length: int, step: int) -> np.ndarray:
    """Every so many of them, the last one among them."""
    return np.unique([*range(0, length, step), length - 1])


def _filled(known: np.ndarray, at: tuple[np.ndarray, np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """The values of a lattice carried to all positions."""
    filled: np.ndarray = _spline(at[0], shape[0]) @ known @ _spline(at[1], shape[1]).T
    return filled


def _spline(known: np.ndarray, length: int) -> np.ndarray:
    """The matrix that takes values at known places to all: the smoothest line through them, a natural cubic spline."""
    matrix = np.zeros((length, len(known)))
    matrix[known, np.arange(len(known))] = 1
    free = np.setdiff1d(np.arange(length), known)
    if len(free):
        bends = np.diff(np.eye(length), n=2, axis=0)
        energy = bends.T @ bends
        matrix[free] = -np.linalg.solve(energy[np.ix_(free, free)], energy[np.ix_(free, known)])
    return matrix


def _variation(values: np.ndarray, reach: int) -> np.ndarray:
    """How much the values differ around each position, over so many to each side."""
    height, width = values.shape
    padded = np.pad(values, reach, mode="edge")
    shifts = (0, reach, 2 * reach)
    near = np.stack([padded[y : y + height, x : x + width] for y in shifts for x in shifts])
    return np.asarray(near.max(0) - near.min(0))
