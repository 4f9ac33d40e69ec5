"""`convscope.predict`: which classes a network sees in a photograph."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Annotated

import torch

from convscope.memory import memory_watched
from convscope.models.fitting import Fit
from convscope.models.network import Network
from convscope.models.photograph import ImageLike, Photograph
from convscope.models.reference import NetworkRef
from convscope.options import About, check_given, plain_number
from convscope.render.colour import as_rgb
from convscope.results.predictions import Predictions
from convscope.verbs.calls import recipe_of
from convscope.verbs.verb import verb


@memory_watched("predict")
@verb
def predict(
    net: Network,
    image: Annotated[ImageLike | Photograph, About("the photograph")],
    *,
    top: Annotated[int, About("how many classes to name", 1, 1000)] = 5,
    fit: Annotated[Fit, About("how the picture is brought to the network's size")] = "crop",
) -> Predictions:
    """The classes that a network names for a photograph, best first.

    `net.predict` gives the same as plain values; this is a result, with its picture and its recipe. Many pictures:
    `cs.each(cs.predict, net, images)`.

    Returns `scores` and `probabilities` (`classes`), and the first `top` as facts `guesses`. Raises NetworkError where
    the network tells no classes apart.
    """
    photograph = net.photograph(image, fit=fit)
    fit = photograph.record.get("fit", fit)  # of a Photograph that was given ready
    return predicting(net, top=top, fit=fit)([photograph])[0]


def predicting(net: Network, *, top: int = 5, fit: Fit = "crop") -> Callable[[Sequence[Photograph]], list[Predictions]]:
    """`predict` for batches of pictures that are open: one forward pass for all."""
    top = plain_number(top)
    check_given(predict, {"top": top, "fit": fit})
    _ = net.classes  # raises where there are none, or where labels do not agree with them

    def predicted(photographs: Sequence[Photograph]) -> list[Predictions]:
        pictures = torch.cat([photograph.tensor() for photograph in photographs]).to(net.device)
        with torch.no_grad():
            scores = net.scores(net.run(pictures), len(pictures))
            probabilities = net.probabilities(scores)
            ranked = net.rank(scores, top)
        told = [NetworkRef.of(net)]
        return [
            Predictions(
                {
                    "scores": scores[i].float().cpu().numpy(),
                    "probabilities": probabilities[i].float().cpu().numpy(),
                    "image": as_rgb(photograph.pixels),
                },
                Predictions.needs,
                recipe_of(
                    "predict",
                    net,
                    {"top": top, "fit": fit},
                    {"image": photograph},
                    references=told,
                    batch=len(pictures),
                ),
                {"guesses": [asdict(guess) for guess in ranked[i]], "title": net.name},
            )
            for i, photograph in enumerate(photographs)
        ]

    return predicted
