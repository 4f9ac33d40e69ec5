"""What a network raised, in one line that points the right way."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from convscope.errors import ConvscopeError, NetworkError
from convscope.memory import memory_watched

_OTHER_SIZE = re.compile(
    r"mat1 and mat2|shapes cannot be multiplied|to have \d+ channels|size of tensor|is invalid for input of size|"
    r"Calculated padded input size|[Oo]utput size is too small|shape mismatch|normalized_shape|must match the size|"
    r"Expected more than 1 value|incompatible with the layer|inhomogeneous|not divisible|[Pp]adding size should be less"
)
"""What torch and Keras say where a picture has not the size or the channels that the network was made for."""
_OTHER_ARGUMENTS = re.compile(r"(forward|call)\(\).*(argument|positional)|missing a required argument")
"""What Python and Keras say where one picture is not all that a forward pass takes."""


def failure(error: Exception) -> str:
    """The reason of a failure in brackets, and what is to be done where that can be told."""
    text = " ".join(str(error).split())[:300] or "no reason given"
    told = f"({type(error).__name__}: {text})"
    if isinstance(error, TypeError) and _OTHER_ARGUMENTS.search(text):
        return f"{told}: it takes more than one picture; wrap it in a module whose forward takes that alone"
    if isinstance(error, KeyError) or (isinstance(error, IndexError) and "indices" in text):
        return (
            f"{told}: if it takes more than a tensor of pictures (a dictionary, say), wrap it in a module that does not"
        )
    if "nference tensor" in text:
        return f"{told}: its weights were made under torch.inference_mode(); make or load it outside of that"
    if "ninitialized parameter" in text:
        return f"{told}: its lazy modules have no weights yet; run it on a batch of pictures first"
    if _OTHER_SIZE.search(text):
        return f"{told}: is the InputSpec (size, channels) the one it was made for?"
    return told


_CUT = ("does not require grad", "does not have a grad_fn")


@contextmanager
def backward_watched(what: str) -> Iterator[None]:
    """Whatever the way back through a network raises becomes one of our errors. what: the network's name, or that of
    what is asked."""
    try:
        with memory_watched(f"the gradient of {what}"):
            yield
    except ConvscopeError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        kind = type(error).__name__
        if "heckpoint" in text or kind == "CheckpointError":
            advice = ": gradient checkpointing does not go with looking inside; switch it off in the network"
        elif any(words in text for words in _CUT):
            advice = ": no gradient reaches the picture, as under torch.no_grad() or detach() inside the network"
        elif "nference tensor" in text:
            advice = ": its weights were made under torch.inference_mode(); make or load it outside of that"
        else:
            advice = ""
        raise NetworkError(f"the gradient of {what} cannot be computed ({kind}: {text}){advice}") from error
