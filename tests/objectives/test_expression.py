"""The algebra of objectives against values computed by hand on a network of two channels."""

import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
import torch
from torch import nn

import convscope as cs
from convscope.errors import ConvscopeError, InputError, UnknownNameError, near_matches
from convscope.models.network import Network
from convscope.objectives.expression import Objective, Scaled, Sum
from convscope.objectives.units import Probability
from convscope.taps.record import Recording, record

LABELS = ["tabby cat", "dog", "Great_Dane"]


class Two(nn.Module):
    """conv: red + 2 green, and red - blue. Scores of the channels' means a, b after ReLU: a, b, a - b."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1, bias=False)
        self.relu = nn.ReLU()
        self.head = nn.Linear(2, 3, bias=False)
        with torch.no_grad():
            self.conv.weight.copy_(torch.tensor([[1.0, 2, 0], [1, 0, -1]])[:, :, None, None])
            self.head.weight.copy_(torch.tensor([[1.0, 0], [0, 1], [1, -1]]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.relu(self.conv(x)).mean((2, 3)))


class Twice(Two):
    """The same with its ReLU called twice."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.relu(self.relu(self.conv(x))).mean((2, 3)))


def loaded(module: nn.Module, labels: list[str] | None = None) -> Network:
    return cs.load_model(module, input=cs.InputSpec(size=8, range=(0, 1), mean=0.0, std=1.0), labels=labels)


@pytest.fixture(scope="module")
def net() -> Network:
    return loaded(Two(), LABELS)


FLAT = torch.tensor([[1, 0.5, 0], [0, 0.25, 1]])[:, :, None, None].expand(2, 3, 8, 8)
"""Two pictures of one colour. conv: (2, 1) and (0.5, -1); scores: (2, 1, 1) and (0.5, 0, 0.5)."""
RAMP = torch.zeros(1, 3, 8, 8).index_copy(1, torch.tensor([0]), torch.arange(64.0).reshape(1, 1, 8, 8) / 64)
"""Red grows by 1/64 from each pixel to the next, row after row."""


def values(net: Network, objective: Objective, images: torch.Tensor = FLAT) -> list[float]:
    bound = objective.bind(net)
    recording = record(net, images, bound.taps()) if bound.taps() else Recording(net, {}, images)
    return bound.value(recording).tolist()


ONE, TWO = cs.channel("conv", 0), cs.channel("conv", 1)
E1, E2 = math.e, math.e**2
BY_HAND: list[tuple[Objective, tuple[float, float]]] = [
    (ONE, (2, 0.5)),
    (TWO, (1, -1)),
    (cs.channel("relu", 1), (1, 0)),
    (cs.channel("input", 1), (0.5, 0.25)),
    (cs.channel("head", 2), (1, 0.5)),
    (cs.neuron("conv", 0, 7, 7), (2, 0.5)),
    (cs.layer("conv"), (2.5, 0.625)),
    (cs.direction("conv", [3, 4]), (2, -0.5)),
    (cs.direction("conv", [-0.5, 0]), (-2, -0.5)),
    (cs.logit(0), (2, 0.5)),
    (cs.logit("dog"), (1, 0)),
    (cs.probability("dog"), (E1 / (E2 + 2 * E1), 1 / (2 * math.sqrt(E1) + 1))),
    (cs.lp(1), (2 / 3, 2.5 / 3)),
    (cs.lp(2), (math.sqrt(2 / 3), math.sqrt(2.25 / 3))),
    (cs.total_variation(), (0, 0)),
    (ONE + TWO, (3, -0.5)),
    (ONE - TWO, (1, 1.5)),
    (-ONE, (-2, -0.5)),
    (-(ONE - TWO), (-1, -1.5)),
    (3 * ONE, (6, 1.5)),
    (ONE * 3, (6, 1.5)),
    (ONE / 4, (0.5, 0.125)),
    (2 * (3 * ONE), (12, 3)),
    (2 * (ONE + 3 * TWO), (10, -5)),
    ((ONE + TWO) / 2, (1.5, -0.25)),
    (ONE + TWO + ONE, (5, 0)),
    (ONE - (TWO - ONE), (3, 2)),
    (0 * ONE + TWO, (1, -1)),
    (0.5 * ONE + 2 * TWO - cs.logit(0), (1, -2.25)),
    (ONE - 3 * cs.lp(1), (0, -2)),
]


