"""compare: the same maps as explain gives, on the scale that is said; names for all networks; what goes wrong."""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest

import convscope as cs
from convscope.errors import Stopped
from convscope.models.catalogue import known_sources
from convscope.results.board import Board
from tests.networks import LABELS, MODULES, SPEC, network, noise, seeded


def test_a_board_holds_the_maps_of_explain() -> None:
    nets = [network("plain"), network("residual")]
    methods = ["grad_cam", "saliency", "occlusion patch=8 stride=8 value=black", "eigen_cam"]
    board = cs.compare(nets, noise(2), ["class:bee", "class:eel"], methods=methods)
    assert board.arrays["maps"].shape == (2, 4, 2, 32, 32)
    for n, net in enumerate(nets):
        for t, target in enumerate(("class:bee", "class:eel")):
            of = [
                cs.explain(net, noise(2), target), cs.explain(net, noise(2), target, method="saliency"),
                cs.explain(net, noise(2), target, method="occlusion", patch=8, stride=8, value="black"),
                cs.explain(net, noise(2), method="eigen_cam"),
            ]  # fmt: skip
            for m, one in enumerate(of):
                assert np.array_equal(board.arrays["maps"][n, m, t], one.arrays["map"])
            assert board.arrays["values"][n, t] == of[0].arrays["score"]
    assert board.facts["titles"] == ["bee", "eel"]
    assert [method["title"] for method in board.facts["methods"]][2] == "occlusion (patch=8 stride=8 value=black)"
    board.image()


@pytest.mark.parametrize(
    ("scale", "alike"),
    [
        ("method", {(0, 0, 0), (0, 0, 1), (1, 0, 0), (1, 0, 1)}),
        ("network", {(0, 0, 0), (0, 0, 1)}),
        ("each", {(0, 0, 0)}),
    ],
)
def test_which_maps_share_a_scale(scale: str, alike: set[tuple[int, int, int]]) -> None:
    board = cs.compare(
        [network("plain"), network("residual")], noise(2), [1, 2], methods=["grad_cam", "layer_cam"], scale=scale
    )  # type: ignore[arg-type]
    assert isinstance(board, Board)
    low, high, _ = board._scale(0, 0, 0)
    assert low == 0
    assert high == pytest.approx(max(float(board.arrays["maps"][at].max()) for at in alike))


def test_ranks_are_shares_of_colder_pixels() -> None:
    board = cs.compare(network("plain"), noise(2), [1], methods=["input_x_gradient", "grad_cam"], scale="rank")
    for m in range(2):
        values, drawn = board.arrays["maps"][0, m, 0].ravel(), board._drawn(0, m, 0).ravel()  # type: ignore[attr-defined]
        for pixel in (0, 77, 500, int(values.argmax())):
            share = ((values < values[pixel]).sum() + 0.5 * (values == values[pixel]).sum()) / values.size
            assert drawn[pixel] == pytest.approx(share)
    assert board._scale(0, 0, 0) == board._scale(0, 1, 0) == (0.0, 1.0, "viridis")  # type: ignore[attr-defined]


def test_guesses_are_found_by_name_in_networks_with_other_numbers() -> None:
    turned = cs.load_model(seeded(MODULES["plain"]), input=SPEC, labels=LABELS[::-1])
    net = network("plain")
    board = cs.compare([net, turned], noise(2), guesses=2, methods=["grad_cam"])
    first = net.predict(noise(2), top=2)[0]
    assert board.facts["titles"] == [guess.label for guess in first]
    other = cs.explain(turned, noise(2), f"class:{first[0].label}")
    assert np.array_equal(board.arrays["maps"][1, 0, 0], other.arrays["map"])


def test_maps_of_larger_networks_come_to_the_first_ones_size() -> None:
    large = cs.load_model(seeded(MODULES["plain"]), input=cs.InputSpec(size=48, range=(0, 1), mean=0.45, std=0.25))
    picture = np.random.default_rng(0).random((60, 60, 3)).astype(np.float32)
    board = cs.compare([network("plain"), large], picture, [1], methods=["grad_cam"])
    assert board.arrays["maps"].shape == (2, 1, 1, 32, 32)
    wide = cs.load_model(seeded(MODULES["plain"]), input=cs.InputSpec(size=(32, 48), range=(0, 1), mean=0.45, std=0.25))
    with pytest.raises(cs.ConvscopeError, match="give fit='stretch'"):
        cs.compare([network("plain"), wide], picture, [1], methods=["grad_cam"])
    cs.compare([network("plain"), wide], picture, [1], methods=["grad_cam"], fit="stretch")


