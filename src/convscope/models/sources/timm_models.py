"""The networks of timm, by name: with the contract, labels and licence of its own registry."""

from pathlib import Path
from typing import Any

import torch

from convscope.errors import MissingExtraError, NetworkError, NotFetchedError, UnknownNameError
from convscope.models.labels import Labels, imagenet_labels
from convscope.models.network import Network
from convscope.models.sources.architecture import Architecture, assembled
from convscope.models.sources.hub import quiet_hub
from convscope.models.sources.wanted import Wanted
from convscope.models.spec import InputSpec


def load(name: str, wanted: Wanted) -> Network:
    """A network of timm, such as convnext_tiny or resnet50.a1_in1k, with the pretrained weights of that name."""
    timm = _timm()
    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        raise UnknownNameError("timm network", name, timm.list_models())
    tags = [full.partition(".")[2] for full in timm.list_pretrained(f"{architecture}.*")]
    if tag and tag not in tags:
        raise UnknownNameError(f"weights of timm's {architecture}", tag, tags)
    told: dict[str, Any] = timm.get_pretrained_cfg(name).to_dict()

    def build(classes: int | None) -> torch.nn.Module:
        chosen = {} if classes is None else {"num_classes": classes}
        module: torch.nn.Module = timm.create_model(name, pretrained=False, **chosen)
        return module

    licence, pretrained = told.get("license"), bool(told.get("hf_hub_id") or told.get("url"))
    return assembled(
        name,
        f"timm:{name}",
        wanted,
        Architecture(
            build=build,
            trained=(lambda: _trained(timm, name, told, wanted.download)) if pretrained else None,
            spec=_spec(told),
            labels=_labels(timm, told),
            about=f"pretrained weights of timm{f', {licence}' if licence else ''}",
            package="timm",
        ),
    )


def _timm() -> Any:
    try:
        import timm
    except ImportError:
        raise MissingExtraError("a network of timm", "timm", "zoo") from None
    except (RuntimeError, OSError) as error:
        raise NetworkError(
            f"timm cannot be imported ({' '.join(str(error).split())[:150]}): install a torchvision of the same "
            "release as torch"
        ) from None
    return timm


def _spec(told: dict[str, Any]) -> InputSpec:
    channels, height, width = told.get("input_size") or (3, 224, 224)
    return InputSpec(
        size=(height, width),
        channels=channels,
        range=(0.0, 1.0),
        mean=tuple(told["mean"]) if told.get("mean") else None,
        std=tuple(told["std"]) if told.get("std") else None,
        fixed_size=bool(told.get("fixed_input_size")),
    )


def _labels(timm: Any, told: dict[str, Any]) -> Labels:
    """The classes of the pretrained weights: ImageNet's, or those of a subset that timm lists."""
    if told.get("label_names"):
        return Labels(tuple(map(str, told["label_names"])))
    if told.get("num_classes") == 1000:
        return imagenet_labels()
    try:
        subset = timm.data.infer_imagenet_subset(told)
        if subset:
            info = timm.data.ImageNetInfo(subset)
            return Labels(tuple(info.index_to_description(i) for i in range(info.num_classes())))
    except (AttributeError, ValueError, KeyError):
        pass
    return Labels()


def _trained(timm: Any, name: str, told: dict[str, Any], download: bool) -> torch.nn.Module:
    """The network with its pretrained weights, from the cache of Hugging Face or torch, or downloaded."""
    if not download and not _is_here(told):
        raise NotFetchedError(f"the weights of timm:{name} are not here and would be downloaded")
    try:
        with quiet_hub():
            module: torch.nn.Module = timm.create_model(name, pretrained=True)
    except Exception as error:
        text = " ".join(str(error).split())[:100]
        where = told.get("hf_hub_id") or told.get("url")
        raise NetworkError(
            f"the weights of timm:{name} could not be fetched from {where} ({text}): give "
            "a file of them with --weights FILE (weights=...), or ask for random ones with --weights none"
        ) from None
    return module


def _is_here(told: dict[str, Any]) -> bool:
    """Whether pretrained weights lie in a cache, that of Hugging Face or torch's."""
    files = [Path(torch.hub.get_dir()) / "checkpoints" / str(told.get("url") or "").rsplit("/", 1)[-1]]
    if told.get("hf_hub_id"):
        from huggingface_hub import try_to_load_from_cache

        found = (try_to_load_from_cache(told["hf_hub_id"], file) for file in ("model.safetensors", "pytorch_model.bin"))
        files += [Path(file) for file in found if isinstance(file, str)]
    return any(file.is_file() for file in files)
