"""What counts as the end of a network: a softmax or sigmoid, module or function, whose output is the network's own."""

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import convscope as cs
from tests.networks import SPEC, noise, seeded


class Excited(nn.Module):
    """A gate of sigmoids inside, plain logits at the end."""

    def __init__(self, channels: int = 128, classes: int = 128, again: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 3)
        self.squeeze, self.sig = nn.Linear(channels, channels), nn.Sigmoid()
        self.head = nn.Linear(channels, classes)
        self.again = again

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        gate = self.sig(self.squeeze(y.mean((2, 3))))
        y = self.head((y * gate[:, :, None, None]).mean((2, 3)))
        return self.sig(y) if self.again else y


@pytest.mark.parametrize("size", [8, 64, 128, 1000])
def test_a_gate_is_no_head(size: int) -> None:
    for _ in range(5):  # memory that is given back may be taken again for the output
        net = cs.load_model(seeded(lambda: Excited(size, size)), input=SPEC)
        assert net._runner.trace.heads == {}
        x = noise()
        with torch.no_grad():
            wanted = net.adapter.root.eval()(net.spec.preprocess(x))
        assert torch.allclose(cs.record(net, x, ["scores"]).scores, wanted, atol=1e-6)


def test_of_a_module_that_is_gate_and_head_only_the_last_call_is_the_head() -> None:
    net = cs.load_model(seeded(lambda: Excited(8, 4, again=True)), input=SPEC)
    x = noise()
    with torch.no_grad():
        wanted = net.adapter.root.eval()(net.spec.preprocess(x))
    found = cs.record(net, x, ["scores"])
    assert torch.allclose(found.probabilities, wanted, atol=1e-6)
    assert torch.allclose(found.scores, torch.logit(wanted), atol=1e-4)


class Ends(nn.Module):
    """A network that ends in a function."""

    def __init__(self, end: object, classes: int) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8, classes)
        self.end = end

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.head(self.conv(x).mean((2, 3))))  # type: ignore[operator, no-any-return]


SIGMOIDS = [torch.sigmoid, F.sigmoid, lambda y: y.sigmoid(), lambda y: torch.sigmoid(y).view(y.shape)]
SOFTMAXES = [lambda y: torch.softmax(y, 1), lambda y: F.softmax(y, dim=1), lambda y: y.softmax(-1)]


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize("end", SIGMOIDS)
def test_a_functional_sigmoid_is_seen(end: object, classes: int) -> None:
    net = cs.load_model(seeded(lambda: Ends(end, classes)), input=SPEC)
    x = noise()
    with torch.no_grad():
        wanted = net.adapter.root.eval()(net.spec.preprocess(x))
    found = cs.record(net, x, ["scores"])
    assert torch.allclose(found.probabilities, wanted, atol=1e-6)
    assert torch.allclose(found.scores, torch.logit(wanted), atol=1e-4)
    assert any("log-odds" in note for note in net.notes)
    assert any("log-odds" in note for note in cs.explain(net, x[0], 0).notes)


@pytest.mark.parametrize("end", SOFTMAXES)
def test_a_functional_softmax_is_seen(end: object) -> None:
    net = cs.load_model(seeded(lambda: Ends(end, 3)), input=SPEC)
    x = noise()
    with torch.no_grad():
        wanted = net.adapter.root.eval()(net.spec.preprocess(x))
    assert torch.allclose(cs.record(net, x, ["scores"]).probabilities, wanted, atol=1e-6)
    assert any("logarithms" in note for note in net.notes)


def test_what_is_done_after_a_sigmoid_makes_it_no_head() -> None:
    net = cs.load_model(seeded(lambda: Ends(lambda y: torch.sigmoid(y).mul_(2).sub_(1), 3)), input=SPEC)
    assert not net.ends_in_probabilities
    assert net.notes == ()


