"""The docs say what the code does: tables from the signatures, a page for every verb and method, links that lead."""

import re
import runpy
import shlex
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import convscope as cs
from convscope.attribution.table import METHODS
from convscope.cli.main import command_named
from convscope.verbs.table import VERBS
from tests.networks import noise, shared

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
TEXTS = [DOCS.parent / "README.md", *PAGES]


def test_the_tables_of_options_are_those_of_the_signatures() -> None:
    made = runpy.run_path(str(DOCS / "make_tables.py"))["text"]()
    assert (DOCS / "options.md").read_text(encoding="utf-8") == made, "run python docs/make_tables.py"


def test_every_verb_and_every_method_has_its_page_in_the_menu() -> None:
    menu = (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8")
    for page in [f"verbs/{verb}.md" for verb in VERBS if verb != "replay"] + [f"methods/{name}.md" for name in METHODS]:
        assert page in menu
        assert (DOCS / page).is_file()


def lines_of(page: Path) -> list[str]:
    """The command lines of a page, but those with placeholders that stand for more than a word."""
    found = re.findall(r"^ *convscope (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [line for line in found if not re.search(r"\[|\.\.\.|[A-Z]\|", line.partition("#")[0])]


@pytest.mark.parametrize("page", [page for page in TEXTS if lines_of(page)], ids=lambda page: page.name)
def test_command_lines_are_ones_that_the_commands_take(page: Path) -> None:
    for line in lines_of(page):
        verb, *words = shlex.split(line, comments=True)
        command_named(verb).make_context(verb, words)


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_python_of_the_pages_is_python(page: Path) -> None:
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        compile(block, page.name, "exec")


def test_the_method_of_ones_own_in_the_readme_works(monkeypatch: pytest.MonkeyPatch) -> None:
    from convscope.attribution import method as home

    blocks = re.findall(r"```python\n(.*?)```", TEXTS[0].read_text(encoding="utf-8"), re.DOTALL)
    block = next(block for block in blocks if "cs.Method" in block).partition("cs.compare(")[0]
    monkeypatch.setattr(home, "_DEFINED", dict(home._DEFINED))
    module = ModuleType("readme")
    monkeypatch.setitem(sys.modules, "readme", module)
    vars(module)["cs"] = cs
    exec(block, vars(module))
    net, picture = shared("plain"), noise(1)
    for p in (1.0, 2.0):
        found = cs.explain(net, picture, 1, vars(module)["GradientNorm"](p=p))
        gradient = cs.explain(net, picture, 1, "saliency").arrays["attribution"]
        assert np.allclose(found.arrays["map"], np.linalg.norm(gradient, p, axis=0), atol=1e-6)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if not link.startswith("http"):
            assert (page.parent / link).exists(), link
