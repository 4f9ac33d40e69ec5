"""Laws that hold for every objective, label and number."""

import operator
import string
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

import convscope as cs
from convscope.errors import InputError, near_matches
from convscope.models.labels import Labels
from convscope.objectives.expression import Objective, number_text
from convscope.objectives.text import parse_target
from convscope.taps.record import Recording, record

Tree = tuple[Any, ...]
"""A function and what it is called with, trees among them."""

laws = settings(deadline=None, derandomize=True, database=None, max_examples=100)

finite = st.floats(allow_nan=False, allow_infinity=False)
small = st.floats(-100, 100)
index = st.integers(0, 10**6)
# Names as torch and Keras give them, those that begin like a class or a call aside (see test_text.py).
layer_names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_./#\[\]-]{0,12}", fullmatch=True).filter(
    lambda name: name not in ("p", "class")
)
words = st.text(string.ascii_letters + string.digits + " -+'.,:;*@/&", min_size=1, max_size=12)
labels = words.filter(lambda text: text.strip() and not text.strip().isdigit())
any_labels = st.text(min_size=1, max_size=12).filter(lambda text: text.strip() and not text.strip().isdigit())
quoted_labels = st.text('a" -+()', min_size=1).filter(str.strip)


def term(function: Callable[..., Objective], *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Tree]:
    return st.tuples(st.just(function), *arguments)


def terms(names: st.SearchStrategy[str], classes: st.SearchStrategy[str]) -> st.SearchStrategy[Tree]:
    """Objectives of one term."""
    return st.one_of(
        term(cs.channel, names, index),
        term(cs.neuron, names, index, index, index),
        term(cs.layer, names),
        term(cs.direction, names, st.lists(finite, min_size=1, max_size=4)),
        term(cs.logit, classes | index),
        term(cs.probability, classes | index),
        term(cs.lp, st.floats(1, 1e6)),
        term(cs.total_variation),
    )


def expressions(leaves: st.SearchStrategy[Tree], weights: st.SearchStrategy[float]) -> st.SearchStrategy[Tree]:
    """Sums of weighted terms, nested as one may write them."""
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            term(operator.add, inner, inner),
            term(operator.sub, inner, inner),
            term(operator.mul, weights, inner),
            term(operator.neg, inner),
        ),
        max_leaves=4,
    )


def built(tree: Tree) -> Objective:
    """The objective of a tree. It is built in the test: beartype draws random numbers, which strategies may not."""
    function, *arguments = tree
    made: Objective = function(*(built(part) if isinstance(part, tuple) else part for part in arguments))
    return made


large = st.floats(-1e50, 1e50)


@laws
@given(expressions(terms(layer_names, labels), large))
def test_the_text_of_an_objective_means_the_same(tree: Tree) -> None:
    objective = built(tree)
    assert parse_target(objective.text()) == objective
    assert parse_target(objective.text()).text() == objective.text()


@settings(laws, max_examples=400)
@given(expressions(terms(layer_names, labels | any_labels | quoted_labels), large))
def test_the_text_of_an_objective_with_any_label_means_the_same(tree: Tree) -> None:
    objective = built(tree)
    assert parse_target(objective.text()) == objective


@laws
@given(finite)
def test_every_finite_weight_survives(weight: float) -> None:
    objective = weight * cs.channel("a", 0)
    assert parse_target(objective.text()) == objective
    assert float(number_text(weight)) == weight


@laws
@given(st.text(max_size=30) | st.text('ab01 +-*:@,."()lptvdirectioncls', max_size=30))
def test_any_text_means_something_or_is_refused_in_one_line(text: str) -> None:
    told = "one line"
    try:
        objective = parse_target(text)
        assert parse_target(objective.text()) == objective
    except InputError as error:
        told = str(error)
    assert len(told.splitlines()) == 1


def module() -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    made = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return made


@pytest.fixture(scope="module")
def recording() -> Recording:
    net = cs.load_model(module(), input=cs.InputSpec(size=8, range=(0, 1), mean=0.0, std=1.0))
    images = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return record(net, images, ["0", "1", "scores"])


known = expressions(
    st.one_of(
        term(cs.channel, st.sampled_from(["0", "1"]), st.integers(0, 3)),
        term(cs.neuron, st.just("0"), st.integers(0, 3), st.integers(0, 5), st.integers(0, 5)),
        term(cs.layer, st.sampled_from(["0", "1"])),
        term(cs.direction, st.just("1"), st.lists(small.filter(lambda x: abs(x) > 0.1), min_size=4, max_size=4)),
        term(cs.logit, st.integers(0, 2)),
        term(cs.probability, st.integers(0, 2)),
        term(cs.lp, st.floats(1, 20)),
        term(cs.total_variation),
    ),
    small,
)


def values(objective: Objective, recording: Recording) -> np.ndarray:
    found = objective.value(recording)
    assert found.shape == (3,)
    return found.numpy()


def assert_same(one: np.ndarray, two: np.ndarray) -> None:
    np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-6)


@laws
@given(known, known, small)
def test_values_are_linear(recording: Recording, one: Tree, two: Tree, weight: float) -> None:
    a, b = built(one), built(two)
    of_a, of_b = values(a, recording), values(b, recording)
    assert_same(values(a + b, recording), of_a + of_b)
    assert_same(values(a - b, recording), of_a - of_b)
    assert_same(values(weight * a, recording), weight * of_a)
    assert_same(values(a * weight, recording), weight * of_a)
    assert_same(values(-a, recording), -of_a)
    assert_same(values(-1.0 * -a, recording), of_a)
    assert_same(values(weight * (a + b), recording), values(weight * a + weight * b, recording))
    assert_same(values(a + b, recording), values(b + a, recording))
    assume(abs(weight) > 1e-3)
    assert_same(values(a / weight, recording), of_a / weight)


@laws
@given(known)
def test_the_value_of_a_text_is_the_value_of_its_objective(recording: Recording, tree: Tree) -> None:
    objective = built(tree)
    np.testing.assert_array_equal(values(parse_target(str(objective)), recording), values(objective, recording))


@laws
@given(known)
def test_a_picture_alone_has_the_value_it_has_in_a_batch(recording: Recording, tree: Tree) -> None:
    objective = built(tree)
    together = values(objective, recording)
    alone = [objective.value(recording.picture(i)).item() for i in range(3)]
    assert_same(np.array(alone), together)


@laws
@given(known, known)
def test_a_sum_needs_what_its_terms_need(one: Tree, two: Tree) -> None:
    a, b = built(one), built(two)
    assert (a - 2 * b).taps() == a.taps() | b.taps()


@laws
@given(st.lists(words | any_labels, min_size=1, max_size=6, unique_by=lambda name: folded(name)))
def test_every_label_is_found_by_its_own_name(names: list[str]) -> None:
    for i, name in enumerate(names):
        if folded(name) and not name.strip().lstrip("-").isdecimal():
            assert Labels(tuple(names)).find(name, len(names)) == i


def folded(name: str) -> str:
    """What two labels that mean the same have in common."""
    return " ".join(name.lower().replace("_", " ").split())


@laws
@given(st.text(max_size=8), st.lists(st.text(max_size=8), max_size=20))
def test_near_matches_exist_and_are_few(given_name: str, names: list[str]) -> None:
    near = near_matches(given_name, names)
    assert set(near) <= set(names)
    assert len(near) == len(set(near)) <= 5
    if given_name and given_name in names:
        assert near[0].lower() == given_name.lower()
