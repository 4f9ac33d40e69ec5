"""What replay reads and fetches: what lies in the result's folder and below, and more only at the user's word."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convscope as cs
from tests.audit import Heard, hearing
from tests.networks import SIZE, keras_model, shared

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras, when it saves


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    """A picture in a folder of its own."""
    path = tmp_path / "photographs" / "cat.png"
    path.parent.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def replayed(path: Path, **given: object) -> Heard:
    """What a replay opened, by a network that is at hand."""
    with hearing() as heard:
        cs.replay(path, **{"net": shared("plain")} | given)  # type: ignore[arg-type]
    assert heard.connected == []
    return heard


def refused(path: Path, match: str, untouched: Path, **given: object) -> None:
    """The replay is refused in one line, and a file was not opened."""
    with hearing() as heard, pytest.raises(cs.ConvscopeError, match=match) as told:
        cs.replay(path, **{"net": shared("plain")} | given)  # type: ignore[arg-type]
    assert len(str(told.value).splitlines()) == 1
    assert heard.connected == []
    assert [file for file in heard.opened if os.path.realpath(file) == os.path.realpath(untouched)] == []


def test_pictures_outside_the_folder_of_the_result_need_a_word(tmp_path: Path, cat: Path) -> None:
    path = cs.explain(shared("plain"), cat, 0).save(tmp_path / "out" / "cam.png")
    refused(path, r"outside the folder of the result .*--image.*--files", cat)
    assert str(cat) in replayed(path, files=True).opened
    assert str(cat) in replayed(path, image=cat).opened


@pytest.mark.parametrize("place", ["out/cat.png", "out/photographs/cat.png", "out/a/b/cat.png"])
def test_pictures_in_the_folder_and_below_do_not(place: str, tmp_path: Path, cat: Path) -> None:
    (tmp_path / place).parent.mkdir(parents=True)
    shutil.copy(cat, tmp_path / place)
    path = cs.explain(shared("plain"), tmp_path / place, 0).save(tmp_path / "out" / "cam.png")
    assert str(tmp_path / place) in replayed(path).opened


def test_a_picture_of_that_name_beside_the_result_is_taken(tmp_path: Path, cat: Path) -> None:
    path = cs.explain(shared("plain"), cat, 0).save(tmp_path / "out" / "cam.png")
    shutil.copy(cat, tmp_path / "out" / "cat.png")
    assert str(cat) not in replayed(path).opened
    Image.new("RGB", (SIZE, SIZE)).save(tmp_path / "out" / "cat.png")
    refused(path, r"photograph '.*out/cat.png' is not that of the recipe \(expected SHA-256", cat)
    (tmp_path / "out" / "cat.png").write_text("no picture at all")
    refused(path, "is not that of the recipe", cat)  # by its bytes: it is not even opened as a picture


def test_one_s_own_result_by_relative_paths(tmp_path: Path, cat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(cat.parent)
    for given, out in (("cat.png", "cam.png"), (str(cat), "cam.npz")):
        path = cs.explain(shared("plain"), given, 0).save(out)
        replayed(path)


def test_a_folder_of_results_can_be_carried_elsewhere(
    tmp_path: Path, cat: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cs.explain(shared("plain"), "photographs/cat.png", 0).save("cam.png")
    shutil.copytree(tmp_path, tmp_path.parent / f"{tmp_path.name}-b")
    monkeypatch.chdir("/")
    replayed(tmp_path.parent / f"{tmp_path.name}-b" / "cam.png")


@pytest.mark.parametrize("way", ["file", "folder", "dots"])
def test_no_way_leads_out(way: str, tmp_path: Path, cat: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    told = {"file": out / "link.png", "folder": out / "inner" / "cat.png", "dots": out / ".." / "photographs/cat.png"}
    if way == "file":
        told[way].symlink_to(cat)
    elif way == "folder":
        told[way].parent.symlink_to(cat.parent)
    path = cs.explain(shared("plain"), told[way], 0).save(out / "cam.png")
    refused(path, "outside the folder of the result", cat)


def test_the_folder_of_the_result_may_itself_be_a_link(tmp_path: Path, cat: Path) -> None:
    (tmp_path / "link").symlink_to(cat.parent)
    path = cs.explain(shared("plain"), cat, 0).save(tmp_path / "link" / "cam.png")
    replayed(path)
    replayed(cat.parent / "cam.png")


def test_other_pictures_are_held_to_the_same_law(tmp_path: Path, cat: Path) -> None:
    net, beside = shared("plain"), shutil.copy(cat, tmp_path / "beside.png")
    made = cs.stylize(
        net, beside, [cat], size=64, steps=1, schedule="single", content_layers="conv2", style_layers="conv1"
    )
    refused(made.save(tmp_path / "out" / "s.png"), "photograph .* outside", cat)
    shutil.copy(beside, tmp_path / "out" / "beside.png")
    refused(tmp_path / "out" / "s.png", r"picture \(styles\) .* outside", cat)
    replayed(tmp_path / "out" / "s.png", files=True)


# --- networks ---------------------------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A saved network in a folder of its own."""
    path = tmp_path / "networks" / "mine.keras"
    path.parent.mkdir()
    keras_model().save(path)  # type: ignore[operator]
    return path


