"""Grad-CAM: by the formula, against captum, and on a network whose answer is known."""

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from torch import Tensor, nn

import convscope as cs
from convscope.attribution.cam import enlarge
from convscope.taps.record import record
from convscope.taps.tap import SCORES_TAP, Tap
from tests.networks import LABELS, MODULES, SPEC, network, noise, seeded, shared

PAIRS = [
    ("plain", "conv2"), ("plain", "conv1"), ("inplace", "conv2"), ("residual", "conv"), ("residual", "stem"),
    ("inception", "act"), ("inception", "pooled.1"), ("depthwise", "pointwise"), ("keras", "inner/deep"),
    ("keras", "conv1"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "layer"), PAIRS)
@pytest.mark.parametrize("signed", [False, True])
def test_equals_captum(kind: str, layer: str, signed: bool) -> None:
    net = network(kind)
    for picture, target in ((noise(1), 0), (noise(2), 3)):
        ours = cs.explain(net, picture, target, layer=layer, signed=signed)
        theirs = _captum(net, layer, picture, target, relu=not signed)
        assert np.abs(ours.arrays["coarse"] - theirs).max() <= 1e-5 * max(1.0, np.abs(theirs).max())


def _captum(net: cs.Network, layer: str, picture: Tensor, target: int, relu: bool) -> np.ndarray:
    """LayerGradCam on the same logits; in-place ReLUs are taken out for it, and channels put first."""
    module = net.adapter.modules()[layer]
    root = net.adapter.root.eval()
    if hasattr(root, "relu1") and root.relu1.inplace:
        root = seeded(MODULES["plain"]).eval()
        module = dict(root.named_modules())[layer]

    def forward(x: Tensor) -> Tensor:
        return net.scores(net.run(x)) if root is net.adapter.root else root(net.spec.preprocess(x))

    picture = picture.clone().requires_grad_()
    if "keras" in type(module).__module__:  # captum averages over dims 2.., so do its arithmetic on channels last
        found = {}
        handle = module.register_forward_hook(lambda m, i, o: found.setdefault("a", o))
        score = forward(picture)[:, target].sum()
        handle.remove()
        gradient = torch.autograd.grad(score, found["a"])[0]
        maps = (gradient.mean((1, 2), keepdim=True) * found["a"]).sum(-1)
        return (maps.relu() if relu else maps)[0].detach().numpy()
    attributed = LayerGradCam(forward, module).attribute(picture, target, relu_attributions=relu)
    return attributed[0, 0].detach().numpy()


def test_efficientnet_equals_captum(lite0: cs.Network, photograph: str) -> None:
    ours = cs.explain(lite0, photograph, "class:tabby")
    module = lite0.adapter.root
    picture = lite0.spec.preprocess(lite0.photograph(photograph).tensor()).requires_grad_()
    theirs = LayerGradCam(module, module.head.act).attribute(picture, target=281, relu_attributions=True)
    assert np.abs(ours.arrays["coarse"] - theirs[0, 0].detach().numpy()).max() < 1e-5


@pytest.mark.parametrize("kind", MODULES)
def test_by_the_formula(kind: str) -> None:
    """alpha by central differences of the score along each channel: nothing of autograd is trusted."""
    net = shared(kind)
    layer = net.recommended_layer().name
    result = cs.explain(net, noise(4), 2)
    with torch.no_grad():
        maps = cs.record(net, noise(4), [layer])[layer].double()
    alpha = torch.zeros(maps.shape[1], dtype=torch.float64)
    eps = 1e-2
    for channel in range(maps.shape[1]):
        delta = torch.zeros_like(maps)
        delta[:, channel] = eps
        alpha[channel] = (_pushed(net, layer, maps + delta) - _pushed(net, layer, maps - delta)) / (2 * eps)
    alpha /= maps.shape[2] * maps.shape[3]
    expected = (alpha.view(1, -1, 1, 1) * maps).sum(1)[0].relu().numpy()
    assert np.abs(result.arrays["coarse"] - expected).max() < 0.03 * max(expected.max(), 1e-3)


def _pushed(net: cs.Network, layer: str, maps: Tensor) -> float:
    """The score of class 2 with these maps at a layer."""
    with torch.no_grad():
        return float(record(net, noise(4), [SCORES_TAP], replaced={Tap(layer): maps.float()}).scores[0, 2])


