"""From a Keras model to a network handle."""

from collections.abc import Mapping
from typing import Any

from convscope.models.labels import Labels
from convscope.models.network import Network
from convscope.models.sources.keras_models.adapter import KerasAdapter
from convscope.models.sources.keras_models.contract import check_one_picture, spec_of
from convscope.models.sources.wanted import Wanted
from convscope.models.spec import InputSpec


def network_of(
    model: Any,
    wanted: Wanted,
    *,
    name: str,
    source: str | None = None,
    options: Mapping[str, Any] | None = None,
    own: InputSpec | None = None,
    labels: Labels | None = None,
    note: str = "",
    trained: bool = True,
    aliases: Mapping[str, str] | None = None,
) -> Network:
    """The network. own: its input contract, read from the model where that is None and not all is said."""
    check_one_picture(model)
    if own is None and wanted.input.whole is None:
        own = spec_of(model, wanted.input.parts.get("size"))
    return Network(
        KerasAdapter(model),
        name=name,
        spec=wanted.input.over(own, name),
        labels=wanted.labels_or(labels),
        source=source,
        options=options,
        output=wanted.output,
        note=note,
        trained=trained,
        aliases=aliases,
    )
