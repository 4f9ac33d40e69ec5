"""Networks and options that a newcomer tried: each works, or says in one line what is the matter."""

import json
import math
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

import convscope as cs
from convscope.cli.main import app
from tests.networks import SPEC, Plain, noise, seeded, shared


class Dense(nn.Module):
    """No convolution at all."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(3 * 32 * 32, 16), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.first(x.flatten(1)).relu())


class Segmenter(nn.Module):
    """A map of scores, not a score for each class."""

    def __init__(self) -> None:
        super().__init__()
        self.f, self.g = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.g(self.f(x).relu())


def test_a_network_without_positions(tmp_path: Path) -> None:
    net = cs.load_model(seeded(Dense), input=SPEC)
    cs.weights(net, "first").save(tmp_path / "w.png")
    assert cs.visualize(net, "class:2", steps=2).arrays["images"].shape == (1, 32, 32, 3)
    with pytest.raises(
        cs.ConvscopeError, match=r"Dense has no layer whose output has positions, which a heatmap needs"
    ):
        cs.explain(net, noise())
    cs.report(net, noise(), tmp_path, filters=2, filter_steps=2, class_steps=2)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Where it looks" not in text
    assert "What it would call the perfect" in text


def test_a_network_without_class_scores() -> None:
    net = cs.load_model(seeded(Segmenter), input=SPEC)
    assert set(cs.activations(net, noise()).arrays) == {"input", "f", "g"}
    assert cs.visualize(net, "f:2", steps=2).arrays["values"].shape == (1,)
    assert cs.explain(net, noise(), "g:1@3,4", layer="f").arrays["map"].shape == (32, 32)
    with pytest.raises(cs.ConvscopeError, match=r"gives no class scores \(its output is 4x32x32\): ask for a layer"):
        cs.explain(net, noise())


def test_scores_that_are_not_finite_are_told() -> None:
    module = seeded(Plain)
    module.head.weight.data.fill_(math.nan)  # type: ignore[union-attr, operator]
    net = cs.load_model(module, input=SPEC)
    for call in (lambda: net.predict(noise()), lambda: cs.explain(net, noise()), lambda: cs.visualize(net, "class:1")):
        with pytest.raises(cs.ConvscopeError, match=r"the class scores of Plain are not finite"):
            call()


@pytest.mark.parametrize("seed", [-1, 10**25])
def test_seeds_that_no_generator_takes(seed: int, tmp_path: Path) -> None:
    with pytest.raises(cs.ConvscopeError, match=r"seed is .*; expected 0 to"):
        cs.visualize(shared("plain"), "conv1:0", seed=seed)
    with pytest.raises(cs.ConvscopeError, match=r"seed is .*; expected 0 to"):
        cs.report(shared("plain"), noise(), tmp_path, seed=seed)


def test_a_report_says_at_once_where_it_cannot_go(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for out in ("file", "cat.pdf"):
        with pytest.raises(cs.ConvscopeError, match=r"a report is written to a folder or an .html file; given"):
            cs.report(shared("plain"), noise(), tmp_path / out)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_class_asked_for_as_a_layer_is_understood() -> None:
    with pytest.raises(cs.ConvscopeError, match=r"no layer named 'bee'.* A class is asked for as class:bee"):
        cs.visualize(shared("plain"), "bee")


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_scripted_modules_are_refused_by_name() -> None:
    with pytest.raises(cs.ConvscopeError, match=r"a scripted or traced module was given"):
        cs.load_model(torch.jit.trace(seeded(Plain).eval(), noise()), input=SPEC)


def test_titles_have_the_names_of_classes() -> None:
    result = cs.explain(shared("plain"), noise(), "class:bee - 0.5*class:tiger cat", signed=True)
    assert result.facts["title"].partition(" · value ")[0] == "bee - 0.5*tiger cat"


@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_a_keras_file_is_read_in_safe_mode(tmp_path: Path) -> None:
    import keras

    start = keras.layers.Input((32, 32, 3))
    plain = keras.Model(start, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(start)))
    plain.save(tmp_path / "plain.keras")
    net = cs.load_model(tmp_path / "plain.keras")
    assert net.spec.unknown == ("range", "mean", "std")
    assert net.predict(noise())[0][0].label in "012"
    odd = keras.Model(start, keras.layers.GlobalAveragePooling2D()(keras.layers.Lambda(lambda x: x * 2)(start)))
    odd.save(tmp_path / "odd.keras")
    with pytest.raises(cs.ConvscopeError, match=r"holds code of its own .*--trust"):
        cs.load_model(tmp_path / "odd.keras")
    assert cs.load_model(tmp_path / "odd.keras", trust=True).classes == 3
    (tmp_path / "text.keras").write_text("hello")
    with pytest.raises(cs.ConvscopeError, match=r"is no \.keras file"):
        cs.load_model(tmp_path / "text.keras")


@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_a_keras_file_replays(tmp_path: Path) -> None:
    import keras

    keras.utils.set_random_seed(1)
    start = keras.layers.Input((32, 32, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(start)
    x = keras.layers.Conv2D(4, 3, activation="relu", name="see")(x)
    keras.Model(start, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x))).save(tmp_path / "own.keras")
    net = cs.load_model(tmp_path / "own.keras", labels=["a", "b", "c"])
    assert net.spec.range == (0.0, 255.0)
    result = cs.visualize(net, ["see:1", "class:b"], steps=3)
    result.save(tmp_path / "made.png")
    again = cs.replay(tmp_path / "made.png")
    assert again.image().tobytes() == result.image().tobytes()
    assert again.recipe == result.recipe


class Scalars(nn.Module):
    """A layer inside gives numbers whose order depends on their values."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.total, self.head = nn.Conv2d(3, 4, 3), Total(), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return self.head(y.mean((2, 3))) + self.total(y).mean((1, 2, 3))[:, None]  # type: ignore[no-any-return]


