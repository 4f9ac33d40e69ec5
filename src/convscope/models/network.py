"""The network handle: the one thing that every engine sees."""

import hashlib
import html
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from convscope.errors import ConvscopeError, InputError, NetworkError, UnknownNameError
from convscope.memory import memory_watched
from convscope.models.adapter import Adapter, Squash
from convscope.models.choose import Recommended, recommended
from convscope.models.draws import repeatable
from convscope.models.failures import failure
from convscope.models.fitting import Fit
from convscope.models.functions import KINDS, Calls
from convscope.models.heads import as_scores, score_count, unsquashed
from convscope.models.labels import Labels
from convscope.models.layers import PICTURES, Layer, Trace, ports, trace
from convscope.models.photograph import ImageLike, Photograph, open_photograph
from convscope.models.quick import PLAIN, Quick, quicken
from convscope.models.spec import InputSpec
from convscope.models.untouched import untouched

Listener = Callable[[Any, Any], Any]
"""Called with (inputs, output) of a module each time it fires; what it returns, unless None, goes on in place of
the output. It may raise StopForward."""


Output = int | str | tuple[int | str, str] | None
"""Which output holds the class scores, and what turns them into probabilities; see load_model."""
_SAYABLE = ("softmax", "sigmoid")
AT_ONCE = 16
"""How many photographs go through the network at once where many are given."""


