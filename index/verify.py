"""A generation becomes sentences about what is wrong with it; none is the good answer."""

from pathlib import Path

import numpy as np

from index.generation import check_files, current_folder, open_generation, read_manifest
from retrieval.errors import IndexProblem

UNIT_TOLERANCE = 1e-3


def verify(index_dir: Path) -> list[str]:
    """Checks the served generation: files against the manifest, tables against each other, vectors against the rules.

    Raises IndexProblem when there is no index to check.
    """
    folder = current_folder(index_dir)
    try:
        wrong = check_files(folder, read_manifest(folder))
        if wrong:
            return wrong
        generation = open_generation(folder)
    except IndexProblem as problem:
        return [str(problem)]
    lengths = np.linalg.norm(generation.vectors, axis=1)
    if not np.isfinite(generation.vectors).all():
        wrong.append("Some vectors hold values that are not numbers.")
    elif np.any(np.abs(lengths - 1) > UNIT_TOLERANCE):
        wrong.append(f"{np.count_nonzero(np.abs(lengths - 1) > UNIT_TOLERANCE)} vectors do not have length 1.")
    return wrong
