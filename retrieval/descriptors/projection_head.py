"""A head: a change of axes that was trained with labels, kept in a file, and used in place of one learned without."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError

from retrieval.descriptors.recipe import Recipe
from retrieval.descriptors.whitening import Whitening
from retrieval.errors import BadHead
from retrieval.optional_packages import OptionalPackage
from retrieval.types import Vectors

KIND = "finetuned"
"""The kind of whitening that a head is."""
FORMAT = "boxfind-head-1"
"""The one key of the metadata, under which the facts stand: of several the library does not keep the order."""
SHAPES = {"mean": 1, "projection": 2}
"""The arrays of the file, float32, and how many axes each has."""
MOST_BYTES = 512 * 1024**2


SAFETENSORS = OptionalPackage("safetensors", "safetensors", "finetune")


@dataclass(frozen=True, slots=True)
class HeadFacts:
    """What makes the vectors that a head is for: it means nothing on others."""

    backbone: str
    weights_sha256: str
    preprocessing: int
    pooling: str
    mid_layer_weight: Annotated[float, Field(alias="fine")]

    @classmethod
    def of(cls, recipe: Recipe) -> "HeadFacts":
        return cls(
            recipe.backbone, recipe.weights_sha256, recipe.preprocessing, recipe.pooling, recipe.mid_layer_weight
        )


def write_head(path: Path, whitening: Whitening, facts: HeadFacts) -> None:
    """A safetensors file, replaced as a whole. Raises BadHead, RuntimeMissing."""
    safetensors = _safetensors()
    arrays = {
        "mean": np.ascontiguousarray(whitening.mean, np.float32),
        "projection": np.ascontiguousarray(whitening.projection, np.float32),
    }
    _check(arrays, path)
    metadata = {FORMAT: TypeAdapter(HeadFacts).dump_json(facts, by_alias=True).decode()}
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(safetensors.numpy.save(arrays, metadata))
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise BadHead(f"{path} cannot be written: {error.strerror}.") from None


def read_head(path: Path) -> tuple[Whitening, HeadFacts]:
    """The change of axes and what it is for. Nothing in the file is run. Raises BadHead, RuntimeMissing."""
    safetensors = _safetensors()
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BadHead(f"{path} is too large to be a head; check the path.")
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata, names = file.metadata() or {}, set(file.keys())
            if FORMAT not in metadata or names != SHAPES.keys():
                raise BadHead(f"{path} is not a head of this program; make one with `boxfind finetune`.")
            arrays = {name: file.get_tensor(name) for name in sorted(names)}
    except OSError as error:
        raise BadHead(f"{path} cannot be read: {error.strerror or error}.") from None
    except safetensors.SafetensorError:
        raise BadHead(f"{path} is damaged or no safetensors file; make it anew with `boxfind finetune`.") from None
    _check(arrays, path)
    return Whitening(KIND, arrays["mean"], arrays["projection"]), _facts(metadata[FORMAT], path)


def head_problem(facts: HeadFacts, recipe: Recipe) -> str:
    """What is wrong with using a head in a recipe, as a sentence; empty when they fit."""
    needed = HeadFacts.of(recipe)
    for name, has in asdict(facts).items():
        wants = getattr(needed, name)
        if has != wants:
            return f"The head was trained for {name} {has}, this index has {wants}; train one for it."
    return ""


def _check(arrays: dict[str, Vectors], path: Path) -> None:
    for name, axes in SHAPES.items():
        array = arrays[name]
        if array.dtype != np.float32 or array.ndim != axes or not array.size or not np.isfinite(array).all():
            raise BadHead(f"{path} cannot be used: its {name} is not {axes}-dimensional, finite and float32.")
    if len(arrays["mean"]) != len(arrays["projection"]) or not arrays["projection"].any(axis=0).all():
        raise BadHead(f"{path} cannot be used: its mean and its projection do not fit together.")


def _facts(text: str, path: Path) -> HeadFacts:
    try:
        return TypeAdapter(HeadFacts).validate_json(text, strict=True)
    except ValidationError:
        raise BadHead(f"{path} does not say what it was trained for; make it anew with `boxfind finetune`.") from None


def _safetensors() -> Any:
    SAFETENSORS.check("A head")
    import safetensors.numpy

    return safetensors