class Total(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1).sort(1).values.view(-1, 4, 30, 30)


def test_a_layer_that_cannot_be_shown_is_left_out_with_a_note() -> None:
    net = cs.load_model(seeded(Scalars), input=SPEC)
    result = cs.activations(net, noise()[0])
    assert set(result.arrays) == {"input", "conv", "head"}
    assert any("left out" in note and "total" in note for note in result.notes)
    with pytest.raises(cs.ConvscopeError, match="axes of the layer 'total' are unknown"):
        cs.activations(net, noise()[0], ["total"])


def test_titles_are_made_of_the_expression_and_not_of_its_text() -> None:
    module = nn.Sequential(
        OrderedDict(stem=nn.Sequential(OrderedDict(p=nn.Conv2d(3, 4, 3))), pool=Total2(), end=nn.Linear(4, 4))
    )
    net = cs.load_model(module, input=SPEC, labels=["a", "b", "c", "d"])
    made = cs.explain(net, noise()[0], "stem.p:3 - 2*class:1 + p:d", layer="stem.p")
    assert made.facts["title"].partition(" · value ")[0] == "stem.p:3 - 2*b + d"


class Total2(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_first_kernels_are_painted_in_their_own_colours(order: str) -> None:
    module = nn.Sequential(nn.Conv2d(3, 2, 3), Total2())
    with torch.no_grad():
        module[0].weight.zero_()  # type: ignore[union-attr, operator]
        module[0].weight[0, 0 if order == "RGB" else 2] = 1  # type: ignore[index]
    spec = cs.InputSpec(size=32, range=(0, 1), mean=0, std=1, order=order)  # type: ignore[arg-type]
    picture = np.asarray(cs.weights(cs.load_model(module, input=spec), "0").image()).reshape(-1, 3).astype(int)
    assert ((picture[:, 0] > 240) & (abs(picture[:, 1] - 128) < 3) & (abs(picture[:, 2] - 128) < 3)).any(), "red"
    assert not ((picture[:, 2] > 240) & (abs(picture[:, 0] - 128) < 3)).any(), "blue"


@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_the_state_of_random_generators_is_no_weight(tmp_path: Path) -> None:
    """Dropout and augmentation draw theirs anew at each load."""
    import keras

    keras.utils.set_random_seed(1)
    layers = keras.layers
    inner = keras.Sequential([layers.Input((30, 30, 4)), layers.BatchNormalization(), layers.SpatialDropout2D(0.5)])
    start = layers.Input((32, 32, 3))
    x = inner(layers.Conv2D(4, 3, name="see")(layers.RandomFlip()(start)))
    model = keras.Model(start, layers.Dense(3)(layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(x))))
    model.save(tmp_path / "art.keras")
    nets = [cs.load_model(tmp_path / "art.keras", input=cs.InputSpec(size=32, range=(0, 1))) for _ in range(3)]
    assert len({net.weights_hash() for net in nets}) == 1
    states = [{name for name in net.adapter.root.state_dict() if "seed_generator" in name} for net in nets]
    assert all(states), "there are such states"
    made = cs.explain(nets[0], np.full((32, 32, 3), 0.5, dtype=np.float32), 1)
    again = cs.replay(made.save(tmp_path / "a.npz"), image=np.full((32, 32, 3), 0.5, dtype=np.float32))
    assert np.array_equal(again.arrays["map"], made.arrays["map"])
    found = {layer.name: layer.parameters for layer in nets[0].layers() if layer.module}
    assert found == {layer.name: layer.count_params() for layer in model.layers[1:]} | {
        f"{inner.name}/{layer.name}": layer.count_params() for layer in inner.layers
    }
    told = CliRunner().invoke(app, ["layers", "--model", str(tmp_path / "art.keras"), "--json"])
    assert json.loads(told.stdout)["parameters"] == model.count_params() == 3 * 9 * 4 + 4 + 16 + 4 * 3 + 3


