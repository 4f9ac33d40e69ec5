"""Which sums of a network add a branch to what goes past it, and a rule that lets less gradient through branches.

Source: He et al., "Deep Residual Learning" (2016); the rule of Wu et al., "Skip Connections Matter" (ICLR 2020), who
found by it adversarial pictures that deceive other networks. Pictures made so are recognised by others, too.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from convscope.models.flow import Graph
from convscope.models.functions import is_sum, terms

_WEIGHTED = frozenset({
    "convolution", "_convolution", "cudnn_convolution", "mkldnn_convolution", "mm", "addmm", "bmm", "baddbmm", "linear",
    "matmul", "_scaled_dot_product_flash_attention", "_scaled_dot_product_flash_attention_for_cpu",
    "_scaled_dot_product_efficient_attention",
})  # fmt: skip
"""Operations that a layer with weights is made of, as torch calls them."""
PAST = 1
"""How many of these the way past a branch has at most: one, where it changes the number of channels."""


def branches(graph: Graph, sums: Sequence[tuple[int, ...] | None]) -> tuple[int | None, ...]:
    """Of each sum, which of its two terms is the branch of a residual; None for another sum.

    sums: the numbers in the graph of the tensor of each, and of its two terms. A branch and what goes past it come from
    one tensor; the branch has more layers with weights on its longest way from there, the other at most one.
    """
    return tuple(None if nodes is None else _branch(graph, *nodes) for nodes in sums)


def _branch(graph: Graph, node: int, *added: int) -> int | None:
    begin = max((one for one in graph.passed_by_all([node]) if one < node), default=None)
    if begin is None:
        return None
    depths = _depths(graph, begin, node)
    first, second = (depths.get(term, -1) for term in added)
    if min(first, second) < 0 or min(first, second) > PAST or first == second:
        return None
    return 0 if first > second else 1


def _depths(graph: Graph, begin: int, end: int) -> dict[int, int]:
    """Of each tensor between two, how many layers with weights lie on the longest way to it."""
    depths = {begin: 0}
    for node in range(begin + 1, end):
        known = [depths[parent] for parent in graph.parents[node] if parent in depths]
        if known:
            depths[node] = max(known) + (graph.made_by[node] in _WEIGHTED)
    return depths


class _Damped(TorchFunctionMode):
    """Each sum of a pass, in order: the gradient of its branch is multiplied by a share."""

    def __init__(self, branches: Sequence[int | None], share: float) -> None:
        super().__init__()
        self._branches, self._share, self._count = branches, share, 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if is_sum(func):
            branch = self._branches[self._count] if self._count < len(self._branches) else None
            self._count += 1
            given = terms(args, kwargs)
            if branch is not None and branch < len(given):
                self._damp(given[branch])
        return func(*args, **kwargs)

    def _damp(self, term: Any) -> None:
        if isinstance(term, Tensor) and term.requires_grad and torch.is_grad_enabled():
            term.register_hook(lambda gradient: gradient * self._share)  # type: ignore[no-untyped-call]


@contextmanager
def damped(branches: Sequence[int | None], share: float) -> Iterator[None]:
    """For one forward pass, which itself is as it was: what comes back through branches is multiplied by `share`.

    branches: which term of each sum is a branch, as the trace of the network tells.
    """
    if share == 1.0 or all(branch is None for branch in branches):
        yield
        return
    with _Damped(branches, share):
        yield