class Draws(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(self.conv(x), 0.5).mean((2, 3))


def test_a_network_that_draws_random_numbers_draws_the_same_and_says_so() -> None:
    net = cs.load_model(seeded(Draws), input=SPEC)
    maps = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        result = cs.explain(net, noise()[0], 0)
        assert torch.equal(torch.get_rng_state(), before)
        maps.append(result.arrays["map"])
    assert np.array_equal(*maps)
    assert any("draws random numbers" in note for note in result.notes)
    assert not any("random" in note for note in cs.load_model(seeded(lambda: Excited(8, 4)), input=SPEC).notes)


def test_two_handles_on_one_module_take_turns() -> None:
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8 * 30 * 30, 3))
    before = module[1].running_mean.clone()  # type: ignore[union-attr, operator]
    module.train()
    nets = [cs.load_model(module, input=SPEC) for _ in range(2)]

    def work(net: cs.Network) -> None:
        for _ in range(30):
            cs.record(net, noise(), ["scores"])

    threads = [threading.Thread(target=work, args=(net,)) for net in nets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert torch.equal(module[1].running_mean, before)  # type: ignore[arg-type]
    assert module.training


@pytest.mark.parametrize(
    "end",
    [lambda y: F.log_softmax(y, 1), lambda y: torch.log_softmax(y, -1), lambda y: y.log_softmax(1).view(y.shape)],
)
def test_a_functional_log_softmax_is_seen_and_said(end: object) -> None:
    net = cs.load_model(seeded(lambda: Ends(end, 3)), input=SPEC)
    x = noise()
    with torch.no_grad():
        wanted = net.adapter.root.eval()(net.spec.preprocess(x))
    found = cs.record(net, x, ["scores"])
    assert torch.allclose(found.scores, wanted, atol=1e-6)
    assert torch.allclose(found.probabilities, wanted.exp(), atol=1e-6)
    assert any("logarithms of probabilities alone" in note for note in net.notes)


def test_a_log_softmax_module_gives_its_logits() -> None:
    module = seeded(
        lambda: nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4), nn.LogSoftmax(1)
        )
    )
    net = cs.load_model(module, input=SPEC)
    with torch.no_grad():
        logits = module[:4].eval()(net.spec.preprocess(noise()))  # type: ignore[operator, index]
    found = cs.record(net, noise(), ["scores"])
    assert torch.allclose(found.scores, logits, atol=1e-6)
    assert torch.allclose(found.probabilities, logits.softmax(1), atol=1e-6)
    assert net.notes == ()


def test_log_sigmoids_give_their_log_odds() -> None:
    net = cs.load_model(seeded(lambda: Ends(F.logsigmoid, 3)), input=SPEC)
    with torch.no_grad():
        wanted = net.adapter.root.eval()(net.spec.preprocess(noise()))
    found = cs.record(net, noise(), ["scores"])
    assert torch.allclose(found.probabilities, wanted.exp(), atol=1e-5)
    assert any("log-odds" in note for note in net.notes)


def test_several_classes_may_be_true_at_once_if_the_user_says_so() -> None:
    plain = cs.load_model(seeded(lambda: Ends(lambda y: y, 4)), input=SPEC)
    several = cs.load_model(seeded(lambda: Ends(lambda y: y, 4)), input=SPEC, output="sigmoid")
    scores = cs.record(plain, noise(), ["scores"]).scores
    assert torch.equal(cs.record(several, noise(), ["scores"]).scores, scores)
    guesses = {guess.index: guess.probability for guess in several.predict(noise()[0])[0]}
    assert [guesses[i] for i in range(4)] == pytest.approx(scores.sigmoid()[0].tolist(), abs=1e-6)
    assert sum(guess.probability for guess in plain.predict(noise()[0])[0]) == pytest.approx(1)
    assert float(cs.explain(several, noise()[0], "p:2").arrays["score"]) == pytest.approx(guesses[2], abs=1e-6)
    with pytest.raises(cs.ConvscopeError, match="no output named 'sigmoids'"):
        cs.load_model(seeded(lambda: Ends(lambda y: y, 4)), input=SPEC, output="sigmoids").predict(noise()[0])


def test_which_output_and_what_it_is_can_both_be_said() -> None:
    net = cs.load_model(seeded(lambda: Ends(lambda y: (y, y * 2), 3)), input=SPEC, output=(1, "sigmoid"))
    with torch.no_grad():
        wanted = net.adapter.root.eval()(net.spec.preprocess(noise()))[1]
    assert torch.allclose(cs.record(net, noise(), ["scores"]).probabilities, wanted.sigmoid(), atol=1e-6)


