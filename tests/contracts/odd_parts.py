"""What odd networks are made of: a small plain one, and what may be done before, inside and after it."""

import itertools
import random
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

SIZE, CLASSES = 16, 5
Change = Callable[["Odd", Any], Any]


def as_it_is(net: "Odd", x: Any) -> Any:
    return x


class Odd(nn.Module):
    """Two convolutions and a linear layer. before, inside, after: what is done to the pictures, to what the second
    convolution gives, and to the scores."""

    def __init__(
        self, before: Change = as_it_is, inside: Change = as_it_is, after: Change = as_it_is, channels: int = 3
    ) -> None:
        super().__init__()
        self.before, self.inside, self.after = before, inside, after
        self.first = nn.Conv2d(channels, 6, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.deep = nn.Conv2d(6, 8, 3, padding=1)
        self.last = nn.Identity()
        self.head = nn.Linear(8, CLASSES)

    def features(self, x: Tensor) -> Tensor:
        x = self.pool(F.relu(self.first(self.before(self, x))))
        x = F.relu(self.deep(x))
        x = self.inside(self, x)
        return self.last(x)  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Any:
        return self.after(self, self.head(self.features(x).float().mean((2, 3)).to(self.head.weight.dtype)))


def whole(around: Callable[[Callable[[Tensor], Any], Tensor], Any], **options: Any) -> "Odd":
    """An odd network whose whole pass is done by `around(forward, pictures)`."""

    class Whole(Odd):
        def forward(self, x: Tensor) -> Any:
            return around(super().forward, x)

    return Whole(**options)


def with_modules(inside: Change = as_it_is, **modules: nn.Module) -> "Odd":
    """An odd network with modules of its own for `inside`, which goes through `extra` unless it says otherwise."""
    net = Odd(inside=(lambda own, x: own.extra(x)) if inside is as_it_is else inside)
    for name, module in modules.items():
        setattr(net, name, module)
    return net


def raising(error: Callable[[], Exception]) -> Change:
    def change(net: Odd, x: Tensor) -> Tensor:
        raise error()

    return change


def raising_the_third_time() -> Odd:
    count = itertools.count(1)

    def change(net: Odd, x: Tensor) -> Tensor:
        if next(count) == 3:
            raise RuntimeError("broken at the third call")
        return x

    return Odd(after=change)


def without_grad(forward: Callable[[Tensor], Any], x: Tensor) -> Any:
    with torch.no_grad():
        return forward(x)


def in_inference_mode(forward: Callable[[Tensor], Any], x: Tensor) -> Any:
    with torch.inference_mode():
        return forward(x)


def grad_switched_off(forward: Callable[[Tensor], Any], x: Tensor) -> Any:
    was = torch.is_grad_enabled()
    torch.set_grad_enabled(False)
    out = forward(x)
    torch.set_grad_enabled(was)
    return out


def grad_left_off(forward: Callable[[Tensor], Any], x: Tensor) -> Any:
    torch.set_grad_enabled(False)
    return forward(x)


def autocast(forward: Callable[[Tensor], Any], x: Tensor) -> Any:
    with torch.autocast("cpu", torch.bfloat16):
        return forward(x)


def checkpointed(reentrant: bool) -> Callable[[Callable[[Tensor], Any], Tensor], Any]:
    return lambda forward, x: checkpoint(forward, x, use_reentrant=reentrant)


def checkpointed_block(reentrant: bool) -> Odd:
    block = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())
    return with_modules(lambda own, x: checkpoint(own.extra, x, use_reentrant=reentrant), extra=block)


def quantised(net: Odd, x: Tensor) -> Tensor:
    return torch.quantize_per_tensor(x.detach(), 0.05, 0, torch.quint8).dequantize()


class Quantised(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.quantize_per_tensor(x.detach(), 0.05, 0, torch.quint8)


class Typed(nn.Module):
    """Gives its input as another type."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        return x.to(self.dtype)


@dataclass
class Answer:
    scores: Tensor


Pair = namedtuple("Pair", "scores features")


def dropped(net: Odd, x: Tensor) -> Tensor:
    return F.dropout(x, 0.5, training=True)


def numpy_noise(net: Odd, x: Tensor) -> Tensor:
    return x + float(np.random.rand()) * x.mean((0,), keepdim=True)


def python_noise(net: Odd, x: Tensor) -> Tensor:
    return x * (1 + random.random())


def torch_noise(net: Odd, x: Tensor) -> Tensor:
    return x + torch.rand(x.shape).to(x)


def counting_buffer() -> Odd:
    def change(net: Odd, x: Tensor) -> Tensor:
        net.calls += 1  # type: ignore[operator]
        return x

    net = Odd(inside=change)
    net.register_buffer("calls", torch.zeros((), dtype=torch.long))
    return net


def counting(net: Odd, x: Tensor) -> Tensor:
    net.calls = getattr(net, "calls", 0) + 1  # type: ignore[assignment]
    return x


def caching(net: Odd, x: Tensor) -> Tensor:
    net.cached = x
    return x


def appending() -> Odd:
    def change(net: Odd, x: Tensor) -> Tensor:
        net.seen.append(x)  # type: ignore[operator, union-attr]
        return x

    net = Odd(inside=change)
    net.seen = []  # type: ignore[assignment]
    return net


def filling_a_dict() -> Odd:
    def change(net: Odd, x: Tensor) -> Tensor:
        net.seen[len(net.seen)] = x  # type: ignore[operator, index, arg-type]
        return x

    net = Odd(inside=change)
    net.seen = {}  # type: ignore[assignment]
    return net


def own_train(net: Odd, x: Tensor) -> Tensor:
    net.train()
    return F.dropout(x, 0.5, net.training)


def batch_norm_in_training() -> Odd:
    norm = nn.BatchNorm2d(8)

    def change(net: Any, x: Tensor) -> Tensor:
        return F.batch_norm(x, net.extra.running_mean, net.extra.running_var, training=True)

    return with_modules(change, extra=norm)


def writing_parameters(net: Odd, x: Tensor) -> Tensor:
    with torch.no_grad():
        net.deep.bias.add_(0.01)  # type: ignore[union-attr]
    return x


def adding_a_child(net: Odd, x: Tensor) -> Tensor:
    net.added = nn.ReLU()
    return net.added(x)  # type: ignore[no-any-return]


def setting_threads(net: Odd, x: Tensor) -> Tensor:
    torch.set_num_threads(1)
    return x


def as_rows(net: Odd, x: Tensor) -> Tensor:
    """Each picture split into several rows of the batch."""
    return x.reshape(-1, 8, 4, 8)
