"""What else is known of a heatmap: its target, its method, and what these are called."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from convscope.render.text import figure as number
from convscope.results.facts import Facts

OF_CLASSES = ("logit", "probability")
"""The quantities that are of a class."""


@dataclass(frozen=True, kw_only=True, eq=False)
class HeatmapFacts(Facts):
    """target: as text; name: the same with classes by their names. value: of the target; quantity: what kind of value.
    method, method_title: its name
    and title. display: how the map is shown: "region", "fine" or "coloured". about: what the map tells. from_lowest:
    whether its scale begins at the least value. layer: that was looked at; channels, made_of: of it, where not all.
    class_index, label, probability: of a target that is a class. guess: the class named first, where the scores were
    computed. gap, difference, steps, baseline_score: of integrated gradients. patch, stride, winners, evaluations: of
    occlusion.
    """

    target: str = ""
    name: str = ""
    value: float | None = None
    quantity: str | None = None
    method: str = ""
    method_title: str = ""
    display: str = "region"
    about: str = ""
    from_lowest: bool | None = None
    layer: str | None = None
    channels: Sequence[int] | None = None
    made_of: str | None = None
    class_index: int | None = None
    label: str | None = None
    probability: float | None = None
    guess: Mapping[str, Any] | None = None
    gap: float | None = None
    difference: float | None = None
    steps: int | None = None
    baseline_score: float | None = None
    patch: Sequence[int] | None = None
    stride: Sequence[int] | None = None
    winners: Mapping[str, str] | None = None
    evaluations: int | None = None
    title: str = ""
    subtitle: str = ""

    named: ClassVar[Mapping[str, str]] = {"class_index": "class"}
    was: ClassVar[Mapping[str, str]] = {"look": "display"}

    def __post_init__(self) -> None:
        if not self.title:
            object.__setattr__(self, "title", self._title())
        if not self.subtitle:
            of = f", {self.made_of}" if self.made_of else ""
            at = f" at {self.layer}{of}" if self.layer else ""
            object.__setattr__(self, "subtitle", f"{self.method_title}{at}; {self.about}")

    def _title(self) -> str:
        if self.probability is not None:
            return f"class {self.label} · {100 * self.probability:.1f} %"
        if self.value is None:
            return f"the layer {self.target}"
        named = f"class {self.name}" if self.quantity in OF_CLASSES else self.name
        return f"{named} · {self.quantity or 'value'} {number(self.value)}"


def class_name(label: str) -> str:
    """A class as it is called where nothing else says that it is one: by its name, or as "class 6"."""
    return f"class {label}" if label.isdigit() else label
