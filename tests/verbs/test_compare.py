"""compare: the same maps as explain gives, on the scale that is said; names for all networks; what goes wrong."""

import base64
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import convscope as cs
from convscope.errors import Stopped
from convscope.results.board import Board
from tests.networks import LABELS, MODULES, SPEC, network, noise, seeded


def test_a_board_holds_the_maps_of_explain() -> None:
    nets = [network("plain"), network("residual")]
    methods = ["grad_cam", "saliency", "occlusion patch=8 stride=8 fill=black", "eigen_cam"]
    board = cs.compare(nets, noise(2), ["class:bee", "class:eel"], methods=methods)
    assert board.arrays["maps"].shape == (2, 4, 2, 32, 32)
    for n, net in enumerate(nets):
        for t, target in enumerate(("class:bee", "class:eel")):
            of = [
                cs.explain(net, noise(2), target),
                cs.explain(net, noise(2), target, method="saliency"),
                cs.explain(net, noise(2), target, method="occlusion", patch=8, stride=8, value="black"),
                cs.explain(net, noise(2), method="eigen_cam"),
            ]
            for m, one in enumerate(of):
                assert np.array_equal(board.arrays["maps"][n, m, t], one.arrays["map"])
            assert board.arrays["values"][n, t] == of[0].arrays["score"]
    assert board.facts["titles"] == ["bee", "eel"]
    assert [method["title"] for method in board.facts["methods"]][2] == "occlusion (patch=8 stride=8 fill=black)"
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
    low, high, _ = board._scales[0][0][0]
    assert low == 0
    assert high == pytest.approx(max(float(board.arrays["maps"][at].max()) for at in alike))


def test_ranks_are_shares_of_colder_pixels() -> None:
    board = cs.compare(network("plain"), noise(2), [1], methods=["input_x_gradient", "grad_cam"], scale="rank")
    for m in range(2):
        values, drawn = board.arrays["maps"][0, m, 0].ravel(), board._drawn(0, m, 0).ravel()  # type: ignore[attr-defined]
        for pixel in (0, 77, 500, int(values.argmax())):
            share = ((values < values[pixel]).sum() + 0.5 * (values == values[pixel]).sum()) / values.size
            assert drawn[pixel] == pytest.approx(share)
    scales = board._scales[0]  # type: ignore[attr-defined]
    assert scales[0][0] == scales[1][0] == (0.0, 1.0, "viridis")


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
    fine = cs.compare([network("plain"), large], picture, [1], methods=["saliency"])
    assert fine.arrays["maps"].min() >= 0, "enlarging makes no negatives, which would change the colours"
    assert fine._scales[0][0][0][2] == "inferno"  # type: ignore[attr-defined]
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

    with pytest.raises(Stopped, match="stopped after 0 of 3 methods") as stopped:
        cs.compare(network("plain"), noise(1), [0, 1, 2], watch=watch)
    assert stopped.value.result is None


def test_ctrl_c_keeps_the_methods_that_are_done() -> None:
    def watch(at: cs.Progress) -> None:
        if at.what == "comparing" and at.done == 6:
            raise KeyboardInterrupt

    nets = [network("plain"), network("residual")]
    with pytest.raises(Stopped, match="stopped after 1 of 3 methods") as stopped:
        cs.compare(nets, noise(1), [0, 1], methods=["grad_cam", "saliency", "layer_cam"], watch=watch)
    board = stopped.value.result
    whole = cs.compare(nets, noise(1), [0, 1], methods=["grad_cam"])
    assert np.array_equal(board.arrays["maps"], whole.arrays["maps"])
    assert any("replay makes all" in note for note in board.notes)
    board.image()


def test_stopped_after_a_method_without_targets_there_is_one_column() -> None:
    def watch(at: cs.Progress) -> None:
        if at.what == "comparing" and at.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(Stopped) as stopped:
        cs.compare(network("plain"), noise(1), [1, 2], methods=["eigen_cam", "grad_cam"], watch=watch)
    board = stopped.value.result
    assert board.arrays["maps"].shape[:3] == (1, 1, 1)
    assert len(board.facts["titles"]) == len(board.facts["shares"]) == 1
    board.image()


