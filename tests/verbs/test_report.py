"""The report: one page, complete, self-contained, also when it is stopped."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import convscope as cs
from tests.networks import MODULES, noise, shared

QUICK = {"filters": 2, "filter_steps": 2, "class_steps": 2}


class _Page(HTMLParser):
    """What a page refers to, and whether its tags close."""

    VOID = ("meta", "img", "br", "link", "input")

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.open: list[str] = []
        self.pictures_without_words = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.links += [str(given[name]) for name in ("src", "href", "srcset", "action") if name in given]
        if tag == "img" and not given.get("alt"):
            self.pictures_without_words += 1
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(path: Path) -> tuple[str, _Page]:
    text = path.read_text(encoding="utf-8")
    page = _Page()
    page.feed(text)
    assert page.open == []
    return text, page


def test_the_page_stands_alone(lite0: cs.Network, photograph: str, tmp_path: Path) -> None:
    result = cs.report(lite0, photograph, tmp_path, **QUICK)  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    text, page = read(tmp_path / "report.html")
    assert page.links
    assert all(link.startswith("data:image/") for link in page.links)
    assert not re.search(r"url\(|@import|<script|https?://", text)
    assert page.pictures_without_words == 0
    assert "Egyptian cat" in text
    assert "35.7 %" in text
    for heading in ("Where it looks", "How the picture travels", "What the filters look for", "first layer learned"):
        assert heading in text
    assert len(re.findall(r"<code>blocks\.\d+:\d+</code>", text)) == 6
    assert "not finished" not in text
    assert set(result.facts["seconds"]) == {
        "predictions", "heatmaps", "layers", "first weights", "class picture",
        *(f"filters of blocks.{i}" for i in (2, 8, 13)),
    }  # fmt: skip


def test_its_maps_are_those_of_explain(lite0: cs.Network, photograph: str, tmp_path: Path) -> None:
    result = cs.report(lite0, photograph, tmp_path, **QUICK)  # type: ignore[arg-type]
    for guess, heat in zip(result.facts["guesses"], result.arrays["maps"], strict=False):
        alone = cs.explain(lite0, photograph, guess["index"])
        assert np.allclose(heat, alone.arrays["map"], atol=1e-6)


def test_the_class_picture_in_the_page_carries_its_recipe(lite0: cs.Network, photograph: str, tmp_path: Path) -> None:
    import base64

    cs.report(lite0, photograph, tmp_path, **QUICK)  # type: ignore[arg-type]
    _, page = read(tmp_path / "report.html")
    saved = tmp_path / "saved.png"
    for link in page.links:
        if link.startswith("data:image/png;base64,"):
            saved.write_bytes(base64.b64decode(link.split(",", 1)[1]))
            try:
                found = cs.load_result(saved)
            except cs.ConvscopeError:
                continue
            assert found.recipe.options["target"] == ["class:285"]
            assert cs.replay(saved).image().tobytes() == found.image().tobytes()
            return
    pytest.fail("no picture in the page carries a recipe")


def test_ctrl_c_leaves_what_is_done(lite0: cs.Network, photograph: str, tmp_path: Path) -> None:
    def impatient(news: cs.Progress) -> None:
        if news.what.startswith("filters of blocks.8"):
            raise KeyboardInterrupt

    with pytest.raises(cs.Stopped, match="stopped after") as caught:
        cs.report(lite0, photograph, tmp_path, watch=impatient, **QUICK)  # type: ignore[arg-type]
    text, _ = read(tmp_path / "report.html")
    assert "not finished" in text
    assert "blocks.2:" in text
    assert "blocks.8:" not in text
    assert caught.value.result.facts["finished"] is False


def test_progress_counts_every_step_once(lite0: cs.Network, photograph: str, tmp_path: Path) -> None:
    news: list[cs.Progress] = []
    cs.report(lite0, photograph, tmp_path, watch=news.append, **QUICK)  # type: ignore[arg-type]
    assert news[-1].done == news[-1].total == 4 + 3 * 2 + 2
    assert [one.done for one in news] == sorted(one.done for one in news)


@pytest.mark.parametrize("kind", MODULES)
def test_on_every_kind_of_network(kind: str, tmp_path: Path) -> None:
    cs.report(shared(kind), noise(), tmp_path / "page.html", **QUICK)  # type: ignore[arg-type]
    text, _ = read(tmp_path / "page.html")
    assert "What it would call the perfect" in text


def test_names_are_escaped(tmp_path: Path) -> None:
    from tests.networks import CLASSES, SPEC, Plain, seeded

    labels = ["<script>alert(1)</script>"] * CLASSES
    net = cs.load_model(seeded(Plain), input=SPEC, labels=labels)
    cs.report(net, noise(), tmp_path, **QUICK)  # type: ignore[arg-type]
    assert "<script" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_network_with_an_unknown_input_says_so_on_the_page(tmp_path: Path) -> None:
    from tests.networks import Plain, seeded

    net = cs.load_model(seeded(Plain), input=cs.InputSpec(size=32))
    cs.report(net, noise(), tmp_path, **QUICK)  # type: ignore[arg-type]
    assert "range, mean, std are unknown" in (tmp_path / "report.html").read_text(encoding="utf-8")
