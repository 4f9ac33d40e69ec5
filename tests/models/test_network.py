"""The handle: classes, labels, probabilities, the hash of the weights."""

import pytest
import torch
from torch import Tensor, nn

import convscope as cs
from tests.networks import LABELS, MODULES, SPEC, Plain, network, noise, seeded, shared


def headed(end: nn.Module | None, classes: int, labels: list[str] | None = None) -> tuple[cs.Network, nn.Module]:
    """A network with so many scores and such an end, and the same without the end."""
    body = seeded(lambda: nn.Sequential(nn.Conv2d(3, classes, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())).eval()
    whole = body if end is None else nn.Sequential(body, end)
    return cs.load_model(whole, input=SPEC, labels=labels), body


@pytest.mark.parametrize("classes", [1, 4])
@pytest.mark.parametrize("end", [None, "softmax", "sigmoid"])
def test_logits_and_probabilities_of_every_end(end: str | None, classes: int) -> None:
    if end == "softmax" and classes == 1:
        return  # always 1: no network
    net, body = headed({"softmax": nn.Softmax(1), "sigmoid": nn.Sigmoid(), None: None}[end], classes)
    with torch.no_grad():
        logits = body(SPEC.preprocess(noise()))
    sigmoid = end == "sigmoid" or classes == 1
    expected = logits.sigmoid() if sigmoid else logits.softmax(1)
    for guess in net.predict(noise(), top=classes)[0]:
        assert guess.score == pytest.approx(float(logits[0, guess.index]), abs=1e-6)
        assert guess.probability == pytest.approx(float(expected[0, guess.index]), abs=1e-6)
        reached = cs.explain(net, noise(), cs.probability(guess.index)).arrays["score"]
        assert float(reached) == pytest.approx(guess.probability, abs=1e-6)


def test_a_keras_sigmoid_is_taken_off() -> None:
    import keras

    keras.utils.set_random_seed(0)
    start = keras.layers.Input((32, 32, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, activation="relu")(start))
    model = keras.Model(start, keras.layers.Dense(1, activation="sigmoid", name="hand_made")(x))
    net = cs.load_model(model, input=SPEC, labels=["hand_made"])
    guess = net.predict(noise())[0][0]
    with torch.no_grad():
        told = float(model(SPEC.preprocess(noise()).permute(0, 2, 3, 1), training=False))
    assert guess.probability == pytest.approx(told, abs=1e-6)
    assert guess.score == pytest.approx(float(torch.logit(torch.tensor(told))), abs=1e-4)


def test_predictions_are_ranked_and_labelled() -> None:
    net = network("plain")
    guesses = net.predict([noise(0), noise(1)], top=3)
    with torch.no_grad():
        logits = net.adapter.root.eval()(SPEC.preprocess(torch.cat([noise(0), noise(1)])))
    for row, best in zip(logits, guesses, strict=True):
        assert [guess.index for guess in best] == row.argsort(descending=True)[:3].tolist()
        assert [guess.label for guess in best] == [LABELS[guess.index] for guess in best]
    with pytest.raises(cs.ConvscopeError, match="top is 0; expected at least 1"):
        net.predict(noise(), top=0)
    with pytest.raises(cs.ConvscopeError, match="no picture was given"):
        net.predict([])


def test_labels_that_do_not_fit_are_told() -> None:
    net, _ = headed(None, 4, ["a", "b"])
    with pytest.raises(cs.ConvscopeError, match="2 labels were given; Sequential has 4 class scores"):
        net.predict(noise())
    with pytest.raises(cs.ConvscopeError, match="2 labels were given"):
        cs.explain(net, noise(), "class:a")


def test_the_hash_follows_the_weights() -> None:
    net = network("residual")
    before = net.weights_hash()
    assert net.weights_hash() == before == network("residual").weights_hash()
    with torch.no_grad():
        next(net.adapter.root.parameters()).add_(1e-3)
    changed = net.weights_hash()
    assert changed != before
    net.adapter.root.bn1.running_mean.zero_()
    assert net.weights_hash() not in (before, changed)


def test_a_module_without_a_contract_says_what_to_give() -> None:
    with pytest.raises(
        cs.ConvscopeError, match=r"Plain runs on pictures of many sizes, and for which it was trained is unknown"
    ):
        cs.load_model(Plain())


def test_unknown_parts_of_the_contract_are_told_and_not_guessed() -> None:
    net = cs.load_model(seeded(Plain), input=cs.InputSpec(size=32))
    assert net.spec.unknown == ("range", "mean", "std")
    assert torch.equal(net.spec.preprocess(noise()), noise())
    assert "range, mean, std are unknown" in cs.explain(net, noise()).notes[0]
    assert cs.explain(shared("plain"), noise()).notes == ()


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (cs.InputSpec(size=1, range=(0, 1), mean=(0.5, 0.4, 0.3), std=(0.5, 0.2, 0.1)), (1.0, 0.5, -3.0)),
        (cs.InputSpec(size=1, range=(0, 255), mean=(10, 20, 30), std=1.0, order="BGR"), (-10.0, 107.5, 225.0)),
        (cs.InputSpec(size=1, range=(-1, 1), mean=0.0, std=1.0), (1.0, 0.0, -1.0)),
        (cs.InputSpec(size=1, range=(0, 255), mean=127.5, std=127.5), (1.0, 0.0, -1.0)),
    ],
)
def test_preprocessing_by_hand(spec: cs.InputSpec, expected: tuple[float, ...]) -> None:
    pixel = torch.tensor([1.0, 0.5, 0.0]).view(1, 3, 1, 1)
    assert spec.preprocess(pixel).flatten().tolist() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"size": 0}, "expected .* at least 1 pixel"),
        ({"size": 8, "range": (1.0, 0.0)}, "expected .* low < high"),
        ({"size": 8, "mean": (1.0, 2.0)}, "mean has 2 numbers; expected 3"),
        ({"size": 8, "std": 0.0}, "expected numbers above 0"),
        ({"size": 8, "channels": 1, "order": "BGR"}, "BGR needs 3"),
        ({"size": 8, "channels": 0}, "channels is 0"),
    ],
)
def test_contracts_that_cannot_be(options: dict[str, object], said: str) -> None:
    with pytest.raises(cs.ConvscopeError, match=said):
        cs.InputSpec(**options)  # type: ignore[arg-type]


