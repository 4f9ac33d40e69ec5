"""Targets as text: what each form means, and one line for what means nothing."""

import time
from typing import Any

import pytest
from tests.networks import shared

import convscope as cs
from convscope.errors import TargetError
from convscope.objectives.expression import Objective
from convscope.objectives.text import (
    MOST_CHANNELS,
    MOST_LETTERS,
    MOST_TERMS,
    ensure_objective,
    parse_target,
    parse_targets,
)
from convscope.verbs.question import question_of

A, B = cs.channel("a", 1), cs.channel("b", 2)
MEANING: dict[str, Objective] = {
    "mixed4a:3": cs.channel("mixed4a", 3),
    "  mixed4a:3\n": cs.channel("mixed4a", 3),
    "blocks.10.project:5": cs.channel("blocks.10.project", 5),
    "a/b:0": cs.channel("a/b", 0),
    "relu#1:0": cs.channel("relu#1", 0),
    "x[0]:7": cs.channel("x[0]", 7),
    "x[key]": cs.layer("x[key]"),
    "a:b:7": cs.channel("a:b", 7),
    "mixed4a:3@4,5": cs.neuron("mixed4a", 3, 4, 5),
    "mixed4a": cs.layer("mixed4a"),
    "a-b": cs.layer("a-b"),
    "input:2": cs.channel("input", 2),
    "class:zebra": cs.logit("zebra"),
    "class: zebra ": cs.logit("zebra"),
    "class:tiger cat": cs.logit("tiger cat"),
    "class:black-and-tan": cs.logit("black-and-tan"),
    "class:crane (bird)": cs.logit("crane (bird)"),
    "class:lady's slipper": cs.logit("lady's slipper"),
    "class:a:b": cs.logit("a:b"),
    "class:2*a": cs.logit("2*a"),
    "class:p:a": cs.logit("p:a"),
    "class:340": cs.logit(340),
    'class:"a - b"': cs.logit("a - b"),
    'class:" a"': cs.logit(" a"),
    "p:zebra": cs.probability("zebra"),
    "p:0-3": cs.probability("0-3"),
    "tv()": cs.total_variation(),
    "tv( )": cs.total_variation(),
    "lp(6)": cs.lp(6),
    "lp()": cs.lp(6),
    "l6()": cs.lp(6),
    "lp(2.5)": cs.lp(2.5),
    "direction(a, 0.5, -1)": cs.direction("a", [0.5, -1]),
    "direction(a,1e-3)": cs.direction("a", [0.001]),
    "2*a:1": 2 * A,
    "2 * a:1": 2 * A,
    "-1*a:1": -A,
    "+.5*a:1": 0.5 * A,
    "1e-3*a:1": 0.001 * A,
    "2*3*a:1": 6 * A,
    "2*tv()": 2 * cs.total_variation(),
    "0.5*class:tiger cat": 0.5 * cs.logit("tiger cat"),
    "a:1 + b:2": A + B,
    "a:1 - b:2": A - B,
    "a:1  -  b:2": A - B,
    "a:1\n+ b:2": A + B,
    "a:1 - 2*b:2": A - 2 * B,
    "a:1 - -2*b:2": A + 2 * B,
    "0.8*mixed4a:20 + class:zebra - 0.1*tv()": (
        0.8 * cs.channel("mixed4a", 20) + cs.logit("zebra") - 0.1 * cs.total_variation()
    ),
    "class:tiger cat - class:tabby": cs.logit("tiger cat") - cs.logit("tabby"),
    'class:"a - b" - class:c': cs.logit("a - b") - cs.logit("c"),
    "class:crane (a - b) + a:1": cs.logit("crane (a - b)") + A,
    "direction(a, 1, 2) + direction(b, -1)": cs.direction("a", [1, 2]) + cs.direction("b", [-1]),
}


@pytest.mark.parametrize("text", MEANING)
def test_what_a_text_means(text: str) -> None:
    assert parse_target(text) == MEANING[text]
    assert cs.parse_target(str(MEANING[text])) == MEANING[text]


