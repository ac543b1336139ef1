"""Find the nearest regions of other images by comparing with all of them."""

import numpy as np

from retrieval.types import Rows, Scores, Vectors


def nearest_elsewhere(vectors: Vectors, starts: Rows, queries: Rows, count: int) -> Rows:
    """For B of M nodes, the best region of each of the `count` nearest other images, (B, count), in row order.

    Images are groups of nodes, which start at `starts`. There must be more than `count` images.
    """
    similar = vectors[queries] @ vectors.T  # (B, M)
    of_image = np.maximum.reduceat(similar, starts, axis=1)  # (B, images)
    of_image[np.arange(len(of_image)), np.searchsorted(starts, queries, side="right") - 1] = -2
    return best_of_images(similar, of_image, starts, count)


def best_of_images(similar: Scores, of_image: Scores, starts: Rows, count: int) -> Rows:
    """The column of the best region of each of the `count` best images, (B, count), in order.

    Similarities (B, M) are grouped by image at `starts`; of_image (B, images) has the score of each image.
    """
    nearest = np.sort(np.argpartition(-of_image, count - 1, axis=1)[:, :count], axis=1)
    ends = np.append(starts[1:], similar.shape[1])
    most = int((ends - starts).max())
    candidates = np.minimum(starts[nearest][:, :, None] + np.arange(most), ends[nearest][:, :, None] - 1)
    among = np.take_along_axis(similar, candidates.reshape(len(similar), -1), axis=1).reshape(candidates.shape)
    return np.asarray(np.take_along_axis(candidates, among.argmax(axis=2)[:, :, None], axis=2)[:, :, 0])
