"""How many pictures to make at once, so that memory stays bounded."""

from collections.abc import Sequence

from convscope.models.network import Network
from convscope.taps.tap import SCORES_TAP, Tap

BUDGET = 1_000_000_000
"""Bytes that the activations of one step may take, by estimate."""
KEPT = 1.5
"""What one step keeps, in units of the outputs of all layers up to the last one needed: an estimate."""
MOST = 64


def pictures_at_once(net: Network, taps: Sequence[Tap], looks: int, look_size: tuple[int, int]) -> int:
    """The number of pictures, each seen `looks` times at `look_size`, whose step fits into BUDGET; at least one."""
    layers = [layer for layer in net.layers() if not layer.container]
    if SCORES_TAP not in taps and taps:
        last = max(i for i, layer in enumerate(net.layers()) if Tap(layer.name) in taps)
        layers = [layer for layer in net.layers()[: last + 1] if not layer.container]
    numbers = 0
    for layer in layers:
        size = 1
        for side in layer.shape:
            size *= side
        numbers += size
    share = look_size[0] * look_size[1] / (net.spec.height * net.spec.width)
    bytes_each = numbers * share * looks * 4 * KEPT
    return max(1, min(MOST, int(BUDGET / max(bytes_each, 1))))
