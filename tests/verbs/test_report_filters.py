"""What the report says its pictures reach: more than the photograph, or made again with more steps, or a note."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import convscope as cs
from convscope.progress import Progress
from convscope.verbs.report import parts
from tests.networks import network, noise

SPEC = cs.InputSpec(size=32, range=(0, 1), mean=0.0, std=1.0)


class Bright(nn.Module):
    """Its first channel answers with the brightness: a white picture is the most that it can get."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 2, 1), nn.Conv2d(2, 2, 1), nn.Conv2d(2, 4, 1)
        with torch.no_grad():
            for layer in (self.a, self.b, self.c):
                layer.bias.zero_()
            self.a.weight[:] = torch.tensor([1 / 3, -1 / 3])[:, None, None, None]
            self.b.weight[:, :, 0, 0] = torch.eye(2)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.c(self.b(self.a(x))).mean((2, 3))
        return found


def page_of(brightness: float, steps: int, tmp_path: Path, news: list[Progress] | None = None) -> str:
    torch.manual_seed(0)
    net = cs.load_model(Bright(), input=SPEC)
    picture = np.full((32, 32, 3), brightness, np.float32)
    seen: list[Progress] = [] if news is None else news
    cs.report(net, picture, tmp_path, filters=1, filter_steps=steps, class_steps=1, watch=seen.append)
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def units(page: str) -> list[tuple[str, float, float, int | None]]:
    """Of each unit its name, the photograph's answer, what was reached, and in how many steps where these were more."""
    pattern = (
        r"<code>([^<]+:\d+)</code>.*?mean answer <strong>([^<]+)</strong>.*?made to reach <strong>([^<]+)</strong>"
        r"(?: in (\d+) steps)?</div>"
    )
    return [
        (name, float(mean), float(reached), int(steps) if steps else None)
        for name, mean, reached, steps in re.findall(pattern, page, re.DOTALL)
    ]


def test_a_picture_that_reaches_enough_is_made_once(tmp_path: Path) -> None:
    page = page_of(0.505, 8, tmp_path)
    (name, mean, reached, steps), *_ = units(page)
    assert (name, mean, steps) == ("a:0", pytest.approx(0.505, abs=5e-3), None)
    assert reached > mean
    assert "reaches less" not in page
    assert "as high as it will go" not in page


def test_a_picture_that_falls_short_is_made_again_with_more_steps(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = cs.load_model(Bright(), input=SPEC)
    once, longer = (float(cs.visualize(net, "a:0", steps=steps).arrays["values"][0]) for steps in (4, 4 * parts.LONGER))
    assert longer > once + 0.01
    news: list[Progress] = []
    page = page_of((once + longer) / 2, 4, tmp_path, news)
    (name, mean, reached, steps), *_ = units(page)
    assert (name, steps) == ("a:0", 12)
    assert once < mean < reached == pytest.approx(longer, rel=1e-2), "what `visualize a:0 --steps 12` makes"
    assert "reaches less" not in page
    assert [one.done for one in news] == sorted(one.done for one in news)
    assert news[-1].done == news[-1].total == 4 + 3 * 4 + 1
    assert any("a:0 again: " in one.note for one in news)


def test_where_more_steps_do_not_help_a_note_says_so(tmp_path: Path) -> None:
    page = page_of(1.0, 2, tmp_path)
    (_, mean, reached, steps), *_ = units(page)
    assert reached < mean == 1.0
    assert steps == 6, "the better of the two"
    assert "of 0 the made picture reaches less than the photograph, with 6 steps too: take more --filter-steps" in page


def test_the_class_picture_is_the_better_of_two() -> None:
    net = network("plain")
    photograph = net.photograph(noise())
    found = parts.Findings(net, photograph, 0, 1)
    parts.predictions(found)
    parts.class_picture(found, 1, lambda _: None)
    guess = found.guesses[0]
    once, longer = (
        float(cs.visualize(net, guess.index, steps=steps).arrays["values"][0]) for steps in (1, parts.LONGER)
    )
    wanted = (1, once) if once >= guess.score or longer <= once else (parts.LONGER, longer)
    assert (found.page["dream"]["steps"], found.page["dream"]["value"]) == (wanted[0], pytest.approx(wanted[1]))
    found.page["dream"]["value"] = 1e9
    parts.show_class_picture(found, cs.visualize(net, guess.index, steps=1))
    assert found.page["dream"]["value"] == 1e9, "one that scores less does not take its place"


def test_a_channel_without_a_picture_is_noted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from convscope.verbs.report import filters

    plain = filters.visualize

    def without_the_first(net: cs.Network, targets: list[object], **options: object) -> object:
        if len(targets) == 1:
            return plain(net, targets, **options)  # type: ignore[arg-type]
        made = plain(net, targets[1:], **options)  # type: ignore[arg-type]
        notes = (*made.recipe.notes, f"no picture of {targets[0]}: a number is not finite")
        object.__setattr__(made.recipe, "notes", notes)
        return made

    monkeypatch.setattr(filters, "visualize", without_the_first)
    cs.report(network("plain"), noise(), tmp_path, filters=2, filter_steps=2, class_steps=1)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert len(units(page)) == page.count("no picture of ") > 1
