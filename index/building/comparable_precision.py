"""Measure whether this machine's descriptors can join an index that was built in another precision."""

from contextlib import closing
from dataclasses import dataclass, field

import numpy as np

from index.building.describe_image import Executor, ImageTask
from index.building.journal import DescribedImage
from index.storage.folder_scan import ScannedFile
from index.storage.generation import Generation
from retrieval.descriptors.recipe import Recipe, differ_in_precision_only
from retrieval.types import Progress

COMPARABLE = 0.999
"""Median cosine of two precisions' descriptors of the same regions, above which both may be in one index."""
SAMPLES = 8
"""Number of pictures to measure."""


@dataclass(frozen=True, slots=True)
class Precision:
    """The recipe of the next generation, and the precisions that its pictures may have been described in."""

    recipe: Recipe
    others: dict[str, float] = field(default_factory=dict)
    """As in the manifest: precision -> measured cosine."""
    notice: str = ""
    """A sentence for users about a new measurement."""


def agree_on_precision(
    served: Generation, executor: Executor, found: list[ScannedFile], progress: Progress, exact: bool
) -> Precision:
    """Keep the precision of the served generation if it is comparable with that of the executor, unless `exact`.

    Each precision is measured once per index, on a few of its pictures; the result is kept in the manifest.
    """
    before, now = served.manifest.recipe, executor.embedder.recipe
    others = served.manifest.precisions
    if exact or not differ_in_precision_only(before, now):
        return Precision(now, others if now == before else {})
    if now.precision in others:
        return Precision(before, others)
    cosine = stored_similarity(served, executor, found, progress)
    if cosine <= COMPARABLE:
        return Precision(now, {})
    notice = (
        f"This machine computes in {now.precision}, and the index was built in {before.precision}. Their descriptors "
        f"are interchangeable (cosine {cosine:.4f}), so unchanged pictures are not read again."
    )
    return Precision(before, {**others, now.precision: round(cosine, 6)}, notice)


def stored_similarity(served: Generation, executor: Executor, found: list[ScannedFile], progress: Progress) -> float:
    """Median cosine of stored descriptors and those that the executor computes; 0 if no picture is unchanged."""
    tables, cosines = served.tables, []
    sizes = dict(zip(tables.sources, tables.images["bytes"].to_pylist(), strict=True))
    known = [file for file in found if file.bytes == sizes.get(file.id)]
    known = [file for file in known if file.id in tables.numbers] or known[:1]  # else a document
    chosen = known[:: max(len(known) // SAMPLES, 1)][:SAMPLES]
    with closing(executor(ImageTask(file, frozenset()) for file in chosen)) as results:
        for count, (_, described) in enumerate(results, start=1):
            progress("Comparing precisions", count, len(chosen))
            if not isinstance(described, DescribedImage):
                continue
            number = tables.numbers.get(described.entry.image)
            if number is not None and described.entry.sha256 == tables.entry(number).sha256:
                cosines += _cosines(served, number, described)
    return float(np.median(cosines)) if cosines else 0.0


def _cosines(served: Generation, number: int, described: DescribedImage) -> list[float]:
    """The cosine of each stored region's descriptor and that of the same region of the described picture."""
    here = {(region.box, region.kind): at for at, region in enumerate(described.regions)}
    vectors = served.whitening.apply(described.vectors)
    stored = [(row, served.tables.region(row)) for row in served.tables.rows_of(number)]
    pairs = [(row, here[region.box, region.kind]) for row, region in stored if (region.box, region.kind) in here]
    return [float(served.vectors[row] @ vectors[at]) for row, at in pairs]
