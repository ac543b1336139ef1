"""Read revisited Oxford and Paris in their published form: gnd_roxford5k.pkl or gnd_rparis6k.pkl beside jpg/.

One set of queries has three label sets: easy, medium and hard. Each ignores listed images that are not relevant in it.
Radenović et al., Revisiting Oxford and Paris, CVPR 2018.
"""

from pathlib import Path
from typing import Any

from boxfind.evaluation.dataset import BoxedQuery, Dataset, Labels, object_of
from boxfind.evaluation.safe_pickle import read_plain_pickle
from retrieval.errors import BadDataset
from retrieval.printable_names import shown
from retrieval.types import Box

DIFFICULTIES = {
    "easy": (("easy",), ("junk", "hard")),
    "medium": (("easy", "hard"), ("junk",)),
    "hard": (("hard",), ("junk", "easy")),
}
"""Label set -> (relevant lists, ignored lists)."""
PARTS = ("easy", "hard", "junk")
FARTHEST = 1e9
"""Upper bound for box coordinates, in pixels; rejects infinities."""


def read_revisited(folder: Path) -> Dataset:
    """Read the data set. The query images, which are also in the gallery jpg/, are ignored. Raises BadDataset."""
    files = sorted(folder.glob("gnd_*.pkl"))
    if len(files) != 1:
        raise BadDataset(f"{folder} must contain exactly one ground truth file gnd_….pkl; found {len(files)}.")
    path = files[0]
    images, queries, entries = _parts(read_plain_pickle(path), path)
    names = [f"{name}.jpg" for name in images]
    lists = [
        {part: {names[n] for n in _numbers(entry, part, len(names), f"{path}, gnd[{line}]")} for part in PARTS}
        for line, entry in enumerate(entries)
    ]
    unlisted = {f"{name}.jpg" for name in queries} - set(names)
    labels = {name: _labels(queries, lists, *parts, unlisted) for name, parts in DIFFICULTIES.items()}
    if not labels["medium"].relevant:
        raise BadDataset(f"{path} has no query with a relevant picture.")
    return Dataset(
        folder.resolve().name,
        folder / "jpg",
        [
            BoxedQuery(name, folder / "jpg" / f"{name}.jpg", _box(entry, f"{path}, gnd[{line}]"))
            for line, (name, entry) in enumerate(zip(queries, entries, strict=True))
        ],
        {name: found for name, found in labels.items() if found.relevant},
        {name: object_of(name) for name in queries},
        main="medium",
        protocol="revisited",
    )


def _parts(truth: Any, path: Path) -> tuple[list[str], list[str], list[dict[str, Any]]]:
    """Validate the ground truth; return image names, query names and an entry per query."""
    if not isinstance(truth, dict):
        raise BadDataset(f"{path} is not a valid ground truth: it must be a dict with imlist, qimlist and gnd.")
    for part, kind in (("imlist", str), ("qimlist", str), ("gnd", dict)):
        if not isinstance(truth.get(part), list) or not all(isinstance(item, kind) for item in truth[part]):
            raise BadDataset(f"{path} is not a valid ground truth: {part} must be a list of {kind.__name__}.")
    images, queries, entries = truth["imlist"], truth["qimlist"], truth["gnd"]
    for name in (*images, *queries):
        if name != Path(name).name:
            raise BadDataset(f"{path} is not a valid ground truth: {shown(name)} is not a plain picture name.")
    if len(queries) != len(entries) or len(set(queries)) != len(queries):
        raise BadDataset(f"{path} is not a valid ground truth: gnd must have one entry for each name in qimlist.")
    return images, queries, entries


def _numbers(entry: dict[str, Any], part: str, count: int, where: str) -> list[int]:
    numbers = entry.get(part)
    if not isinstance(numbers, list) or not all(type(n) is int and 0 <= n < count for n in numbers):
        raise BadDataset(f"{where}: {part} must be a list of indices into imlist, from 0 to {count - 1}.")
    return numbers


def _box(entry: dict[str, Any], where: str) -> Box:
    edges: Any = entry.get("bbx")
    if isinstance(edges, list) and len(edges) == 1 and isinstance(edges[0], list):
        edges = edges[0]  # a 1 x 4 matrix
    if (
        not isinstance(edges, list)
        or len(edges) != 4
        or not all(isinstance(edge, (int, float)) and -FARTHEST < edge < FARTHEST for edge in edges)
    ):
        raise BadDataset(f"{where}: bbx must be four numbers, x0, y0, x1, y1.")
    return Box(*(round(edge) for edge in edges))


def _labels(
    queries: list[str],
    lists: list[dict[str, set[str]]],
    wanted: tuple[str, ...],
    junk: tuple[str, ...],
    unlisted: set[str],
) -> Labels:
    """Leave out queries without relevant images, as in the published protocol."""
    relevant = {
        query: set[str]().union(*(of[part] for part in wanted)) for query, of in zip(queries, lists, strict=True)
    }
    ignored = {query: unlisted.union(*(of[part] for part in junk)) for query, of in zip(queries, lists, strict=True)}
    return Labels({query: images for query, images in relevant.items() if images}, ignored)
