"""Every verb on every odd kind of network: finite numbers, or one line that leads the right way."""

import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import convscope as cs
from convscope.results.result import Result
from tests.contracts.as_found import changed, snapshot
from tests.contracts.odd_modules import KINDS, Kind
from tests.contracts.odd_parts import SIZE
from tests.contracts.verbs import VERBS
from tests.networks import noise

TARGETED = {"visualize", "dream", "hybrid", *(verb for verb in VERBS if verb.startswith("explain"))} - {
    "explain by eigen_cam"
}
MAY_LACK = ("randomised",)
"""Of assess: NaN where a network with shuffled weights gave no map."""
PICTURED = VERBS.keys() - {"weights", "visualize"}


def options_of(verb: str, kind: Kind) -> dict[str, object]:
    found: dict[str, object] = {}
    if verb in PICTURED:
        found["image"] = noise(channels=kind.channels, size=SIZE)
    if verb in TARGETED and kind.target is not None:
        found["target"] = kind.target
    for layered, option in (("weights", "layer"), ("invert", "layers")):
        if verb == layered:
            found[option] = kind.deep
    if verb == "visualize":
        found["target"] = [f"{kind.deep}:2", kind.target or "class:bee"]
    if verb == "dream":  # of a layer: for a class it would look at larger crops, at more cost
        found |= {"size": 64, "target": kind.target or f"{kind.deep}:2"}
    return found


def faults(verb: str, kind: Kind, net: cs.Network, folder: Path) -> Iterator[str]:
    """What is wrong with the answer of a verb."""
    before = snapshot(net)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = VERBS[verb](net, "odd", folder, **options_of(verb, kind))
        except cs.ConvscopeError as error:
            yield from _faults_of_text(str(error), kind)
        except Exception as error:
            yield f"{type(error).__name__}: {str(error)[:300]}"
        else:
            yield from _faults_of_arrays(result)
    told = [str(one.message) for one in caught]
    yield from (f"warns: {text[:200]}" for text in told if not kind.warns or kind.warns not in text)
    yield from (f"{name} changed" for name in changed(before, snapshot(net)))


def _faults_of_text(text: str, kind: Kind) -> Iterator[str]:
    if "\n" in text:
        yield f"more than one line: {text!r}"
    if not kind.says or not re.search(kind.says, text):
        yield f"says {text!r}"
    if "InputSpec" in text and not kind.asks:
        yield f"asks about the InputSpec: {text!r}"


def _faults_of_arrays(result: Result) -> Iterator[str]:
    for name, array in result.arrays.items():
        if array.dtype not in (np.float32, np.uint8):
            yield f"{name} is {array.dtype}"
        told = any("not finite" in note for note in result.recipe.notes)
        if not np.isfinite(array).all() and name not in MAY_LACK and not told:
            yield f"{name} is not finite"


@pytest.mark.filterwarnings("ignore:.*torch.jit")
@pytest.mark.parametrize("kind", KINDS)
def test_odd_network(kind: str, tmp_path: Path) -> None:
    net = KINDS[kind].network()
    found = [f"{verb}: {fault}" for verb in VERBS for fault in faults(verb, KINDS[kind], net, tmp_path)]
    assert not found, "\n".join(["", *found])


WITHOUT_THE_CHECKER = """
import random, tempfile
from pathlib import Path
from tests.contracts.odd_modules import KINDS
from tests.contracts.test_odd_modules import VERBS, options_of

kind = KINDS["python's random numbers"]
net = kind.network()
random.seed(7)
before = random.getstate()
for verb in VERBS:
    VERBS[verb](net, "odd", Path(tempfile.mkdtemp()), **options_of(verb, kind))
    assert random.getstate() == before, verb
"""


def test_pythons_random_state_is_left_as_found(tmp_path: Path) -> None:
    """In a process of its own, as the checker of types that the tests run under draws from that state."""
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_CHECKER], capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert ran.returncode == 0, ran.stderr
