"""What is trained: the last layer alone, on features computed once, or the network from some layer on."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from convscope.errors import InputError
from convscope.models.draws import restore, states
from convscope.models.network import Network
from convscope.models.new_head import Head
from convscope.training.plan import augmented, generator

Open = Callable[[Sequence[int]], Float[Tensor, "b c h w"]]
"""Pictures by their numbers, in [0,1]."""


@runtime_checkable
class Learner(Protocol):
    """Gives logits `b k` of pictures by their numbers."""

    @property
    def module(self) -> nn.Module:
        """What learns, with all the state that learning changes."""

    def parameters(self) -> list[nn.Parameter]:
        """The weights that change."""

    def learn(self, indices: Sequence[int], epoch: int, step: int) -> Float[Tensor, "b k"]:
        """Of pictures to train by, with gradients; random as a function of the epoch, the step and the pictures."""

    def judge(self, indices: Sequence[int]) -> Float[Tensor, "b k"]:
        """Of pictures held out, as the network will answer."""


class HeadLearner:
    """The last layer. train: what it is given for each picture, `v n f`, plain and mirrored. held: `m f`. bias: whether
    it adds one."""

    def __init__(
        self, train: Float[Tensor, "v n f"], held: Float[Tensor, "m f"], classes: int, seed: int, *, bias: bool = True
    ) -> None:
        self.train, self.held, self.seed = train, held, seed
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._head = nn.Linear(train.shape[2], classes, bias)

    @property
    def module(self) -> nn.Linear:
        return self._head

    def parameters(self) -> list[nn.Parameter]:
        return list(self._head.parameters())

    def learn(self, indices: Sequence[int], epoch: int, step: int) -> Float[Tensor, "b k"]:
        views = [
            int(torch.randint(len(self.train), (), generator=generator(self.seed, "view", epoch, index)))
            for index in indices
        ]
        logits: Tensor = self._head(self.train[views, list(indices)])
        return logits

    def judge(self, indices: Sequence[int]) -> Float[Tensor, "b k"]:
        with torch.no_grad():
            logits: Tensor = self._head(self.held[list(indices)])
        return logits


class NetworkLearner:
    """A network from some layer on.

    train, held: its pictures. frozen: what keeps its weights and statistics; nothing, unless given.
    """

    def __init__(
        self, net: Network, head: Head, train: Open, held: Open, *, frozen: "Frozen", seed: int, augment: bool
    ) -> None:
        self.net, self.head, self.train, self.held = net, head, train, held
        self.seed, self.augment = seed, augment
        self._still = frozen.modules
        still = {id(parameter) for parameter in frozen.parameters}
        self._learned = [
            one for one in net.adapter.root.parameters() if id(one) not in still and one.is_floating_point()
        ]
        for parameter in net.adapter.root.parameters():
            parameter.requires_grad_(id(parameter) not in still and parameter.is_floating_point())

    @property
    def module(self) -> nn.Module:
        return self.net.adapter.root

    def parameters(self) -> list[nn.Parameter]:
        return self._learned

    def learn(self, indices: Sequence[int], epoch: int, step: int) -> Float[Tensor, "b k"]:
        pictures = self.train(indices)
        if self.augment:
            pictures = augmented(pictures, self.seed, epoch, indices)
        self.module.train()
        for part in self._still:
            part.eval()
        with _seeded(generator(self.seed, "step", step).initial_seed(), self.net.device):
            try:
                return self._logits(pictures)
            except ValueError as error:
                if "more than 1 value per channel" in str(error):
                    raise InputError("a batch norm needs several pictures a step: take a batch of at least 2") from None
                raise

    def judge(self, indices: Sequence[int]) -> Float[Tensor, "b k"]:
        self.module.eval()
        with torch.no_grad():
            return self._logits(self.held(indices))

    def _logits(self, pictures: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        with self._heard() as heard:
            self.net.adapter.forward(self.net.spec.preprocess(pictures.to(self.net.device, self.net.dtype)))
        logits = heard[-1].flatten(1)
        if len(logits) != len(pictures):
            raise InputError(f"{self.net.name} gives {len(logits)} rows of scores for {len(pictures)} pictures")
        return logits

    @contextmanager
    def _heard(self) -> Iterator[list[Tensor]]:
        """What the last layer gives, whatever is done to it afterwards."""
        heard: list[Tensor] = []
        module = self.net.adapter.modules()[self.head.module]
        handle = module.register_forward_hook(lambda _module, _inputs, output: heard.append(output))
        try:
            yield heard
        finally:
            handle.remove()


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """All that a network may draw from, from a seed; and as it was afterwards."""
    before = states()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            restore(before, ("python", "numpy"))


@dataclass(frozen=True)
class Frozen:
    """What training leaves alone: modules with their statistics, and parameters."""

    modules: Sequence[nn.Module] = ()
    parameters: Sequence[nn.Parameter] = ()


def frozen_up_to(net: Network, name: str) -> Frozen:
    """All that a layer's output is made with: the modules that run before it is done, and every parameter that it
    depends on, whoever holds it.

    Raises UnknownNameError with near matches; InputError where nothing would be left to train.
    """
    last = net.layer(name)
    before = []
    for layer in net.layers(inner=True):
        if layer.module:
            before.append(layer.module)
        if layer.name == last.name:
            break
    modules = net.adapter.modules()
    inside = [module for module in modules if module.startswith(f"{last.module}.")]
    still = [modules[module] for module in dict.fromkeys([*before, *inside]) if module in modules]
    own = {id(parameter): parameter for part in still for parameter in part.parameters(recurse=False)}
    own |= {id(parameter): parameter for parameter in _used_by(net, last.module, last.call)}
    if all(id(parameter) in own for parameter in net.adapter.root.parameters() if parameter.is_floating_point()):
        raise InputError(
            f"frozen is {name!r}, which leaves nothing to train; expected an earlier layer, or 'all', which trains the "
            "last layer alone"
        )
    return Frozen(still, tuple(own.values()))


def _used_by(net: Network, module: str, call: int) -> list[nn.Parameter]:
    """The parameters that what a module gives depends on."""
    heard: list[Tensor] = []
    parameters = [one for one in net.adapter.root.parameters() if one.is_floating_point()]
    wanted = [one.requires_grad for one in parameters]
    place = net.adapter.modules().get(module)
    if place is None:
        return []

    def listen(_module: nn.Module, _inputs: object, output: object) -> None:
        heard.append(next(value for value in tree_leaves(output) if isinstance(value, Tensor)))

    handle = place.register_forward_hook(listen)
    try:
        for one in parameters:
            one.requires_grad_(True)
        picture = torch.full((2, net.spec.channels, *net.spec.hw), 0.5, dtype=net.dtype, device=net.device)
        net.adapter.root.eval()
        with torch.enable_grad():
            net.adapter.forward(net.spec.preprocess(picture))
            found = torch.autograd.grad(heard[call].float().sum(), parameters, allow_unused=True)
    finally:
        handle.remove()
        for one, was in zip(parameters, wanted, strict=True):
            one.requires_grad_(was)
    return [one for one, gradient in zip(parameters, found, strict=True) if gradient is not None]
