"""Diffusion: propagate similarity along a neighbour graph to views that do not resemble the query itself."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from retrieval.blas_threads import in_threads
from retrieval.types import Numbers, Rows, Scores, Vectors

MAX_NODES = 150_000
"""Build time is quadratic in the number of nodes. Larger galleries contribute fewer regions per image."""
NODES_OF_IMAGE = (21, 15, 10, 7, 5, 3, 2, 1)
"""Choices for regions per image. They are few, so that adding a few images rarely changes the choice."""
NEIGHBOURS = 10
GAMMA = 3.0
"""Similarities are raised to this power, which suppresses weak links."""
DAMPING = 0.85
"""The share of similarity that is propagated at each step."""
ITERATIONS = 12
BLOCK_BYTES = 64 * 1024**2


@dataclass(frozen=True, slots=True)
class Neighbours:
    """For each of M regions, the best region of each of its K nearest images, in row order."""

    nodes: Rows  # (M,): vector rows of the nodes, ascending
    nearest: Rows  # (M, K): positions in `nodes`
    similarities: Scores  # (M, K)


@dataclass(frozen=True, slots=True)
class Graph:
    """The neighbour graph of regions, across images."""

    nodes: Rows  # (M,): vector rows of the nodes, ascending
    affinity: sparse.csr_array  # (M, M), symmetric: D^-1/2 A D^-1/2


def make_graph(neighbours: Neighbours) -> Graph:
    """Join two regions when either is a neighbour of the other."""
    affinity = join_neighbours(neighbours.nearest, np.clip(neighbours.similarities, 0, None) ** GAMMA)
    degree = affinity.sum(axis=1)
    scale = np.where(degree > 0, 1 / np.sqrt(np.where(degree > 0, degree, 1)), 0).astype(np.float32)
    normalised = affinity.multiply(scale[:, None]).multiply(scale[None, :])
    return Graph(neighbours.nodes, sparse.csr_array(normalised, dtype=np.float32))


def join_neighbours(nearest: Rows, weights: Scores) -> sparse.csr_array:
    """The weights (M, K) of neighbours (M, K) as a matrix (M, M), made symmetric by the larger of both directions."""
    count, each = nearest.shape
    starts = np.arange(count + 1) * each
    directed = sparse.csr_array((weights.ravel(), nearest.ravel(), starts), shape=(count, count))
    directed.sum_duplicates()
    return sparse.csr_array(directed.maximum(directed.T))


def find_neighbours(
    vectors: Vectors,
    images: Numbers,
    known: Neighbours | None = None,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Neighbours:
    """Find the neighbours of region vectors (N, D), grouped by image; images (N,) is ascending.

    The first regions of each image, the largest, become nodes. Each node is joined to the best region of each of its
    ten nearest images, because several neighbours in one image would be redundant. `known` holds earlier results, with
    `nodes` and `nearest` as rows of these vectors. Its nodes keep their neighbours unless a new image is nearer; all
    other nodes are compared with everything.
    """
    nodes = _nodes(images)
    vectors, images = np.asarray(vectors[nodes]), images[nodes]
    starts = np.unique(images, return_index=True)[1]
    count = max(min(NEIGHBOURS, len(starts) - 1), 0)
    nearest = np.zeros((len(nodes), count), np.int64)
    similarities = np.zeros((len(nodes), count), np.float32)
    pending = np.ones(len(nodes), bool)
    if known is not None and known.nearest.shape[1] == count:
        places, among = _positions(nodes, known.nodes), _positions(nodes, known.nearest)
        arrived = np.setdiff1d(np.arange(len(nodes)), places)
        if not np.isin(images[arrived], images[places[places >= 0]]).any():  # else regions per image have increased
            whole = (places >= 0) & (among >= 0).all(axis=1)
            in_order = np.argsort(among[whole], axis=1)
            nearest[places[whole]] = np.take_along_axis(among[whole], in_order, axis=1)
            similarities[places[whole]] = np.take_along_axis(known.similarities[whole], in_order, axis=1)
            pending[places[whole]] = False
            _insert_new_nodes(arrived, vectors, images, nearest, similarities, np.flatnonzero(~pending))
    queries = np.flatnonzero(pending) if count else np.zeros(0, int)
    block = max(1, BLOCK_BYTES // (4 * max(len(nodes), 1)))
    done, parts = 0, [queries[start : start + block] for start in range(0, len(queries), block)]
    with closing(in_threads(lambda part: _nearest_elsewhere(vectors, starts, part, count), parts)) as results:
        for part, found in zip(parts, results, strict=True):
            nearest[part] = found
            similarities[part] = _similar(vectors, part, found)
            done += len(part)
            progress(done, len(queries))
    return Neighbours(nodes, nearest, similarities)


def diffuse(graph: Graph, rows: Rows, similarities: Scores) -> Scores:
    """Propagate a query's similarities (K,) to vector rows (K,) to all nodes -> (M,), scaled to a maximum of 1.

    Solves the random walk with restart, (I - aS) f = y, by conjugate gradient (Iscen et al., CVPR 2017). A dozen
    iterations are enough for a ranking. The query need not be in the graph: y holds its similarities to the nodes among
    the rows.
    """
    source = np.zeros(len(graph.nodes), np.float32)
    places = _positions(graph.nodes, rows)
    source[places[places >= 0]] = np.clip(similarities[places >= 0], 0, None) ** GAMMA
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
        step = direction - DAMPING * (affinity @ direction)
        length = left / float(direction @ step)
        solution += length * direction
        residual -= length * step
        before, left = left, float(residual @ residual)
        direction = residual + (left / before) * direction
    return solution


def _nodes(images: Numbers) -> Rows:
    """The first rows of each image, as many as fit into the graph."""
    starts, counts = np.unique(images, return_index=True, return_counts=True)[1:]
    each = next((each for each in NODES_OF_IMAGE if each * len(starts) <= MAX_NODES), NODES_OF_IMAGE[-1])
    place = np.arange(len(images)) - np.repeat(starts, counts)
    return np.flatnonzero(place < each)


def _positions(nodes: Rows, rows: Rows) -> Rows:
    """Positions of vector rows in `nodes`; -1 for rows that are not nodes."""
    places = np.searchsorted(nodes, rows)
    found = places < len(nodes)
    found[found] = nodes[places[found]] == rows[found]
    return np.where(found, places, -1)


def _insert_new_nodes(
    arrived: Rows, vectors: Vectors, images: Numbers, nearest: Rows, similarities: Scores, settled: Rows
) -> None:
    """Update the neighbours of settled nodes in place where nodes of new images are nearer."""
    if not len(arrived):
        return
    starts = np.unique(images[arrived], return_index=True)[1]
    count = nearest.shape[1]
    block = max(1, BLOCK_BYTES // (4 * len(arrived)))
    for start in range(0, len(settled), block):
        part = settled[start : start + block]
        similar = vectors[part] @ vectors[arrived].T
        nearer = similar.max(axis=1) > similarities[part].min(axis=1)
        part = part[nearer]
        candidates = np.hstack([nearest[part], arrived[_best_of_each(similar[nearer], starts)]])
        scores = _similar(vectors, part, candidates)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :count]
        row_order = np.argsort(np.take_along_axis(candidates, best, axis=1), axis=1)
        best = np.take_along_axis(best, row_order, axis=1)
        nearest[part] = np.take_along_axis(candidates, best, axis=1)
        similarities[part] = np.take_along_axis(scores, best, axis=1)


def _best_of_each(similar: Scores, starts: Rows) -> Rows:
    """For similarities (B, N), grouped by image at `starts`, the column of each image's best, (B, images)."""
    ends = np.append(starts[1:], similar.shape[1])
    return np.stack(
        [start + similar[:, start:end].argmax(axis=1) for start, end in zip(starts, ends, strict=True)], axis=1
    )


