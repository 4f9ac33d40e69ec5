"""The package is light to import, and its public face is what it says."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import convscope as cs

HEAVY = ("torch", "keras", "nicegui", "timm", "torchvision", "matplotlib")


def loaded_by(code: str) -> set[str]:
    """The heavy packages that a piece of code loads, in an interpreter of its own."""
    tell = f"; import sys; print('LOADED', *[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code + tell], capture_output=True, text=True, check=True)
    return set(done.stdout.rsplit("LOADED", 1)[1].split())


@pytest.mark.parametrize(
    "code",
    [
        "import convscope",
        "import convscope; convscope.ConvscopeError, convscope.Progress, convscope.load_result",
        "import convscope.results.store, convscope.render.page",
        "from typer.testing import CliRunner; from convscope.cli.main import app; "
        "assert 'visualize' in CliRunner().invoke(app, ['--help']).output",
        "from typer.testing import CliRunner; from convscope.cli.main import app; "
        "assert 'efficientnet_lite0' in CliRunner().invoke(app, ['models']).output",
    ],
)
def test_loads_nothing_heavy(code: str) -> None:
    assert loaded_by(code) == set()


def test_the_check_can_fail() -> None:
    assert loaded_by("import torch") == {"torch"}
    assert "torch" in loaded_by("import convscope; convscope.load_model")


def test_every_public_name_is_there() -> None:
    assert cs.__all__ == sorted(cs.__all__)
    for name in cs.__all__:
        assert getattr(cs, name) is not None
    assert set(cs.__all__) <= set(dir(cs))
    with pytest.raises(AttributeError, match="no attribute 'explian'"):
        cs.explian  # type: ignore[attr-defined]  # noqa: B018


def test_editors_see_every_public_name_where_it_is() -> None:
    tree = ast.parse(Path(str(cs.__file__)).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    seen = {line.names[0].name: str(line.module) for line in block.body if isinstance(line, ast.ImportFrom)}
    assert sorted([*seen, "__version__"]) == cs.__all__
    for name, module in seen.items():
        assert getattr(import_module(module), name) is getattr(cs, name), name


def test_the_version_is_that_of_the_package_and_the_changelog() -> None:
    from importlib.metadata import version
    from pathlib import Path

    text = (Path(__file__).parents[2] / "CHANGELOG.md").read_text(encoding="utf-8")
    assert version("convscope") == cs.__version__
    assert f"## {cs.__version__}" in text
