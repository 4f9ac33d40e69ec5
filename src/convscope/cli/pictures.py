"""What the commands share that make pictures step by step: the file, its frames, and what is said of each picture."""

from pathlib import Path
from typing import Annotated, Any

import typer

from convscope.cli.command import Outcome
from convscope.results.pictures import check_picture_ending, showable
from convscope.results.result import Result

Out = Annotated[Path | None, typer.Option("--out", "-o", help=".png, .npz, or in motion .gif, .webp, .mp4.")]


def framed(out: Path | None, usual: str, options: dict[str, Any]) -> Path:
    """The file to write; where that moves, all frames are kept unless others were asked for. Raises ResultError."""
    file = out or Path(usual)
    if check_picture_ending(file) and options["frames"] is None and not options.get("zoom"):
        options["frames"] = "all"
    return file


def save_pictures(result: Result, target: Path) -> Outcome:
    """Write pictures to a file, and say what each reached."""
    rows, lines = [], []
    for caption, value, share in zip(
        result.facts["captions"], result.arrays["values"], result.facts["probabilities"], strict=True
    ):
        rows.append({"target": caption, "value": float(value), "probability": share})
        share = "" if share is None else f", probability {share:.3f}"
        lines.append(f"{caption}: {value:.4g}{share}")
    if "real" in result.facts:
        count = result.facts["real"]
        for i, row in enumerate(rows):
            row |= {name: result.facts[name][i] for name in ("real_most", "real_middle", "above_real")}
            lines[i] += f"; {count} photographs: at most {row['real_most']:.4g}, in the middle {row['real_middle']:.4g}"
    return Outcome([result.save(showable(result, target))], {"pictures": rows}, lines, result.notes)
