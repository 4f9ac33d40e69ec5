"""The methods of explain: for each what it takes, how it is computed, and what its reader has to know."""

from collections.abc import Mapping
from functools import partial

from convscope.verbs.attributions.cams import check_cam, of_cam, of_eigen_cam, of_score_cam
from convscope.verbs.attributions.case import Method
from convscope.verbs.attributions.covering import check_occlusion, of_occlusion, of_rise
from convscope.verbs.attributions.slopes import (
    check_integrated,
    check_smoothed,
    of_deconvnet,
    of_guided,
    of_guided_grad_cam,
    of_input_x_gradient,
    of_integrated_gradients,
    of_saliency,
    of_smooth_grad,
)

_GUIDED = (
    "guided methods change little when the network's late layers are replaced by random ones, so they tell of edges "
    "more than of the answer (Adebayo et al., 2018)"
)
_MAP = {"layer": None, "signed": False}
_SOME = _MAP | {"channels": None, "top": None}
_CAM = _SOME | {"ranking": None}
METHODS: Mapping[str, Method] = {
    "grad_cam": Method(
        "Grad-CAM", partial(of_cam, kind="grad_cam"), _CAM, "channels weighted by their mean gradient", coarse=True,
        check=check_cam,
    ),
    "grad_cam_pp": Method(
        "Grad-CAM++", partial(of_cam, kind="grad_cam_pp"), _CAM, "made for several things of one kind", check=check_cam,
    ),
    "layer_cam": Method(
        "LayerCAM", partial(of_cam, kind="layer_cam"), _CAM, "sharp in early layers too", check=check_cam,
    ),
    "hires_cam": Method(
        "HiResCAM", partial(of_cam, kind="hires_cam"), _CAM, "what the layer's positions add to the score",
        check=check_cam,
    ),
    "eigen_cam": Method(
        "Eigen-CAM", of_eigen_cam, _MAP, "where the layer answers, whatever the target", targeted=False,
        check=check_cam,
    ),
    "score_cam": Method(
        "Score-CAM", of_score_cam, _SOME, "without gradients: each channel tried as a mask", check=check_cam,
    ),
    "saliency": Method(
        "saliency", of_saliency, {"signed": False}, "to which pixels the score is sensitive", look="fine"
    ),
    "input_x_gradient": Method(
        "input times gradient", of_input_x_gradient, {"signed": True}, "first-order contributions", look="fine",
        adds_up=True,
    ),
    "smooth_grad": Method(
        "SmoothGrad", of_smooth_grad, {"signed": False, "of": "saliency", "samples": 32, "noise": 0.15, "seed": 0},
        "the mean over noisy copies", look="fine", check=check_smoothed,
    ),
    "integrated_gradients": Method(
        "integrated gradients", of_integrated_gradients,
        {"layer": None, "signed": True, "baseline": "black", "steps": None, "rule": None, "tolerance": None,
         "seed": 0},
        "adds up to the difference from the baseline", look="fine", check=check_integrated, layer_optional=True,
    ),
    "guided_backprop": Method(
        "guided backpropagation", of_guided, {"signed": False}, "fine detail, little of the answer", caveat=_GUIDED,
        look="coloured",
    ),
    "deconvnet": Method(
        "deconvnet", of_deconvnet, {"signed": False}, "a unit projected back to pixels", caveat=_GUIDED,
        look="coloured",
    ),
    "guided_grad_cam": Method(
        "guided Grad-CAM", of_guided_grad_cam, {"layer": None, "signed": False}, "fine detail where Grad-CAM is hot",
        caveat=_GUIDED, look="coloured", check=check_cam,
    ),
    "occlusion": Method(
        "occlusion", of_occlusion,
        {"signed": True, "patch": None, "stride": None, "value": "grey", "share": 1.0, "seed": 0},
        "how much of the score is lost when a window is covered", check=check_occlusion,
    ),
    "rise": Method(
        "RISE", of_rise, {"samples": 2000, "cells": 7, "kept": 0.5, "seed": 0},
        "the mean score behind random masks that show a pixel",
    ),
}  # fmt: skip
