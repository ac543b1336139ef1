"""Small objects in large pictures: what tiles find, and what they cost.

The pictures are made. A crop of one query of each object is pasted on 3 % and 1 % of a picture of 2,400 x 1,800 pixels,
whose ground is four enlarged gallery pictures of other objects. Another query of the object searches for it. A short
run leaves out the last index.
"""

import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from benchmarks.bench import Bench
from benchmarks.results import milliseconds, record, table
from boxfind.engine import Engine
from boxfind.evaluation.dataset import BoxedQuery
from index.storage.folder_scan import find_pictures
from retrieval.images.decode import load_image
from retrieval.images.resize import resize_image
from retrieval.types import Box, Image, quiet

WIDTH, HEIGHT = 2400, 1800
SHARES = 0.03, 0.01
"""Of the picture's area."""
OBJECTS = 16
OTHERS = 70
"""Pictures without any of the objects."""
INDEXES: dict[str, dict[str, Any]] = {
    "without tiles": {"tiles": 1},
    "2 x 2 tiles: the default": {},
    "3 x 3 tiles": {"tiles": 3},
}


def measure(bench: Bench) -> None:
    pairs, rows = _pairs(bench), []
    with tempfile.TemporaryDirectory() as folder:
        gallery = Path(folder)
        count = _draw(bench, pairs, gallery)
        for name, changes in list(INDEXES.items())[: -1 if bench.short else None]:
            with tempfile.TemporaryDirectory() as index:
                engine = Engine(bench.settings.changed(gallery=gallery, index=Path(index), **changes))
                began = time.perf_counter()
                engine.builds.build(quiet)
                build = (time.perf_counter() - began) / count
                for ranking in ("fast", "best"):
                    rows.append([name, ranking, *_found(engine, pairs, ranking), f"{build:.2f}", *_size(engine)])
                    print(rows[-1], file=sys.stderr, flush=True)
    shares = [f"{what}, {share:.0%} of the picture" for share in SHARES for what in ("first", "in the first ten")]
    header = [
        "index",
        "ranking",
        *shares,
        "query ms p50",
        "p95",
        "build s a picture",
        "vectors a picture",
        "KB a picture",
    ]
    record(f"Small objects on {bench.dataset.name}", table(header, rows))


def _pairs(bench: Bench) -> list[tuple[BoxedQuery, BoxedQuery]]:
    """For some objects, the query that is pasted and the one that searches; the same if there is no other."""
    of_object = defaultdict[str, list[BoxedQuery]](list)
    for query in bench.dataset.queries:
        if query.box is not None:
            of_object[bench.dataset.objects[query.name]].append(query)
    queries = [of_object[name] for name in sorted(of_object)]
    chosen = np.sort(np.random.default_rng(0).permutation(len(queries))[:OBJECTS])
    return [(queries[place][0], queries[place][-1]) for place in chosen]


def _draw(bench: Bench, pairs: list[tuple[BoxedQuery, BoxedQuery]], gallery: Path) -> int:
    """Write the pictures, named by object and share, and return their number."""
    rng = np.random.default_rng(1)
    grounds = _grounds(bench, pairs, rng)
    count = 0
    for pasted, _ in pairs:
        assert pasted.box is not None
        crop = load_image(pasted.image)[pasted.box.y0 : pasted.box.y1, pasted.box.x0 : pasted.box.x1]
        for share in SHARES:
            ground = next(grounds)
            scale = np.sqrt(share * WIDTH * HEIGHT / (crop.shape[0] * crop.shape[1]))
            small = resize_image(crop, *(min(round(side * scale), HEIGHT) for side in crop.shape[1::-1]))
            y, x = (
                int(rng.integers(0, most - side + 1)) for most, side in zip((HEIGHT, WIDTH), small.shape, strict=False)
            )
            ground[y : y + small.shape[0], x : x + small.shape[1]] = small
            _save(ground, gallery / _file(pasted, share))
            count += 1
    for number in range(OTHERS):
        _save(next(grounds), gallery / f"other-{number}.jpg")
    return count + OTHERS


def _grounds(bench: Bench, pairs: list[tuple[BoxedQuery, BoxedQuery]], rng: np.random.Generator) -> Iterator[Image]:
    """Large pictures, each of four enlarged gallery pictures that show none of the objects."""
    labels = bench.dataset.labels[bench.dataset.main]
    shown = {image for pair in pairs for query in pair for image in labels.relevant.get(query.name, ())}
    shown |= {image for pair in pairs for query in pair for image in labels.ignored.get(query.name, ())}
    files = [file.path for file in find_pictures(bench.dataset.gallery)[0] if file.id not in shown]
    order = rng.permutation(len(files))
    for start in range(0, len(order) - 3, 4):
        quarters = [
            resize_image(load_image(files[place]), WIDTH // 2, HEIGHT // 2) for place in order[start : start + 4]
        ]
        yield np.vstack([np.hstack(quarters[:2]), np.hstack(quarters[2:])])


def _save(image: Image, path: Path) -> None:
    Pillow.fromarray(image).save(path, quality=92)


def _file(pasted: BoxedQuery, share: float) -> str:
    return f"{pasted.name}-{share}.jpg"


def _found(engine: Engine, pairs: list[tuple[BoxedQuery, BoxedQuery]], ranking: str) -> list[str]:
    """For each share, how often its picture is first and among the first ten, and the query time.

    The picture with the object on the other share does not count.
    """
    gallery, seconds, places = engine.gallery(), list[float](), defaultdict[float, list[int]](list)
    first = load_image(pairs[0][1].image)
    engine.search(gallery, first, Box.whole(first), 20, ranking)  # takes longer
    for pasted, asking in pairs:
        image = load_image(asking.image)
        box = asking.box or Box.whole(image)
        began = time.perf_counter()
        hits = engine.search(gallery, image, box, 20, ranking)
        seconds.append(time.perf_counter() - began)
        for share in SHARES:
            others = {_file(pasted, other) for other in SHARES} - {_file(pasted, share)}
            names = [hit.image for hit in hits if hit.image not in others]
            if _file(pasted, share) in names:
                places[share].append(names.index(_file(pasted, share)))
    counts = [sum(place < most for place in places[share]) for share in SHARES for most in (1, 10)]
    return [*(f"{count} of {len(pairs)}" for count in counts), *milliseconds(seconds)]


def _size(engine: Engine) -> list[str]:
    """Vectors and KB a picture."""
    manifest = engine.gallery().manifest
    size = sum(file.bytes for file in manifest.files.values())
    return [f"{count / manifest.counts.images:.0f}" for count in (manifest.counts.regions, size / 1024)]
