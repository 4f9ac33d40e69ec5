"""What a network wants at its input. It is stated, never guessed from the name of a class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from convscope.errors import InputError
from convscope.plain import fits, shown

Order = Literal["RGB", "BGR"]


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """The input contract of a network. Pictures come as `c h w` in [0,1], RGB; this says what is done to them.

    size: (height, width) in pixels, or one number for a square.
    channels: 3 (colour), 1 (grey), 4 (colour and alpha), or any other number (arrays only).
    range: the values that black and white become, before mean and std: (0, 1), (0, 255), (-1, 1).
    mean, std: one number per channel, in the network's channel order, or one number for all.
    order: "RGB" or "BGR".
    fixed_size: True where the network runs at `size` alone.

    `range`, `mean` and `std` may be None: unknown. Then nothing is done in that step, and `unknown` lists it, so
    that whoever shows a result can say so. Raises InputError for values that cannot be.
    """

    size: tuple[int, int] | int
    channels: int = 3
    range: tuple[float, float] | None = None
    mean: tuple[float, ...] | float | None = None
    std: tuple[float, ...] | float | None = None
    order: Order = "RGB"
    fixed_size: bool = False

    def __post_init__(self) -> None:
        whole: Any = self.size
        size = (int(whole), int(whole)) if hasattr(whole, "__index__") else tuple(int(side) for side in whole)
        if len(size) != 2 or min(size) < 1:
            raise InputError(f"InputSpec size is {self.size!r}; expected (height, width) of at least 1 pixel")
        object.__setattr__(self, "size", size)
        if self.channels < 1:
            raise InputError(f"InputSpec channels is {self.channels}; expected at least 1")
        if self.range is not None:
            if not isinstance(self.range, tuple | list) or len(self.range) != 2 or not self.range[0] < self.range[1]:
                raise InputError(f"InputSpec range is {self.range}; expected (low, high) with low < high")
            object.__setattr__(self, "range", (float(self.range[0]), float(self.range[1])))
        for name in ("mean", "std"):
            object.__setattr__(self, name, self._per_channel(name, getattr(self, name)))
        if self.std is not None and min(self.stds) <= 0:
            raise InputError(f"InputSpec std is {self.std}; expected numbers above 0")
        if self.order not in ("RGB", "BGR"):
            raise InputError(f"InputSpec order is {self.order!r}; expected RGB or BGR")
        if self.order == "BGR" and self.channels != 3:
            raise InputError(f"InputSpec order is BGR for {self.channels} channels; BGR needs 3")

    def _per_channel(self, name: str, value: Sequence[float] | float | None) -> tuple[float, ...] | None:
        if value is None:
            return None
        alone = isinstance(value, int | float) or hasattr(value, "__float__")
        numbers = (float(value),) * self.channels if alone else tuple(map(float, value))  # type: ignore[arg-type]
        if len(numbers) != self.channels:
            raise InputError(f"InputSpec {name} has {len(numbers)} numbers; expected {self.channels}, one a channel")
        return numbers

    @property
    def height(self) -> int:
        return self.hw[0]

    @property
    def width(self) -> int:
        return self.hw[1]

    @property
    def hw(self) -> tuple[int, int]:
        assert not isinstance(self.size, int)
        return self.size

    @property
    def means(self) -> tuple[float, ...]:
        return self.mean if isinstance(self.mean, tuple) else (0.0,) * self.channels

    @property
    def stds(self) -> tuple[float, ...]:
        return self.std if isinstance(self.std, tuple) else (1.0,) * self.channels

    @property
    def unknown(self) -> tuple[str, ...]:
        """The parts of the contract that nobody stated."""
        return tuple(name for name in ("range", "mean", "std") if getattr(self, name) is None)

    @property
    def warning(self) -> str | None:
        """One line for whoever shows a result, where a part is unknown."""
        if not self.unknown:
            return None
        known = "is" if len(self.unknown) == 1 else "are"
        return (
            f"the network's input {', '.join(self.unknown)} {known} unknown, so pictures go in as plain [0,1] values: "
            f"say {' and '.join(f'--{name}' for name in self.unknown)} (input=InputSpec(...))"
        )

    def preprocess(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Pictures in [0,1], RGB, become what the network's first layer is given."""
        if images.shape[1] != self.channels:
            raise InputError(f"pictures have {images.shape[1]} channels; this network takes {self.channels}")
        if self.order == "BGR":
            images = images.flip(1)
        low, high = self.range or (0.0, 1.0)
        scale = torch.tensor([(high - low) / std for std in self.stds], dtype=torch.float64)
        offsets = [(low - mean) / std for mean, std in zip(self.means, self.stds, strict=True)]
        shift = torch.tensor(offsets, dtype=torch.float64)
        scale, shift = (v.to(images.dtype).to(images.device).view(1, -1, 1, 1) for v in (scale, shift))
        return images * scale + shift

    def neutral(self, like: Float[Tensor, "b c h w"]) -> Float[Tensor, "1 c 1 1"]:
        """The colour that `preprocess` takes to zero, kept in [0,1]."""
        low, high = self.range or (0.0, 1.0)
        colour = torch.tensor([(mean - low) / (high - low) for mean in self.means], dtype=like.dtype)
        colour = colour.flip(0) if self.order == "BGR" else colour
        return colour.clamp(0, 1).to(like.device).view(1, -1, 1, 1)

    def describe(self) -> dict[str, Any]:
        """The contract as plain JSON values; unknown parts are null."""
        return {field.name: getattr(self, field.name) for field in fields(self)} | {"unknown": list(self.unknown)}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> "InputSpec":
        """The inverse of describe. Raises InputError for what is no contract, or is unreasonably large."""
        for name, kind in _KINDS.items():
            if name in values and not fits(values[name], kind):
                raise InputError(f"input.{name} is {shown(values[name])}; expected what InputSpec takes")
        size = values.get("size", [])
        if len(size) != 2 or not all(1 <= side <= MOST_SIDE for side in size):
            raise InputError(f"input.size is {shown(size)}; expected [height, width] of 1 to {MOST_SIDE} pixels")
        if size[0] * size[1] * values.get("channels", 3) > MOST_NUMBERS:
            raise InputError(f"input is {shown(dict(values))}; expected at most {MOST_NUMBERS} numbers in all")
        known: dict[str, Any] = {field.name: values[field.name] for field in fields(InputSpec) if field.name in values}
        for name, value in known.items():
            known[name] = tuple(value) if isinstance(value, list) else value
        return InputSpec(**known)


_KINDS: Mapping[str, Any] = {
    "size": list[int],
    "channels": int,
    "range": list[float] | None,
    "mean": float | None | list[float],
    "std": float | None | list[float],
    "order": str,
    "fixed_size": bool,
}
MOST_SIDE = 8192
MOST_NUMBERS = 2**26
"""Numbers in a network's input: 4096x4096 pixels in colour have fewer."""


IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Channel statistics of ImageNet's training pictures in [0,1], RGB (the field's usual figures)."""
