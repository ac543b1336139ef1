"""Group an image's regions into object instances by shared neighbours."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from retrieval.clustering.linkage import average_linkage, one_hot, strongest
from retrieval.ranking.confidence import BackgroundScores
from retrieval.ranking.diffusion import GAMMA, Neighbours, join_neighbours
from retrieval.types import Numbers, Rows, Scores, Vectors

MAX_CHANCE_IMAGES, MAX_CHANCE_SHARE = 5.0, 0.05
"""Limits on the number of unrelated images expected to be as similar as a link: in all, and as a share of all."""
CERTAIN_SIMILARITY = 0.9
"""A link of this similarity always counts. Otherwise no link would count when most images show the same object."""
MAX_PROFILE_IMAGES = 30
"""Only the images with the largest weights are kept."""
OWN_IMAGE_SHARE = 0.1
"""Share of an instance's own image in its profile."""
MIN_INSTANCE_SIMILARITY = 0.5
"""Mean profile similarity above which regions of one image form one instance."""


@dataclass(frozen=True, slots=True)
class ObjectInstances:
    """S instances in N images, each with a profile of similar images. Sorted by image, but for appended ones."""

    images: Numbers  # (S,)
    rows: Rows  # (S,): the vector row of the representative region, the one with the strongest links
    strengths: Scores  # (S,): the total link weight of all regions of the instance
    profiles: sparse.csr_array
    """(S, N) square roots of the shares of link weight to each image; rows have unit length.

    The product of two rows is the Bhattacharyya coefficient: 1 for equal profiles, 0 for disjoint ones.
    """
    regions: Rows  # (R,) ascending: the vector rows of all regions that belong to an instance
    of_regions: Numbers  # (R,): the instance of each


def find_object_instances(
    neighbours: Neighbours, images: Numbers, boxes: NDArray[np.int32], vectors: Vectors, background: BackgroundScores
) -> ObjectInstances:
    """Group M regions into object instances. images (M,) ascending, boxes (M, 4), vectors (M, D)."""
    total = int(images[-1]) + 1 if len(images) else 0
    links = _links(neighbours, images, background)
    weights = sparse.diags_array(1 - repeated(images, boxes, vectors))
    links = sparse.csr_array(weights @ links @ weights)
    link_weights = sparse.csr_array(links @ one_hot(images, total))  # (M, N)
    linked = np.flatnonzero(link_weights.sum(axis=1) > 0)
    link_weights, images = link_weights[linked], images[linked]
    similarities = _same_image_similarities(_profiles(link_weights, images), images)
    instance = average_linkage(similarities, MIN_INSTANCE_SIMILARITY)
    count = int(instance.max(initial=-1)) + 1
    strengths = link_weights.sum(axis=1)
    order = np.lexsort((-strengths, instance))
    first = order[np.unique(instance[order], return_index=True)[1]]
    summed = sparse.csr_array(one_hot(instance, count).T @ link_weights)
    arranged = np.lexsort((-strengths[first], images[first]))
    return ObjectInstances(
        images[first][arranged],
        neighbours.nodes[linked[first]][arranged],
        np.asarray(summed.sum(axis=1)[arranged], np.float32),
        _profiles(summed[arranged], images[first][arranged]),
        neighbours.nodes[linked],
        np.argsort(arranged)[instance],
    )


def with_regions(instances: ObjectInstances, images: Sequence[int], rows: Sequence[int]) -> ObjectInstances:
    """Append instances of single regions that are similar to no other image. images (R,), rows (R,)."""
    if not len(rows):
        return instances
    profiles = instances.profiles.copy()
    profiles.resize(len(instances.images), max(profiles.shape[1], *(image + 1 for image in images)))
    own = sparse.csr_array(one_hot(np.array(images), profiles.shape[1]), dtype=np.float32)
    return replace(
        instances,
        images=np.append(instances.images, images),
        rows=np.append(instances.rows, rows),
        strengths=np.append(instances.strengths, np.zeros(len(rows), np.float32)),
        profiles=sparse.csr_array(sparse.vstack([profiles, own])),
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
    least = least_similarity(background, len(np.unique(images)))
    weights = np.where(neighbours.similarities >= least, np.clip(neighbours.similarities, 0, None) ** GAMMA, 0)
    links = join_neighbours(neighbours.nearest, weights)
    links.eliminate_zeros()
    return links


def least_similarity(background: BackgroundScores, pictures: int) -> float:
    """Minimum similarity of a link that counts, for this number of images."""
    if not background.certain:
        return CERTAIN_SIMILARITY
    grid = np.arange(-1, CERTAIN_SIMILARITY, 0.001)
    most = min(MAX_CHANCE_IMAGES, MAX_CHANCE_SHARE * pictures)
    return float(next((value for value in grid if background.expected(value, pictures) < most), CERTAIN_SIMILARITY))


def _profiles(link_weights: sparse.csr_array, images: Numbers) -> sparse.csr_array:
    """Compute ObjectInstances.profiles from link weights (S, N); images (S,) are the instances' own images."""
    link_weights = strongest(link_weights, MAX_PROFILE_IMAGES)
    shares = sparse.diags_array((1 - OWN_IMAGE_SHARE) / link_weights.sum(axis=1)) @ link_weights
    own = OWN_IMAGE_SHARE * one_hot(images, link_weights.shape[1])
    return sparse.csr_array((shares + own).sqrt(), dtype=np.float32)


def _same_image_similarities(profiles: sparse.csr_array, images: Numbers) -> sparse.csr_array:
    """(M, M) symmetric: profile similarity of regions of the same image."""
    ones, others, similarities = [np.zeros(0, int)], [np.zeros(0, int)], [np.zeros(0)]
    most = int(np.unique(images, return_counts=True)[1].max(initial=1))
    for step in range(1, most):
        one = np.flatnonzero(images[:-step] == images[step:])
        ones.append(one)
        others.append(one + step)
        similarities.append(np.asarray(profiles[one].multiply(profiles[one + step]).sum(axis=1)))
    places = np.concatenate(ones), np.concatenate(others)
    upper = sparse.csr_array((np.concatenate(similarities), places), shape=(len(images), len(images)))
    return sparse.csr_array(upper + upper.T)
