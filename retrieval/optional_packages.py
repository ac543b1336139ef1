"""Libraries that only some roads need: whether one is installed, and which line installs it."""

import importlib.util
from dataclasses import dataclass

from retrieval.errors import RuntimeMissing


@dataclass(frozen=True, slots=True)
class Extra:
    """A library by its name for pip and for Python, and the file of requirements that pins it."""

    library: str
    module: str
    requirements: str

    @property
    def installed(self) -> bool:
        return importlib.util.find_spec(self.module) is not None

    def check(self, name: str) -> None:
        """Raises RuntimeMissing, which says that the entry of that name needs the library, when it is missing."""
        if not self.installed:
            raise RuntimeMissing(
                f"{name} needs the library {self.library}, which is not installed; "
                f"`pip install -r {self.requirements}` installs it."
            )


TORCHVISION = Extra("torchvision", "torchvision", "requirements.txt")
OPEN_CLIP = Extra("open-clip-torch", "open_clip", "requirements/clip.txt")
TRANSFORMERS = Extra("transformers", "transformers", "requirements/sam.txt")
MILVUS = Extra("pymilvus", "pymilvus", "requirements/milvus.txt")
MILVUS_LITE = Extra("milvus-lite", "milvus_lite", "requirements/milvus.txt")
NNCF = Extra("nncf", "nncf", "requirements/int8.txt")
FASTAPI = Extra("fastapi", "fastapi", "requirements/api.txt")
RAY = Extra("ray[data]", "ray", "requirements/ray.txt")
