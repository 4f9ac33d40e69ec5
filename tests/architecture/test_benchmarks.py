"""The benchmarks name what there is."""

import importlib
from pathlib import Path

import pytest

MODULES = sorted(path.stem for path in (Path(__file__).parents[2] / "benchmarks").glob("*.py") if path.stem[0] != "_")
OTHER = {"against_lucent"}
"""What needs packages of the environment of `make bench-zoo`."""


@pytest.mark.parametrize("name", [name for name in MODULES if name not in OTHER])
def test_each_can_be_imported(name: str) -> None:
    importlib.import_module(f"benchmarks.{name}")