HARD_LABELS = [
    "a + b", "a - b", " a", "a ", '"', '""', '"a"', 'say "hi" twice', '5" nail', 'a" - "b', "(", ")", "a) + (b",
    "a) - b", "\\", '\\"', "'", "a\tb", "a  b", "a\nb", "x - ", " - ", "tv()", "class:a", "1*a", "½", "²", "--3", "-3",
    "猫", "a,b", "@",
]  # fmt: skip


@pytest.mark.parametrize("label", HARD_LABELS, ids=repr)
@pytest.mark.parametrize("kind", [cs.logit, cs.probability])
def test_labels_survive_their_text(label: str, kind: Any) -> None:
    for objective in (kind(label), kind(label) - 2 * cs.logit(label) + A, A - kind(label)):
        assert parse_target(objective.text()) == objective


@pytest.mark.parametrize(
    "name", ["p", "class", "tv", "lp", "l2", "direction", "input", "scores", "e", "1", "1e5", "-a"]
)
def test_layers_with_misleading_names_survive_their_text(name: str) -> None:
    for objective in (cs.channel(name, 3), cs.neuron(name, 3, 4, 5), cs.layer(name), cs.direction(name, [1, 2])):
        assert parse_target(objective.text()) == objective
        assert parse_target((0.5 * objective - A).text()) == 0.5 * objective - A


NOTHING = {
    "": "the target is empty; expected layer:channel",
    "  \n": "the target is empty; expected layer:channel",
    " + ": "has an empty term",
    "a:1 + ": "has an empty term",
    "a:1 +  + b:2": "has an empty term",
    " - a:1": "has an empty term",
    "a:1 +b:2": None,
    "2*": "cannot be understood",
    "a b": "cannot be understood",
    "a:": "cannot be understood",
    "a:x": "cannot be understood",
    "a:-1": "cannot be understood",
    "a:1.5": "cannot be understood",
    "a:1@2": "cannot be understood",
    "a:1@2,": "cannot be understood",
    "a:1@-2,3": "cannot be understood",
    "a:0-3": "cannot be understood",
    "a:1*2": "cannot be understood",
    "class:": "names no class",
    "p: ": "names no class",
    'class:""': "names no class",
    "tv(3)": "cannot be understood",
    "lp(x)": "cannot be understood",
    "lp(1, 2)": "cannot be understood",
    "l2(3)": "cannot be understood",
    "direction(a)": "cannot be understood",
    "direction(a, b)": "cannot be understood",
    "direction()": "cannot be understood",
    "lp(inf)": "",
    "direction(a, nan)": "",
    "1e999*a:1": "",
    "a:" + "1" * 5000: "",
    "class:" + "1" * 5000: "",
    "class:²": None,
    "1*" * 5000 + "a:1": None,
    "(" * 5000: None,
    '"' * 4999: None,
}


@pytest.mark.parametrize("text", NOTHING, ids=lambda text: repr(text[:20]))
def test_what_means_nothing_is_told_in_one_line(text: str) -> None:
    """Those with None may mean something as well; then it has a text that means the same."""
    expected = NOTHING[text]
    told = ""
    try:
        objective = parse_target(text)
    except TargetError as error:
        told = str(error)
    if not told and expected is None:
        assert parse_target(objective.text()) == objective
        return
    assert told
    assert (expected or "") in told
    assert len(told.splitlines()) == 1
    assert len(told) < 1000


def test_a_norm_below_one_keeps_its_own_words() -> None:
    with pytest.raises(cs.ConvscopeError, match=r"the norm's p is 0\.5; expected at least 1"):
        parse_target("lp(0.5)")


SEVERAL: dict[str, list[Objective]] = {
    "layer:0-15": [cs.channel("layer", i) for i in range(16)],
    "layer:3,7,40-43": [cs.channel("layer", i) for i in (3, 7, 40, 41, 42, 43)],
    "layer:5": [cs.channel("layer", 5)],
    "layer:5-5": [cs.channel("layer", 5)],
    "layer:2,2": [cs.channel("layer", 2)] * 2,
    "a/b[0]:1-2": [cs.channel("a/b[0]", 1), cs.channel("a/b[0]", 2)],
    " relu#1:0,1 ": [cs.channel("relu#1", 0), cs.channel("relu#1", 1)],
    f"layer:0-{MOST_CHANNELS - 1}": [cs.channel("layer", i) for i in range(MOST_CHANNELS)],
    "class:0-3": [cs.logit("0-3")],
    "p:1,2": [cs.probability("1,2")],
    "layer:3@4,5": [cs.neuron("layer", 3, 4, 5)],
    "layer": [cs.layer("layer")],
    "2*a:1 - b:2": [2 * A - B],
}