def _nearest_elsewhere(vectors: Vectors, starts: Rows, queries: Rows, count: int) -> Rows:
    """For B nodes, the best region of each of the `count` nearest other images, (B, count), in row order."""
    similar = vectors[queries] @ vectors.T  # (B, M)
    of_image = np.maximum.reduceat(similar, starts, axis=1)  # (B, images)
    of_image[np.arange(len(of_image)), np.searchsorted(starts, queries, side="right") - 1] = -2
    nearest = np.sort(np.argpartition(-of_image, count - 1, axis=1)[:, :count], axis=1)
    ends = np.append(starts[1:], len(vectors))
    most = int((ends - starts).max())
    candidates = np.minimum(starts[nearest][:, :, None] + np.arange(most), ends[nearest][:, :, None] - 1)
    among = np.take_along_axis(similar, candidates.reshape(len(similar), -1), axis=1).reshape(candidates.shape)
    return np.asarray(np.take_along_axis(candidates, among.argmax(axis=2)[:, :, None], axis=2)[:, :, 0])


def _similar(vectors: Vectors, rows: Rows, others: Rows) -> Scores:
    """Similarities (B, K) of rows (B,) to others (B, K), pair by pair, so that results are bit-identical."""
    return np.asarray(np.einsum("bd,bkd->bk", vectors[rows], vectors[others]), np.float32)
