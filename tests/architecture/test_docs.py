"""The docs say what the code does: tables from the signatures, a page for every verb and method, links that lead."""

import re
import runpy
from pathlib import Path

import pytest

from convscope.attribution.table import METHODS
from convscope.verbs.table import VERBS

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))


def test_the_tables_of_options_are_those_of_the_signatures() -> None:
    made = runpy.run_path(str(DOCS / "make_tables.py"))["text"]()
    assert (DOCS / "options.md").read_text(encoding="utf-8") == made, "run python docs/make_tables.py"


def test_every_verb_and_every_method_has_its_page_in_the_menu() -> None:
    menu = (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8")
    for page in [f"verbs/{verb}.md" for verb in VERBS if verb != "replay"] + [f"methods/{name}.md" for name in METHODS]:
        assert page in menu
        assert (DOCS / page).is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if not link.startswith("http"):
            assert (page.parent / link).exists(), link
