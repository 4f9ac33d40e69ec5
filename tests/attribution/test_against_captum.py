"""The methods that captum has too, on networks of several kinds: the same numbers."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from captum.attr import Deconvolution, GuidedBackprop, InputXGradient, IntegratedGradients, Occlusion, Saliency
from torch import Tensor, nn

import convscope as cs
from tests.networks import MODULES, SPEC, network, noise, seeded


class Joined(nn.Module):
    """Branches and a shortcut, with a ReLU module for each, as captum's hooks need them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.act1 = nn.Conv2d(3, 6, 5, stride=2, padding=2), nn.ReLU()
        self.one, self.three = nn.Conv2d(6, 4, 1), nn.Conv2d(6, 2, 3, padding=1)
        self.norm, self.act2 = nn.BatchNorm2d(6), nn.ReLU()
        self.pool = nn.AvgPool2d(3, 2, 1)
        self.last, self.act3 = nn.Conv2d(6, 8, 3, groups=2), nn.ReLU()
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act1(self.stem(x))
        x = self.act2(self.norm(torch.cat([self.one(x), self.three(x)], 1))) + x
        return self.head(self.act3(self.last(self.pool(x))).mean((2, 3)))


class Strided(nn.Module):
    """Max pooling, strides and a dense layer with a ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 6, 3, stride=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
            nn.Conv2d(6, 8, 3, dilation=2),
            nn.ReLU(),
        )
        self.dense, self.act, self.head = nn.Linear(8 * 4 * 4, 12), nn.ReLU(), nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.act(self.dense(self.body(x).flatten(1))))


MADE = {"joined": Joined, "strided": Strided}


def loaded(kind: str) -> cs.Network:
    if kind in MADE:
        return cs.load_model(seeded(MADE[kind]).eval(), input=SPEC)
    return network(kind)


def scores(net: cs.Network) -> object:
    return lambda x: net.scores(net.run(x))


def close(ours: np.ndarray, theirs: Tensor) -> bool:
    wanted = theirs.detach().numpy()
    return np.abs(ours - wanted).max() <= 1e-5 * max(np.abs(wanted).max(), 1e-3)


KINDS = [*MODULES, *MADE]


@pytest.mark.parametrize("kind", KINDS)
def test_saliency(kind: str) -> None:
    net, picture = loaded(kind), noise(1)
    ours = cs.explain(net, picture, 3, method="saliency")
    theirs = Saliency(scores(net)).attribute(picture.clone().requires_grad_(), target=3, abs=False)
    assert close(ours.arrays["attribution"], theirs[0])
    assert close(ours.arrays["map"], theirs[0].abs().amax(0))


@pytest.mark.parametrize("kind", KINDS)
def test_input_x_gradient(kind: str) -> None:
    net, picture = loaded(kind), noise(1)
    ours = cs.explain(net, picture, 3, method="input_x_gradient")
    neutral = 0.45  # the colour that the preprocessing takes to zero

    def shifted(x: Tensor) -> Tensor:
        return net.scores(net.run(x + neutral))

    theirs = InputXGradient(shifted).attribute((picture - neutral).requires_grad_(), target=3)
    assert close(ours.arrays["attribution"], theirs[0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("rule", "theirs"), [("gauss_legendre", "gausslegendre"), ("midpoint", "riemann_middle")])
def test_integrated_gradients(kind: str, rule: str, theirs: str) -> None:
    net, picture = loaded(kind), noise(1)
    ours = cs.explain(net, picture, 1, method="integrated_gradients", steps=20, rule=rule, baseline="grey")
    base = torch.full_like(picture, 0.5)
    found = IntegratedGradients(scores(net)).attribute(picture, base, target=1, n_steps=20, method=theirs)
    assert close(ours.arrays["attribution"], found[0])


@pytest.mark.parametrize("kind", ["plain", "joined", "strided"])
@pytest.mark.filterwarnings("ignore:Setting backward hooks")
@pytest.mark.parametrize(("method", "theirs"), [("guided_backprop", GuidedBackprop), ("deconvnet", Deconvolution)])
def test_rules(kind: str, method: str, theirs: type) -> None:
    net, picture = loaded(kind), noise(1)
    ours = cs.explain(net, picture, 2, method=method)
    module = net.adapter.root.eval()
    found = theirs(module).attribute(net.spec.preprocess(picture).requires_grad_(), target=2)
    assert close(ours.arrays["attribution"], found[0] / 0.25)  # by the picture, not by the prepared one


@pytest.mark.parametrize("method", ["guided_backprop", "deconvnet"])
@pytest.mark.parametrize("kind", ["functional", "inplace"])
def test_rules_act_on_functions_and_in_place(kind: str, method: str) -> None:
    wanted = cs.explain(network("plain"), noise(1), 2, method=method).arrays["attribution"]
    found = cs.explain(network(kind), noise(1), 2, method=method).arrays["attribution"]
    assert np.abs(found - wanted).max() <= 1e-6 * np.abs(wanted).max()


@pytest.mark.parametrize("method", ["guided_backprop", "deconvnet"])
@pytest.mark.parametrize("kind", ["depthwise", "keras", "reused", "residual", "inception"])
def test_rules_find_something_on_every_kind(kind: str, method: str) -> None:
    plain = cs.explain(network(kind), noise(1), 2, method="saliency").arrays["attribution"]
    found = cs.explain(network(kind), noise(1), 2, method=method).arrays["attribution"]
    assert np.abs(found - plain).max() > 1e-3 * np.abs(plain).max()


class Smooth(nn.Module):
    """No rectifier at all."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 6, 3), nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.silu(self.conv(x)).mean((2, 3)))


@pytest.mark.parametrize("method", ["guided_backprop", "deconvnet", "guided_grad_cam"])
def test_a_rule_that_finds_nothing_says_so(method: str) -> None:
    net = cs.load_model(seeded(Smooth).eval(), input=SPEC)
    with pytest.raises(cs.ConvscopeError, match="rectifiers"):
        cs.explain(net, noise(1), 2, method=method)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("patch", "stride"), [((6, 6), (5, 5)), ((4, 9), (4, 6))])
def test_occlusion(kind: str, patch: tuple[int, int], stride: tuple[int, int]) -> None:
    net, picture = loaded(kind), noise(1)
    ours = cs.explain(
        net,
        picture,
        2,
        method="occlusion",
        patch=f"{patch[0]}x{patch[1]}",
        stride=f"{stride[0]}x{stride[1]}",
        value=0.3,
    )
    theirs = Occlusion(scores(net)).attribute(
        picture, sliding_window_shapes=(3, *patch), strides=(3, *stride), baselines=0.3, target=2
    )
    wanted = theirs[0, 0].detach().numpy()
    assert np.abs(ours.arrays["map"] - wanted).max() <= 1e-4 * np.ptp(wanted) + 1e-6
    assert not ours.notes
