"""`convscope.stylize`: a photograph in the style of other pictures."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import torch

from convscope.errors import InputError
from convscope.memory import memory_watched
from convscope.models.network import Network
from convscope.models.photograph import ImageLike, listed
from convscope.models.usual_layers import content_layers_of, named_layers, style_layers_of
from convscope.options import MOST_SEED, About, check_given, plain_number, renamed
from convscope.progress import Watch, keeping, unwatched
from convscope.results.pictures import Pictures
from convscope.synthesis.optimisers import OptimiserName
from convscope.synthesis.stages import Parameterisation
from convscope.synthesis.style_losses import Losses
from convscope.synthesis.style_transfer import StyleTransfer
from convscope.verbs.calls import Given, counted
from convscope.verbs.made import picture_made
from convscope.verbs.photographs import allowed, open_mask, opened_whole
from convscope.verbs.presets import STYLE, filled
from convscope.verbs.verb import verb

StyleStart = Literal["content", "noise", "style"]


@renamed
@memory_watched("stylize")
@torch.inference_mode(False)
@verb
def stylize(
    net: Network,
    content: Annotated[ImageLike, About("the photograph")],
    styles: Annotated[ImageLike | Sequence[ImageLike], About("the pictures whose style it gets")],
    *,
    preset: Annotated[str, About("fills in what is not given", choices=tuple(STYLE))] = "default",
    shares: Annotated[
        Sequence[float] | None, About("how much each style counts, such as 2,1", unset="all the same")
    ] = None,
    regions: Annotated[
        ImageLike | Sequence[ImageLike] | None, About("for each style, a picture that is white where it goes")
    ] = None,
    size: Annotated[
        int | None, About("pixels on the long side", 64, 8192, unset="the photograph's own, at most 640")
    ] = None,
    scale: Annotated[float, About("the styles' long side against the picture's: 0.5 for finer strokes", 0.1, 4)] = 1.0,
    colours: Annotated[Literal["style", "content"], About("whose colours the picture has")] = "style",
    mask: Annotated[ImageLike | None, About("a picture that is white where the photograph may change")] = None,
    strength: Annotated[float, About("how much of the style is laid over the photograph", 0, 1)] = 1.0,
    start: Annotated[StyleStart | None, About("what it begins as", unset="the content with a little noise")] = None,
    content_layers: Annotated[str | Sequence[str] | None, About("layers that keep the content, by comma")] = None,
    style_layers: Annotated[str | Sequence[str] | None, About("layers that hold the style, by comma")] = None,
    losses: Annotated[Losses | None, About("gatys (as published), or relative to each layer")] = None,
    content_weight: Annotated[float | None, About("what keeping the content counts", 0, 1e12)] = None,
    style_weight: Annotated[float | None, About("what matching the style counts", 0, 1e12)] = None,
    tv_weight: Annotated[float | None, About("what a smooth picture counts", 0, 1e12)] = None,
    decay: Annotated[
        float | None, About("weight of each further layer of style, against the one before", 0, 10)
    ] = None,
    schedule: Annotated[str | None, About("octaves(3,2), single, grow(64,1.2)")] = None,
    steps: Annotated[int | None, About("steps at each size of the schedule", 1, 100000)] = None,
    lr: Annotated[float | None, About("the learning rate", 1e-6, 1000, unset="the preset's", was="rate")] = None,
    parameterisation: Annotated[
        Parameterisation | None, About("what of the picture is optimised", unset="the preset's", was="picture")
    ] = None,
    optimiser: Annotated[OptimiserName | None, About("what moves the picture: adam, lbfgs, ...")] = None,
    tile: Annotated[
        int, About("pixels on the side of a tile; memory goes with it, not with the picture", 64, 4096)
    ] = 768,
    frames: Annotated[str | None, About("steps to keep as frames: '0,7,15,30', 'every 5' or 'all'")] = None,
    seed: Annotated[int, About("of the noise it starts with", 0, MOST_SEED)] = 0,
    watch: Watch = unwatched,
) -> Pictures:
    """The content of one picture in the textures and colours of others.

    content: a photograph, kept at its own proportions. styles: one picture or several; shares: how much each counts
    (equally, unless given). regions: for each style a picture that is white where it goes. mask: a picture that is
    white where the photograph may be altered at all. colours: "content" keeps the photograph's colours, and takes
    from the style only what is light and dark.

    content_layers: unless named, the middle activation of the last but one size of maps (VGG's relu4_2); of the last
    one too with losses="gatys". style_layers: unless named, the first activation of each of the first five sizes
    (VGG's relu1_1 to relu5_1).

    losses: "relative" are squared distances over the squared length of what is to be matched, so that the weights suit
    any network; the weights of the layers of style are divided by their sum. "gatys" are those of the paper, in units
    of a network whose input has a variance of one: style by eq. 4, the layers weighed 1, decay, decay^2, ...; content
    half the mean squared distance, and total variation a mean too (see below).

    Returns `images` (`1 h w c` in [0,1]), `values` (minus the whole loss of the finished picture), and `frames` where
    asked for; the facts have each loss. Raises Stopped on Ctrl-C, whose `result` holds what was done.

    Source: Gatys, Ecker and Bethge, "A Neural Algorithm of Artistic Style" (2015); scale, colours and regions after
    Gatys et al., "Controlling Perceptual Factors in Neural Style Transfer" (CVPR 2017); the preset "gerretsen":
    Gerretsen et al. (2019), section 3. Departs from them: Gram matrices are means over positions, so that style
    pictures of any size compare, and larger pictures are shown in tiles that share the matrix of the whole. The
    content of "gatys" is a mean where eq. 3 is a sum: beside eq. 4, which is a mean, the published weights of 1, 3000
    and 10 leave no style in a picture otherwise.
    """
    options = filled(
        STYLE,
        preset,
        {
            "start": start,
            "schedule": schedule,
            "steps": steps,
            "lr": lr,
            "parameterisation": parameterisation,
            "optimiser": optimiser,
            "losses": losses,
            "content_weight": content_weight,
            "style_weight": style_weight,
            "tv_weight": tv_weight,
            "decay": decay,
        },
    )
    kept = _named(net, content_layers) or content_layers_of(net.layers(), 2 if options["losses"] == "gatys" else 1)
    styled = _named(net, style_layers) or style_layers_of(net.layers())
    given = listed(styles)
    if not given:
        raise InputError("no style was given; expected at least one picture")
    options |= {
        "preset": preset,
        "shares": None if shares is None else [float(share) for share in shares],
        "size": size,
        "scale": scale,
        "colours": colours,
        "strength": strength,
        "content_layers": kept,
        "style_layers": styled,
        "tile": tile,
        "frames": frames,
        "seed": seed,
    }
    options = {name: plain_number(value) for name, value in options.items()}
    check_given(stylize, options)
    _check_shares(options["shares"], len(given))
    if colours == "content" and net.spec.channels != 3:
        raise InputError(f"colours='content' needs colour pictures; {net.name} takes {net.spec.channels} channels")
    photograph = opened_whole(net.spec, content, options["size"])
    hw = photograph.hw
    where = [open_mask(region, hw) for region in listed(regions)]
    if where and len(where) != len(given):
        raise InputError(f"regions has {len(where)} pictures for {len(given)} styles; expected one for each")
    opened = [opened_whole(net.spec, style, round(options["scale"] * max(hw))) for style in given]
    masked = None if mask is None else open_mask(mask, hw)
    may_change = allowed(masked, photograph, options["strength"])
    transfer = StyleTransfer(net, photograph, opened, where, may_change, options, watch)
    inputs: dict[str, Given] = {"content": photograph, "styles": opened, "regions": where, "mask": masked}

    def result() -> Pictures | None:
        return _result(transfer, options, inputs)

    with keeping(transfer.session.told, result):
        transfer.run()
    made = result()
    assert made is not None
    return made


def _result(transfer: StyleTransfer, options: Mapping[str, Any], inputs: Mapping[str, Given]) -> Pictures | None:
    """The picture, finished or not; None before the first step."""
    session, making, style_losses = transfer.session, transfer.making, transfer.losses
    if session.made is None or not session.started:
        return None
    notes = [
        f"the region of style {number} is black: it goes nowhere"
        for number, region in enumerate(style_losses.regions, 1)
        if not region.pixels.any()
    ]
    if style_losses.fixed_size is not None:
        height, width = style_losses.fixed_size
        notes.append(f"{session.net.name} does not run at every size needed here: it saw all at {height}x{width}")
    losses = style_losses.losses_of(session.made.pictures())
    return picture_made(
        "stylize",
        session,
        options,
        np.array([-sum(losses.values())], dtype=np.float32),
        {
            "captions": ["style transfer"],
            "losses": losses,
            "title": f"{session.net.name}: style transfer",
            "subtitle": f"{making.total} steps at {len(making.sizes)} sizes",
        },
        inputs,
        notes=notes,
    )


def _named(net: Network, layers: str | Sequence[str] | None) -> list[str]:
    if layers is None:
        return []
    names = [word.strip() for word in layers.split(",")] if isinstance(layers, str) else list(layers)
    return [layer.name for layer in named_layers(net.layers(inner=True), names)]


def _check_shares(shares: list[float] | None, count: int) -> None:
    fits = shares is None or (len(shares) == count and min(shares) >= 0 and 0 < sum(shares) < float("inf"))
    if not fits:
        raise InputError(
            f"shares is {shares} for {counted(count, 'style')}; expected a number for each, none below 0, not all 0"
        )
