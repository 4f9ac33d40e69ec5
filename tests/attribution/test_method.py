"""Laws of every method as a value, derived from the table: options, texts, dictionaries, what is refused."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import pytest

import convscope as cs
from convscope.attribution.method import method_class, method_of
from convscope.attribution.table import METHODS
from convscope.options import About
from tests.contracts.verbs import SMALLER
from tests.networks import network, noise, shared

every_method = pytest.mark.parametrize("name", METHODS)
EVERY_OPTION = [(name, option) for name in METHODS for option in method_class(name).options()]
every_option = pytest.mark.parametrize(("name", "option"), EVERY_OPTION)
WORDS: dict[str, Any] = {
    "layer": "conv2", "baseline": "blur", "fill": "1,0.5,0", "of": "guided_backprop", "patch": "8x6", "stride": 3,
    "channels": (3, 7, 2),
}  # fmt: skip
"""A value of each option that is neither a number, nor a word of a few, nor true or false."""


def value_of(name: str, option: str) -> Any:
    """A value that is not the default one."""
    field = method_class(name).options()[option]
    if bool in field.members:
        return not field.default
    if field.choices:
        return field.choices[-1]
    if option in WORDS:
        return WORDS[option]
    least, most = field.about.least or 0, field.about.most or 3
    return min(least + 3, most) if int in field.members else least + (most - least) / 4


@every_method
def test_a_name_is_the_method_with_its_defaults(name: str) -> None:
    assert method_of(name) == method_class(name)()
    assert method_of(method_class(name)()) == method_class(name)()
    assert getattr(cs, method_class(name).__name__) is method_class(name)


@every_option
def test_text_and_dictionary_give_the_same_method_again(name: str, option: str) -> None:
    method = method_of(name, {option: value_of(name, option)})
    assert method != method_of(name)
    assert method_of(method.text) == method
    assert method_of(json.loads(json.dumps(method.to_dict()))) == method
    assert option in method.text


@every_option
def test_what_an_option_cannot_be_is_refused_in_one_line(name: str, option: str) -> None:
    field = method_class(name).options()[option]
    wrong: list[Any] = []
    if field.about.least is not None and field.about.most is not None:
        wrong += [field.about.least - 1, field.about.most * 2 + 1, "many", True]
    if field.choices or bool in field.members:
        wrong += ["no such word", 7]
    if field.numbers:
        wrong += [3, "abc", [1.5]]
    for value in wrong:
        with pytest.raises(cs.ConvscopeError, match=option) as told:
            method_of(name, {option: value})
        assert "\n" not in str(told.value)
        assert name in str(told.value)


@every_method
def test_resolving_leaves_nothing_open_and_changes_nothing_that_is_resolved(name: str) -> None:
    net = shared("plain")
    method = method_of(name, SMALLER.get(name, {})).resolved(net, None)
    assert method.resolved(net, None) == method
    assert method_of(json.loads(json.dumps(method.to_dict()))) == method


@every_method
def test_options_by_name_by_text_and_in_a_value_are_one(name: str) -> None:
    """Also on the recipe, which holds everything that was used."""
    net, picture = shared("plain"), noise(1)
    options = SMALLER.get(name, {})
    value = method_of(name, options)
    maps = [
        cs.explain(net, picture, method=value),
        cs.explain(net, picture, None, value.text),
        cs.explain(net, picture, method=name, **options),
        cs.explain(net, picture, method=value.to_dict()),
    ]
    assert all(np.array_equal(one.arrays["map"], maps[0].arrays["map"]) for one in maps)
    assert all(one.recipe == maps[0].recipe for one in maps)
    held = maps[0].recipe.options["method"]
    assert set(held) == {"name", *method_class(name).options()}
    resolved = method_of(held)
    assert resolved.resolved(net, None) == resolved


def test_an_option_of_another_method_says_whose_it_is() -> None:
    with pytest.raises(cs.ConvscopeError, match="patch is no option of grad_cam; it is one of occlusion"):
        cs.explain(shared("plain"), noise(), patch=3)
    with pytest.raises(cs.ConvscopeError, match="pach is no option of occlusion; near matches: patch"):
        cs.explain(shared("plain"), noise(), method="occlusion", pach=3)
    with pytest.raises(cs.ConvscopeError, match="no method named 'oclusion'; near matches: occlusion"):
        cs.explain(shared("plain"), noise(), method="oclusion")
    with pytest.raises(TypeError, match="pach"):
        cs.Occlusion(pach=3)  # type: ignore[call-arg]


def test_the_old_name_of_an_option_is_still_taken_and_not_both() -> None:
    assert method_of("occlusion", {"value": 0.25}) == cs.Occlusion(fill=0.25)
    assert method_of("occlusion value=blur") == cs.Occlusion(fill="blur")
    with pytest.raises(cs.ConvscopeError, match="value and fill are the same option"):
        method_of("occlusion", {"value": 0.25, "fill": "grey"})


def test_methods_compose() -> None:
    net, picture = shared("plain"), noise(1)
    one = cs.explain(net, picture, 1, cs.SmoothGrad(of=cs.InputXGradient(signed=False), samples=3))
    other = cs.explain(net, picture, 1, "smooth_grad of=input_x_gradient samples=3")
    assert np.array_equal(one.arrays["map"], other.arrays["map"])
    assert one.recipe.options["method"]["of"]["name"] == "input_x_gradient"
    with pytest.raises(cs.ConvscopeError, match="smooth_grad takes"):
        cs.explain(net, picture, 1, cs.SmoothGrad(of=cs.Occlusion()))


@dataclass(frozen=True, kw_only=True)
class Brightness(cs.Method, name="brightness", title="brightness", display="fine"):
    """Nothing of the network: how bright each pixel is, by a power."""

    about: ClassVar[str] = "how bright the picture is"

    power: Annotated[float, About("of the brightness", 0.1, 10)] = 1.0

    def run(self, job: cs.Job) -> Iterator[cs.Attribution]:
        objective, scores = job.settled()
        value = float(scores[0, objective.label]) if scores is not None else None  # type: ignore[attr-defined]
        yield cs.Attribution(objective, value, job.picture[0].mean(0) ** self.power, scores)


def test_a_method_of_ones_own_works_wherever_methods_are_taken(tmp_path: Path) -> None:
    net, picture = network("plain"), noise(1)
    mine = Brightness(power=2.0)
    found = cs.explain(net, picture, 1, mine)
    assert np.allclose(found.arrays["map"], picture[0].mean(0).numpy() ** 2, atol=1e-6)
    assert found.recipe.options["method"] == {"name": "brightness", "power": 2.0}
    board = cs.compare(net, picture, [1, 2], methods=[mine, "grad_cam", "brightness power=3"])
    assert board.facts["titles"][0] == "bee"
    assert [one["title"] for one in board.facts["methods"]] == [
        "brightness (power=2)",
        "Grad-CAM",
        "brightness (power=3)",
    ]
    assert np.allclose(board.arrays["maps"][0, 0, 1], found.arrays["map"])
    assert cs.hybrid(net, picture, 1, method=mine).recipe.options["method"]["power"] == 2
    assert cs.assess(net, picture, target=1, method=mine, points=4, stages=1).recipe.options["method"]["power"] == 2
    assert cs.assess(net, picture, found, points=4, stages=1).facts["method"] == "brightness"
    with pytest.raises(cs.ConvscopeError, match=r"power is 99.*expected 0.1 to 10"):
        cs.explain(net, picture, 1, "brightness power=99")
    for result in (found, board, cs.hybrid(net, picture, 1, method=mine)):
        path = result.save(tmp_path / "a.npz")
        again = cs.replay(path, net=net, image=picture)
        assert all(np.array_equal(again.arrays[name], array) for name, array in result.arrays.items())
        assert again.recipe == result.recipe


def test_a_recipe_of_a_method_that_is_not_there_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from convscope.attribution import method as home

    net, picture = network("plain"), noise(1)
    path = cs.explain(net, picture, 1, Brightness()).save(tmp_path / "a.npz")
    monkeypatch.delitem(home._DEFINED, "brightness")
    with pytest.raises(cs.ConvscopeError, match=r"no method named 'brightness'.*imported first"):
        cs.replay(path, net=net, image=picture)


def test_a_method_cannot_take_the_name_of_one_that_is_there() -> None:
    with pytest.raises(cs.ConvscopeError, match="a method named 'rise' is there already"):

        class Rise(cs.Method, name="rise"):
            pass


def test_a_changed_default_does_not_change_a_replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipe holds what was used: of the method, of the layer, and of the target."""
    from convscope.models.network import Network

    net, picture = network("plain"), noise(1)
    made = {
        "occlusion": cs.explain(net, picture, method="occlusion"),
        "grad_cam": cs.explain(net, picture),
        "compare": cs.compare(net, picture, methods=["occlusion", "grad_cam"]),
        "hybrid": cs.hybrid(net, picture),
        "integrated_gradients": cs.explain(net, picture, method="integrated_gradients"),
        "smooth_grad": cs.explain(net, picture, method="smooth_grad"),
    }
    paths = {name: result.save(tmp_path / f"{name}.npz") for name, result in made.items()}
    monkeypatch.setattr("convscope.attribution.integrated.TOLERANCE", 0.9)
    recommendation = Network.recommendation

    def first_layer(self: Network, *given: Any) -> Any:
        from dataclasses import replace

        return replace(recommendation(self, *given), layer=self.layer("conv1"))

    monkeypatch.setattr(Network, "recommendation", first_layer)
    original = cs.Occlusion.resolved
    monkeypatch.setattr(
        cs.Occlusion,
        "resolved",
        lambda self, *given: original(self if self.patch else cs.Occlusion(patch=16), *given),
    )
    monkeypatch.setattr(cs.SmoothGrad.__init__, "__kwdefaults__", {**_defaults(cs.SmoothGrad), "samples": 3})
    assert cs.explain(net, picture).facts["layer"] == "conv1", "the default did change"
    for name, result in made.items():
        again = cs.replay(paths[name], net=net, image=picture)
        for array, values in result.arrays.items():
            assert np.array_equal(again.arrays[array], values), (name, array)
        assert again.recipe == result.recipe


def _defaults(kind: type[cs.Method]) -> dict[str, Any]:
    return dict(kind.__init__.__kwdefaults__ or {})  # type: ignore[misc]
