"""Pictures that are in the gallery more than once: the same file, or nearly the same picture."""

from collections import defaultdict

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from index.gallery import Gallery
from index.storage.tables import Tables
from retrieval.errors import GalleryProblem, UnreadableImage
from retrieval.images.decode import decode_picture
from retrieval.images.resize import resize_image
from retrieval.types import Numbers, Vectors, unit

MOST = 50_000
"""Pictures that are compared with each other; twice as many take four times as long."""
TINY = 8
"""Pixels each side of the copies that are compared: enough to tell pictures apart, too few for what saving changes."""
NEAR = 0.95
"""Cosine of two tiny copies from which on pictures are nearly the same.

Of 2,000 photographs of 200 objects five pairs reach it, all of them one view taken or saved twice; of 80 pictures all
do when saved as a JPEG of quality 40, halved or made 20 % brighter, and 99 % when 2 % are cut off each side. Their
descriptors could not tell that: they put a halved copy (0.74) below two photographs of one landmark (0.9).
"""
ALIKE = 0.4
"""Least cosine of their descriptors all the same: two pages of text make one tiny copy."""
BLOCK = 256
"""Pictures compared with all others at a time: a table of BLOCK x MOST float32 is 51 MB."""


def identical(tables: Tables) -> list[list[str]]:
    """The ids of images whose files had the same contents, a list for each content; those of most images first."""
    groups = defaultdict(list)
    for image, contents in zip(tables.ids, tables.images["sha256"].to_pylist(), strict=True):
        groups[contents].append(image)
    return _largest_first(list(groups.values()))


def near_identical(gallery: Gallery, at_least: float = NEAR) -> list[list[str]]:
    """The ids of images that are nearly the same picture, a list for each picture; those of most images first.

    A copy that was made smaller, saved as a poor JPEG, made brighter or cut by 2 % on each side is found; one that was
    mirrored, framed or lost its colours is another picture. Of identical files only the first counts. Raises
    GalleryProblem when there are too many images to compare, IndexProblem when the generation has gone.
    """
    images = _first_of_each(gallery.tables)
    if len(images) > MOST:
        raise GalleryProblem(
            f"The gallery has {len(images):,} different pictures. Nearly identical ones are looked for among up to "
            f"{MOST:,}, because each picture is compared with each."
        )
    ids = [gallery.name(int(image)) for image in images]
    groups = linked(_tiny_copies(gallery, ids), at_least, _whole(gallery, images), ALIKE)
    return _largest_first([[ids[place] for place in group] for group in groups])


def linked(copies: Vectors, near: float, descriptors: Vectors, alike: float) -> list[Numbers]:
    """The N images, grouped: two are in one group when a chain of links leads from one to the other.

    A link is a cosine of `near` between tiny copies (N, T) and one of `alike` between descriptors (N, D).
    """
    labels: Numbers = np.arange(len(copies))
    for start in range(0, len(copies), BLOCK):
        here = slice(start, start + BLOCK)
        links = copies[here] @ copies.T >= near
        others = np.flatnonzero(links.any(axis=0))
        one, other = np.nonzero(links[:, others] & (descriptors[here] @ descriptors[others].T >= alike))
        labels = _joined(labels, labels[one + start], labels[others[other]])
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1) if len(order) else []


def _joined(labels: Numbers, one: Numbers, other: Numbers) -> Numbers:
    """The labels (N,) after label one[i] and label other[i] have become the same, for every i."""
    links = coo_array((np.ones(len(one), bool), (one, other)), shape=(len(labels), len(labels)))
    _, joined = connected_components(links, directed=False)
    return np.asarray(joined[labels], dtype=np.int64)


def _first_of_each(tables: Tables) -> Numbers:
    """The numbers of the images, in order, without those whose file another one before has too."""
    contents = np.array(tables.images["sha256"].to_pylist(), dtype=np.str_)
    return np.sort(np.unique(contents, return_index=True)[1])


def _tiny_copies(gallery: Gallery, ids: list[str]) -> Vectors:
    """The thumbnails as TINY x TINY pixels, their mean taken off, of unit length. -> (M, TINY * TINY * 3)."""
    copies = np.zeros((len(ids), TINY * TINY * 3), np.float32)
    for row, image in enumerate(ids):
        try:
            thumbnail = decode_picture(gallery.thumbnail(image), image, enough=TINY).image
        except UnreadableImage:  # too thin a strip; its zeros are like nothing
            continue
        copies[row] = resize_image(thumbnail, TINY, TINY).ravel()
    return unit(copies - copies.mean(axis=1, keepdims=True))


def _whole(gallery: Gallery, images: Numbers) -> Vectors:
    """The descriptor of each image as a whole, which is the first of its rows. (M,) -> (M, D)."""
    return gallery.vectors(np.searchsorted(gallery.tables.image_of_row, images))


def _largest_first(groups: list[list[str]]) -> list[list[str]]:
    return sorted((group for group in groups if len(group) > 1), key=lambda group: (-len(group), group[0]))