def test_scales_of_their_own_share_their_colours_in_a_row() -> None:
    board = cs.compare(
        network("plain"), noise(1), [0, 1, 2, 3, 4], methods=["occlusion patch=8", "rise samples=20"], scale="each"
    )
    assert isinstance(board, Board)
    row = board._scales[0][0]
    signed = bool((board.arrays["maps"][0, 0] < 0).any())
    assert {colours for *_, colours in row} == ({"signed"} if signed else {"inferno"})
    assert board._ends(0, 0) == (("-most", "most") if signed else ("0", "most"))
    assert board._ends(0, 1) == ("least", "most")
    assert len({high for _, high, _ in row}) == 5


def test_nothing_is_begun_where_something_cannot_be() -> None:
    for options, told in (
        ({"methods": ["grad_cam", "rise samples=0"]}, "samples is 0"),
        ({"targets": [0, 1, 2, 99]}, "classes 0 to 4"),
        ({"methods": ["grad_cam", "layer_cam layer=nope"]}, "no layer named"),
        ({"methods": ["grad_cam signed=maybe"]}, "expected true or false"),
        ({"methods": ["rise samples=x"]}, "a whole number"),
        ({"methods": ["saliency", "grad_cam layer=relu2"], "targets": ["conv1:2"]}, "such as layer=conv1"),
        (
            {"methods": ["saliency", "guided_grad_cam layer=relu2"], "targets": ["strongest(conv1)"]},
            "such as layer=conv1",
        ),
        ({"methods": ["saliency", "occlusion patch=999"]}, "patch is 999"),
        ({"methods": ["saliency", "occlusion stride=x"]}, "stride is 'x'"),
        ({"methods": ["saliency", "occlusion value=nonsense"]}, "fill is 'nonsense'"),
        ({"methods": ["saliency", "smooth_grad of=grad_cam"]}, "smooth_grad takes"),
        ({"methods": ["saliency", "integrated_gradients baseline=zzz"]}, "baseline is 'zzz'"),
        ({"methods": ["saliency", "integrated_gradients rule=left"]}, "give steps too"),
        ({"methods": ["saliency", "integrated_gradients steps=5 tolerance=0.1"]}, "both given"),
        ({"methods": ["saliency", "grad_cam channels=999"]}, "channels is 999"),
        ({"methods": ["saliency", "score_cam layer=head"]}, "has no positions"),
        ({"methods": ["occlusion value='x"]}, "cannot be read"),
        ({"methods": ["eigen_cam"], "targets": [1]}, "leave the targets out"),
        ({"methods": ["integrated_gradients baseline=README.md"]}, "not a picture that can be read"),
    ):
        begun: list[cs.Progress] = []
        with pytest.raises(cs.ConvscopeError, match=told):
            cs.compare(
                network("plain"),
                noise(1),
                options.get("targets"),
                watch=begun.append,
                methods=options.get("methods", ["grad_cam"]),
            )  # type: ignore[arg-type]
        assert not begun


def test_options_are_read_as_explain_takes_them() -> None:
    net = network("plain")
    words = ["grad_cam channels=1,3-5", "grad_cam signed=no", "grad_cam top=2 ranking=weight", "saliency signed=yes"]
    board = cs.compare(net, noise(1), [1], methods=words)
    for m, one in enumerate(
        [
            cs.explain(net, noise(1), 1, channels=[1, 3, 4, 5]),
            cs.explain(net, noise(1), 1, signed=False),
            cs.explain(net, noise(1), 1, top=2, ranking="weight"),
            cs.explain(net, noise(1), 1, method="saliency", signed=True),
        ]
    ):
        assert np.array_equal(board.arrays["maps"][0, m, 0], one.arrays["map"])
    assert [one["name"] for one in board.recipe.options["methods"]] == [word.split()[0] for word in words]
    assert board.recipe.options["methods"][2]["ranking"] == "weight"
    assert [one["title"] for one in board.facts["methods"]] == [
        "Grad-CAM (channels=1,3,4,5)",
        "Grad-CAM",
        "Grad-CAM (top=2 ranking=weight)",
        "saliency (signed=true)",
    ]


