"""Read a data set from a folder with one subfolder of pictures per object."""

from collections import defaultdict
from pathlib import Path

from boxfind.evaluation.dataset import BoxedQuery, Dataset, Labels
from index.storage.folder_scan import ScannedFile, find_pictures
from retrieval.errors import BadDataset

QUERIES_PER_OBJECT = 3


def read_object_folders(folder: Path) -> Dataset:
    """Use the first images of each object as whole-image queries; its other images are relevant.

    The index must be built from this folder. Objects with a single image, and images outside subfolders, serve as
    distractors. Raises BadDataset, GalleryProblem.
    """
    objects: dict[str, list[ScannedFile]] = defaultdict(list)
    for file in find_pictures(folder)[0]:
        if "/" in file.id:
            objects[file.id.partition("/")[0]].append(file)
    asked = [
        (name, query, pictures)
        for name, pictures in objects.items()
        for query in pictures[:QUERIES_PER_OBJECT]
        if len(pictures) > 1
    ]
    if not asked:
        raise BadDataset(
            f"{folder} has no subfolder with two pictures; put pictures of one object into each subfolder."
        )
    relevant = {query.id: {picture.id for picture in pictures} - {query.id} for _, query, pictures in asked}
    return Dataset(
        folder.resolve().name,
        folder,
        [BoxedQuery(query.id, query.path, None) for _, query, _ in asked],
        {"all": Labels(relevant, {query: {query} for query in relevant})},
        {query.id: name for name, query, _ in asked},
    )