@pytest.mark.parametrize(
    ("end", "classes"),
    [
        (lambda y: y.squeeze(1), 1), (lambda y: y[:, 0], 1), (lambda y: y.squeeze(), 1), (lambda y: y.squeeze(), 4),
        (lambda y: y[:, :, None, None], 4), (lambda y: y[..., None], 4), (lambda y: y.sigmoid().squeeze(1), 1),
    ],
)  # fmt: skip
def test_scores_in_other_shapes(end: object, classes: int) -> None:
    net = cs.load_model(seeded(lambda: Ends(end, classes)), input=SPEC)
    assert net.classes == classes
    plain = cs.load_model(seeded(lambda: Ends(lambda y: y, classes)), input=SPEC)
    for pictures in (noise(), noise(n=3)):
        found = cs.record(net, pictures, ["scores"]).scores
        assert torch.allclose(found, cs.record(plain, pictures, ["scores"]).scores, atol=1e-5)
    assert len(net.predict(noise()[0])[0]) == classes
    assert np.isfinite(cs.explain(net, noise()[0], 0).arrays["map"]).all()


def test_two_labels_of_one_sigmoid() -> None:
    module = seeded(lambda: Ends(torch.sigmoid, 1))
    net = cs.load_model(module, input=SPEC, labels=["hand", "machine"])
    with torch.no_grad():
        share = float(module.eval()(net.spec.preprocess(noise()))[0, 0])
    assert net.classes == 2
    guesses = {guess.label: guess.probability for guess in net.predict(noise()[0])[0]}
    assert guesses == {"machine": pytest.approx(share, abs=1e-6), "hand": pytest.approx(1 - share, abs=1e-6)}
    first, second = (cs.explain(net, noise()[0], f"class:{name}", signed=True).arrays["map"] for name in guesses)
    assert np.allclose(first, -second, atol=1e-6)
    with pytest.raises(cs.ConvscopeError, match="two for the one sigmoid"):
        _ = cs.load_model(module, input=SPEC, labels=["a", "b", "c"]).classes


def test_eigen_cam_needs_no_classes() -> None:
    net = cs.load_model(seeded(lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 5, 3))), input=SPEC)
    found = cs.explain(net, noise()[0], method="eigen_cam", layer="1")
    assert "score" not in found.arrays
    assert found.arrays["coarse"].shape == (30, 30)
    assert found.image().width > 0
    classes = cs.load_model(seeded(lambda: Ends(lambda y: y, 3)), input=SPEC)
    assert "score" in cs.explain(classes, noise()[0], method="eigen_cam").arrays


class UNet(nn.Module):
    """Three depths, with connections that skip the deep ones, and a map of classes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 16, 3, 2, 1)
        self.deep, self.back = nn.Conv2d(16, 32, 3, 2, 1), nn.Conv2d(48, 16, 3, padding=1)
        self.last, self.out = nn.Conv2d(24, 8, 3, padding=1), nn.Conv2d(8, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        a = self.first(x).relu()
        b = self.second(a).relu()
        c = F.interpolate(self.deep(b).relu(), scale_factor=2)
        b = F.interpolate(self.back(torch.cat([b, c], 1)).relu(), scale_factor=2)
        return self.out(self.last(torch.cat([a, b], 1)).relu())  # type: ignore[no-any-return]


def test_of_a_map_of_classes_the_deepest_layer_is_looked_at(tmp_path: Path) -> None:
    net = cs.load_model(seeded(UNet), input=SPEC)
    found = cs.explain(net, noise()[0], "out:1")
    assert found.facts["layer"] == "deep"
    assert found.arrays["coarse"].shape == (8, 8)
    assert any("paths go round it" in note for note in found.notes)
    assert "coarse" not in cs.explain(net, noise()[0], "out:1", layer="last").facts["subtitle"]
    with pytest.raises(
        cs.ConvscopeError, match=r"gives no class scores \(its output is 3x32x32\): ask .* such as out:0"
    ):
        net.predict(noise()[0])
    cs.report(net, noise()[0], tmp_path, filters=1, filter_steps=1, class_steps=1)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "tells no classes apart" in page
    assert "What the filters look for" in page
