"""What the examples share: their arguments, and saving what they make."""

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

import convscope as cs

ROOT = Path(__file__).parent
PHOTOGRAPHS = ROOT / "photographs"
STROKES = ROOT / "styles" / "strokes.jpg"


@dataclass
class Example:
    """A run of an example. out: the folder of its pictures. quick: a tenth of the steps, to see that it works."""

    out: Path
    model: str
    weights: str | None
    quick: bool
    started: float = field(default_factory=time.monotonic)

    def load(self) -> cs.Network:
        """The network that was asked for."""
        return cs.load_model(self.model, weights=self.weights)

    def steps(self, count: int) -> int:
        """So many steps, or a tenth of them."""
        return max(2, count // 10) if self.quick else count

    def save(self, result: cs.Result | Image.Image, name: str) -> Path:
        """Write a result or picture, and tell."""
        path = self.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        result.save(path)
        print(f"{time.monotonic() - self.started:5.0f} s  {path}", flush=True)
        return path


def example(doc: str, model: str) -> Example:
    """An example from the command line. model: the network unless another is named."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("out", type=Path, help="a folder for the pictures")
    parser.add_argument("--model", default=model, help=f"the network; {model} unless given")
    parser.add_argument("--weights", help="a file of weights, or 'none'")
    parser.add_argument("--quick", action="store_true", help="a tenth of the steps")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    return Example(given.out, given.model, given.weights, given.quick)
