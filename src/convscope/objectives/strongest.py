"""The target "strongest(layer:channel)": the channel of a layer that answers most, somewhere in a picture."""

import re
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from convscope.models.network import Network
from convscope.objectives.expression import Objective
from convscope.objectives.text import MOST_LETTERS
from convscope.objectives.units import Channel, Neuron
from convscope.taps.record import record


@dataclass(frozen=True)
class Strongest:
    """A target that a picture decides: the channel of `layer` with the greatest activation, or where `channel` has it.

    It is no objective before a picture is seen: `on` gives the objective.
    """

    layer: str
    channel: int | None = None

    def bind(self, net: Network) -> "Strongest":
        """The same with its names checked. Raises UnknownNameError or InputError."""
        layer = net.layer(self.layer).name
        if self.channel is not None:
            Channel(layer, self.channel).bind(net)
        return Strongest(layer, self.channel)

    @torch.no_grad()
    def on(self, net: Network, picture: Tensor, *, mean: bool) -> Objective:
        """The objective for a picture `1 c h w`: the neuron with the greatest activation, or its channel's mean."""
        maps = record(net, picture, [self.layer])[self.layer][0]
        channel = int(maps.amax((1, 2)).argmax()) if self.channel is None else self.channel
        whole = Channel(self.layer, channel).bind(net)
        if mean:
            return whole
        y, x = divmod(int(maps[channel].argmax()), maps.shape[2])
        return Neuron(self.layer, channel, y, x).bind(net)


def strongest_of(target: Any) -> Strongest | None:
    """The target that a text names, where it is "strongest(layer)" or "strongest(layer:channel)"; None for others."""
    text = target.strip() if isinstance(target, str) else ""
    inside = text.removeprefix("strongest(").removesuffix(")").strip()
    if not (text.startswith("strongest(") and text.endswith(")") and inside) or len(text) > MOST_LETTERS:
        return None
    layer, _, channel = (part.strip() for part in inside.rpartition(":"))
    if not layer or not re.fullmatch(r"\d{1,9}", channel):
        layer, channel = inside, ""
    quoted = re.fullmatch('"([^"]+)"', layer)
    return Strongest(quoted[1] if quoted else layer, int(channel) if channel else None)
