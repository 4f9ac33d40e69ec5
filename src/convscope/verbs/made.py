"""The result of a session that made one picture of a photograph: what dream and stylize return."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from convscope.results.pictures import Pictures
from convscope.synthesis.session import Session, kept_frames
from convscope.synthesis.stages import as_array
from convscope.verbs.calls import Given, recipe_of


def picture_made(
    verb: str,
    session: Session,
    options: Mapping[str, Any],
    values: np.ndarray,
    facts: Mapping[str, Any],
    inputs: Mapping[str, Given],
    *,
    picture: Tensor | None = None,
    more: Sequence[tuple[int, np.ndarray]] = (),
    notes: Sequence[str] = (),
) -> Pictures:
    """The result with the picture, finished or not.

    facts: with captions, title and subtitle. picture: unless it is the one that was made last. more: further frames,
    each with its step. notes: beside the one that says that the work was stopped.
    """
    assert session.made is not None
    arrays: dict[str, np.ndarray] = {
        "images": as_array(session.made.pictures() if picture is None else picture),
        "values": values,
    }
    axes: dict[str, tuple[str, ...]] = {"images": ("n", "h", "w", "c"), "values": ("n",)}
    steps, frames = kept_frames(session.frames)
    steps, frames = [*steps, *(step for step, _ in more)], [*frames, *(frame for _, frame in more)]
    if frames:
        arrays["frames"] = np.stack(frames)
        axes["frames"] = ("f", "n", "h", "w", "c")
    stopped = session.done < session.total
    notes = [*notes, *([f"{session.told()}: replay makes all of them"] if stopped else [])]
    return Pictures(
        arrays,
        axes,
        recipe_of(verb, session.net, options, inputs, notes=notes, stopped=stopped),
        {"probabilities": [None], "with_transforms": [session.made.value], "frames": steps, **facts},
    )