class StopForward(BaseException):
    """Raised by a listener that needs nothing of the forward pass beyond its module."""


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
    spec: its input contract. labels: the names of its classes. output: as load_model takes it.
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
    ) -> None:
        self.adapter = adapter
        self.name = name
        self.spec = spec
        self.labels = labels
        self.source = source
        self.options = dict(options or {})
        self.note = note
        self._output_option = output
        self._wanted_output, self._wanted_squash = _asked(output)
        self._lock = _lock_of(adapter.root)
        self._recommended: dict[tuple[str, ...], Recommended | None] = {}
        self._hash: tuple[tuple[Any, ...], str] | None = None

    def __repr__(self) -> str:
        height, width = self.spec.hw
        return f"<convscope network {self.name}: {self.spec.channels}x{height}x{width}, {len(self.layers())} layers>"

    def _repr_html_(self) -> str:
        """A notebook shows the network as the table of its layers."""
        rows = "".join(
            f"<tr><td>{html.escape(layer.name)}</td><td>{html.escape(layer.kind)}</td>"
            f"<td>{'×'.join(map(str, layer.shape))}</td><td>{layer.parameters:,}</td></tr>"
            for layer in self.layers()
        )
        head = "<tr><th>layer</th><th>kind</th><th>output</th><th>parameters</th></tr>"
        return f"<p><b>{html.escape(self.name)}</b> {html.escape(self.note)}</p><table>{head}{rows}</table>"

    @property
    def device(self) -> torch.device:
        parameter = next(self.adapter.root.parameters(), None)
        return parameter.device if parameter is not None else torch.device("cpu")

    @property
    def dtype(self) -> torch.dtype:
        floating = (p.dtype for p in self.adapter.root.parameters() if p.is_floating_point())
        return next(floating, torch.float32)

    @cached_property
    def _trace(self) -> Trace:
        """What a pass of two pictures shows, so that their axis can be told from others; of one where two do not go."""
        try:
            return self._traced(2)
        except (NetworkError, InputError):
            return self._traced(1)

    def _traced(self, count: int) -> Trace:
        grey = torch.full((count, self.spec.channels, *self.spec.hw), 0.5, dtype=self.dtype, device=self.device)
        with self._lock, self._failing(grey):
            return trace(self.adapter, self.spec.preprocess(grey))

    @contextmanager
    def _failing(self, images: Tensor) -> Iterator[None]:
        """Whatever the network raises becomes one of our errors."""
        shape = "x".join(map(str, images.shape[-3:]))
        try:
            with memory_watched(f"{len(images)} pictures of {shape} in {self.name}"):
                yield
        except (ConvscopeError, StopForward):
            raise
        except Exception as error:
            raise NetworkError(f"the network {self.name} failed on a picture of {shape} {failure(error)}") from error

    def layers(self) -> tuple[Layer, ...]:
        """Every layer that can be looked at, in the order in which a forward pass completes them."""
        return self._trace.layers

    @cached_property
    def _by_name(self) -> dict[str, Layer]:
        return {layer.name: layer for layer in self.layers()}

    def layer(self, name: str) -> Layer:
        """One layer by name. Raises UnknownNameError, listing the near matches."""
        found = self._by_name.get(name)
        if found is not None:
            return found
        several = [layer.name for layer in self.layers() if layer.module == name]
        if several:
            raise InputError(f"the layer {name!r} gives more than one output: say which, one of {', '.join(several)}")
        raise UnknownNameError("layer", name, self._by_name, "All layers: net.layers() or `convscope layers`")

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
            nodes = self._trace.nodes
            read = [nodes[name] for name in before if name in nodes]
            self._recommended[key] = recommended(self.layers(), nodes, self._trace.graph, read or self._ends)
        found = self._recommended[key]
        if found is None:
            where = f" before {', '.join(before)}" if before else ""
            raise InputError(f"{self.name} has no layer{where} whose output has positions, which a heatmap needs")
        return found

    @property
    def _ends(self) -> list[int]:
        """The tensors that an answer is read from: the class scores, or all outputs where there are none."""
        ends = self._trace.ends
        port = self._output if self.has_classes else None
        return [ends[port]] if port in ends and self.has_classes else list(ends.values())

    @property
    def has_classes(self) -> bool:
        """Whether the network gives class scores, and it is said which output holds them."""
        try:
            self._output  # noqa: B018 - asked whether it can be told
        except InputError:
            return False
        return score_count(self._trace.outputs[self._output]) is not None

    @cached_property
    def _output(self) -> int | str | None:
        """Which output holds the class scores."""
        shapes = self._trace.outputs
        if self._wanted_output is not None:
            if self._wanted_output not in shapes:
                known = [str(port) for port in shapes]
                raise UnknownNameError("output", str(self._wanted_output), known)
            return self._wanted_output
        if "logits" in shapes:
            return "logits"
        flat = [port for port, shape in shapes.items() if score_count(shape) is not None]
        if len(flat) == 1:
            return flat[0]
        told = ", ".join(f"{port}: {'x'.join(map(str, shape[1:]))}" for port, shape in shapes.items()) or "none"
        if not flat:
            told = told.removeprefix("None: ")
            raise InputError(f"{self.name} gives no class scores (its output is {told}): {self._instead()}")
        raise InputError(
            f"{self.name} has several outputs of class scores ({told}): say which with load_model(..., output=...)"
        )

    def _instead(self) -> str:
        """What can be asked of a network without class scores."""
        maps = [layer for layer in self.layers() if layer.is_map and layer.module != PICTURES]
        return f"ask for a layer or a channel, such as {maps[-1].name}:0" if maps else "ask for a layer or a channel"

    @property
    def classes(self) -> int:
        """How many classes the network tells apart; two labels of one score name what speaks against it, and for it."""
        shape = self._trace.outputs[self._output]
        count = score_count(shape)
        if count is None:
            raise InputError(f"the output of {self.name} is {shape[1:]}, not one score for each class")
        if not shape[0]:
            raise InputError(
                f"{self.name} gives no row of scores for a picture: its output is {'x'.join(map(str, shape))}"
            )
        if shape[0] != self._trace.batch and len(shape) > 1:
            rows, rest = divmod(shape[0], self._trace.batch)
            told = f"{rows} rows of scores for each picture" if not rest else f"{shape[0]} rows of scores for two"
            raise InputError(
                f"{self.name} gives {told} of {self.spec.height}x{self.spec.width}: is that the size it was made for "
                "(InputSpec(size=...))?"
            )
        if self.labels.names and len(self.labels.names) != count:
            if count == 1 and len(self.labels.names) == 2:
                return 2
            raise InputError(
                f"{len(self.labels.names)} labels were given; {self.name} has {count} class score{'s' * (count > 1)}: "
                f"give one label for each{', or two for the one sigmoid' * (count == 1)}"
            )
        return count

    def class_index(self, wanted: str | int) -> int:
        """The number of a class given by name or number; see Labels.find for what is raised."""
        return self.labels.find(wanted, self.classes)

    def run(
        self,
        images: Float[Tensor, "b c h w"],
        listeners: Mapping[str, Listener] | None = None,
        *,
        way: Quick = PLAIN,
    ) -> Any | None:
        """One forward pass of pictures in [0,1], with listeners on modules; the network is left as it was found.

        Returns what the network returns, logits in place of softmaxed outputs, or None where a listener stopped it.
        Whether gradients are recorded is the caller's affair. The listener of PICTURES is given the preprocessed
        pictures. way: a quicker way to do it, which gives the same to rounding; see `quickened`.
        """
        self._check(images)
        listeners = dict(listeners or {})
        heads: dict[str, set[int]] = {}
        for name, call in self._trace.heads:
            heads.setdefault(name, set()).add(call)
        modules = self.adapter.modules()
        handles = []
        owner = threading.get_ident()
        with self._lock:
            try:
                for name, listener in listeners.items():
                    if name in modules:
                        handles.append(modules[name].register_forward_hook(_hook(listener, owner)))
                for name, calls in heads.items():
                    handles.append(modules[name].register_forward_hook(_hook(self._unsquash(name, calls), owner)))
                told = {kind: listeners[kind] for kind in KINDS if kind in listeners}
                functions = Calls(lambda kind, inputs, output: told[kind](inputs, output) if kind in told else None)
                with self._failing(images), self._as_found(), way.folding(tuple(listeners)):
                    prepared = self.spec.preprocess(images.to(self.device, self.dtype))
                    if PICTURES in listeners:
                        replaced = listeners[PICTURES]((), prepared)
                        prepared = prepared if replaced is None else replaced
                    with functions if told else nullcontext():
                        return self.adapter.forward(way.prepared(prepared))
            except StopForward:
                return None
            finally:
                for handle in handles:
                    handle.remove()

    @contextmanager
    def _as_found(self) -> Iterator[None]:
        """The network in evaluation mode with the same random numbers each time; all is put back as it was."""
        with untouched(self.adapter.root, self._trace.written), repeatable(self._trace.random):
            yield

    def quickened(self) -> Quick:
        """A quicker way to run the network as it is now, for `run`; of no use once its weights change."""
        if any(place.holds_tensor for place in self._trace.written):  # it is known by its weights, which change
            return PLAIN
        generator = torch.Generator().manual_seed(0)
        shape = (self._trace.batch, self.spec.channels, *self.spec.hw)
        noise = torch.rand(shape, generator=generator).to(self.device, self.dtype)
        with self._lock, self._failing(noise), self._as_found():
            return quicken(self.adapter.forward, self.adapter.modules(), self.spec.preprocess(noise))

    def kernel(self, module: str) -> Tensor | None:
        """The learned weights of a module, as Adapter.kernel gives them; the network is left as it was found."""
        if module not in self.adapter.modules():
            return None
        with self._lock, self._as_found(), torch.no_grad():
            return self.adapter.kernel(module)

    def twin(self) -> "Network":
        """A copy of the network, with weights of its own to change. Raises NetworkError where it cannot be copied."""
        try:
            with warnings.catch_warnings(action="ignore"):  # Keras warns of how NumPy copies
                adapter = self.adapter.copied()
        except Exception as error:
            raise NetworkError(f"{self.name} cannot be copied ({type(error).__name__}: {error})") from error
        return Network(
            adapter, name=self.name, spec=self.spec, labels=self.labels, options=self.options,
            output=self._output_option, note=self.note,
        )  # fmt: skip

    def _unsquash(self, name: str, calls: set[int]) -> Listener:
        count = -1

        def logits(inputs: Any, output: Any) -> Tensor | None:
            nonlocal count
            count += 1
            found = self.adapter.squashed(name, inputs) if count in calls else None
            return found[0] if found else None

        return logits

    @property
    def _squash(self) -> Squash | None:
        """What turns logits into probabilities: as the user says, or what the network itself puts behind its logits."""
        if self._wanted_squash is not None:
            return self._wanted_squash
        modular = next((kind for kind, port in self._trace.heads.values() if port == self._output), None)
        return modular or self._trace.squashed.get(self._output)

    def _check(self, images: Tensor) -> None:
        if self.adapter.changed():
            raise InputError(
                f"modules of {self.name} were added, removed or replaced since it was loaded: load it again"
            )
        if self.spec.fixed_size and tuple(images.shape[-2:]) != self.spec.hw:
            raise InputError(
                f"{self.name} runs at {self.spec.height}x{self.spec.width} pixels alone; "
                f"given {images.shape[-2]}x{images.shape[-1]}"
            )

    def scores(self, output: Any, pictures: int | None = None) -> Float[Tensor, "b k"]:
        """The logits in what `run` returned, for so many pictures where that is told. Where only probabilities are to
        be had, their logarithms or log-odds.

        Raises InputError where there is not one row of scores for each picture.
        """
        classes, port = self.classes, self._output
        given = ports(output)
        tensor = given[port] if port in given else given[None]
        if tensor.is_quantized:
            tensor = tensor.dequantize()
        if not tensor.is_floating_point():
            raise NetworkError(
                f"the class scores of {self.name} are of type {tensor.dtype}; expected floats: give the network "
                "without what turns them into that (an argmax, say)"
            )
        if port in self._trace.squashed:
            tensor = unsquashed(tensor, self._trace.squashed[port])
        own = score_count(self._trace.outputs[port]) or 1
        pictures = pictures or (len(tensor) if tensor.ndim > 1 else tensor.numel() // own)
        tensor = as_scores(tensor, pictures, own)
        if tensor.shape != (pictures, own):
            raise InputError(
                f"{self.name} gave {'x'.join(map(str, tensor.shape))} class scores for {pictures} "
                f"picture{'s' * (pictures != 1)}; expected {pictures}x{own}: is the InputSpec's size the network's own?"
            )
        if not bool(torch.isfinite(tensor).all()):
            raise NetworkError(
                f"the class scores of {self.name} are not finite: look at its weights and at the range in its InputSpec"
            )
        return torch.cat([-tensor, tensor], 1) if classes > own else tensor

    @property
    def ends_in_probabilities(self) -> bool:
        """Whether the scores are made from probabilities, the logits being out of reach (a squash that is no module).

        False where which output holds the scores is not said.
        """
        return self.has_classes and self._output in self._trace.squashed

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of any result of this network has to know."""
        found = [self.spec.warning] if self.spec.warning else []
        if self.ends_in_probabilities:
            found.append(_SQUASHED[self._trace.squashed[self._output]])
        if self._trace.random:
            found.append(
                "the network draws random numbers when it runs: each picture was looked at alone, with the same ones"
            )
        if self.mixes_pictures:
            found.append(
                "its batch norms keep no statistics and normalise over the pictures at hand: each was looked at alone "
                "where it could be"
            )
        return tuple(found)

    @property
    def one_at_a_time(self) -> bool:
        """Whether pictures have to go through alone: the network takes one, mixes them, or draws random numbers."""
        return self.takes_one or bool(self._trace.random) or self.mixes_pictures

    @property
    def takes_one(self) -> bool:
        """Whether the network fails on more than one picture at once."""
        return self._trace.batch == 1

    @cached_property
    def mixes_pictures(self) -> bool:
        """Whether what the network answers to a picture depends on the others of its batch."""
        norms = (module for module in self.adapter.root.modules() if isinstance(module, _BatchNorm))
        return any(norm.running_mean is None for norm in norms)

    def probabilities(self, scores: Float[Tensor, "b k"]) -> Float[Tensor, "b k"]:
        """Softmax of the logits; their sigmoids where there is one score, or where the network ends in sigmoids."""
        alone = scores.shape[1] == 1 or score_count(self._trace.outputs[self._output]) == 1
        return scores.sigmoid() if alone or self._squash in ("sigmoid", "log_sigmoid") else scores.softmax(1)

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
        found: list[list[Prediction]] = []
        at_once = 1 if self.one_at_a_time else AT_ONCE
        for first in range(0, len(several), at_once):
            some = several[first : first + at_once]
            batch = torch.cat([self.photograph(image, fit=fit).tensor(self.device) for image in some])
            with torch.no_grad():
                found += self.rank(self.scores(self.run(batch), len(batch)), top)
        return found

    def rank(self, scores: Float[Tensor, "b k"], top: int) -> list[list[Prediction]]:
        """The `top` guesses in each row of logits, best first."""
        probabilities = self.probabilities(scores)
        order = scores.argsort(dim=1, descending=True, stable=True)[:, : min(top, self.classes)].tolist()
        return [
            [Prediction(i, self.labels.name(i), float(scores[row, i]), float(probabilities[row, i])) for i in best]
            for row, best in enumerate(order)
        ]

    def weights_hash(self) -> str:
        """SHA-256 of all weights (parameters and buffers) with their names; computed again only when they have changed.

        Changes are noticed as autograd notices them: what is written through `.data` is not.
        """
        state = tuple(
            (value.data_ptr(), 0 if value.is_inference() else value._version)
            for module in self.adapter.root.modules()
            for value in (*module._parameters.values(), *module._buffers.values())
            if value is not None
        )
        if self._hash is None or self._hash[0] != state:
            digest = hashlib.sha256()
            for name, value in self.adapter.root.state_dict().items():
                if isinstance(value, Tensor) and self.adapter.is_weight(name):
                    digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
                    plain = value.detach().cpu().contiguous()
                    digest.update(plain.view(torch.uint8).numpy().data if plain.ndim else plain.numpy().tobytes())
            self._hash = (state, digest.hexdigest())
        return self._hash[1]


_LOCKS: "weakref.WeakKeyDictionary[torch.nn.Module, threading.RLock]" = weakref.WeakKeyDictionary()
_LOCKS_LOCK = threading.Lock()


def _lock_of(root: torch.nn.Module) -> threading.RLock:
    """One lock for each module, however many handles there are on it."""
    with _LOCKS_LOCK:
        return _LOCKS.setdefault(root, threading.RLock())


_SQUASHED: Mapping[Squash, str] = {
    "softmax": "the network gives probabilities alone: its class scores here are their logarithms",
    "sigmoid": "the network gives probabilities alone: its class scores here are their log-odds",
    "log_softmax": "the network gives logarithms of probabilities alone: these are its class scores here",
    "log_sigmoid": "the network gives logarithms of probabilities alone: its class scores here are their log-odds",
}


def _asked(output: Output) -> tuple[int | str | None, Squash | None]:
    """Which output was asked for, and what turns its logits into probabilities."""
    port, squash = (
        output if isinstance(output, tuple | list) else (None, output) if output in _SAYABLE else (output, None)
    )
    if squash is not None and squash not in _SAYABLE:
        raise InputError(f"output is {output!r}; expected a position or name, 'softmax' or 'sigmoid', or both")
    return port, squash  # type: ignore[return-value]


def _hook(listener: Listener, owner: int) -> Callable[[Any, Any, Any], Any]:
    """A forward hook that hears only the thread that asked for it."""

    def hook(module: Any, inputs: Any, output: Any) -> Any:
        return listener(inputs, output) if threading.get_ident() == owner else None

    return hook
