"""The attribution methods by name, read without loading torch. Each is described in its class alone."""

from collections.abc import Mapping

METHODS: Mapping[str, str] = {
    "grad_cam": "cam:GradCAM",
    "grad_cam_pp": "cam:GradCAMPlusPlus",
    "layer_cam": "cam:LayerCAM",
    "hires_cam": "cam:HiResCAM",
    "eigen_cam": "eigen_cam:EigenCAM",
    "score_cam": "score_cam:ScoreCAM",
    "saliency": "gradients:Saliency",
    "input_x_gradient": "gradients:InputXGradient",
    "smooth_grad": "smooth_grad:SmoothGrad",
    "integrated_gradients": "integrated:IntegratedGradients",
    "guided_backprop": "gradients:GuidedBackprop",
    "deconvnet": "gradients:Deconvnet",
    "guided_grad_cam": "guided_grad_cam:GuidedGradCAM",
    "occlusion": "occlusion:Occlusion",
    "rise": "rise:RISE",
}
"""Where the class of each lies: `module:class` below convscope.attribution."""
