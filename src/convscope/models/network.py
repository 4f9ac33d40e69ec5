"""The network handle: the one thing that every engine sees."""

import html
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from convscope.errors import InputError, NetworkError
from convscope.models.adapter import Adapter
from convscope.models.class_scores import SQUASHED, ClassScores, Output, check_output
from convscope.models.fitting import Fit
from convscope.models.folding import PLAIN, Folding
from convscope.models.labels import Labels
from convscope.models.layer_table import Layers, table
from convscope.models.layers import Layer, layer_named
from convscope.models.photograph import ImageLike, Photograph, open_photograph
from convscope.models.recommended_layer import Recommended, recommended
from convscope.models.runner import Listener, Runner
from convscope.models.spec import InputSpec

AT_ONCE = 16
"""How many photographs go through the network at once where many are given."""


@dataclass(frozen=True)
class Prediction:
    """One guess. `score` is the logit; `probability` the softmax over all classes (or the sigmoid of a lone one)."""

    index: int
    label: str
    score: float
    probability: float


class Network:
    """A network one can look into. Made by `convscope.load_model`.

    name: what to call it. source: the text that loads it again, or None for a module that lives only here.
    spec: its input contract. labels: the names of its classes. output: as load_model takes it. trained: whether it has
    learned weights, as far as its source knows. aliases: other names that the field has for layers, with their own.
    """

    def __init__(
        self,
        adapter: Adapter,
        *,
        name: str,
        spec: InputSpec,
        labels: Labels,
        source: str | None = None,
        options: Mapping[str, Any] | None = None,
        output: Output = None,
        note: str = "",
        trained: bool = True,
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        self._runner = Runner(adapter, name, spec)
        self.name = name
        self.labels = labels
        self.source = source
        self.options = dict(options or {})
        self.note = note
        self.trained = trained
        self.aliases = dict(aliases or {})
        self.output = output
        check_output(output)
        self.architecture = source or ""
        """What builds it without its weights, where a file says that of itself; else what loads it."""
        self._recommended: dict[tuple[str, ...], Recommended | None] = {}

    def __repr__(self) -> str:
        height, width = self.spec.hw
        return f"<convscope network {self.name}: {self.spec.channels}x{height}x{width}, {len(self.layers())} layers>"

    def _repr_html_(self) -> str:
        """A notebook shows the network as the table of its layers, which can be opened."""
        height, width = self.spec.hw
        told = f"{self.spec.channels}x{height}x{width}, {len(self.layers())} layers; {self.note}"
        head = f"<b>{html.escape(self.name)}</b> {html.escape(told)}"
        return f"<details><summary>{head}</summary>{table(self.layers())}</details>"

    @property
    def adapter(self) -> Adapter:
        """Its framework's view of it."""
        return self._runner.adapter

    @property
    def spec(self) -> InputSpec:
        """Its input contract."""
        return self._runner.spec

    @spec.setter
    def spec(self, value: InputSpec) -> None:
        self._runner.spec = value

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return self._runner.device

    @property
    def dtype(self) -> torch.dtype:
        """The floating-point type of its weights."""
        return self._runner.dtype

    def run(
        self,
        images: Float[Tensor, "b c h w"],
        listeners: Mapping[str, Listener] | None = None,
        *,
        folding: Folding = PLAIN,
        branches: float = 1.0,
    ) -> Any | None:
        """One forward pass of pictures in [0,1], with listeners on modules; see Runner.run."""
        return self._runner.run(images, listeners, folding=folding, branches=branches)

    def native(self, prepared: Float[Tensor, "b c h w"]) -> Any:
        """What the framework itself answers to preprocessed pictures: to compare with `run`."""
        return self._runner.native(prepared)

    def folding(self) -> Folding:
        """What can be folded in the network as it is now, for `run`; found again when weights have changed."""
        return self._runner.folding()

    def kernel(self, module: str) -> Tensor | None:
        """The learned weights of a module, as Adapter.kernel gives them; the network is left as it was found."""
        return self._runner.kernel(module)

    def weights_hash(self) -> str:
        """SHA-256 of all weights (parameters and buffers) with their names; computed again once they have changed."""
        return self._runner.weights_hash()

    def layers(self, *, inner: bool = False) -> Layers:
        """Every layer that can be looked at, in the order in which a forward pass completes them; printed, they are a
        table. inner: with the parts of layers, too."""
        return self._layers if inner else self._whole_layers

    @cached_property
    def _whole_layers(self) -> Layers:
        return Layers(layer for layer in self._layers if not layer.inner)

    @cached_property
    def _layers(self) -> Layers:
        layers = self._runner.trace.layers
        if not self.aliases:
            return Layers(layers)
        taken = {layer.name for layer in layers}
        named = {name: alias for alias, name in self.aliases.items() if alias not in taken}
        return Layers(replace(layer, alias=named.get(layer.name, "")) for layer in layers)

    @cached_property
    def _by_name(self) -> dict[str, Layer]:
        return {layer.name: layer for layer in self.layers(inner=True)}

    def layer(self, name: str) -> Layer:
        """One layer by name. Raises UnknownNameError, listing the near matches."""
        return self._by_name.get(name) or layer_named(self.layers(), name)

    def recommended_layer(self, before: Sequence[str] = ()) -> Layer:
        """The layer at which to explain an answer, if none is asked for; `recommendation` tells more.

        before: layers that the question reads in place of the class scores.
        """
        return self.recommendation(before).layer

    def recommendation(self, before: Sequence[str] = ()) -> Recommended:
        """The layer at which to explain an answer, and what has to be known of that choice.

        Raises InputError where no layer has positions.
        """
        key = tuple(before)
        if key not in self._recommended:
            nodes = self._runner.trace.nodes
            read = [nodes[name] for name in before if name in nodes]
            self._recommended[key] = recommended(self.layers(), nodes, self._runner.trace.graph, read or self._ends)
        result = self._recommended[key]
        if result is None:
            where = f" before {', '.join(before)}" if before else ""
            raise InputError(f"{self.name} has no layer{where} whose output has positions, which a heatmap needs")
        return result

    @property
    def _ends(self) -> list[int]:
        """The tensors that an answer is read from: the class scores, or all outputs where there are none."""
        ends = self._runner.trace.ends
        if self.has_classes and self._scores.output in ends:
            return [ends[self._scores.output]]
        return list(ends.values())

    @cached_property
    def _scores(self) -> ClassScores:
        return ClassScores(self.name, self._runner.trace, self.labels, self.spec.hw, self.output)

    @property
    def has_classes(self) -> bool:
        """Whether the network gives class scores, and it is said which output holds them."""
        return self._scores.are_there

    @property
    def classes(self) -> int:
        """How many classes the network tells apart; two labels of one score name what speaks against it, and for it.

        Raises InputError where it tells none, or where labels and class scores do not agree.
        """
        return self._scores.classes

    def class_index(self, wanted: str | int) -> int:
        """The number of a class given by name or number; see Labels.find for what is raised."""
        return self.labels.find(wanted, self.classes)

    def twin(self) -> "Network":
        """A copy of the network, with weights of its own to change. Raises NetworkError where it cannot be copied."""
        try:
            with warnings.catch_warnings(action="ignore"):  # Keras warns of how NumPy copies
                adapter = self.adapter.copied()
        except Exception as error:
            raise NetworkError(f"{self.name} cannot be copied ({type(error).__name__}: {error})") from error
        return Network(
            adapter,
            name=self.name,
            spec=self.spec,
            labels=self.labels,
            options=self.options,
            output=self.output,
            note=self.note,
            trained=self.trained,
            aliases=self.aliases,
        )

    def scores(self, output: Any, pictures: int | None = None) -> Float[Tensor, "b k"]:
        """The logits in what `run` returned, for so many pictures where that is told. Where only probabilities are to
        be had, their logarithms or log-odds.

        Raises InputError where there is not one row of scores for each picture, NetworkError where they are no numbers.
        """
        return self._scores.read(output, pictures)

    def probabilities(self, scores: Float[Tensor, "b k"]) -> Float[Tensor, "b k"]:
        """Softmax of the logits; their sigmoids where there is one score, or where the network ends in sigmoids."""
        return self._scores.probabilities(scores)

    @property
    def branches(self) -> tuple[int | None, ...]:
        """Of each sum of a forward pass, in order, which of its two terms is the branch of a residual, if one is."""
        return self._runner.trace.branches

    @property
    def independent(self) -> bool:
        """Whether the probability of each class is told for itself, by a sigmoid, so that several may be true."""
        return self._scores.squash in ("sigmoid", "log_sigmoid")

    @property
    def ends_in_probabilities(self) -> bool:
        """Whether the scores are made from probabilities, the logits being out of reach (a squash that is no module).

        False where which output holds the scores is not said.
        """
        return self.has_classes and self._scores.squashed is not None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of any result of this network has to know."""
        result = [self.spec.warning] if self.spec.warning else []
        if self.has_classes and self._scores.squashed is not None:
            result.append(SQUASHED[self._scores.squashed])
        if self._runner.trace.random:
            result.append(
                "the network draws random numbers when it runs: each picture was looked at alone, with the same ones"
            )
        if self.mixes_pictures:
            why = (
                "its batch norms keep no statistics and normalise over the pictures at hand"
                if self._normalises_anew
                else "what it answers to a picture depends on the others of its batch"
            )
            result.append(f"{why}: each was looked at alone where it could be")
        return tuple(result)

    @property
    def one_at_a_time(self) -> bool:
        """Whether pictures have to go through alone: the network takes one, mixes them, or draws random numbers."""
        return self.takes_one or bool(self._runner.trace.random) or self.mixes_pictures

    @property
    def takes_one(self) -> bool:
        """Whether the network fails on more than one picture at once."""
        return self._runner.trace.batch == 1

    @cached_property
    def mixes_pictures(self) -> bool:
        """Whether what the network answers to a picture depends on the others of its batch."""
        return self._runner.trace.mixes or self._normalises_anew

    @cached_property
    def _normalises_anew(self) -> bool:
        """Whether a batch norm takes its statistics from the pictures at hand."""
        norms = (module for module in self.adapter.root.modules() if isinstance(module, _BatchNorm))
        return any(norm.running_mean is None for norm in norms)

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages of its framework, besides torch."""
        return self.adapter.packages

    def photograph(self, image: ImageLike | Photograph, *, fit: Fit = "crop") -> Photograph:
        """A picture as this network will see it; see open_photograph."""
        return open_photograph(image, self.spec, fit=fit)

    def predict(
        self,
        images: ImageLike | Photograph | Sequence[ImageLike | Photograph],
        top: int = 5,
        *,
        fit: Fit = "crop",
    ) -> list[list[Prediction]]:
        """The `top` guesses for each picture, best first. One picture gives a list of one list."""
        if top < 1:
            raise InputError(f"top is {top}; expected at least 1")
        several: list[Any] = list(images) if isinstance(images, list | tuple) else [images]
        if not several:
            raise InputError("no picture was given; expected at least one")
        result: list[list[Prediction]] = []
        at_once = 1 if self.one_at_a_time else AT_ONCE
        for first in range(0, len(several), at_once):
            some = several[first : first + at_once]
            batch = torch.cat([self.photograph(image, fit=fit).tensor(self.device) for image in some])
            with torch.no_grad():
                result += self.rank(self.scores(self.run(batch), len(batch)), top)
        return result

    def rank(self, scores: Float[Tensor, "b k"], top: int) -> list[list[Prediction]]:
        """The `top` guesses in each row of logits, best first."""
        probabilities = self.probabilities(scores)
        order = scores.argsort(dim=1, descending=True, stable=True)[:, : min(top, self.classes)].tolist()
        return [
            [Prediction(i, self.labels.name(i), float(scores[row, i]), float(probabilities[row, i])) for i in best]
            for row, best in enumerate(order)
        ]
