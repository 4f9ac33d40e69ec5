"""What is trained: the last layer alone, on features computed once, or the network from some layer on."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from convscope.errors import InputError
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
    """The last layer. train: what it is given for each picture, `v n f`, plain and mirrored. held: `m f`."""

    def __init__(self, train: Float[Tensor, "v n f"], held: Float[Tensor, "m f"], classes: int, seed: int) -> None:
        self.train, self.held, self.seed = train, held, seed
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._head = nn.Linear(train.shape[2], classes)

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

    train, held: its pictures. frozen: the modules that keep their weights and statistics.
    """

    def __init__(
        self, net: Network, head: Head, train: Open, held: Open, *, frozen: Sequence[str], seed: int, augment: bool
    ) -> None:
        self.net, self.head, self.train, self.held = net, head, train, held
        self.seed, self.augment = seed, augment
        modules = net.adapter.modules()
        self._still = [modules[name] for name in frozen]
        still = {id(parameter) for part in self._still for parameter in part.parameters(recurse=False)}
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
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(generator(self.seed, "step", step).initial_seed())
            return self._logits(pictures)

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


def frozen_up_to(net: Network, name: str) -> list[str]:
    """The modules that run before a layer is done, that layer among them. Raises UnknownNameError with near matches."""
    last = net.layer(name)
    before = []
    for layer in net.layers(inner=True):
        if layer.module:
            before.append(layer.module)
        if layer.name == last.name:
            break
    inside = [module for module in net.adapter.modules() if module.startswith(f"{last.module}.")]
    return list(dict.fromkeys([*before, *inside]))