class Planted(nn.Module):
    """Class 1 is the amount of red, averaged over the picture in cells of 8 pixels: its evidence is where red is."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.AvgPool2d(8)
        self.colour = nn.Conv2d(3, 2, 1, bias=False)
        self.act = nn.ReLU()
        self.colour.weight.data = torch.tensor([[0.0, 1.0, 0.0], [1.0, -0.5, -0.5]]).view(2, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.colour(self.cells(x))).mean((2, 3)) * 3


@pytest.mark.parametrize("size", [32, 40, 56])
def test_planted_evidence_is_found_in_its_own_cell(size: int) -> None:
    """In closed form: the map is 3/cells times the red of each cell, and its peak lies over the planted square."""
    net = cs.load_model(Planted(), input=cs.InputSpec(size=size, range=(0, 1), mean=0.0, std=1.0))
    cells = size // 8
    for row in range(cells):
        for column in range(cells):
            picture = torch.zeros(1, 3, size, size)
            picture[0, 0, row * 8 : row * 8 + 8, column * 8 : column * 8 + 8] = 0.8
            result = cs.explain(net, picture, 1, layer="act")
            expected = np.zeros((cells, cells))
            expected[row, column] = 0.8 * 3 / cells**2
            assert np.allclose(result.arrays["coarse"], expected, atol=1e-6)
            y, x = np.unravel_index(result.arrays["map"].argmax(), (size, size))
            assert (y // 8, x // 8) == (row, column)


def test_a_map_of_a_neuron_and_of_a_difference() -> None:
    net = shared("plain")
    for target in ("conv2:3@4,5", "conv2:3", "class:ant - 0.5*class:bee", "p:eel"):
        assert cs.explain(net, noise(), target, layer="relu1").arrays["map"].max() > 0
    both = cs.explain(net, noise(), "class:ant - 0.5*class:bee", signed=True).arrays["coarse"]
    ant, bee = (cs.explain(net, noise(), f"class:{name}", signed=True).arrays["coarse"] for name in ("ant", "bee"))
    assert np.allclose(both, ant - 0.5 * bee, atol=1e-6)


def test_without_a_target_the_first_guess_is_explained() -> None:
    net = shared("residual")
    guess = net.predict(noise())[0][0]
    result = cs.explain(net, noise())
    assert result.facts["class"] == guess.index
    assert float(result.arrays["score"]) == pytest.approx(guess.score, abs=1e-6)
    assert np.array_equal(result.arrays["map"], cs.explain(net, noise(), guess.index).arrays["map"])


def test_what_cannot_be_explained_says_so() -> None:
    net = shared("plain")
    with pytest.raises(cs.ConvscopeError, match=r"the layer 'head' has no positions .*'relu2'"):
        cs.explain(net, noise(), layer="head")
    with pytest.raises(cs.ConvscopeError, match="conv1:2 does not depend on: give an earlier layer"):
        cs.explain(net, noise(), "conv1:2", layer="conv2")
    with pytest.raises(cs.ConvscopeError, match=r"tv\(\) reads the picture alone"):
        cs.explain(net, noise(), "tv()")
    with pytest.raises(cs.ConvscopeError, match="no class named 'tigercat'; near matches: tiger cat"):
        cs.explain(net, noise(), "class:tigercat")
    with pytest.raises(cs.ConvscopeError, match="class 5 is not there; this network has classes 0 to 4"):
        cs.explain(net, noise(), 5)


def test_one_forward_pass_is_enough() -> None:
    net = cs.load_model(seeded(MODULES["residual"]), input=SPEC, labels=LABELS)
    net.layers()
    runs: list[int] = []
    net.adapter.modules()["stem"].register_forward_hook(lambda *_: runs.append(1))
    cs.explain(net, noise())
    assert len(runs) == 1


def test_nothing_below_the_layer_is_entered_on_the_way_back() -> None:
    net = network("plain")
    entered: list[str] = []
    net.adapter.modules()["conv1"].register_full_backward_hook(lambda *_: entered.append("conv1"))
    cs.explain(net, noise(), 0, layer="conv2")
    assert not entered


def test_enlarging_keeps_the_centre_of_each_cell() -> None:
    coarse = torch.arange(9.0).view(1, 3, 3)
    fine = enlarge(coarse, (15, 15))[0]
    assert torch.allclose(fine[2::5, 2::5], coarse[0], atol=1e-6)


@pytest.mark.parametrize("method", ["grad_cam", "grad_cam_pp", "layer_cam", "hires_cam"])
@pytest.mark.parametrize("kind", ["plain", "inplace", "residual", "keras"])
def test_a_map_is_the_sum_of_those_of_its_channels(kind: str, method: str) -> None:
    """Signed maps are linear in the channels: parts that make up all add up to the whole."""
    net = network(kind)
    layer = net.recommended_layer().name
    count = net.layer(layer).channels

    def of(**options: object) -> np.ndarray:
        return cs.explain(net, noise(3), 1, method=method, signed=True, **options).arrays["coarse"]  # type: ignore[arg-type]

    whole = of()
    parts = of(channels=range(0, 3)) + of(channels=range(3, count))
    assert np.abs(parts - whole).max() <= 1e-5 * max(1.0, np.abs(whole).max())
    assert np.allclose(of(top=count), whole, atol=1e-6)
    alone = cs.explain(net, noise(3), 1, method=method, signed=True, top=1)  # type: ignore[arg-type]
    (best,) = alone.facts["channels"]
    assert np.array_equal(alone.arrays["coarse"], of(channels=[best]))
    assert alone.facts["subtitle"].startswith(("Grad", "Layer", "HiRes"))
    assert f"1 of {count} channels" in alone.facts["subtitle"]


def test_rankings_by_hand() -> None:
    from convscope.attribution.channels import ChannelChoice

    activations = torch.tensor([3.0, 0.0, 1.0, 2.0]).view(1, 4, 1, 1).expand(1, 4, 2, 2)
    weights = torch.tensor([0.1, 9.0, -5.0, 1.0]).view(1, 4, 1, 1)
    ranked = {
        ("contribution", False): [3, 0, 1, 2], ("contribution", True): [2, 3, 0, 1],
        ("weight", False): [1, 3, 0, 2], ("weight", True): [1, 2, 3, 0], ("activation", False): [0, 3, 2, 1],
    }  # fmt: skip
    for (ranking, signed), order in ranked.items():
        for top in range(1, 5):
            chosen = ChannelChoice(top=top, ranking=ranking)  # type: ignore[arg-type]
            assert chosen.of(activations, weights, signed, "l") == order[:top], (ranking, signed)
    assert ChannelChoice((2, 0, 2), 1).of(activations, weights, False, "l") == [0]
    assert ChannelChoice((2, 0)).of(activations, weights, False, "l") == [2, 0]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"channels": [12]}, "channels is 12; the layer 'relu2' has channels 0 to 11"),
        ({"channels": [-1]}, "channels is -1"), ({"channels": []}, "channels is empty"),
        ({"top": 0}, "top is 0; expected 1"),
        ({"top": 3, "method": "eigen_cam", "target": None}, "top is no option of eigen_cam"),
        ({"ranking": "weight", "method": "score_cam"}, "ranking is no option of score_cam"),
    ],
)  # fmt: skip
def test_channels_that_cannot_be_are_said(options: dict[str, object], told: str) -> None:
    with pytest.raises(cs.ConvscopeError, match=told):
        cs.explain(network("plain"), noise(1), **({"target": 1} | options))  # type: ignore[arg-type]


def test_score_cam_of_few_channels_looks_at_these_alone() -> None:
    net = network("plain")
    seen: list[int] = []
    found = cs.explain(net, noise(2), 1, method="score_cam", top=3, watch=lambda at: seen.append(at.total))
    assert set(seen) == {3}
    maps = cs.activations(net, noise(2), ["relu2"]).arrays["relu2"]
    assert found.facts["channels"] == maps.mean((1, 2)).argsort()[::-1][:3].tolist()
    same = cs.explain(net, noise(2), 1, method="score_cam", channels=found.facts["channels"])
    assert np.array_equal(found.arrays["map"], same.arrays["map"])


LAYER = "conv2"


def activations_and_gradient(net: cs.Network, picture: Tensor, layer: str, target: int) -> tuple[Tensor, Tensor]:
    recording = record(net, picture, [layer, "scores"], gradients=True)
    gradient = recording.gradients(recording.scores[:, target], [layer])
    return recording[layer].detach()[0], next(iter(gradient.values()))[0]


@pytest.mark.parametrize("method", ["grad_cam_pp", "layer_cam", "hires_cam"])
def test_cams_by_their_formulas(method: str) -> None:
    net, picture = network("plain"), noise(1)
    a, g = (x.double().numpy() for x in activations_and_gradient(net, picture, LAYER, 2))
    wanted = np.zeros(a.shape[1:])
    for k in range(len(a)):
        if method == "grad_cam_pp":
            weight = 0.0
            for y, x in np.ndindex(a.shape[1:]):
                below = 2 * g[k, y, x] ** 2 + a[k].sum() * g[k, y, x] ** 3
                weight += (g[k, y, x] ** 2 / below if g[k, y, x] else 0.0) * max(g[k, y, x], 0)
            wanted += weight * a[k]
        else:
            wanted += a[k] * (np.maximum(g[k], 0) if method == "layer_cam" else g[k])
    found = cs.explain(net, picture, 2, method=method, layer=LAYER, signed=True).arrays["coarse"]
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()
    shown = cs.explain(net, picture, 2, method=method, layer=LAYER).arrays["coarse"]
    assert np.abs(shown - np.maximum(wanted, 0)).max() <= 1e-5 * np.abs(wanted).max()
