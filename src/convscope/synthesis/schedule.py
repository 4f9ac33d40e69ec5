"""Schedules: the sizes that a picture goes through while it is made.

Written like `octaves(4,1.4)`, `grow(64,1.2)`, `zoom(3,1.1)`; each size is a stage of as many steps as are asked for.
"""

from dataclasses import dataclass, fields

from convscope.errors import InputError
from convscope.synthesis.terms import read_terms

MOST_STAGES = 100
LEAST_SIDE = 16
Size = tuple[int, int]


@dataclass(frozen=True)
class Single:
    """The final size from the first step on."""

    def sizes(self, size: Size) -> list[Size]:
        return [size]


@dataclass(frozen=True)
class Octaves:
    """`count` sizes up to the final one, each `factor` times the one before; with a factor below 1, down to it.

    Source: Mordvintsev, Olah and Tyka, "Inceptionism" (2015).
    """

    count: int = 4
    factor: float = 1.4

    @property
    def fits(self) -> bool:
        return 1 <= self.count <= 50 and 0.1 <= self.factor <= 10

    def sizes(self, size: Size) -> list[Size]:
        return [_times(size, self.factor ** (i - self.count + 1)) for i in range(self.count)]


@dataclass(frozen=True)
class Grow:
    """From `start` pixels on the short side, enlarged by `factor` until the final size is reached.

    Source: Strika, "Feature Visualization on Convolutional Neural Networks" (2019), where the factor is 1.2.
    """

    start: int = 64
    factor: float = 1.2

    @property
    def fits(self) -> bool:
        return self.start >= LEAST_SIDE and 1.01 <= self.factor <= 10

    def sizes(self, size: Size) -> list[Size]:
        sizes: list[Size] = []
        scale = min(1.0, self.start / min(size))
        while scale < 1 and len(sizes) < MOST_STAGES - 1:
            sizes.append(_times(size, scale))
            scale *= self.factor
        return [*sizes, size]


@dataclass(frozen=True)
class Zoom:
    """The final size, then `factor` times it, and back, `cycles` times: structures must hold at both scales.

    Source: Gerretsen et al., "Neural network reversal" (2019), where Deep Dream goes through zooming cycles.
    """

    cycles: int = 3
    factor: float = 1.2

    @property
    def fits(self) -> bool:
        return 1 <= self.cycles <= 40 and 0.1 <= self.factor <= 10

    def sizes(self, size: Size) -> list[Size]:
        return [size, *([_times(size, self.factor), size] * self.cycles)]


Schedule = Single | Octaves | Grow | Zoom
STAGED: dict[str, type[Octaves | Grow | Zoom]] = {"octaves": Octaves, "grow": Grow, "zoom": Zoom}
"""Those that take a whole number and a factor."""


def parse_schedule(text: str) -> Schedule:
    """The schedule of a text such as `octaves(4,1.4)`. Raises InputError."""
    try:
        terms = read_terms(text)
    except ValueError:
        terms = []
    if len(terms) != 1 or terms[0].name not in ("single", *STAGED):
        raise _not_a_schedule(text)
    (term,) = terms
    try:
        numbers = term.numbers()
    except ValueError:
        raise _wrong_numbers(text) from None
    if len(numbers) > 2:
        raise _not_a_schedule(text)
    if term.name == "single":
        return Single()
    first, factor = [*numbers, None, None][:2]
    if first is not None and not first.is_integer():
        raise _wrong_numbers(text)
    kind = STAGED[term.name]
    given = (None if first is None else int(first), factor)
    named = {field.name: value for field, value in zip(fields(kind), given, strict=True) if value is not None}
    schedule = kind(**named)  # type: ignore[arg-type]  # the first field of each is whole
    if not schedule.fits:
        raise InputError(
            f"the schedule is {text!r}; expected 1 to 50 octaves, 1 to 40 cycles, growth from {LEAST_SIDE} pixels on "
            "by at least 1.01, and factors of 0.1 to 10"
        )
    return schedule


def _not_a_schedule(text: str) -> InputError:
    return InputError(f"the schedule is {text!r}; expected single, octaves(4,1.4), grow(64,1.2) or zoom(3,1.2)")


def _wrong_numbers(text: str) -> InputError:
    return InputError(f"the schedule is {text!r}; expected a whole number, then a factor")


def _times(size: Size, factor: float) -> Size:
    height, width = (max(LEAST_SIDE, round(side * factor)) for side in size)
    return height, width
