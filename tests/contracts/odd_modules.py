"""Odd networks, one of each kind that people have: what every verb must answer on them, or say in one line."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations

import convscope as cs
from tests.contracts import odd_networks as nets
from tests.contracts import odd_parts as odd
from tests.contracts.odd_parts import SIZE, Odd, raising, whole, with_modules
from tests.networks import LABELS, seeded


@dataclass(frozen=True)
class Kind:
    """A kind of network.

    says: what is said (a regular expression) where a verb gives no values; none may be without, unless given.
    target: what is asked of a network that has no class scores, or has none that labels fit.
    asks: whether a message may ask about the InputSpec: where shapes or values do not go with it.
    deep: the name of its layer of that name. warns: what a pass of the network itself warns of.
    """

    make: Callable[[], nn.Module]
    says: str = ""
    channels: int = 3
    target: str | None = None
    asks: bool = False
    deep: str = "deep"
    warns: str = ""
    output: int | str | None = None

    def network(self) -> cs.Network:
        """A fresh network of the kind, in training mode, as users hand theirs over."""
        spec = cs.InputSpec(size=SIZE, channels=self.channels, range=(0, 1), mean=0.45, std=0.25)
        labels = LABELS if self.target is None else None
        return cs.load_model(seeded(self.make).train(), input=spec, labels=labels, output=self.output)


def after(change: Callable[[Tensor], Any]) -> Callable[[], Odd]:
    """An odd network whose scores become something else."""
    return lambda: Odd(after=lambda net, x: change(x))


def inside(change: Callable[[Tensor], Any]) -> Callable[[], Odd]:
    """An odd network whose last map becomes something else."""
    return lambda: Odd(inside=lambda net, x: change(x))


def normed(wrap: Callable[[nn.Module], nn.Module]) -> Callable[[], Odd]:
    """An odd network whose second convolution is wrapped."""

    def make() -> Odd:
        net = Odd()
        net.deep = wrap(net.deep)  # type: ignore[assignment]
        return net

    return make


def inference_weights() -> nn.Module:
    with torch.inference_mode():
        return Odd()


def scripted() -> nn.Module:
    return with_modules(extra=torch.jit.trace(nn.Conv2d(8, 8, 1), torch.zeros(1, 8, 8, 8)))


def lazy() -> nn.Module:
    net = Odd()
    net.head = nn.LazyLinear(odd.CLASSES)  # type: ignore[assignment]
    return net


CHECKPOINT = "gradient checkpointing does not go with looking inside; switch it off"
BROKEN = "the network broke"
CUT = r"no gradient (of .* )?reaches|cuts the gradient"
NO_SCORES = "gives no class scores"
FINITE = r"not finite|finite numbers|NaN|not a number"

KINDS: dict[str, Kind] = {
    # what raises
    "raises": Kind(lambda: Odd(after=raising(lambda: RuntimeError("the network\n  broke"))), BROKEN),
    "raises the third time": Kind(odd.raising_the_third_time, "broken at the third call"),
    "raises an error of lines": Kind(lambda: Odd(inside=raising(lambda: KeyError("a\nb"))), "KeyError"),
    "raises StopIteration": Kind(lambda: Odd(after=raising(StopIteration)), "StopIteration"),
    "raises RecursionError": Kind(lambda: Odd(inside=raising(RecursionError)), "RecursionError"),
    # gradients
    "no_grad": Kind(lambda: whole(odd.without_grad), CUT),
    "inference mode inside": Kind(lambda: whole(odd.in_inference_mode), CUT),
    "detached": Kind(inside(Tensor.detach), CUT),
    "gradients switched off and on": Kind(lambda: whole(odd.grad_switched_off), CUT),
    "gradients left off": Kind(lambda: whole(odd.grad_left_off), CUT),
    "checkpoint, reentrant": Kind(
        lambda: whole(odd.checkpointed(True)), "checkpointing", warns="None of the inputs have"
    ),
    "checkpoint": Kind(lambda: whole(odd.checkpointed(False)), CHECKPOINT),
    "checkpoint of a block, reentrant": Kind(
        lambda: odd.checkpointed_block(True), "checkpointing", warns="None of the inputs have"
    ),
    "checkpoint of a block": Kind(lambda: odd.checkpointed_block(False), CHECKPOINT),
    "rounded": Kind(inside(torch.round), CUT),
    "autocast": Kind(lambda: whole(odd.autocast)),
    # kinds of numbers
    "complex scores": Kind(after(lambda x: torch.complex(x, x)), "complex64"),
    "whole numbers as scores": Kind(after(lambda x: (x * 100).long()), "int64"),
    "yes or no as scores": Kind(after(lambda x: x > 0), "bool"),
    "float16 scores": Kind(after(Tensor.half)),
    "bfloat16 scores": Kind(after(Tensor.bfloat16)),
    "float64 scores": Kind(after(Tensor.double)),
    "complex inside": Kind(inside(lambda x: torch.fft.ifft2(torch.fft.fft2(x)).real)),
    "a complex layer": Kind(lambda: with_modules(lambda net, x: net.extra(x).abs(), extra=odd.Typed(torch.complex64))),
    "quantised inside": Kind(lambda: Odd(inside=odd.quantised), CUT, warns="quantized tensor creation"),
    "a quantised layer": Kind(
        lambda: with_modules(lambda net, x: net.extra(x).dequantize(), extra=odd.Quantised()),
        CUT,
        warns="quantized tensor creation",
    ),
    "a bfloat16 layer": Kind(lambda: with_modules(extra=odd.Typed(torch.bfloat16))),
    "a layer of whole numbers": Kind(
        lambda: with_modules(lambda net, x: net.extra(x * 100), extra=odd.Typed(torch.int32)), CUT
    ),
    "float16 weights": Kind(lambda: Odd().half()),
    "bfloat16 weights": Kind(lambda: Odd().bfloat16()),
    # outputs
    "a batch of none": Kind(after(lambda x: x[:0]), "gives no row of scores"),
    "one score, b": Kind(after(lambda x: x[:, 0]), "does not give the class scores by itself", target="class:0"),
    "one score, b 1": Kind(after(lambda x: x[:, :1]), "does not give the class scores by itself", target="class:0"),
    "scores b k 1 1": Kind(after(lambda x: x[:, :, None, None])),
    "a dict": Kind(after(lambda x: {"logits": x, "more": x.flatten()})),
    "a namedtuple": Kind(after(lambda x: odd.Pair(x, x[:, :, None, None].expand(-1, -1, 2, 2)))),
    "a dataclass": Kind(after(odd.Answer), NO_SCORES, target="deep:2"),
    "a list": Kind(after(lambda x: [x])),
    "nothing": Kind(after(lambda x: None), NO_SCORES, target="deep:2"),
    "a nested tuple": Kind(after(lambda x: ((x, x), x))),
    "a text": Kind(after(lambda x: "bee"), NO_SCORES, target="deep:2"),
    "one number": Kind(after(torch.sum), NO_SCORES, target="deep:2"),
    "two outputs of scores": Kind(after(lambda x: (x, x * 2)), "several outputs of class scores"),
    "the second of two outputs": Kind(after(lambda x: (x * 2, x)), output=1),
    "LogSoftmax": Kind(lambda: Odd(after=lambda net, x: nn.LogSoftmax(1)(x))),
    "log_softmax": Kind(after(lambda x: F.log_softmax(x, 1))),
    "sigmoids": Kind(after(torch.sigmoid)),
    "segmentation": Kind(nets.Segmenting, NO_SCORES, target="deep:2"),
    "NaN scores": Kind(after(lambda x: x * torch.nan), FINITE, asks=True),
    "infinite scores": Kind(after(lambda x: x / 0), FINITE, asks=True),
    "NaN inside": Kind(inside(lambda x: (x * torch.nan).nan_to_num(1.0)), FINITE),
    "a NaN layer": Kind(
        lambda: with_modules(lambda net, x: net.extra(x * torch.nan).nan_to_num(1), extra=nn.ReLU()), FINITE
    ),
    "zero scores": Kind(after(lambda x: x * 0), "does not give the class scores by itself"),
    "constant scores": Kind(after(lambda x: torch.ones_like(x)), "does not depend on"),
    "dead activations": Kind(inside(lambda x: F.relu(x - 1e4))),
    # inputs
    "two inputs": Kind(nets.TwoInputs, "wrap it in a module"),
    "a keyword alone": Kind(nets.KeywordOnly, "wrap it in a module"),
    "a dict as input": Kind(nets.FromDict, "IndexError", warns="non-tuple sequence"),
    "one channel": Kind(lambda: Odd(channels=1), channels=1),
    "four channels": Kind(lambda: Odd(channels=4), channels=4),
    "twelve channels": Kind(lambda: Odd(channels=12), r"shape \(16, 16, 12\)|takes 12 channels", channels=12),
    "other channels": Kind(lambda: Odd(channels=4), "InputSpec", asks=True),
    "writes over its input": Kind(lambda: whole(lambda forward, x: forward(x.mul_(0.5)))),
    # random numbers
    "dropout always": Kind(lambda: Odd(inside=odd.dropped)),
    "numpy's random numbers": Kind(lambda: Odd(inside=odd.numpy_noise)),
    "python's random numbers": Kind(lambda: Odd(inside=odd.python_noise)),
    "torch's random numbers": Kind(lambda: Odd(inside=odd.torch_noise)),
    # what it writes
    "a counting buffer": Kind(odd.counting_buffer),
    "a counting attribute": Kind(lambda: Odd(inside=odd.counting)),
    "a cached feature": Kind(lambda: Odd(inside=odd.caching)),
    "a list appended to": Kind(odd.appending),
    "a dict filled": Kind(odd.filling_a_dict),
    "train() inside": Kind(lambda: Odd(inside=odd.own_train)),
    "batch_norm in training": Kind(odd.batch_norm_in_training),
    "parameters written": Kind(lambda: Odd(inside=odd.writing_parameters)),
    "a child added": Kind(lambda: Odd(inside=odd.adding_a_child)),
    "threads set": Kind(lambda: Odd(inside=odd.setting_threads)),
    # weights
    "inference weights": Kind(inference_weights, "made under torch.inference_mode"),
    "spectral_norm": Kind(normed(parametrizations.spectral_norm)),
    "weight_norm": Kind(normed(parametrizations.weight_norm)),
    "lazy": Kind(lazy, "run it on a batch of pictures first"),
    "no parameters": Kind(
        nets.Parameterless, "no layer named|no layer whose|no layer of the same|does not give", target="class:1"
    ),
    # modules
    "batch norm without statistics": Kind(lambda: with_modules(extra=nn.BatchNorm2d(8, track_running_stats=False))),
    "instance norm": Kind(lambda: with_modules(extra=nn.InstanceNorm2d(8, affine=True))),
    "group norm": Kind(lambda: with_modules(extra=nn.GroupNorm(2, 8))),
    "a traced child": Kind(scripted, "has scripted or traced parts"),
    "DataParallel": Kind(lambda: nn.DataParallel(Odd()), deep="module.deep"),
    "reused": Kind(nets.Reused),
    "ReLU in place": Kind(lambda: with_modules(extra=nn.Sequential(nn.BatchNorm2d(8), nn.ReLU(inplace=True)))),
    "an LSTM": Kind(lambda: with_modules(extra=nets.Recurrent())),
    "tokens with a class token": Kind(lambda: with_modules(extra=nets.ClassToken())),
    # batches and axes
    "views joined in the batch": Kind(nets.Joined, deep="deep@0"),
    "frames in the batch": Kind(nets.Frames, r"shape \(16, 16, 12\)|takes 12 ch", channels=12, deep="deep@0"),
    "rows of a picture": Kind(nets.Split, "rows of scores", asks=True),
    "squeezed": Kind(after(Tensor.squeeze)),
    "one picture alone": Kind(nets.Alone),
    "channels last": Kind(inside(lambda x: x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2))),
    "Conv1d": Kind(nets.OneDimensional),
    "positions sorted": Kind(nets.Sorted),
}
