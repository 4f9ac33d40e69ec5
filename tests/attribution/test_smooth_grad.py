"""SmoothGrad: a mean over noisy copies."""

import numpy as np
import torch

import convscope as cs
from convscope.attribution.gradients import gradient_of
from convscope.attribution.smooth_grad import NoisyCopies
from tests.networks import network, noise


def test_smooth_grad_is_the_mean_over_noisy_copies_whatever_the_batches() -> None:
    net, picture = network("plain"), noise(1)
    objective = cs.logit(2).bind(net)
    copies = [NoisyCopies(picture, 7, 0.2, 5) for _ in (1, 3, 7)]
    batches = [
        torch.cat([one.some(first, min(7, first + n)) for first in range(0, 7, n)])
        for n, one in zip((1, 3, 7), copies, strict=True)
    ]
    assert all(torch.equal(one, batches[0]) for one in batches)
    wanted = torch.stack([gradient_of(net, one[None], objective).gradients[0] for one in batches[0]]).mean(0)
    found = cs.explain(net, picture, 2, cs.SmoothGrad(samples=7, noise=0.2, seed=5)).arrays["attribution"]
    assert np.abs(found - wanted.numpy()).max() <= 1e-6 * float(wanted.abs().max())
    plain = cs.explain(net, picture, 2, method="saliency").arrays["attribution"]
    still = cs.explain(net, picture, 2, method="smooth_grad", noise=0.0, samples=3).arrays["attribution"]
    assert np.abs(still - plain).max() <= 1e-6 * np.abs(plain).max()
    guided = cs.explain(net, picture, 2, method="guided_backprop").arrays["attribution"]
    still = cs.explain(net, picture, 2, method="smooth_grad", of="guided_backprop", noise=0.0, samples=2)
    assert np.abs(still.arrays["attribution"] - guided).max() <= 1e-6 * np.abs(guided).max()
    a, b = (cs.explain(net, picture, 2, method="smooth_grad", seed=seed).arrays["map"] for seed in (0, 1))
    assert np.abs(a - b).max() > 0
