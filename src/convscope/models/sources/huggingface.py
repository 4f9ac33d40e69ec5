"""Image classifiers of Hugging Face transformers: of the hub, or a folder that save_pretrained wrote."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from convscope.errors import MissingExtraError, NetworkError, NotFetchedError
from convscope.models.labels import Labels
from convscope.models.network import Network
from convscope.models.sources.architecture import RANDOM
from convscope.models.sources.hub import quiet_hub
from convscope.models.sources.torch_module import TorchAdapter
from convscope.models.sources.wanted import Wanted
from convscope.models.spec import InputSpec
from convscope.models.state_files import put, seeded

CONTRACT = "preprocessor_config.json"


def load(name: str, wanted: Wanted) -> Network:
    """An image classifier: `org/name` of the hub, or a folder."""
    try:
        import transformers
    except ImportError:
        raise MissingExtraError("a network of Hugging Face", "transformers", "hf") from None
    given = {"local_files_only": not wanted.download, "trust_remote_code": wanted.trust}
    try:
        with quiet_hub(), seeded():
            config = transformers.AutoConfig.from_pretrained(name, **given)
            kind = transformers.AutoModelForImageClassification
            if wanted.weights is None:
                module: torch.nn.Module = kind.from_pretrained(name, config=config, **given)
            else:
                module = kind.from_config(config, trust_remote_code=wanted.trust)  # type: ignore[no-untyped-call]
    except Exception as error:
        raise _told(name, error, wanted) from None
    if wanted.weights not in (None, RANDOM):
        put(module, Path(str(wanted.weights)), f"hf:{name}")
    module.eval()
    labels = getattr(config, "id2label", None) or {}
    own = Labels(tuple(str(labels[key]) for key in sorted(labels, key=int)))
    random = {RANDOM: "random weights", None: "weights of Hugging Face"}
    return Network(
        TorchAdapter(module, packages=("transformers",)),
        name=name.rstrip("/").rsplit("/", 1)[-1],
        spec=wanted.input.over(_spec(_contract(name, wanted.download), config), f"hf:{name}"),
        labels=wanted.labels_or(own),
        source=f"hf:{name}",
        options={"weights": wanted.weights} if wanted.weights else {},
        output=wanted.output,
        note=random.get(wanted.weights, f"weights of {wanted.weights}"),
        trained=wanted.weights != RANDOM,
    )


def _told(name: str, error: Exception, wanted: Wanted) -> NetworkError:
    text = " ".join(str(error).split())[:200]
    if "trust_remote_code" in text:
        return NetworkError(
            f"hf:{name} brings code of its own, which is not run: if you trust whoever made it, say --trust "
            "(trust=True)"
        )
    if isinstance(error, OSError) and not wanted.download:
        return NotFetchedError(f"hf:{name} is not here and would be downloaded")
    return NetworkError(
        f"hf:{name} cannot be loaded ({type(error).__name__}: {text}): expected an image classifier, as org/name of "
        "the hub or as a folder written by save_pretrained"
    )


def _contract(name: str, download: bool) -> Mapping[str, Any]:
    """What the network's image processor does, as its file tells; empty where there is none."""
    from transformers.utils.hub import cached_file

    try:
        path = cached_file(name, CONTRACT, local_files_only=not download, _raise_exceptions_for_missing_entries=False)
        told = json.loads(Path(path).read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _spec(told: Mapping[str, Any], config: Any) -> InputSpec | None:
    """The contract that an image processor's file and the network's configuration tell; None without a size."""
    size = _size(told.get("crop_size") if told.get("do_center_crop", True) else None) or _size(told.get("size"))
    size = size or _size(getattr(config, "image_size", None))
    if size is None:
        return None
    channels = int(getattr(config, "num_channels", 3))
    if not told:
        return InputSpec(size=size, channels=channels)
    own = _of_its_kind(told)
    normalises = bool(own("do_normalize", True))
    mean, std = (own(name, None) if normalises else None for name in ("image_mean", "image_std"))
    divided: Any = None if std is None else tuple(std)
    if own("include_top", False) and own("image_std", None) is not None:  # EfficientNet's: once more by the deviation
        divided = tuple(
            one * (again if divided else 1)
            for one, again in zip(own("image_std", ()), std or own("image_std", ()), strict=True)
        )
    return InputSpec(
        size=size,
        channels=channels,
        range=_range(own),
        mean=0.0 if mean is None else tuple(mean),
        std=1.0 if divided is None else divided,
        order="BGR" if own("do_flip_channel_order", False) and channels == 3 else "RGB",
    )


def _range(own: Callable[[str, Any], Any]) -> tuple[float, float]:
    """What black and white become before mean and deviation."""
    if not own("do_rescale", True):
        return 0.0, 255.0
    low = -1.0 if own("rescale_offset", False) else 0.0
    return low, round(low + 255 * float(own("rescale_factor", 1 / 255)), 6)


def _of_its_kind(told: Mapping[str, Any]) -> Callable[[str, Any], Any]:
    """What an image processor does: as its file says, or else as its class in transformers does."""
    import transformers

    name = str(told.get("image_processor_type") or told.get("feature_extractor_type") or "")
    name = name.replace("FeatureExtractor", "ImageProcessor").removesuffix("Fast")
    with quiet_hub():
        kind = getattr(transformers, name, None) if name else None

    def own(option: str, otherwise: Any) -> Any:
        if option in told:
            return told[option]
        return getattr(kind, option, otherwise) if kind is not None else otherwise

    return own


def _size(told: Any) -> tuple[int, int] | None:
    if isinstance(told, int):
        return told, told
    if isinstance(told, list | tuple) and len(told) == 2:
        return int(told[0]), int(told[1])
    if isinstance(told, Mapping):
        if "height" in told and "width" in told:
            return int(told["height"]), int(told["width"])
        if "shortest_edge" in told:
            return int(told["shortest_edge"]), int(told["shortest_edge"])
    return None
