"""Group an image's regions into object instances by shared neighbours."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from retrieval.clustering.linkage import average_linkage, strongest
from retrieval.ranking.confidence import BackgroundScores
from retrieval.ranking.diffusion import GAMMA, Neighbours
from retrieval.types import Numbers, Rows, Scores, Vectors

STANDS_OUT, SHARE = 5.0, 0.05
"""A link counts when fewer unrelated images than STANDS_OUT, and than SHARE of all, are expected to be as similar."""
ALWAYS_LINKED = 0.9
"""A link of this similarity always counts. Otherwise nothing stands out when most images show the same object."""
LED_TO = 30
"""Maximum images in a profile, those with the largest weights."""
ITSELF = 0.1
"""Share of an instance's own image in its profile."""
SAME_INSTANCE = 0.5
"""Mean profile similarity above which regions of one image form one instance."""


@dataclass(frozen=True, slots=True)
class ObjectInstances:
    """S instances in N images, each with a profile of similar images. Sorted by image."""

    images: Numbers
    """(S,) image numbers."""
    rows: Rows
    """(S,) vector row of the representative region, the one with the strongest links."""
    strengths: Scores
    """(S,) total link weight of all regions of the instance."""
    profiles: sparse.csr_array
    """(S, N) square roots of the shares of link weight to each image; rows have unit length.

    The product of two rows is the Bhattacharyya coefficient: 1 for equal profiles, 0 for disjoint ones.
    """


def find_object_instances(
    neighbours: Neighbours, images: Numbers, boxes: NDArray[np.int32], vectors: Vectors, background: BackgroundScores
) -> ObjectInstances:
    """Group M regions into object instances. images (M,) ascending, boxes (M, 4), vectors (M, D)."""
    total = int(images[-1]) + 1 if len(images) else 0
    links = _links(neighbours, images, background)
    special = sparse.diags_array(1 - repeated(images, boxes, vectors))
    links = sparse.csr_array(special @ links @ special)
    leads = sparse.csr_array(links @ _one_hot(images, total))  # (M, N)
    linked = np.flatnonzero(leads.sum(axis=1) > 0)
    leads, images = leads[linked], images[linked]
    instance = average_linkage(_same_image_similarities(_profiles(leads, images), images), SAME_INSTANCE)
    count = int(instance.max(initial=-1)) + 1
    strengths = leads.sum(axis=1)
    order = np.lexsort((-strengths, instance))
    first = order[np.unique(instance[order], return_index=True)[1]]
    together = sparse.csr_array(_one_hot(instance, count).T @ leads)
    arranged = np.lexsort((-strengths[first], images[first]))
    return ObjectInstances(
        images[first][arranged],
        neighbours.nodes[linked[first]][arranged],
        np.asarray(together.sum(axis=1)[arranged], np.float32),
        _profiles(together[arranged], images[first][arranged]),
    )


def repeated(images: Numbers, boxes: NDArray[np.int32], vectors: Vectors) -> Scores:
    """Maximum similarity of each region to a disjoint region of the same image, (M,), 0 to 1.

    It is high for textures such as grass and brick, which repeat within an image, and low for objects. Links between
    textures would otherwise outnumber links between objects (burstiness: Jégou, Douze and Schmid, CVPR 2009).
    """
    found = np.zeros(len(images), np.float32)
    starts = np.append(np.unique(images, return_index=True)[1], len(images))
    for start, end in pairwise(starts):
        low, high = boxes[start:end, None, :2], boxes[start:end, None, 2:]
        shared = np.minimum(high, high.swapaxes(0, 1)) - np.maximum(low, low.swapaxes(0, 1))
        apart = (shared <= 0).any(axis=2)
        similar = vectors[start:end] @ vectors[start:end].T
        found[start:end] = np.clip((similar * apart).max(axis=1), 0, 1)
    return found


def _links(neighbours: Neighbours, images: Numbers, background: BackgroundScores) -> sparse.csr_array:
    """(M, M) symmetric: similarity to the power GAMMA of regions where either is a neighbour of the other."""
    count, each = neighbours.nearest.shape
    pictures = len(np.unique(images))
    enough = least_similarity(background, pictures)
    weights = np.where(neighbours.similarities >= enough, np.clip(neighbours.similarities, 0, None) ** GAMMA, 0)
    rows = np.repeat(np.arange(count), each)
    directed = sparse.csr_array((weights.ravel(), (rows, neighbours.nearest.ravel())), shape=(count, count))
    links = sparse.csr_array(directed.maximum(directed.T))
    links.eliminate_zeros()
    return links


def least_similarity(background: BackgroundScores, pictures: int) -> float:
    """Minimum similarity of a link that counts, for this number of images."""
    grid = np.arange(-1, ALWAYS_LINKED, 0.001)
    most = min(STANDS_OUT, SHARE * pictures)
    return float(next((value for value in grid if background.expected(value, pictures) < most), ALWAYS_LINKED))


def _profiles(leads: sparse.csr_array, images: Numbers) -> sparse.csr_array:
    """Compute ObjectInstances.profiles from link weights (S, N); images (S,) are the instances' own images."""
    leads = strongest(leads, LED_TO)
    shares = sparse.diags_array((1 - ITSELF) / leads.sum(axis=1)) @ leads
    own = sparse.csr_array((np.full(len(images), ITSELF), (np.arange(len(images)), images)), shape=leads.shape)
    return sparse.csr_array((shares + own).sqrt(), dtype=np.float32)


def _same_image_similarities(profiles: sparse.csr_array, images: Numbers) -> sparse.csr_array:
    """(M, M) symmetric: profile similarity of regions of the same image."""
    ones, others, alike = [np.zeros(0, int)], [np.zeros(0, int)], [np.zeros(0)]
    most = int(np.unique(images, return_counts=True)[1].max(initial=1))
    for step in range(1, most):
        one = np.flatnonzero(images[:-step] == images[step:])
        ones.append(one)
        others.append(one + step)
        alike.append(np.asarray(profiles[one].multiply(profiles[one + step]).sum(axis=1)))
    places = np.concatenate(ones), np.concatenate(others)
    upper = sparse.csr_array((np.concatenate(alike), places), shape=(len(images), len(images)))
    return sparse.csr_array(upper + upper.T)


def _one_hot(labels: Numbers, count: int) -> sparse.csr_array:
    """One-hot labels: (M,) -> (M, count)."""
    return sparse.csr_array((np.ones(len(labels)), (np.arange(len(labels)), labels)), shape=(len(labels), count))