@pytest.mark.parametrize(
    ("objective", "expected"), BY_HAND, ids=lambda value: None if type(value) is tuple else str(value)
)
def test_values_by_hand(net: Network, objective: Objective, expected: tuple[float, float]) -> None:
    assert values(net, objective) == pytest.approx(expected, abs=1e-6)


def test_a_neuron_is_at_its_row_and_column(net: Network) -> None:
    assert values(net, cs.neuron("conv", 0, 2, 5), RAMP) == pytest.approx([21 / 64])
    assert values(net, cs.neuron("conv", 0, 5, 2), RAMP) == pytest.approx([42 / 64])


def test_total_variation_adds_down_and_across(net: Network) -> None:
    chess = (torch.arange(8)[:, None] + torch.arange(8)) % 2
    assert values(net, cs.total_variation(), RAMP) == pytest.approx([(8 + 1) / 64 / 3])
    assert values(net, cs.total_variation(), chess.expand(1, 3, 8, 8).float()) == pytest.approx([2])


def test_looks_at_one_picture_are_averaged(net: Network) -> None:
    recording = record(net, FLAT, ONE.taps())
    views = Recording(net, dict(recording), FLAT, FLAT[:1], views=2)
    assert ONE.value(views).tolist() == pytest.approx([1.25])
    assert (2 * ONE - cs.lp(1)).value(views).tolist() == pytest.approx([2.5 - 2 / 3])


def test_a_lone_logit_has_the_probability_of_its_sigmoid() -> None:
    module = Two()
    module.head = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        module.head.weight.copy_(torch.tensor([[1.0, 0]]))
    assert values(loaded(module), cs.probability(0)) == pytest.approx(
        [1 / (1 + math.exp(-2)), 1 / (1 + math.exp(-0.5))]
    )


def test_an_objective_needs_the_taps_of_all_its_terms() -> None:
    total = ONE - 2 * cs.logit(1) + cs.lp(2) + cs.channel("relu", 0) + TWO
    assert {str(tap) for tap in total.taps()} == {"conv", "scores", "relu"}
    assert cs.total_variation().taps() == frozenset()


# --- text, equality, immutability -------------------------------------------------------------------------------

TEXTS: list[tuple[Objective, str]] = [
    (ONE, "conv:0"),
    (cs.neuron("a/b", 3, 4, 5), "a/b:3@4,5"),
    (cs.layer("blocks.3"), "blocks.3"),
    (cs.direction("conv", [0.5, -1]), "direction(conv, 0.5, -1)"),
    (cs.logit("tiger cat"), "class:tiger cat"),
    (cs.logit(340), "class:340"),
    (cs.logit("a - b"), 'class:"a - b"'),
    (cs.probability("zebra"), "p:zebra"),
    (cs.total_variation(), "tv()"),
    (cs.lp(2.5), "lp(2.5)"),
    (0.5 * ONE, "0.5*conv:0"),
    (-ONE, "-1*conv:0"),
    (ONE - TWO, "conv:0 - conv:1"),
    (ONE - 0.1 * cs.total_variation(), "conv:0 - 0.1*tv()"),
    (-ONE + TWO, "-1*conv:0 + conv:1"),
    (2 * (ONE - TWO), "2*conv:0 - 2*conv:1"),
]


@pytest.mark.parametrize(("objective", "text"), TEXTS, ids=[text for _, text in TEXTS])
def test_an_objective_prints_as_it_is_written(objective: Objective, text: str) -> None:
    assert str(objective) == objective.text() == text


def test_equal_objectives_are_equal() -> None:
    assert 2 * cs.channel("conv", 0) - cs.lp(6) == 2 * cs.channel("conv", 0) - cs.lp()
    assert len({ONE + TWO, cs.channel("conv", 0) + cs.channel("conv", 1), TWO + ONE}) == 2


def test_different_objectives_differ() -> None:
    kinds = [
        ONE, TWO, cs.channel("relu", 0), cs.neuron("conv", 0, 0, 0), cs.neuron("conv", 0, 0, 1), cs.layer("conv"),
        cs.direction("conv", [1, 0]), cs.logit(0), cs.probability(0), cs.logit("0 "), cs.lp(1), cs.lp(2),
        cs.total_variation(), 2 * ONE, ONE + TWO, ONE - TWO,
    ]  # fmt: skip
    assert len(set(kinds)) == len(kinds)


