"""Score-CAM by its formula, and in half precision."""

import numpy as np
import torch
import torch.nn.functional as F

import convscope as cs
from convscope.taps.record import record
from tests.attribution.test_cam import LAYER, activations_and_gradient
from tests.networks import LABELS, MODULES, SPEC, network, noise, seeded


def test_score_cam_by_its_formula() -> None:
    net, picture = network("plain"), noise(1)
    a, _ = activations_and_gradient(net, picture, LAYER, 2)
    scores = []
    for k in range(len(a)):
        mask = F.interpolate(a[None, k : k + 1], (32, 32), mode="bilinear", align_corners=False)
        mask = (mask - mask.min()) / (mask.max() - mask.min())
        masked = 0.45 + mask * (picture - 0.45)
        with torch.no_grad():
            scores.append(float(record(net, masked, ["scores"]).scores[0, 2]))
    weights = np.exp(scores) / np.exp(scores).sum()
    wanted = (weights[:, None, None] * a.numpy()).sum(0)
    found = cs.explain(net, picture, 2, method="score_cam", layer=LAYER, signed=True).arrays["coarse"]
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()


def test_score_cam_of_a_network_of_half_precision() -> None:
    with torch.random.fork_rng(devices=[]):
        net = cs.load_model(seeded(MODULES["plain"]).to(torch.bfloat16), input=SPEC, labels=LABELS)
    found = cs.explain(net, noise(1), 1, method="score_cam").arrays["map"]
    like = cs.explain(network("plain"), noise(1), 1, method="score_cam").arrays["map"]
    assert np.isfinite(found).all()
    assert np.corrcoef(found.ravel(), like.ravel())[0, 1] > 0.95
