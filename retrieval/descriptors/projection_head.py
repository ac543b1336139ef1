"""Read and write fine-tuned projection heads, which replace the learned whitening."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError

from retrieval.descriptors.recipe import FIELD_NAMES, Recipe
from retrieval.descriptors.whitening import Whitening
from retrieval.errors import BadHead
from retrieval.networks.network_names import full_name
from retrieval.optional_packages import SAFETENSORS
from retrieval.types import Vectors

KIND = "finetuned"
"""The `Whitening.kind` of a head."""
FORMAT = "boxfind-head-1"
"""The only metadata key, holding all facts as JSON, because safetensors does not preserve the order of keys."""
SHAPES = {"mean": 1, "projection": 2}
"""The float32 arrays in the file and their number of axes."""
MAX_BYTES = 512 * 1024**2


@dataclass(frozen=True, slots=True)
class HeadFacts:
    """The recipe fields that a head depends on."""

    backbone: str
    weights_sha256: str
    preprocessing: int
    pooling: str
    mid_layer_weight: Annotated[float, Field(alias="fine")]

    def __post_init__(self) -> None:
        object.__setattr__(self, "backbone", full_name(self.backbone))

    @classmethod
    def of(cls, recipe: Recipe) -> "HeadFacts":
        return cls(**{field.name: getattr(recipe, field.name) for field in fields(cls)})


def write_head(path: Path, whitening: Whitening, facts: HeadFacts) -> None:
    """Write a safetensors file, replacing it atomically. Raises BadHead, RuntimeMissing."""
    safetensors = _safetensors()
    arrays = {name: np.ascontiguousarray(getattr(whitening, name), np.float32) for name in SHAPES}
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
    """Read a head and its facts. Never executes code from the file. Raises BadHead, RuntimeMissing."""
    safetensors = _safetensors()
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadHead(f"{path} is too large to be a head; check the path.")
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata, names = file.metadata() or {}, set(file.keys())
            if FORMAT not in metadata or names != SHAPES.keys():
                raise BadHead(f"{path} is not a Boxfind head; create one with `boxfind finetune`.")
            arrays = {name: file.get_tensor(name) for name in sorted(names)}
    except OSError as error:
        raise BadHead(f"{path} cannot be read: {error.strerror or error}.") from None
    except safetensors.SafetensorError:
        raise BadHead(f"{path} is damaged or not a safetensors file; recreate it with `boxfind finetune`.") from None
    _check(arrays, path)
    try:
        facts = TypeAdapter(HeadFacts).validate_json(metadata[FORMAT], strict=True)
    except ValidationError:
        raise BadHead(f"{path} does not say what it was trained for; recreate it with `boxfind finetune`.") from None
    return Whitening(KIND, arrays["mean"], arrays["projection"]), facts


def head_problem(facts: HeadFacts, recipe: Recipe) -> str:
    """Why a head does not fit a recipe, as a message; empty when it does."""
    for field in fields(facts):
        has, wants = getattr(facts, field.name), getattr(recipe, field.name)
        if has != wants:
            name = FIELD_NAMES[field.name]
            return f"The head was trained for {name} {has}, but this index has {wants}; train a head for this index."
    return ""


def _check(arrays: dict[str, Vectors], path: Path) -> None:
    for name, axes in SHAPES.items():
        array = arrays[name]
        if array.dtype != np.float32 or array.ndim != axes or not array.size or not np.isfinite(array).all():
            raise BadHead(f"{path} cannot be used: its {name} is not {axes}-dimensional, finite and float32.")
    if len(arrays["mean"]) != len(arrays["projection"]) or not arrays["projection"].any(axis=0).all():
        raise BadHead(f"{path} cannot be used: its mean and projection do not match.")


def _safetensors() -> Any:
    SAFETENSORS.check("A head")
    import safetensors.numpy

    return safetensors