@pytest.mark.parametrize("text", SEVERAL)
def test_several_channels_of_a_layer(text: str) -> None:
    assert parse_targets(text) == SEVERAL[text]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("layer:5-3", "the channels '5-3' in 'layer:5-3' go backwards; expected low-high"),
        ("layer:1,9-8", "the channels '9-8' in 'layer:1,9-8' go backwards; expected low-high"),
        ("layer:0-4096", "the channels '0-4096' in 'layer:0-4096' are too many; expected at most 4096"),
        ("layer:0-9999999", "the channels '0-9999999' in 'layer:0-9999999' are too many; expected at most 4096"),
    ],
)
def test_ranges_that_cannot_be(text: str, told: str) -> None:
    with pytest.raises(TargetError) as caught:
        parse_targets(text)
    assert str(caught.value) == told


@pytest.mark.parametrize(
    "text", ["layer:0-", "layer:-3", "layer:1,,2", "layer:1,", "2*layer:0-3", "a b:0-3", "layer:1-2-3"]
)
def test_ranges_that_cannot_be_read(text: str) -> None:
    with pytest.raises(TargetError, match="cannot be understood"):
        parse_targets(text)


def test_ranges_of_endless_numbers() -> None:
    with pytest.raises(TargetError):
        parse_targets("layer:0-" + "9" * 5000)


def test_what_users_give_becomes_an_objective() -> None:
    assert ensure_objective(A) is A
    assert ensure_objective("a:1 - b:2") == A - B
    assert ensure_objective(340) == cs.logit(340)
    with pytest.raises(TargetError, match="of type bool; expected layer:channel"):
        ensure_objective(True)


SPACE = 90_000 * " "
LONG = {
    "a direction's layer": f"direction(a{SPACE}b)",
    "a direction's name": f"direction{SPACE}x",
    "a norm's number": f"lp{SPACE}1 x",
    "digits": 90_000 * "1" + "x y",
    "factors": 40_000 * "1*" + "a b",
    "ranges": "a:" + 9000 * "0-4095," + "0-4095",
    "terms": 9000 * "a:1 + " + "a:1",
    "letters": 10_000_000 * "a",
    "the strongest": f"strongest(a{SPACE}",
    "the strongest, closed": f"strongest({SPACE})x",
    "the strongest channel": f'strongest("a{SPACE}:{SPACE[:5000]}',
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_long_targets_are_told_soon(text: str) -> None:
    before = time.perf_counter()
    for parse in (parse_targets, lambda text: question_of(shared("plain"), text, "grad_cam")):
        with pytest.raises(cs.ConvscopeError) as told:
            parse(text)
        assert len(str(told.value)) < 500
        assert len(str(told.value).splitlines()) == 1
    assert time.perf_counter() - before < 5


def test_how_long_a_target_may_be() -> None:
    long = " + ".join(MOST_TERMS * ["a:1"])
    assert parse_target(parse_target(long).text()) == parse_target(long)
    for text, told in (
        (f"{long} - a:1", "has too many terms; expected at most 1000"),
        ((MOST_LETTERS + 1) * "a", "has 1000001 letters"),
    ):
        with pytest.raises(TargetError, match=told):
            parse_target(text)


@pytest.mark.parametrize(
    ("text", "layer"),
    [
        ("strongest(conv2)", "conv2"), (" strongest( conv2 : 3 ) ", "conv2"), ('strongest("conv2":3)', "conv2"),
        ('strongest( "conv2" )', "conv2"), ("strongest(a:1:2)", "a:1"), ("strongest(:3)", ":3"),
    ],
)  # fmt: skip
def test_the_strongest_channel_of_a_layer(text: str, layer: str) -> None:
    if layer == "conv2":
        question_of(shared("plain"), text, "grad_cam")
    else:
        with pytest.raises(cs.ConvscopeError, match=f"no layer named '{layer}'"):
            question_of(shared("plain"), text, "grad_cam")
