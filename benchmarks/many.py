"""What Grad-CAM of many pictures costs, in batched forwards of the same pictures, beside captum's; and its memory."""

import json
import subprocess
import sys

import torch
from captum.attr import LayerGradCam

import convscope as cs
from benchmarks.timing import in_turns

LIMIT = 1.35
COUNT, BATCH = 200, 16
PROGRAM = """
import json, re, sys
from pathlib import Path

import torch
import convscope as cs

def pictures(count):
    for number in range(count):
        yield torch.rand(3, 224, 224, generator=torch.Generator().manual_seed(number))

net = cs.load_model("efficientnet_lite0")
made = sum(1 for _ in cs.each(cs.explain, net, pictures(int(sys.argv[1]))))
most = re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())
print(json.dumps([made, int(most[1]) / 1024]))
"""


def rows() -> list[tuple[str, ...]]:
    """Time, and the memory of a process of its own."""
    net = cs.load_model("efficientnet_lite0")
    pictures = torch.rand((COUNT, 3, 224, 224), generator=torch.Generator().manual_seed(0))
    prepared = net.spec.preprocess(pictures)
    captum = LayerGradCam(net.adapter.root, net.adapter.modules()[net.recommended_layer().module])

    def forwards() -> None:
        with torch.no_grad():
            for part in prepared.split(BATCH):
                net.adapter.root(part)

    def by_captum() -> None:
        for part in prepared.split(BATCH):
            with torch.no_grad():
                guesses = net.adapter.root(part).argmax(1)
            captum.attribute(part, target=guesses)

    seconds = in_turns(
        {"forward": forwards, "each": lambda: list(cs.each(cs.explain, net, pictures)), "captum": by_captum}, rounds=3
    )
    base = seconds["forward"]
    ours, theirs = seconds["each"] / base, seconds["captum"] / base
    alone = [cs.explain(net, picture).arrays["map"] for picture in pictures[:BATCH]]
    together = [one.arrays["map"] for one in cs.each(cs.explain, net, pictures[:BATCH])]
    far = max(float(abs(a - b).max() / abs(a).max()) for a, b in zip(alone, together, strict=True))
    memory = [_memory(count) for count in (COUNT, 10 * COUNT)]
    return [
        ("what", "here", "beside"),
        (
            f"{COUNT} pictures, in batched forwards (limit {LIMIT})",
            f"{ours:.2f}",
            f"captum, first guess too: {theirs:.2f}",
        ),
        ("a batched forward of one, ms", f"{base / COUNT * 1e3:.1f}", ""),
        ("maps against those one by one, in parts of the greatest", f"{far:.1e}", "limit 1e-5"),
        (f"MB at its peak, {COUNT} and {10 * COUNT} pictures", *(f"{one:.0f}" for one in memory)),
    ]


def _memory(count: int) -> float:
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(count)], check=True, capture_output=True, text=True)
    made, most = json.loads(done.stdout)
    assert made == count
    return float(most)
