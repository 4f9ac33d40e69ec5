"""Whether a map can be believed: the checks by their definitions, and on networks whose answer is known."""

import numpy as np
import pytest
import torch
from torch import nn

import convscope as cs
from convscope.attribution.faithfulness import area, curve, edges, moved, order_of, shuffle
from convscope.verbs import verdict
from convscope.verbs.verdict import better, randomised_words
from tests.networks import MODULES, PLANTED, Planted, network, noise, planted


def test_the_order_begins_with_the_hottest() -> None:
    heat = np.array([[0.1, 3.0], [-2.0, 0.1]])
    assert order_of(heat).tolist() == [[1, 0], [3, 2]]


def test_curves_begin_and_end_where_they_must_and_cover_the_hottest_first() -> None:
    net, picture = network("plain"), noise(1)
    objective = cs.logit(2).bind(net)
    heat = np.random.default_rng(0).normal(size=(32, 32))
    fractions = [0.0, 0.25, 1.0]
    deleted = curve(net, picture, objective, heat, fractions, inserting=False)
    with torch.no_grad():
        by_hand = picture.clone()
        for y, x in np.ndindex(32, 32):
            if (heat > heat[y, x]).sum() < 256:
                by_hand[:, :, y, x] = 0.45
        wanted = [
            float(objective.value(cs.record(net, x, ["scores"]))[0])
            for x in (picture, by_hand, torch.full_like(picture, 0.45))
        ]
    assert deleted == pytest.approx(wanted, abs=1e-6)
    inserted = curve(net, picture, objective, heat, fractions, inserting=True)
    assert inserted[-1] == pytest.approx(wanted[0], abs=1e-6)
    assert area([0, 0.5, 1], np.array([1.0, 0.5, 0.0])) == pytest.approx(0.5)


def test_edges_of_a_step_are_where_it_is() -> None:
    picture = torch.zeros(1, 3, 8, 8)
    picture[:, :, :, 4:] = 1
    found = edges(picture)
    assert (found[:, [3, 4]] > 1).all()
    assert (found[:, [0, 1, 6, 7]] == 0).all()


def test_a_moved_map_has_the_same_values_elsewhere() -> None:
    heat = np.zeros((20, 30))
    heat[3, 4] = 1
    there = moved(heat, 0)
    assert there.sum() == 1
    assert there[3, 4] == 0


def test_a_map_that_points_at_the_evidence_is_told_from_one_that_does_not() -> None:
    torch.manual_seed(0)
    net = cs.load_model(Planted(), input=PLANTED)
    picture, (y, x) = planted(3)
    box = x - 5, y - 5, x + 6, y + 6
    good = cs.explain(net, picture, "act:2", method="occlusion", patch=6, stride=3, value="black", signed=False)
    found = cs.assess(net, picture, good, box=box, points=12, stages=2)
    areas = found.facts["areas"]
    assert areas["deletion"] < areas["moved_deletion"] - 0.05
    assert found.facts["pointing"] is True
    assert found.image().width >= 720
    assert any("takes the score sooner" in line for line in found.facts["words"])
    wrong = type(good)(
        {**good.arrays, "map": good.arrays["map"].max() - good.arrays["map"]}, good.axes, good.recipe, good.facts
    )
    found = cs.assess(net, picture, wrong, box=box, points=12, stages=2)
    assert found.facts["pointing"] is False
    assert not any("takes the score sooner" in line for line in found.facts["words"])


@pytest.mark.parametrize("kind", MODULES)
def test_every_kind_of_network_is_assessed_and_left_as_it_was(kind: str) -> None:
    net = network(kind)
    before = net.weights_hash()
    state = {name: value.clone() for name, value in net.adapter.root.state_dict().items()}
    heat = cs.explain(net, noise(1), 2, method="saliency")
    found = cs.assess(net, noise(1), heat, points=4, stages=2)
    assert net.weights_hash() == before
    now = net.adapter.root.state_dict()
    assert now.keys() == state.keys()
    assert all(torch.equal(now[name], value) for name, value in state.items())
    assert found.arrays["maps"].shape == (len(found.facts["stages"]), 32, 32)
    assert all(-1 <= share <= 1 for share in found.facts["randomised"])
    assert found.image().width >= 720


def test_shuffling_keeps_the_weights_and_loses_their_order() -> None:
    net = network("plain").twin()
    weight = net.adapter.modules()["conv1"].weight
    before = weight.clone()
    shuffle(net, ["conv1"], torch.Generator().manual_seed(0))
    assert not torch.equal(before, weight)
    assert torch.equal(before.flatten().sort().values, weight.flatten().sort().values)


