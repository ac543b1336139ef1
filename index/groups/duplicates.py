"""Find identical files and near-identical images in a gallery."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from index.gallery import Gallery
from index.storage.tables import Tables
from retrieval.errors import GalleryProblem, UnreadableImage
from retrieval.images.jpeg_decoder import decode_thumbnail
from retrieval.images.resize import resize_image
from retrieval.types import Numbers, Vectors, unit

MOST = 50_000
"""Most images compared pairwise; the time grows quadratically."""
TINY = 8
"""Side of the tiny copies in pixels: enough to tell images apart, too few to show compression artefacts."""
NEAR = 0.95
"""Minimum cosine of the tiny copies of two near-identical images.

Among 2,000 photographs of 200 objects five pairs reach it, all of them one view taken or saved twice. Of 80 images,
all copies saved as JPEG of quality 40, halved or brightened by 20 % reach it, and 99 % of those cropped by 2 % per
side. Descriptors cannot separate these: a halved copy scores 0.74, but two photographs of one landmark 0.9.
"""
ALIKE = 0.4
"""Minimum cosine of the descriptors, too: different pages of text have the same tiny copy."""
BLOCK = 256
"""Images compared with all others at a time. BLOCK x MOST float32 similarities take 51 MB."""


def identical(tables: Tables) -> list[list[str]]:
    """Groups of image ids with identical files, largest first."""
    groups = defaultdict(list)
    for image, contents in zip(tables.ids, tables.images["sha256"].to_pylist(), strict=True):
        groups[contents].append(image)
    return _largest_first(list(groups.values()))


def near_identical(gallery: Gallery, at_least: float = NEAR) -> list[list[str]]:
    """Groups of image ids that show nearly the same picture, largest first.

    Finds copies that were scaled down, compressed, brightened or cropped by 2 % per side, but not mirrored, framed or
    greyscale ones. Of identical files only the first is compared. Raises GalleryProblem if there are too many images,
    IndexProblem if the generation was deleted.
    """
    images = _first_of_each(gallery.tables)
    if len(images) > MOST:
        raise GalleryProblem(
            f"The gallery has {len(images):,} different pictures. Finding nearly identical ones compares every pair, "
            f"so it is limited to {MOST:,} pictures."
        )
    ids = [gallery.name(int(image)) for image in images]
    descriptors = gallery.vectors(np.searchsorted(gallery.tables.image_of_row, images))  # of the whole images
    groups = linked(_tiny_copies(gallery, ids), at_least, descriptors, ALIKE)
    return _largest_first([[ids[place] for place in group] for group in groups])


def near_identical_among(gallery: Gallery, images: Sequence[str]) -> list[list[str]]:
    """Groups of images among these that `near_identical` would link, each in the given order.

    Only images whose descriptor is similar to that of another one are decoded, so a hundred images take little time.
    Raises KeyError for an unknown image, IndexProblem if the generation was deleted.
    """
    rows = np.searchsorted(gallery.tables.image_of_row, [gallery.number(image) for image in images])
    descriptors = gallery.vectors(rows)  # of the whole images
    alike = np.flatnonzero((descriptors @ descriptors.T >= ALIKE).sum(axis=0) > 1)
    copies = _tiny_copies(gallery, [images[int(place)] for place in alike])
    groups = linked(copies, NEAR, descriptors[alike], ALIKE)
    return [[images[int(place)] for place in np.sort(alike[group])] for group in groups if len(group) > 1]


def linked(copies: Vectors, near: float, descriptors: Vectors, alike: float) -> list[Numbers]:
    """Connected components of N images, as arrays of row numbers.

    Two images are linked if the cosine of their tiny copies (N, T) is at least `near` and that of their descriptors
    (N, D) at least `alike`.
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
    """Merge the labels one[i] and other[i] for every i. labels (N,) -> (N,)."""
    links = coo_array((np.ones(len(one), bool), (one, other)), shape=(len(labels), len(labels)))
    _, joined = connected_components(links, directed=False)
    return np.asarray(joined[labels], dtype=np.int64)


def _first_of_each(tables: Tables) -> Numbers:
    """Sorted numbers of the images, without later copies of identical files."""
    contents = np.array(tables.images["sha256"].to_pylist(), dtype=np.str_)
    return np.sort(np.unique(contents, return_index=True)[1])


def _tiny_copies(gallery: Gallery, ids: list[str]) -> Vectors:
    """Thumbnails scaled to TINY x TINY pixels, mean-centred, unit length -> (M, TINY * TINY * 3)."""
    copies = np.zeros((len(ids), TINY * TINY * 3), np.float32)
    for row, image in enumerate(ids):
        try:
            thumbnail = decode_thumbnail(gallery.thumbnail(image), enough=TINY)
        except UnreadableImage:  # a zero row matches nothing
            continue
        copies[row] = resize_image(thumbnail, TINY, TINY).ravel()
    return unit(copies - copies.mean(axis=1, keepdims=True))


def _largest_first(groups: list[list[str]]) -> list[list[str]]:
    return sorted((group for group in groups if len(group) > 1), key=lambda group: (-len(group), group[0]))
