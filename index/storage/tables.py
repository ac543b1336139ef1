"""Map vector rows to images and regions: images.parquet and regions.parquet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from index.storage.folder_scan import start_of_paths
from retrieval.types import Box, Region

IMAGE_COLUMNS = pa.schema(
    [
        ("image", pa.string()),
        ("path", pa.binary()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("bytes", pa.int64()),
        ("mtime", pa.float64()),
        ("sha256", pa.string()),
        ("taken", pa.timestamp("s")),  # null in the files of earlier versions
        ("thumb_file", pa.string()),
        ("thumb_start", pa.int64()),
        ("thumb_bytes", pa.int64()),
        ("keypoints_file", pa.string()),
        ("keypoints_start", pa.int64()),
        ("keypoints_bytes", pa.int64()),
        ("place", pa.string()),  # null in the files of earlier versions, as is the next one
        ("file_sha256", pa.string()),
    ]
)
REGION_COLUMNS = pa.schema(
    [
        ("image", pa.dictionary(pa.int32(), pa.string())),
        ("x0", pa.int32()),
        ("y0", pa.int32()),
        ("x1", pa.int32()),
        ("y1", pa.int32()),
        ("kind", pa.dictionary(pa.int8(), pa.string())),
        ("score", pa.float32()),
        ("label", pa.dictionary(pa.int32(), pa.string())),
    ]
)


@dataclass(frozen=True, slots=True)
class ImageEntry:
    """An image as it was indexed: a file, or a page or frame of one. Thumbnail and keypoints are slices of blob files.

    `path`, `bytes` and `mtime` are those of the file.
    """

    image: str
    path: bytes
    """Relative to the gallery, as raw file system bytes."""
    width: int
    height: int
    bytes: int
    mtime: float
    sha256: str
    taken: datetime | None = None
    """The time on the camera's clock; None if unknown."""
    thumb_file: str = ""
    thumb_start: int = 0
    thumb_bytes: int = 0
    keypoints_file: str = ""
    keypoints_start: int = 0
    keypoints_bytes: int = 0
    place: str = ""
    """Where in its file the picture is, see retrieval/images/places.py; "" if it is the only or the first one."""
    file_sha256: str = ""
    """That of its file, if it holds several pictures; `sha256` is what the picture is known by."""

    @property
    def source(self) -> str:
        """The id of its file."""
        return self.image.removesuffix(f"#{self.place}") if self.place else self.image

    @property
    def whole(self) -> Box:
        """The whole image as a box."""
        return Box(0, 0, self.width, self.height)


@dataclass(frozen=True, slots=True)
class Tables:
    """Images are numbered in id order. The vector rows of an image are contiguous, in the same order."""

    images: pa.Table
    ids: list[str]
    numbers: dict[str, int]
    image_of_row: NDArray[np.int64]  # (N,)
    boxes: NDArray[np.int32]  # (N, 4)
    kinds: list[str]  # (N,)
    scores: NDArray[np.float32]  # (N,)
    labels: list[str]  # (N,)

    @property
    def files(self) -> set[str]:
        """Names of the blob files that the images refer to."""
        return {
            name for column in ("thumb_file", "keypoints_file") for name in self.images[column].unique().to_pylist()
        }

    @property
    def sources(self) -> list[str]:
        """The id of the file of each image (N,)."""
        places = self.images["place"].to_pylist()
        return [
            image.removesuffix(f"#{place}") if place else image for image, place in zip(self.ids, places, strict=True)
        ]

    def entry(self, number: int) -> ImageEntry:
        columns = zip(self.images.column_names, self.images.columns, strict=True)
        row: dict[str, Any] = {name: column[number].as_py() for name, column in columns}
        return ImageEntry(**row)

    def with_contents(self, sha256: str) -> str | None:
        """The id of the first image that is known by this SHA-256, or None."""
        place = pc.index(self.images["sha256"], sha256).as_py()
        return None if place < 0 else self.ids[place]

    def with_file(self, sha256: str) -> str | None:
        """The id of the first image in a file with this SHA-256, or None."""
        place = pc.index(self.images["file_sha256"], sha256).as_py()
        return self.with_contents(sha256) if place < 0 else self.ids[place]

    def all_with_contents(self, hashes: Iterable[str]) -> dict[str, list[int]]:
        """SHA-256 -> the numbers of all images with these contents; only those that exist."""
        column = self.images["sha256"].combine_chunks()
        numbers = np.flatnonzero(pc.is_in(column, value_set=pa.array(sorted(set(hashes)), pa.string())))
        found: dict[str, list[int]] = {}
        for number in numbers.tolist():
            found.setdefault(column[number].as_py(), []).append(number)
        return found

    def region(self, row: int) -> Region:
        box = Box(*(int(edge) for edge in self.boxes[row]))
        return Region(box, self.kinds[row], float(self.scores[row]), self.labels[row])

    def rows_of(self, number: int) -> range:
        """The vector rows of one image."""
        start, end = np.searchsorted(self.image_of_row, [number, number + 1])
        return range(int(start), int(end))


