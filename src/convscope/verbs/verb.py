"""What is the same in every verb."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from convscope.models.network import Network
from convscope.models.steady import steady

P = ParamSpec("P")
R = TypeVar("R")


def verb(function: Callable[P, R]) -> Callable[P, R]:
    """A function as a verb: while it runs, networks on a graphics card compute as the processor does; see `steady`."""

    @wraps(function)
    def carried(*args: P.args, **kwargs: P.kwargs) -> R:
        with steady(*_networks((*args[:2], *kwargs.values()))):
            return function(*args, **kwargs)

    return carried


def _networks(values: tuple[object, ...]) -> list[Network]:
    """The networks among the arguments, also those of a list."""
    found: list[Network] = []
    for value in values:
        if isinstance(value, Network):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += [one for one in value if isinstance(one, Network)]
    return found
