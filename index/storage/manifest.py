"""The manifest of a generation: its recipe, counts, and the size and SHA-256 of every file."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from retrieval.descriptors.recipe import Recipe
from retrieval.errors import IndexProblem
from retrieval.networks.weights import file_sha256
from retrieval.ranking.confidence import BackgroundScores
from retrieval.types import Progress, quiet

FORMAT = 5
RENAMED_SINCE_4 = {"fine": "mid_layer_weight", "distinct": "dedup_similarity", "finders": "detectors"}
"""Recipe fields renamed since format 4, which also lacks `keypoints` and calls the background scores `null`."""
BLOB_FOLDERS = ("thumbs", "keypoints")
"""Their files are read in slices, and checked by verify and build, not on opening."""
FILE = re.compile(r"[a-z]+\.(npy|npz|parquet|faiss)|(thumbs|keypoints)/\d{4,}\.(jpgs|bin)")
REBUILD = "Rebuild it: boxfind build --gallery DIR --index DIR."


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class FileFacts(_Frozen):
    bytes: int
    sha256: str


class Counts(_Frozen):
    images: int
    regions: int
    skipped: int


class Changes(_Frozen):
    """Number of pictures a build added, changed, removed and kept."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    kept: int = 0
    reread: int = 0
    """How many of the kept pictures were read and described again."""


class Wave(_Frozen):
    """A generation that a build publishes while it goes on."""

    found: int
    """Number of pictures that the finished index is expected to have."""
    base: str = ""
    """Name of the complete generation that the build started from; empty if there was none."""
    without_keypoints: int = 0
    """Number of its pictures whose keypoints are still to be found."""


class Version(_Frozen):
    """The field every manifest has, whatever the version of its format."""

    format: int


def _index_file(name: str) -> str:
    if not FILE.fullmatch(name):
        raise ValueError(f"{name!r} is not a file name of an index")
    return name


class Manifest(Version):
    recipe: Recipe
    gallery: str
    """The folder that was indexed."""
    more_folders: tuple[str, ...] = ()
    """Other folders that were indexed with it. The paths of their pictures are absolute."""
    created: datetime
    counts: Counts
    changes: Changes
    learned: int
    """Number of pictures the whitening was learned from; 0 if it came with the weights."""
    background: BackgroundScores
    """Score distribution of images that do not contain the query object."""
    note: str
    """A sentence for users of this index; may be empty."""
    min_side: int = 0
    """Pictures whose shorter side has fewer pixels were left out."""
    limits: dict[str, int] = {}
    """The limits of files, by the names of SourceLimits; empty in indexes of earlier versions."""
    left_out: str = ""
    """A sentence that names the system folders and other files that were left out; may be empty."""
    wave: Wave | None = None
    """Set while the build that wrote this generation goes on; None in a finished index."""
    precisions: dict[str, float] = {}
    """Precisions other than the recipe's in which pictures may have been described since, because their descriptors
    are interchangeable: the median cosine that was measured on pictures of this index."""
    files: dict[Annotated[str, AfterValidator(_index_file)], FileFacts]

    @property
    def blob_files(self) -> dict[str, FileFacts]:
        """The files of thumbnails and keypoints."""
        return {name: facts for name, facts in self.files.items() if name.startswith(BLOB_FOLDERS)}


def read_manifest(folder: Path) -> Manifest:
    """Raises IndexProblem if the manifest is missing, damaged or in an unsupported format."""
    try:
        written = (folder / "manifest.json").read_bytes()
        version = Version.model_validate_json(written).format
        if version == 4:
            return Manifest.model_validate(_upgraded_from_4(json.loads(written)))
        if version != FORMAT:
            raise IndexProblem(
                f"The index {folder.name} has format {version}, but this program reads format {FORMAT}. {REBUILD}"
            )
        return Manifest.model_validate_json(written)
    except (OSError, ValidationError):
        raise IndexProblem(f"The index {folder.name} has no readable manifest. {REBUILD}") from None


def file_faults(
    folder: Path, files: Mapping[str, FileFacts], sizes_only: bool = False, progress: Progress = quiet
) -> dict[str, str]:
    """File name -> "NAME is missing" or "NAME differs from what was written", for each file with a fault.

    Reads every byte unless `sizes_only`.
    """
    faults = {}
    for number, (name, facts) in enumerate(files.items(), start=1):
        path = folder / name
        if not path.is_file():
            faults[name] = f"{name} is missing"
        elif path.stat().st_size != facts.bytes or (not sizes_only and file_sha256(path) != facts.sha256):
            faults[name] = f"{name} differs from what was written"
        progress(f"Checking the files of {folder.name}", number, len(files))
    return faults


def _upgraded_from_4(manifest: dict[str, Any]) -> dict[str, Any]:
    """Rename the fields of a format 4 manifest. The caller validates them."""
    recipe = manifest.get("recipe")
    if isinstance(recipe, dict):
        recipe = {RENAMED_SINCE_4.get(name, name): value for name, value in recipe.items()} | {"keypoints": None}
    return {**manifest, "format": FORMAT, "recipe": recipe, "background": manifest.get("null")}
