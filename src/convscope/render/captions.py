"""What the captions of a sheet share stands once, in its title."""

from collections.abc import Sequence


def apart(title: str, captions: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The title and captions of a sheet: where all captions are units of one layer, such as `conv:0` and `conv:1`, the
    layer stands in the title, and under the tiles what is left. Without a title nothing is taken away."""
    layers = {_layer(caption) for caption in captions}
    if not title or len(captions) < 2 or len(layers) > 1 or layers == {""}:
        return title, captions
    (layer,) = layers
    head, colon, tail = title.partition(": ")
    named = f"{head} {layer}: {tail}" if colon else f"{title}: {layer}"
    return named, [caption[len(layer) + 1 :] for caption in captions]


def _layer(caption: str) -> str:
    """The layer in the first line of a caption, up to the last colon; empty where it is more than a unit's name."""
    layer, _, rest = caption.split("\n")[0].rpartition(":")
    plain = rest[:1].isdigit() and layer != "class" and not any(letter in " *+(" for letter in layer)
    return layer if plain else ""