def test_the_hash_of_weights_stays_what_it_was() -> None:
    """Recipes of long ago hold it."""
    with torch.no_grad():
        module = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
        for number, value in enumerate(module.state_dict().values()):
            value.fill_(number)
    net = cs.load_model(module, input=cs.InputSpec(size=4, channels=1))
    assert net.weights_hash() == "4dd63ed5bacf5931198d271807b2c167d9a8fe087340f6814ac119419d93f86f"


@pytest.mark.parametrize("version", ["3.9.0", "3.12.1", "3.14.0"])
def test_a_keras_that_lets_files_read_others_is_refused(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keras.__version__", version)
    (tmp_path / "a.keras").write_bytes(b"PK")
    with pytest.raises(cs.ConvscopeError, match=rf"Keras {version} .* pip install 'keras>=3\.14\.1'"):
        cs.load_model(tmp_path / "a.keras")
    with pytest.raises(cs.ConvscopeError, match=r"keras>=3\.14\.1"):
        cs.load_model("keras:MobileNet", weights=str(tmp_path / "a.weights.h5"))


@pytest.mark.filterwarnings("ignore:__array__ implementation")
@pytest.mark.parametrize("kind", ["external data", "an external link", "virtual data"])
def test_no_weights_come_from_another_file(kind: str, tmp_path: Path) -> None:
    import h5py
    import keras

    keras.Sequential([keras.layers.Input((4, 4, 1)), keras.layers.Conv2D(1, 2)]).save(tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (tmp_path / "a.h5").write_bytes(members["model.weights.h5"])
    (tmp_path / "secret.raw").write_bytes(np.full(4, 43, np.float32).tobytes())
    with h5py.File(tmp_path / "secret.h5", "w") as other:
        other["x"] = np.full((2, 2, 1, 1), 43, np.float32)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        group = file["layers/conv2d/vars"]
        del group["0"]
        if kind == "external data":
            place = [(str(tmp_path / "secret.raw"), 0, h5py.h5f.UNLIMITED)]
            group.create_dataset("0", shape=(2, 2, 1, 1), dtype="float32", external=place)
        elif kind == "an external link":
            group["0"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/x")
        else:
            layout = h5py.VirtualLayout(shape=(2, 2, 1, 1), dtype="float32")
            layout[:] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "x", shape=(2, 2, 1, 1))
            group.create_virtual_dataset("0", layout)
    with zipfile.ZipFile(tmp_path / "b.keras", "w") as archive:
        for name, data in (members | {"model.weights.h5": (tmp_path / "a.h5").read_bytes()}).items():
            archive.writestr(name, data)
    with pytest.raises(cs.ConvscopeError, match="Not allowed"):
        cs.load_model(tmp_path / "b.keras", input=SPEC)
