"""What Grad-CAM costs, in forwards of the same network, beside captum's."""

import torch
from captum.attr import LayerGradCam

import convscope as cs
from benchmarks.networks import vgg16
from benchmarks.timing import in_turns

LIMIT = 1.3


def rows() -> list[tuple[str, ...]]:
    """One row per network."""
    found = [("network", "forward ms", "explain", "captum LayerGradCam", f"limit {LIMIT}")]
    for name, net in (("efficientnet_lite0", cs.load_model("efficientnet_lite0")), ("VGG16's shape", vgg16())):
        layer = net.recommended_layer()
        picture = torch.rand((1, 3, 224, 224), generator=torch.Generator().manual_seed(0))
        prepared = net.spec.preprocess(picture)
        module = net.adapter.root
        captum = LayerGradCam(module, net.adapter.modules()[layer.module])

        def forward(module=module, prepared=prepared) -> None:  # type: ignore[no-untyped-def]
            with torch.no_grad():
                module(prepared)

        seconds = in_turns(
            {
                "forward": forward,
                "explain": lambda net=net, picture=picture: cs.explain(net, picture, 7),
                "captum": lambda captum=captum, prepared=prepared: captum.attribute(prepared, target=7),
            }
        )
        base = seconds["forward"]
        ours, theirs = seconds["explain"] / base, seconds["captum"] / base
        found.append((name, f"{base * 1e3:.0f}", f"{ours:.2f}", f"{theirs:.2f}", "met" if ours <= LIMIT else "MISSED"))
    return found
