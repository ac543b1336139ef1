"""Diffusion: similarity flows on from region to region and reaches views that do not resemble the query itself."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from retrieval.types import Numbers, Rows, Scores, Vectors

NODES = 150_000
"""Regions that the graph may join before each image gives fewer of them: its making costs their square."""
NODES_OF_IMAGE = 21
NEIGHBOURS = 10
GAMMA = 3.0
"""Similarities count to this power, so that weak ones hardly conduct."""
CONDUCTED = 0.85
"""The share that flows on at each step."""
ITERATIONS = 12
BLOCK_BYTES = 64 * 1024**2


@dataclass(frozen=True, slots=True)
class Graph:
    """Regions joined to the regions of other images that they resemble most."""

    nodes: Rows
    """(M,) the vector rows that take part, ascending."""
    affinity: sparse.csr_array
    """(M, M) symmetric, D^-1/2 A D^-1/2."""


def make_graph(vectors: Vectors, images: Numbers, progress: Callable[[int, int], None] = lambda *_: None) -> Graph:
    """The graph of region vectors (N, D), which stand in the order of their images (N,).

    Of each image the first regions take part, the larger ones. A region is joined to the best region of each of the
    ten images that are nearest to it: neighbours in one and the same image would only say the same thing many times.
    """
    nodes = _nodes(images)
    vectors, images = vectors[nodes], images[nodes]
    starts = np.unique(images, return_index=True)[1]
    count = min(NEIGHBOURS, len(starts) - 1)
    left, right, weights = [], [], []
    block = max(1, BLOCK_BYTES // (4 * max(len(nodes), 1)))
    for start in range(0, len(nodes) if count > 0 else 0, block):
        rows, similar = _nearest_elsewhere(vectors, images, starts, slice(start, start + block), count)
        left.append(np.repeat(np.arange(start, start + len(rows)), count))
        right.append(rows.ravel())
        weights.append(np.clip(similar.ravel(), 0, None) ** GAMMA)
        progress(min(start + block, len(nodes)), len(nodes))
    if not left:
        return Graph(nodes, sparse.csr_array((len(nodes), len(nodes)), dtype=np.float32))
    directed = sparse.csr_array(
        (np.concatenate(weights), (np.concatenate(left), np.concatenate(right))), shape=(len(nodes), len(nodes))
    )
    return Graph(nodes, _normalised(directed.maximum(directed.T)))


def diffuse(graph: Graph, rows: Rows, similarities: Scores) -> Scores:
    """How much of a query's similarity to some vector rows reaches each node, (K,) and (K,) -> (M,); 1 at most.

    The closed form of the random walk with restart, (I - aS) f = y, by conjugate gradient (Iscen et al., CVPR 2017).
    A dozen steps are enough for a ranking. The query need not be in the graph: y holds its similarity to the nodes
    among the rows.
    """
    source = np.zeros(len(graph.nodes), np.float32)
    places = np.searchsorted(graph.nodes, rows)
    known = places < len(graph.nodes)
    known[known] = graph.nodes[places[known]] == rows[known]
    source[places[known]] = np.clip(similarities[known], 0, None) ** GAMMA
    reached = _conjugate_gradient(graph.affinity, source)
    most = reached.max(initial=0)
    return np.clip(reached / most, 0, None) if most > 0 else np.zeros_like(source)


def _conjugate_gradient(affinity: sparse.csr_array, source: Scores) -> Scores:
    solution, residual, direction = np.zeros_like(source), source.copy(), source.copy()
    left = float(residual @ residual)
    enough = left * 1e-12
    for _ in range(ITERATIONS):
        if left <= enough:
            break
        step = direction - CONDUCTED * (affinity @ direction)
        length = left / float(direction @ step)
        solution += length * direction
        residual -= length * step
        before, left = left, float(residual @ residual)
        direction = residual + (left / before) * direction
    return solution


def _nodes(images: Numbers) -> Rows:
    """The first rows of each image, as many as the graph has room for."""
    starts, counts = np.unique(images, return_index=True, return_counts=True)[1:]
    each = int(np.clip(NODES // max(len(starts), 1), 1, NODES_OF_IMAGE))
    place = np.arange(len(images)) - np.repeat(starts, counts)
    return np.flatnonzero(place < each)


def _nearest_elsewhere(
    vectors: Vectors, images: Numbers, starts: Rows, asking: slice, count: int
) -> tuple[Rows, Scores]:
    """For some nodes the best region of each of the `count` nearest other images: rows and similarities (B, count)."""
    similar = vectors[asking] @ vectors.T  # (B, M)
    of_image = np.maximum.reduceat(similar, starts, axis=1)  # (B, images)
    of_image[np.arange(len(of_image)), np.searchsorted(starts, np.arange(len(vectors))[asking], side="right") - 1] = -2
    nearest = np.argpartition(-of_image, count - 1, axis=1)[:, :count]
    ends = np.append(starts[1:], len(vectors))
    most = int((ends - starts).max())
    candidates = np.minimum(starts[nearest][:, :, None] + np.arange(most), ends[nearest][:, :, None] - 1)
    among = np.take_along_axis(similar, candidates.reshape(len(similar), -1), axis=1).reshape(candidates.shape)
    rows = np.take_along_axis(candidates, among.argmax(axis=2)[:, :, None], axis=2)[:, :, 0]
    return rows, np.take_along_axis(of_image, nearest, axis=1)


def _normalised(affinity: sparse.csr_array) -> sparse.csr_array:
    degree = affinity.sum(axis=1)
    scale = np.where(degree > 0, 1 / np.sqrt(np.where(degree > 0, degree, 1)), 0).astype(np.float32)
    return sparse.csr_array(affinity.multiply(scale[:, None]).multiply(scale[None, :]), dtype=np.float32)
