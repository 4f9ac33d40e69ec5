"""What a network raises, in one line that points the right way."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import convscope as cs
from tests.networks import SPEC, noise, seeded


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Linear(4, 3)

    def end(self, x: Tensor) -> Tensor:
        return self.head(x.mean((2, 3)))  # type: ignore[no-any-return]


class Two(Small):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.end(self.first(x + y))


class Keyword(Small):
    def forward(self, x: Tensor, *, scale: float) -> Tensor:
        return self.end(self.first(x) * scale)


class Dictionary(Small):
    def forward(self, x: dict[str, Tensor]) -> Tensor:
        return self.end(self.first(x["image"]))


class Bug(Small):
    def forward(self, x: Tensor) -> Tensor:
        raise ValueError("a bug of its own")


@pytest.mark.parametrize(
    ("make", "told", "asks"),
    [
        (Two, "more than one picture; wrap it in a module", False),
        (Keyword, "more than one picture; wrap it in a module", False),
        (Dictionary, "a dictionary, say", False),
        (Bug, "ValueError: a bug of its own", False),
        (lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(3600, 2)), "to have 1 channels", True),
        (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(3601, 2)), "cannot be multiplied", True),
        (lambda: nn.Sequential(nn.Conv2d(3, 4, 40), nn.Flatten(), nn.Linear(9, 2)), "Kernel size", True),
    ],
)
def test_the_input_contract_is_asked_about_where_shapes_say_so_alone(
    make: Callable[[], nn.Module], told: str, asks: bool
) -> None:
    net = cs.load_model(seeded(make), input=SPEC)
    with pytest.raises(cs.ConvscopeError) as raised:
        net.predict(noise()[0])
    assert told in str(raised.value)
    assert ("InputSpec" in str(raised.value)) == asks
    assert "\n" not in str(raised.value)


class Cut(Small):
    """Recorded under no_grad, or detached."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def forward(self, x: Tensor) -> Tensor:
        if self.how == "no_grad":
            with torch.no_grad():
                return self.end(self.second(self.first(x)))
        x = self.second(self.first(x))
        return self.end(x.detach() if self.how == "detach" else x.round())


ASKS: dict[str, Callable[[cs.Network], Any]] = {
    "saliency": lambda net: cs.explain(net, noise()[0], 1, method="saliency"),
    "grad_cam": lambda net: cs.explain(net, noise()[0], 1),
    "integrated_gradients": lambda net: cs.explain(net, noise()[0], 1, method="integrated_gradients"),
    "guided_backprop": lambda net: cs.explain(net, noise()[0], 1, method="smooth_grad", samples=2),
}


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("how", ["no_grad", "detach"])
def test_a_gradient_that_is_cut_is_told_from_an_objective_that_does_not_depend(how: str, ask: str) -> None:
    net = cs.load_model(seeded(lambda: Cut(how)), input=SPEC)
    with pytest.raises(cs.ConvscopeError, match="cuts the gradient"):
        ASKS[ask](net)
    with pytest.raises(cs.ConvscopeError, match="reaches the picture"):
        cs.visualize(net, "class:1", steps=1)


class Constant(Small):
    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.second(self.first(torch.zeros_like(x)))) + 0 * x.mean((1, 2, 3))[:, None].detach()


def test_an_objective_that_does_not_depend_on_the_picture() -> None:
    net = cs.load_model(seeded(Constant), input=SPEC)
    with pytest.raises(cs.ConvscopeError, match="does not depend on the picture"):
        cs.explain(net, noise()[0], 1, method="saliency")


class Checkpointed(Small):
    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        self.reentrant = reentrant

    def forward(self, x: Tensor) -> Tensor:
        return self.end(checkpoint(lambda y: self.second(y).relu(), self.first(x), use_reentrant=self.reentrant))  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore")
def test_gradient_checkpointing_works_or_is_named() -> None:
    lazy = cs.load_model(seeded(lambda: Checkpointed(False)), input=SPEC)
    assert cs.explain(lazy, noise()[0], 1, method="saliency").arrays["map"].any()
    assert cs.explain(lazy, noise()[0], 1, layer="first").arrays["coarse"].shape == (30, 30)
    for net, layer in ((lazy, "second"), (cs.load_model(seeded(lambda: Checkpointed(True)), input=SPEC), "first")):
        with pytest.raises(cs.ConvscopeError, match="gradient checkpointing does not go with looking inside"):
            cs.explain(net, noise()[0], 1, layer=layer)


def test_a_rule_says_which_activation_functions_it_passes_over() -> None:
    some = nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.SiLU(),
        nn.Conv2d(8, 8, 3),
        nn.GELU(),
        nn.Flatten(),
        nn.Linear(6272, 8),
        nn.ReLU(),
        nn.Linear(8, 3),
    )
    net = cs.load_model(some, input=SPEC)
    for method in ("guided_backprop", "deconvnet"):
        notes = cs.explain(net, noise()[0], 1, method=method).notes  # type: ignore[arg-type]
        assert any("1 of 3 activation functions" in note for note in notes)


def test_integrated_gradients_stop_where_the_difference_is_rounding() -> None:
    net = cs.load_model(
        seeded(
            lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
        ),
        input=SPEC,
    )
    with torch.no_grad():
        net.adapter.root[4].weight.mul_(1e-9)  # type: ignore[index, union-attr]
    assert cs.explain(net, noise()[0], 1, method="integrated_gradients").facts["steps"] <= 64


def test_a_layer_that_was_not_named_can_be_replaced_all_the_same() -> None:
    from convscope.taps.tap import Tap

    net = cs.load_model(seeded(lambda: Checkpointed(False)), input=SPEC)
    one, two = noise(1), noise(2)
    with torch.no_grad():
        maps = cs.record(net, one, ["first"])["first"]
        changed = cs.record(net, two, ["scores"], replaced={Tap("first"): maps})
        assert torch.allclose(changed.scores, cs.record(net, one, ["scores"]).scores, atol=1e-6)
        assert list(map(str, changed)) == ["scores"]
