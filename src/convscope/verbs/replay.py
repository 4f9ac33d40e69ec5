"""`convscope.replay`: make a result again from the recipe inside it."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from convscope.errors import ResultError
from convscope.memory import memory_watched
from convscope.models.network import Network
from convscope.models.photograph import ImageLike, listed
from convscope.models.reference import NetworkRef
from convscope.progress import Watch, unwatched
from convscope.results.recipe import Call
from convscope.results.result import Result
from convscope.results.store import load_result
from convscope.verbs.calls import carried_out, function_of
from convscope.verbs.reach import Reach
from convscope.verbs.reopen import device_of, network_of, pictures_of
from convscope.verbs.schema import checked
from convscope.verbs.table import VERBS

Given = Network | str | Path


@memory_watched("replay")
def replay(
    path: str | Path,
    *,
    net: Given | Sequence[Given] | None = None,
    image: ImageLike | None = None,
    device: str | None = None,
    trust: bool = False,
    files: bool = False,
    download: bool = False,
    watch: Watch = unwatched,
) -> Result:
    """The result in a file, made again: the same bytes on the same machine, with as many threads as then.

    net: the network (or all of several), where the recipe cannot load it (a live module); or a name or file to load it
    from. image: the photograph, where it is no longer where the recipe says. Both are checked against the recipe.
    device: "cpu" or "cuda"; as then, unless given. trust: let a network's file run its own code.

    The file may be a stranger's: its recipe is checked whole before anything that it names is opened. Networks' and
    pictures' files are read where they lie in the folder of the result or below, and have the recipe's hash. files:
    read them elsewhere, too. download: fetch weights that are not here. Neither is done unasked.

    Raises ResultError where something is missing, may not be read or fetched, or is not what it was.
    """
    path = Path(path)
    recipe = load_result(path).recipe
    if recipe.verb == "report":
        raise ResultError(f"{str(path)!r} belongs to a report, which `convscope report` makes again")
    if recipe.verb not in VERBS or not VERBS[recipe.verb].replayed:
        raise ResultError(f"{str(path)!r} was made by {recipe.verb!r}, which cannot be replayed")
    call = checked(recipe, function_of(recipe.verb))
    given: list[Given | None] = listed(net)
    if len(given) > len(call.networks):
        raise ResultError(f"{len(given)} networks were given; the recipe has {len(call.networks)}")
    given += [None] * (len(call.networks) - len(given))
    reach = Reach(path.parent, files, download)
    where = device or (device_of(recipe.machine) if not all(isinstance(one, Network) for one in given) else None)
    nets = [
        network_of(NetworkRef.from_dict(told), one, reach, trust=trust, device=where)
        for one, told in zip(given, call.networks, strict=True)
    ]
    pictures = pictures_of(call, image, nets[0], reach)
    with _threads(recipe.machine.get("threads")):
        result = carried_out(call, nets, pictures, watch)
    # The recipe of the replay is that of the original, wherever the pictures lie now.
    made = result.recipe.call
    return replace(
        result, recipe=replace(result.recipe, call=Call(made.verb, made.networks, call.inputs, made.options))
    )


@contextmanager
def _threads(wanted: int | None) -> Iterator[None]:
    """Work with this many threads: how sums are split among them shows in their last bits."""
    before = torch.get_num_threads()
    if wanted is not None and wanted <= (os.cpu_count() or 1):
        torch.set_num_threads(wanted)
    try:
        yield
    finally:
        torch.set_num_threads(before)