@pytest.mark.parametrize(
    "objective", [ONE, cs.logit("dog"), cs.direction("conv", [1, 2]), cs.lp(2), 2 * ONE, ONE + TWO]
)
def test_objectives_cannot_be_changed(objective: Objective) -> None:
    field = next(iter(objective.__dataclass_fields__))  # type: ignore[attr-defined]
    with pytest.raises(FrozenInstanceError):
        setattr(objective, field, getattr(objective, field))


def test_arithmetic_changes_no_operand() -> None:
    total = ONE + TWO
    for made in (total + ONE, 3 * total, -total, total - total, total / 2):
        assert made != total
    assert total == ONE + TWO
    assert (cs.channel("conv", 0), cs.channel("conv", 1)) == (ONE, TWO)


@pytest.mark.parametrize(
    "wrong", [lambda: ONE + 1, lambda: 1 + ONE, lambda: ONE - 1, lambda: ONE * TWO, lambda: ONE * "2", lambda: 1 / ONE]
)
def test_only_objectives_add_and_only_numbers_multiply(wrong: Callable[[], Any]) -> None:
    with pytest.raises(TypeError):
        wrong()


@pytest.mark.parametrize("weight", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("kind", ["term", "sum", "lp", "direction"])
def test_what_cannot_be_written_down_is_refused(weight: float, kind: str) -> None:
    """inf and nan have no text form (nor a sensible maximum), so no recipe could hold them."""
    with pytest.raises(InputError, match="expected"):
        str(
            {
                "term": lambda: weight * ONE,
                "sum": lambda: weight * (ONE + TWO),
                "lp": lambda: cs.lp(abs(weight)),
                "direction": lambda: cs.direction("conv", [weight, 1]),
            }[kind]()
        )


def test_division_by_zero_is_refused() -> None:
    with pytest.raises(InputError, match="expected"):
        _ = ONE / 0


def test_nested_weights_become_one() -> None:
    assert Scaled(6, ONE) == 2 * (3 * ONE)
    for nested in (ONE + (TWO + ONE), (ONE + TWO) + ONE):
        assert nested == Sum((ONE, TWO, ONE))


# --- binding ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dog", "DOG", " dog ", "1", 1])
def test_binding_turns_a_class_into_its_number(net: Network, name: str | int) -> None:
    assert cs.logit(name).bind(net) == cs.logit(1)
    assert (2 * cs.probability(name)).bind(net) == 2 * Probability(1)


@pytest.mark.parametrize("name", ["Great_Dane", "great dane", "GREAT_DANE", "great  dane"])
def test_case_underscores_and_spaces_do_not_matter(net: Network, name: str) -> None:
    assert cs.logit(name).bind(net) == cs.logit(2)


@pytest.mark.parametrize("name", ["tabby cat", "tiger  cat", "²", "--3", "4 - 4"])
def test_every_label_can_be_named(name: str) -> None:
    """Also labels straight from a file's lines, and labels that look almost like numbers."""
    net = loaded(Two(), ["tabby cat\n", "tiger  cat", "c"] if name == "tabby cat" else ["a", "b", name])
    assert cs.logit(name).bind(net) == cs.logit(0 if name == "tabby cat" else 2)


WRONG: list[tuple[Objective, str]] = [
    (cs.channel("conv", 2), "channel 2 is not in 'conv'; its channels are 0 to 1"),
    (cs.channel("conv", -1), "channel -1 is not in 'conv'; its channels are 0 to 1"),
    (cs.channel("head", 3), "channel 3 is not in 'head'; its channels are 0 to 2"),
    (cs.neuron("conv", 2, 0, 0), "channel 2 is not in 'conv'; its channels are 0 to 1"),
    (
        cs.neuron("conv", 0, 8, 0),
        "position 8,0 is not in 'conv'; its rows are 0 to 7, its columns 0 to 7",
    ),
    (cs.neuron("conv", 0, 0, -1), "position 0,-1 is not in 'conv'; its rows are 0 to 7, its columns 0 to 7"),
    (cs.neuron("head", 0, 0, 1), "position 0,1 is not in 'head'; its rows are 0 to 0, its columns 0 to 0"),
    (cs.direction("conv", [1, 2, 3]), "the direction has 3 numbers; 'conv' has 2 channels"),
    (cs.direction("conv", [0, 0]), "the direction in 'conv' is all zeros; expected a vector with some length"),
    (cs.logit(3), "class 3 is not there; this network has classes 0 to 2"),
    (cs.logit(-1), "class -1 is not there; this network has classes 0 to 2"),
    (cs.logit("3"), "class 3 is not there; this network has classes 0 to 2"),
    (cs.probability("dgo"), "no class named 'dgo'; near matches: dog"),
    (cs.logit("tabby"), "no class named 'tabby'; near matches: tabby cat"),
    (cs.logit("zebra"), "no class named 'zebra'; there are: tabby cat, dog, Great_Dane"),
    (
        cs.channel("covn", 0),
        "no layer named 'covn'; near matches: conv. All layers: net.layers() or `convscope layers`",
    ),
    (cs.layer("RELU"), "no layer named 'RELU'; near matches: relu. All layers: net.layers() or `convscope layers`"),
]


@pytest.mark.parametrize(("objective", "text"), WRONG, ids=[str(objective) for objective, _ in WRONG])
@pytest.mark.parametrize("wrapped", [False, True])
def test_what_is_not_there_is_told(net: Network, objective: Objective, text: str, wrapped: bool) -> None:
    with pytest.raises(InputError) as caught:
        (ONE - 2 * objective if wrapped else objective).bind(net)
    assert str(caught.value) == text


def test_a_class_by_name_needs_labels() -> None:
    with pytest.raises(InputError) as caught:
        cs.logit("dog").bind(loaded(Two()))
    assert str(caught.value) == (
        "class 'dog' was given by name, but this network has no labels: give its number (0 to 2) or load it with "
        "labels=[...]"
    )


def test_a_name_that_two_classes_share() -> None:
    with pytest.raises(InputError) as caught:
        cs.logit("crane").bind(loaded(Two(), ["crane", "dog", "crane"]))
    assert str(caught.value) == "several classes are named 'crane': say one of the numbers [0, 2]"


def test_a_module_called_twice_has_two_names() -> None:
    net = loaded(Twice())
    assert values(net, cs.channel("relu#1", 1)) == pytest.approx([1, 0])
    with pytest.raises(InputError) as caught:
        cs.channel("relu", 0).bind(net)
    assert str(caught.value) == "the layer 'relu' gives more than one output: say which, one of relu#0, relu#1"


def test_a_position_outside_a_smaller_picture(net: Network) -> None:
    with pytest.raises(InputError) as caught:
        values(net, cs.neuron("conv", 0, 7, 7), FLAT[..., :4, :6])
    assert str(caught.value) == "position 7,7 is not in the 4x6 map that 'conv' has at this picture size"


def test_a_class_has_no_value_before_it_is_bound(net: Network) -> None:
    with pytest.raises(ConvscopeError, match="the class 'dog' is not looked up yet: bind the objective"):
        cs.logit("dog").value(record(net, FLAT, ["scores"]))


@pytest.mark.parametrize("p", [0.5, 0, -1, math.nan])
def test_the_norm_is_at_least_one(p: float) -> None:
    with pytest.raises(InputError) as caught:
        cs.lp(p)
    assert str(caught.value) == f"the norm's p is {p:g}; expected at least 1"


def test_near_matches_put_close_spellings_first() -> None:
    known = ["features.0", "features.10", "classifier", "Features.1", "head"]
    assert near_matches("feature.10", known)[0] == "features.10"
    assert near_matches("features.1", known)[0] == "Features.1"
    assert near_matches("fier", known) == ["classifier"]


def test_near_matches_put_names_with_the_word_first() -> None:
    known = ["crate", "oxcart", "castle", "tiger cat", "Egyptian cat", "catamaran", "coat"]
    assert near_matches("cat", known)[:2] == ["tiger cat", "Egyptian cat"]
    assert near_matches("xyz", known) == []
    assert len(near_matches("features", [f"features.{i}" for i in range(50)])) == 5


def test_near_matches_are_carried_by_the_error(net: Network) -> None:
    with pytest.raises(UnknownNameError) as caught:
        net.layer("conf")
    assert (caught.value.given, caught.value.near) == ("conf", ["conv"])