def test_a_fixed_size_is_held() -> None:
    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4 * 30 * 30, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.conv(x).flatten(1))

    net = cs.load_model(seeded(Flat), input=SPEC)
    made = cs.visualize(net, "class:1", steps=2)
    assert made.facts["transform"]["size"] == (32, 32)
    assert cs.visualize(net, "class:1", steps=2, size=48).arrays["images"].shape == (1, 48, 48, 3)
    fixed = cs.load_model(net.adapter.root, input=cs.InputSpec(size=32, fixed_size=True))
    with pytest.raises(cs.ConvscopeError, match="runs at 32x32 pixels alone; given 16x16"):
        cs.record(fixed, noise(size=16), ["conv"])


@pytest.mark.parametrize("kind", MODULES)
def test_a_notebook_shows_the_network_and_its_results(kind: str) -> None:
    net = shared(kind)
    shown = net._repr_html_()
    assert all(f"<td>{layer.name}</td>" in shown for layer in net.layers())
    result = cs.explain(net, noise())
    assert result._repr_html_().count("data:image/") == 1  # a notebook holds one copy of each picture
    assert not hasattr(result, "_repr_png_")
    printed = repr(net.layers()).splitlines()
    assert len(printed) == len(net.layers()) + 1
    assert printed[0].split() == ["layer", "kind", "output", "params", "stride", "field"]
    assert net.layers()._repr_html_().count("<tr>") == len(printed)