def test_methods_without_a_target_make_one_column() -> None:
    board = cs.compare(network("plain"), noise(1), methods=["eigen_cam", "eigen_cam layer=conv1"])
    assert board.arrays["maps"].shape == (1, 2, 1, 32, 32)


def test_a_number_that_means_two_classes_is_named_by_both() -> None:
    other = cs.load_model(seeded(MODULES["residual"]), input=SPEC, labels=LABELS[::-1])
    board = cs.compare([network("plain"), other], noise(1), [1], methods=["grad_cam"])
    assert board.facts["titles"] == ["bee / dung beetle"]


def test_guesses_with_odd_names_and_those_that_others_lack() -> None:
    odd = ["ant", "bee - wasp", "crane", "crane", "eel"]
    one, other = (
        cs.load_model(seeded(MODULES[kind]), input=SPEC, labels=labels)
        for kind, labels in (("plain", odd), ("residual", odd[::-1]))
    )
    board = cs.compare([one, other], noise(2), guesses=5, methods=["grad_cam"])
    assert {"bee - wasp", "ant", "eel"} <= set(board.facts["titles"])
    assert board.facts["titles"].count("crane") == 1, "one has the same number in both; the other is not to be told"
    assert any("left out" in note and "crane" in note for note in board.notes)
    lone = cs.load_model(seeded(MODULES["residual"]), input=SPEC, labels=["p", "q", "r", "s", "t"])
    with pytest.raises(cs.ConvscopeError, match="no class in common"):
        cs.compare([one, lone], noise(2), methods=["grad_cam"])


def test_a_photograph_that_was_stretched_replays_so(tmp_path: Path, photograph: str, lite0: cs.Network) -> None:
    made = cs.compare(lite0, lite0.photograph(photograph, fit="stretch"), ["class:tabby"], methods=["grad_cam"])
    assert made.recipe.options["fit"] == "stretch"
    again = cs.replay(made.save(tmp_path / "b.png"), files=True)
    assert np.array_equal(again.arrays["maps"], made.arrays["maps"])


def test_it_replays_with_all_its_networks(tmp_path: Path, photograph: str, lite0: cs.Network) -> None:
    larger = cs.load_model("efficientnet_lite0", input=replace(lite0.spec, size=256))
    made = cs.compare([lite0, larger], photograph, ["class:tabby", "blocks.4:3"], methods=["saliency"])
    again = cs.replay(made.save(tmp_path / "b.png"), files=True)
    assert np.array_equal(again.arrays["maps"], made.arrays["maps"])
    assert json.dumps(again.recipe.to_dict()) == json.dumps(made.recipe.to_dict())
    elsewhere = shutil.copy(photograph, tmp_path / "moved.jpg")
    moved = cs.replay(tmp_path / "b.png", image=elsewhere)
    assert json.dumps(moved.recipe.to_dict()) == json.dumps(made.recipe.to_dict())
    back = cs.load_result(made.save(tmp_path / "b.npz"))
    assert isinstance(back, Board)
    assert np.array_equal(np.asarray(back.image()), np.asarray(made.image()))
    assert back.page() == made.page()


def test_a_board_of_live_modules_replays_with_all_of_them_given(tmp_path: Path, photograph: str) -> None:
    nets = [network("plain"), network("residual")]
    path = cs.compare(nets, photograph, [1], methods=["grad_cam"]).save(tmp_path / "b.npz")
    again = cs.replay(path, net=nets, image=photograph)
    assert np.array_equal(again.arrays["maps"], cs.load_result(path).arrays["maps"])
    with pytest.raises(cs.ConvscopeError, match="live module"):
        cs.replay(path, net=nets[0])
    with pytest.raises(cs.ConvscopeError, match="3 networks were given; the recipe has 2"):
        cs.replay(path, net=[*nets, nets[0]])
