"""How many pictures to make at once, so that memory stays bounded."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from convscope.memory import attempted
from convscope.models.network import Network
from convscope.taps.tap import SCORES_TAP, Tap

BUDGET = 1_000_000_000
"""Bytes that the activations of one step may take, by estimate."""
KEPT = 1.5
"""What one step keeps, in units of the outputs of all layers up to the last one needed: an estimate."""
MOST = 64


def pictures_at_once(net: Network, taps: Sequence[Tap], views: int, view_size: tuple[int, int]) -> int:
    """The number of pictures, each seen in `views` views of `view_size`, whose step fits into BUDGET; at least one."""
    if net.one_at_a_time:
        return 1
    layers = [layer for layer in net.layers(inner=True) if not layer.container]
    if SCORES_TAP not in taps and taps:
        last = max(i for i, layer in enumerate(net.layers(inner=True)) if Tap(layer.name) in taps)
        layers = [layer for layer in net.layers(inner=True)[: last + 1] if not layer.container]
    numbers = 0
    for layer in layers:
        size = 1
        for side in layer.shape:
            size *= side
        numbers += size
    share = view_size[0] * view_size[1] / (net.spec.height * net.spec.width)
    bytes_each = numbers * share * views * 4 * KEPT
    return max(1, min(MOST, int(BUDGET / max(bytes_each, 1))))


def images_at_once(net: Network, taps: Sequence[Tap], size: tuple[int, int], most: int) -> int:
    """How many pictures of a size to run as one batch, at most `most`: half of what a step would be given."""
    return max(1, min(most, pictures_at_once(net, taps, 1, size) // 2))


def in_batches(count: int, at_once: int, work: Callable[[int, int], None], what: str) -> int:
    """Do all of `batches`. Returns how many at once it came down to."""
    size = at_once
    for _, now in batches(count, at_once, work, what):
        size = now
    return size


def batches(count: int, at_once: int, work: Callable[[int, int], None], what: str) -> Iterator[tuple[int, int]]:
    """Do `work(first, last)` for 0 to `count`, so many at once; half as many from where memory runs out.

    `work` must leave nothing of a batch that failed. what: what is being done, for the error. After each batch it
    yields how many are done, and how many it now takes at once. Raises OutOfMemoryError where one alone does not fit.
    """
    done = 0
    while done < count:
        size = min(at_once, count - done)
        now = attempted(partial(work, done, done + size), size, what)
        if now < size:
            at_once = now
            continue
        done += size
        yield done, at_once
