"""The page of a board in a real browser: what the pointer is on, what a scale darkens, and that all lies where it is
drawn."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convscope as cs
from convscope.results.board import Board
from tests.networks import network, noise

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")

ASK = """<script>
addEventListener("load", () => setTimeout(() => {
  const tiles = [...document.querySelectorAll(".tile")], scales = [...document.querySelectorAll(".scale")];
  const box = tiles[1].getBoundingClientRect();
  const at = (x, y) => ({clientX: box.left + x * box.width, clientY: box.top + y * box.height, pointerType: "mouse"});
  tiles[1].dispatchEvent(new PointerEvent("pointermove", at(@x, @y)));
  const values = tiles.map(tile => tile.querySelector(".value").textContent);
  const marks = tiles.map(tile => {
    const inner = tile.getBoundingClientRect(), mark = tile.querySelector(".mark").getBoundingClientRect();
    const middle = [mark.left + mark.width / 2 - inner.left, mark.top + mark.height / 2 - inner.top];
    return [middle[0] / inner.width, middle[1] / inner.height];
  });
  const bar = scales[0].getBoundingClientRect();
  const half = {clientX: bar.left + 4, clientY: bar.top + 0.5 * bar.height};
  scales[0].dispatchEvent(new PointerEvent("pointermove", half));
  const dark = tiles.map(tile => {
    const canvas = tile.querySelector("canvas");
    if (!canvas.width) return 0;
    const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    let count = 0;
    for (let i = 3; i < data.length; i += 4) count += data[i] > 0;
    return count;
  });
  const sizes = tiles.map(tile => [tile, tile.querySelector("img"), tile.querySelector("canvas")].map(
    part => [part.getBoundingClientRect().width, part.getBoundingClientRect().height]));
  const heights = scales.map(scale => scale.getBoundingClientRect().height);
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  const out = document.createElement("pre");
  out.id = "out";
  out.textContent = JSON.stringify({values, marks, dark, sizes, heights, wide});
  document.body.append(out);
}, 200));
</script></body>"""


def seen(board: Board, folder: Path, width: int, x: float, y: float) -> dict[str, Any]:
    """What the page shows when the pointer is at this place of its second map and halfway up its first scale."""
    page = board.save(folder / "board.html").read_text()
    asked = folder / "asked.html"
    asked.write_text(page.replace("</body>", ASK.replace("@x", str(x)).replace("@y", str(y))))
    assert CHROMIUM is not None
    shown = subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={folder / 'profile'}",
            f"--window-size={width},900",
            "--virtual-time-budget=4000",
            "--dump-dom",
            asked.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    found = re.search(r'<pre id="out">(.*?)</pre>', shown, re.DOTALL)
    assert found, "the script of the page did not run to its end"
    answer: dict[str, Any] = json.loads(unescape(found[1]))
    return answer


@pytest.mark.parametrize(("width", "x", "y"), [(1200, 0.3, 0.7), (700, 0.9, 0.1), (420, 0.02, 0.98)])
def test_the_pointer_is_on_the_same_place_of_every_map(tmp_path: Path, width: int, x: float, y: float) -> None:
    methods = ["grad_cam", "occlusion patch=8 stride=4 value=black", "saliency"]
    board = cs.compare(network("plain"), noise(2), ["class:bee", "class:eel", "relu2:3"], methods=methods)
    assert isinstance(board, Board)
    answer = seen(board, tmp_path, width, x, y)
    maps = board.arrays["maps"][0].reshape(9, 32, 32)
    there = maps[:, int(y * 32), int(x * 32)]
    least, most = maps.min((1, 2)), maps.max((1, 2))
    for told, value, low, high in zip(answer["values"], there, least, most, strict=True):
        assert float(told) == pytest.approx(float(value), rel=0.006, abs=2e-4 * float(high - low) + 1e-9)
    assert np.allclose(answer["marks"], [[x, y]] * 9, atol=0.05)
    high = float(board.arrays["maps"][0, 0].max())
    wanted = (board.arrays["maps"][0, 0] < 0.5 * high).sum((1, 2))
    assert np.abs(np.array(answer["dark"][:3]) - wanted).max() <= 12, "half of the scale goes dark in its own row"
    assert answer["dark"][3:] == [0] * 6, "and in no other"
    for tile, picture, canvas in answer["sizes"]:
        assert np.allclose(tile, picture, atol=1)
        assert np.allclose(canvas, picture, atol=1)
    assert np.allclose(answer["heights"], [answer["sizes"][3 * row][1][1] for row in range(3)], atol=1)
    assert answer["wide"] <= 0, "the page does not scroll sideways"