def test_the_page_holds_the_values(tmp_path: Path) -> None:
    board = cs.compare(network("plain"), noise(2), ["class:bee", 4], methods=["grad_cam", "input_x_gradient"])
    text = board.save(tmp_path / "b.html").read_text()
    assert not re.search(r"(src|href)=\"(?!data:)", text), "the page needs nothing else"
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])  # type: ignore[index]
    assert [len(row["cells"]) for row in data] == [2, 2]
    for m, row in enumerate(data):
        for t, cell in enumerate(row["cells"]):
            parts = np.frombuffer(base64.b64decode(cell["data"]), dtype="<u2").reshape(cell["rows"], cell["columns"])
            values = cell["least"] + parts / 65535 * (cell["most"] - cell["least"])
            assert np.abs(values - board.arrays["maps"][0, m, t]).max() <= 1e-4 * (cell["most"] - cell["least"])
            assert (cell["low"], cell["high"]) == pytest.approx((row["low"], row["high"]))
    assert text.count('class="tile"') == 4


def test_labels_cannot_write_into_the_page(tmp_path: Path) -> None:
    bad = cs.load_model(seeded(MODULES["plain"]), input=SPEC, labels=["</script><b>x", "b", "c", "d", "e"])
    text = cs.compare(bad, noise(2), [0], methods=["grad_cam"]).save(tmp_path / "b.html").read_text()
    assert "</script><b>" not in text


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"methods": ["grad_cma"]}, "near matches: grad_cam"), ({"methods": []}, "no method was given"),
        ({"methods": ["grad_cam patch=3"]}, "'patch=3' is no option of grad_cam"),
        ({"methods": ["occlusion patch"]}, "'patch' is no option of occlusion; expected some of signed, patch"),
        ({"methods": ["occlusion patch=x"]}, "expected pixels"),
        ({"targets": ["class:zebra"]}, "no class named 'zebra'"),
        ({"targets": list(range(5)) * 50}, "would have 750 maps"), ({"guesses": 0}, "guesses is 0"),
        ({"image": "no such.jpg"}, "no file"), ({"methods": ["grad_cam layer=head"]}, "has no positions"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said(options: dict[str, object], told: str) -> None:
    with pytest.raises(cs.ConvscopeError, match=told):
        cs.compare(network("plain"), options.pop("image", noise(1)), options.pop("targets", None), **options)  # type: ignore[arg-type]


def test_a_target_that_one_network_lacks_is_told_with_its_name() -> None:
    other = cs.load_model(seeded(MODULES["residual"]), input=SPEC, labels=["a", "b", "c", "d", "e"])
    with pytest.raises(cs.ConvscopeError, match="Residual: no class named 'bee'"):
        cs.compare([network("plain"), other], noise(1), "class:bee", methods="grad_cam")


def test_ctrl_c_stops_it() -> None:
    def watch(at: cs.Progress) -> None:
        if at.what == "comparing":
            raise KeyboardInterrupt

    with pytest.raises(Stopped, match="stopped after 1 of 9 maps"):
        cs.compare(network("plain"), noise(1), [0, 1, 2], watch=watch)


def test_it_replays_with_all_its_networks(tmp_path: Path, photograph: str, lite0: cs.Network) -> None:
    again_loaded = cs.load_model("efficientnet_lite0")
    assert "efficientnet_lite0" in known_sources()
    made = cs.compare([lite0, again_loaded], photograph, ["class:tabby", "blocks.4:3"], methods=["saliency"])
    again = cs.replay(made.save(tmp_path / "b.png"))
    assert np.array_equal(again.arrays["maps"], made.arrays["maps"])
    assert json.dumps(again.recipe.to_dict()) == json.dumps(made.recipe.to_dict())
    back = cs.load_result(made.save(tmp_path / "b.npz"))
    assert isinstance(back, Board)
    assert np.array_equal(np.asarray(back.image()), np.asarray(made.image()))
    assert back.page() == made.page()