def test_guided_methods_carry_their_warning() -> None:
    net = network("plain")
    found = cs.assess(net, noise(1), cs.explain(net, noise(1), 1, method="guided_backprop"), points=4, stages=2)
    assert any("Adebayo" in line for line in found.facts["words"])


@pytest.mark.parametrize("method", ["integrated_gradients", "rise", "eigen_cam"])
def test_methods_that_are_asked_in_their_own_way(method: str) -> None:
    net = network("plain")
    more = {"samples": 20} if method == "rise" else {}
    heat = cs.explain(net, noise(1), None if method == "eigen_cam" else 1, method=method, **more)
    found = cs.assess(net, noise(1), heat, points=4, stages=2)
    assert ("gap" in found.facts) == (method == "integrated_gradients")


def test_the_gap_of_input_times_gradient() -> None:
    """In closed form for a linear network, where there is none; and as it is for another."""
    linear = nn.Sequential(nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    net = cs.load_model(linear, input=cs.InputSpec(size=16, range=(0, 1), mean=0.4, std=0.2))
    picture = torch.rand((1, 3, 16, 16), generator=torch.Generator().manual_seed(0))
    found = cs.assess(net, picture, cs.explain(net, picture, 2, method="input_x_gradient"), points=4, stages=1)
    assert abs(found.facts["gap"]) < 1e-5
    assert any("baseline to within 0.0%" in line for line in found.facts["words"])
    bent = network("plain")
    heat = cs.explain(bent, noise(1), 2, method="input_x_gradient")
    with torch.no_grad():
        grey = bent.spec.neutral(noise(1)).expand_as(noise(1))
        difference = float((bent.scores(bent.run(noise(1))) - bent.scores(bent.run(grey)))[0, 2])
    gap = float(heat.arrays["attribution"].sum()) - difference
    assert cs.assess(bent, noise(1), heat, points=4, stages=1).facts["gap"] == pytest.approx(gap, abs=1e-5)


def test_it_replays(tmp_path, photograph: str) -> None:  # type: ignore[no-untyped-def]
    net = network("plain")
    made = cs.assess(net, photograph, cs.explain(net, photograph, 1), points=4, stages=2)
    path = made.save(tmp_path / "assessment.npz")
    again = cs.replay(path, net=net, image=photograph)
    for name, array in made.arrays.items():
        assert np.array_equal(again.arrays[name], array)
    assert cs.load_result(path).facts["words"] == made.facts["words"]


def test_what_cannot_be_assessed_is_said() -> None:
    net = network("plain")
    heat = cs.explain(net, noise(1), 1)
    with pytest.raises(cs.ConvscopeError, match="another picture"):
        cs.assess(net, noise(2), heat)
    with pytest.raises(cs.ConvscopeError, match="another network"):
        cs.assess(network("inception"), noise(1), heat)
    for box in ([1, 2, 3], [5, 5, 5, 9], (0, 0, 99, 9), [-1, 0, 9, 9]):
        with pytest.raises(cs.ConvscopeError, match="box is"):
            cs.assess(net, noise(1), heat, box=box)
    with pytest.raises(cs.ConvscopeError, match="points is"):
        cs.assess(net, noise(1), heat, points=1)


def says(net: cs.Network, target: object, method: str, **options: object) -> tuple[cs.Result, str]:
    heat = cs.explain(net, noise(1), target, method=method)  # type: ignore[arg-type]
    found = cs.assess(net, noise(1), heat, points=4, **options)  # type: ignore[arg-type]
    return found, " ".join(found.facts["words"])


def test_one_stage_shuffles_all_of_the_network() -> None:
    for kind in ("plain", "residual", "keras"):
        found, words = says(network(kind), 1, "grad_cam", stages=1)
        (stage,) = found.facts["stages"]
        first = next(layer.name for layer in network(kind).layers() if layer.parameters)
        assert stage == f"from {first} on"
        assert "last layer" not in words


def test_the_cascade_begins_where_the_target_is() -> None:
    found, words = says(network("plain"), "conv1:2", "saliency", stages=5)
    assert found.facts["stages"] == ["from conv1 on"]
    assert "class is asked" not in words
    deep, _ = says(network("plain"), "conv2:2", "saliency", stages=5)
    assert deep.facts["stages"] == ["from conv2 on", "from conv1 on"]
    assert deep.facts["randomised"][0] < 0.9, "the first layer to be shuffled is one that matters"


@pytest.mark.parametrize("kind", ["plain", "residual", "keras", "depthwise"])
def test_every_weight_is_shuffled_in_the_end(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from convscope.verbs import assess as home

    net = network(kind)
    twins = []
    plain = home.shuffle
    monkeypatch.setattr(home, "shuffle", lambda twin, *given: twins.append(twin) or plain(twin, *given))
    says(net, 1, "grad_cam", stages=3)
    twin = twins[-1]
    own = {name: value for name, value in net.adapter.root.named_parameters() if value.numel() > 4}
    assert own
    for name, value in twin.adapter.root.named_parameters():
        if name in own and value.std() > 0:
            assert not torch.equal(value, own[name]), f"{name} is as it was"
            assert torch.equal(value.flatten().sort().values, own[name].flatten().sort().values)


def test_a_map_of_nothing_finite_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    from convscope.errors import NetworkError
    from convscope.verbs import assess as home

    plain = home.explain
    seen = []

    def broken(net: cs.Network, *given: object, **more: object) -> object:
        seen.append(net)
        if len(seen) == 2:
            raise NetworkError("the class scores are not finite")
        return plain(net, *given, **more)  # type: ignore[arg-type]

    heat = cs.explain(network("plain"), noise(1), 1)
    monkeypatch.setattr(home, "explain", broken)
    found = cs.assess(network("plain"), noise(1), heat, points=4, stages=2)
    assert found.facts["randomised"][1] is None
    assert "In 1 of 2 stages the shuffled network gave no map" in " ".join(found.facts["words"])
    found.image()


@pytest.mark.parametrize(
    ("likeness", "of_class", "told"),
    [
        ([0.99, 0.97], True, "Do not rely on it"), ([0.97, 0.1], True, "which class is asked"),
        ([0.97, 0.1], False, "owes little to that layer"), ([0.4, 0.1], True, "0.40, 0.10): it depends on what"),
        ([0.2], True, "(rank correlation 0.20): it depends"), ([0.97], True, "Do not rely on"),
        ([float("nan")], True, "gave no map"), ([0.99, float("nan")], True, "which class is asked"),
        ([float("nan"), 0.99, 0.98, float("nan")], True, "hardly changes when weights are shuffled"),
        ([float("nan"), 0.95, 0.3], True, "0.95, 0.30): it depends"),
    ],
)  # fmt: skip
def test_the_sentences_on_shuffled_weights(likeness: list[float], of_class: bool, told: str) -> None:
    words = " ".join(randomised_words(likeness, of_class))
    assert told in words
    assert ("Do not rely on" in words) == (told == "Do not rely on it" or likeness == [0.97])


def test_a_map_without_forms_is_neither_believed_nor_doubted() -> None:
    net = network("plain")
    heat = cs.explain(net, noise(1), "conv1:0 - conv1:0", layer="conv1")
    found = cs.assess(net, noise(1), heat, points=4, stages=2)
    assert found.facts["words"][0].startswith("The map is the same everywhere")
    assert not any("depends on what was learned" in line for line in found.facts["words"])
    found.image()


@pytest.mark.parametrize(
    ("lead", "told"), [(0.3, "rests on it"), (0.05, "no more than elsewhere"), (-0.05, "no more"), (-0.3, "be wary")]
)
def test_curves_are_compared_by_their_share(lead: float, told: str) -> None:
    assert told in better("Covering", lead, "takes it sooner")
    assert verdict.lead(0.06, 0.04) == pytest.approx(1 / 3)
    assert verdict.lead(0.04, 0.06) == pytest.approx(-1 / 3)
    assert verdict.lead(0.0, 0.0) == 0


def test_what_an_edge_detector_gives_is_always_told() -> None:
    found, words = says(network("plain"), 1, "grad_cam", stages=2)
    assert f"like what an edge detector gives (rank correlation {found.facts['edges']:.2f})" in words


def test_a_map_that_was_stopped_says_so_when_it_is_assessed() -> None:
    net = network("plain")

    def watch(at: cs.Progress) -> None:
        if at.done >= 40:
            raise KeyboardInterrupt

    with pytest.raises(cs.Stopped) as stopped:
        cs.explain(net, noise(1), 1, method="rise", samples=200, watch=watch)
    found = cs.assess(net, noise(1), stopped.value.result, points=4, stages=1)
    assert any("stopped after" in note for note in found.notes)