def saved(model: Path, out: Path) -> Path:
    spec = cs.InputSpec(size=SIZE, range=(0, 1))
    return cs.weights(cs.load_model(model, input=spec), "conv1").save(out)


def test_a_network_s_file_outside_needs_a_word(own: Path, tmp_path: Path) -> None:
    path = saved(own, tmp_path / "out" / "w.png")
    refused(path, "the network .*outside the folder of the result .*--model.*--files", own, net=None)
    for given in ({"files": True}, {"net": own}, {"net": str(own)}):
        again = cs.replay(path, **given)  # type: ignore[arg-type]
        assert again.recipe == cs.load_result(path).recipe
    shutil.copy(own, tmp_path / "out" / "mine.keras")
    assert cs.replay(path).recipe == cs.load_result(path).recipe


def test_a_network_s_file_in_the_folder_does_not(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(own.parent)
    assert cs.replay(saved(Path("mine.keras"), Path("w.npz"))).recipe.network["source"] == "mine.keras"


@pytest.mark.parametrize("word", [{}, {"files": True}, {"download": True}, {"trust": True}])
@pytest.mark.parametrize("name", ["secret.keras", ".keras"])
def test_a_prefix_before_a_path_leads_to_no_file(
    name: str, word: dict[str, bool], own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, path = shutil.copy(own, own.parent / name), saved(own, tmp_path / "out" / "w.npz")
    made = cs.load_result(path)
    looked: list[str] = []
    stat = os.stat

    def heard(file: object, *args: object, **kwargs: object) -> os.stat_result:
        looked.append(str(file))
        return stat(file, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.chdir(path.parent)
    for told in (f"keras:{secret}", f"keras:../networks/{name}", f"keras:keras:{secret}"):
        made.recipe.network["source"] = told
        made.save(path)
        with monkeypatch.context() as patched:
            patched.setattr(os, "stat", heard)
            refused(path, "the network 'keras:.* is not here|has keras: before a file", secret, net=None, **word)
    real = os.path.realpath(secret)
    assert [file for file in looked if os.path.realpath(file) == real] == []


def test_a_prefix_takes_names_alone(own: Path) -> None:
    with pytest.raises(cs.ConvscopeError, match=r"has keras: before a file; expected a name .*or the file alone"):
        cs.load_model(f"keras:{own}")


def test_nothing_is_downloaded_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path / "keras"))
    net = cs.load_model("keras:MobileNet", weights="none")
    made = cs.weights(net, "conv1")
    cs.replay(made.save(tmp_path / "random.npz"))
    made.recipe.network["options"].clear()  # with the weights of ImageNet
    path = made.save(tmp_path / "w.npz")
    refused(
        path,
        r"weights of keras:MobileNet are not here \(mobilenet.*h5\) .*--download.*--model",
        path / "none",
        net=None,
    )
    asked: list[str] = []

    def fetched(url: str, *_: object) -> None:
        asked.append(url)
        raise OSError("no network in tests")

    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", fetched)
    with pytest.raises(cs.ConvscopeError, match="recipe's network cannot be loaded"):
        cs.replay(path, download=True)
    with pytest.raises(cs.ConvscopeError, match="recipe's network cannot be loaded"):
        cs.replay(path, net="keras:MobileNet")
    assert len(asked) == 2
    with pytest.raises(cs.ConvscopeError, match="are not here"):
        cs.replay(path)
    assert len(asked) == 2


def test_a_weights_file_outside_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = cs.weights(cs.load_model("keras:MobileNet", weights="none"), "conv1")
    secret = tmp_path / "secret.weights.h5"
    secret.write_bytes(b"secret")
    made.recipe.network["options"]["weights"] = str(secret)
    path = made.save(tmp_path / "out" / "w.npz")
    refused(path, "the weights file .* outside the folder of the result", secret, net=None)


def test_a_network_that_is_not_here_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVSCOPE_CACHE", str(tmp_path / "cache"))
    made = cs.weights(cs.load_model("vgg16_hed", weights="none"), "block1_conv1")
    made.recipe.network["options"].clear()
    path = made.save(tmp_path / "w.npz")
    refused(path, "cannot be loaded: vgg16_hed is not here yet: bring it with", path / "none", net=None)


def test_weights_in_keras_s_own_cache_are_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import h5py
    from keras.src.legacy.saving import legacy_h5_format

    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path / "keras"))
    net = cs.load_model("keras:MobileNet", weights="none")
    place = tmp_path / "keras" / "models" / "mobilenet_1_0_224_tf.h5"
    place.parent.mkdir(parents=True)
    with h5py.File(place, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, net.adapter.root)
    made = cs.weights(net, "conv1")
    made.recipe.network["options"].clear()
    path = made.save(tmp_path / "out" / "w.npz")
    with hearing() as heard:
        again = cs.replay(path)
    assert np.array_equal(again.arrays["weights"], made.arrays["weights"])
    assert heard.connected == []