def write_tables(folder: Path, entries: list[ImageEntry], regions: list[list[Region]]) -> None:
    """Write images.parquet and regions.parquet. `entries` is sorted by id; `regions` has one list per entry."""
    images = [{name: getattr(entry, name) for name in IMAGE_COLUMNS.names} for entry in entries]
    pq.write_table(pa.Table.from_pylist(images, schema=IMAGE_COLUMNS), folder / "images.parquet")
    boxes = np.array(
        [(r.box.x0, r.box.y0, r.box.x1, r.box.y1) for of_image in regions for r in of_image], dtype=np.int32
    ).reshape(-1, 4)
    numbers = np.repeat(np.arange(len(entries), dtype=np.int32), [len(of_image) for of_image in regions])
    columns = [
        pa.DictionaryArray.from_arrays(numbers, pa.array([entry.image for entry in entries], pa.string())),
        *(pa.array(boxes[:, edge]) for edge in range(4)),
        _words([r.kind for of_image in regions for r in of_image], "kind"),
        pa.array([r.score for of_image in regions for r in of_image], pa.float32()),
        _words([r.label for of_image in regions for r in of_image], "label"),
    ]
    pq.write_table(pa.Table.from_arrays(columns, schema=REGION_COLUMNS), folder / "regions.parquet")


def read_tables(folder: Path, more_folders: Sequence[str] = ()) -> Tables:
    """Read the tables of a generation; absolute paths must be below `more_folders`, those of its manifest.

    Raises ValueError if the tables are inconsistent, and pyarrow's errors if a file is not valid Parquet."""
    images = _without_nulls(pq.read_table(folder / "images.parquet", schema=IMAGE_COLUMNS), "place", "file_sha256")
    regions = pq.read_table(folder / "regions.parquet", schema=REGION_COLUMNS)
    ids = images["image"].to_pylist()
    numbers = {image: number for number, image in enumerate(ids)}
    if len(numbers) != len(ids) or ids != sorted(ids):
        raise ValueError("image ids are not unique or not sorted")
    above = tuple(start_of_paths(Path(other)) for other in more_folders)
    if not _stay_inside(images["path"].to_pylist(), above):
        raise ValueError("a path points outside the gallery")
    names = regions["image"].combine_chunks()
    number_of_name = np.array([numbers.get(name, -1) for name in names.dictionary.to_pylist()], dtype=np.int64)
    image_of_row = number_of_name[names.indices.to_numpy()] if len(names) else np.zeros(0, np.int64)
    if np.any(image_of_row < 0) or np.any(np.diff(image_of_row) < 0):
        raise ValueError("regions do not match the images")
    boxes = np.stack([regions[edge].to_numpy() for edge in ("x0", "y0", "x1", "y1")], axis=1)
    kinds, labels = (_list_of(regions[name].combine_chunks()) for name in ("kind", "label"))
    return Tables(images, ids, numbers, image_of_row, boxes, kinds, regions["score"].to_numpy(), labels)


def _without_nulls(table: pa.Table, *columns: str) -> pa.Table:
    for column in columns:
        table = table.set_column(table.schema.get_field_index(column), column, pc.fill_null(table[column], ""))
    return table


def _words(words: list[str], column: str) -> pa.Array:
    return pa.array(words, pa.string()).dictionary_encode().cast(REGION_COLUMNS.field(column).type)


def _list_of(words: pa.DictionaryArray) -> list[str]:
    """The words (N,) as a list in which equal words are one object, which takes less time and memory."""
    different = np.array(words.dictionary.to_pylist(), object)
    found: list[str] = different[words.indices.to_numpy()].tolist() if len(words) else []
    return found


def _stay_inside(paths: list[bytes], above: tuple[bytes, ...]) -> bool:
    joined = b"/" + b"/".join(paths) + b"/"
    return not any(part in joined for part in (b"//", b"..", b"\0")) or all(
        _stays_inside(path, above) for path in paths
    )


def _stays_inside(path: bytes, above: tuple[bytes, ...]) -> bool:
    path = path.removeprefix(next(filter(path.startswith, above), b""))
    parts = path.split(b"/")
    return b"" not in parts and b".." not in parts and b"\0" not in path
