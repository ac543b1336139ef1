"""Diagnose this installation for `boxfind doctor`: versions, device, weights and index."""

import importlib.metadata
import platform
from dataclasses import dataclass

from boxfind.settings import Settings
from index.storage.generation import current_folder
from index.storage.manifest import read_manifest
from retrieval.errors import BoxfindError
from retrieval.networks.backbones import BACKBONES
from retrieval.networks.runtimes import choose_runtime
from retrieval.networks.torchvision_compat import torchvision_state
from retrieval.networks.weights import find_weights

PACKAGES = (
    "streamlit",
    "streamlit-drawable-canvas",
    "torch",
    "torchvision",
    "openvino",
    "faiss-cpu",
    "pillow",
    "pandas",
    "numpy",
    "pyarrow",
)
TORCHVISION_SENTENCES = {
    "healthy": "healthy (compiled operators load)",
    "repaired": "repaired (compiled operators do not load with this torch version; using NMS in PyTorch instead)",
    "missing": "missing (efficientnet-lite0 is the only network that can be used)",
}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    python: str
    packages: dict[str, str]
    device: str
    runtime: str
    precision: str
    torchvision: str
    weights: dict[str, str]
    gallery: str
    index: str
    offline: bool


def examine(settings: Settings) -> Diagnosis:
    """Inspect the installation without changing it. Raises RuntimeMissing if the runtime of the settings is missing."""
    runtime, precision = choose_runtime(settings.runtime)
    return Diagnosis(
        python=platform.python_version(),
        packages={name: _version(name) for name in PACKAGES},
        device=_device(runtime.name),
        runtime=runtime.name,
        precision=precision,
        torchvision=TORCHVISION_SENTENCES[torchvision_state()],
        weights={name: str(find_weights(b.weights) or "missing or damaged") for name, b in BACKBONES.items()},
        gallery="sample gallery" if settings.is_sample else str(settings.gallery_dir),
        index=_index(settings),
        offline=settings.offline,
    )


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _device(runtime: str) -> str:
    if runtime == "torch-cuda":
        import torch

        return str(torch.cuda.get_device_name())
    return f"CPU ({platform.processor() or platform.machine()})"


def _index(settings: Settings) -> str:
    try:
        folder = current_folder(settings.index_dir)
        manifest = read_manifest(folder)
    except BoxfindError as error:
        return str(error)
    return (
        f"{folder.name}: {manifest.counts.images} pictures, {manifest.counts.regions} regions, "
        f"{manifest.recipe.backbone} {manifest.recipe.precision}, built {manifest.created:%Y-%m-%d %H:%M} UTC"
    )
