"""Keras 3 networks, run by Keras's torch backend. The only folder that imports keras.

A Keras layer is a torch module, so hooks work on it as on any other; what differs is kept here: names, channels
last, kernels stored as `kh kw in out`, activations fused into layers, preprocessing inside the model.
"""

from convscope.models.sources.keras_models.load import load

__all__ = ["load"]
