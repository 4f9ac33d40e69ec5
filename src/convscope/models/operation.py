"""One operation of a forward pass, as the rules for axes and receptive fields see it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from torch import Tensor

from convscope.models.axes import Dim, Dims
from convscope.models.receptive import Field


@dataclass(frozen=True)
class Call:
    """One operation. given: its arguments by their names in the schema. of, field_of: the axes and the receptive field
    of a tensor that depends on the picture, None for any other. batch: the axis of pictures."""

    name: str
    pointwise: bool
    given: Mapping[str, Any]
    of: Callable[[Any], Dims | None]
    field_of: Callable[[Any], Field | None]
    batch: Dim

    def dims(self, *names: str) -> Dims | None:
        """The axes of the first of these arguments that there is."""
        value = next((self.given[name] for name in names if name in self.given), None)
        return self.of(value) if isinstance(value, Tensor) else None

    @property
    def followed(self) -> list[Tensor]:
        """The tensors given that depend on the picture."""
        return [x for x in _tensors(self.given.values()) if self.of(x) is not None]


def _tensors(values: Any) -> list[Tensor]:
    result: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            result.append(value)
        elif isinstance(value, list | tuple):
            result += _tensors(value)
    return result


def numbers(value: Any) -> list[int]:
    """One number or several, as several."""
    return [value] if isinstance(value, int) else list(value)


Rule = Callable[[Call, Sequence[Tensor]], list[Dims] | None]
"""From an operation and the tensors that it gave to their axes; None where these cannot be told."""


AnyRule = TypeVar("AnyRule")


def rules_for(names: str, rule: AnyRule) -> dict[str, AnyRule]:
    """One rule for several operations, by their names in aten."""
    return dict.fromkeys(names.split(), rule)


def named(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """What an operation of aten was given, by the names in its schema."""
    return dict(zip((argument.name for argument in func._schema.arguments), args, strict=False)) | dict(kwargs)
