"""Diffusion: propagate similarity along a neighbour graph to views that do not resemble the query itself."""

from collections import deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from retrieval.blas_threads import in_threads
from retrieval.ranking.cell_search import nearest_in_cells
from retrieval.ranking.nearest_elsewhere import best_of_images, nearest_elsewhere
from retrieval.types import Numbers, Rows, Scores, Vectors

MAX_NODES = 150_000
"""Larger galleries contribute fewer regions per image. With one to three of each, `best` was no worse than with all."""
LARGE = 20_000
"""Nodes above which neighbours are found by cells, and similarity is propagated to the nearest nodes only."""
FEW_PENDING = 5_000
"""In a larger graph, up to this many nodes are looked up among all others and inserted. For more of them, finding all
neighbours anew by cells takes no longer."""
NODES_OF_IMAGE = (21, 15, 10, 7, 5, 3, 2, 1)
"""Choices for regions per image. They are few, so that adding a few images rarely changes the choice."""
NEIGHBOURS = 10
GAMMA = 3.0
"""Similarities are raised to this power, which suppresses weak links."""
DAMPING = 0.85
"""The share of similarity that is propagated at each step."""
ITERATIONS = 12
NEAR_NODES = 5_000
"""Nodes that similarity is propagated to in a large graph."""
BLOCK_BYTES = 64 * 1024**2
BLOCK = 4096
"""Nodes whose similarities to their neighbours are computed at a time."""


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


def moved(neighbours: Neighbours, here: Rows) -> Neighbours:
    """Neighbours as rows of other vectors, as `find_neighbours` takes them: `nearest` are vector rows as well.

    `here` (N,) maps each row to its new row, or -1.
    """
    nearest = here[neighbours.nodes[neighbours.nearest]]
    return Neighbours(here[neighbours.nodes], nearest, neighbours.similarities)


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
    other nodes are compared with everything. Above LARGE, neighbours are found by cells, and some are missed,
    unless few nodes are left to compare.
    """
    nodes = _nodes(images)
    vectors, images = np.asarray(vectors[nodes]), images[nodes]
    starts = np.unique(images, return_index=True)[1]
    count = max(min(NEIGHBOURS, len(starts) - 1), 0)
    found = Neighbours(nodes, np.zeros((len(nodes), count), np.int64), np.zeros((len(nodes), count), np.float32))
    if count == 0:
        return found
    pending, arrived = _take_over(known, images, found)
    if len(nodes) > LARGE and np.count_nonzero(pending) > FEW_PENDING:
        found.nearest[:] = nearest_in_cells(vectors, images, count, progress)
        for start in range(0, len(nodes), BLOCK):
            part = np.arange(start, min(start + BLOCK, len(nodes)))
            found.similarities[part] = _similar(vectors, part, found.nearest[part])
        return found
    _insert_new_nodes(arrived, vectors, images, found, np.flatnonzero(~pending))
    queries = np.flatnonzero(pending)
    block = max(1, BLOCK_BYTES // (4 * len(nodes)))
    done, parts = 0, [queries[start : start + block] for start in range(0, len(queries), block)]
    with closing(in_threads(lambda part: nearest_elsewhere(vectors, starts, part, count), parts)) as results:
        for part, nearest in zip(parts, results, strict=True):
            found.nearest[part] = nearest
            found.similarities[part] = _similar(vectors, part, nearest)
            done += len(part)
            progress(done, len(queries))
    return found


def diffuse(graph: Graph, rows: Rows, similarities: Scores) -> Scores:
    """Propagate a query's similarities (K,) to vector rows (K,) to all nodes -> (M,), scaled to a maximum of 1.

    Solves the random walk with restart, (I - aS) f = y, by conjugate gradient (Iscen et al., CVPR 2017). A dozen
    iterations are enough for a ranking. The query need not be in the graph: y holds its similarities to the nodes among
    the rows. In a graph of more than LARGE the walk stays among the nodes nearest to its start; others get 0.
    """
    source = np.zeros(len(graph.nodes), np.float32)
    places = positions(graph.nodes, rows)
    source[places[places >= 0]] = np.clip(similarities[places >= 0], 0, None) ** GAMMA
    if len(source) > LARGE:
        near = _near_nodes(graph.affinity, source)
        reached = np.zeros_like(source)
        reached[near] = _conjugate_gradient(graph.affinity[near][:, near], source[near])
    else:
        reached = _conjugate_gradient(graph.affinity, source)
    most = reached.max(initial=0)
    return np.clip(reached / most, 0, None) if most > 0 else np.zeros_like(source)


def _near_nodes(affinity: sparse.csr_array, source: Scores) -> Rows:
    """The NEAR_NODES nodes that the first steps of a walk from the source (M,) reach most, ascending."""
    mass, before = source.copy(), -1
    near = np.flatnonzero(mass)
    while before < len(near) < NEAR_NODES:
        before, links = len(near), affinity[near]
        weights = links.data * np.repeat(mass[near], np.diff(links.indptr))
        reached, place = np.unique(links.indices, return_inverse=True)
        mass[reached] += DAMPING * np.bincount(place, weights, len(reached)).astype(np.float32)
        near = np.flatnonzero(mass)
    return np.sort(near[np.argsort(-mass[near], kind="stable")[:NEAR_NODES]])


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


def positions(nodes: Rows, rows: Rows) -> Rows:
    """Positions of vector rows in `nodes`; -1 for rows that are not nodes."""
    places = np.searchsorted(nodes, rows)
    found = places < len(nodes)
    found[found] = nodes[places[found]] == rows[found]
    return np.where(found, places, -1)


def _take_over(known: Neighbours | None, images: Numbers, found: Neighbours) -> tuple[NDArray[np.bool_], Rows]:
    """Copy known neighbours to `found`. Which nodes (M,) still need theirs, and which nodes have arrived (A,)."""
    nodes, pending = found.nodes, np.ones(len(found.nodes), bool)
    if known is None or known.nearest.shape[1] != found.nearest.shape[1]:
        return pending, np.zeros(0, np.int64)
    places, among = positions(nodes, known.nodes), positions(nodes, known.nearest)
    arrived = np.setdiff1d(np.arange(len(nodes)), places)
    if np.isin(images[arrived], images[places[places >= 0]]).any():  # the regions per image have increased
        return pending, np.zeros(0, np.int64)
    whole = (places >= 0) & (among >= 0).all(axis=1)
    in_order = np.argsort(among[whole], axis=1)
    found.nearest[places[whole]] = np.take_along_axis(among[whole], in_order, axis=1)
    found.similarities[places[whole]] = np.take_along_axis(known.similarities[whole], in_order, axis=1)
    pending[places[whole]] = False
    return pending, arrived


def _insert_new_nodes(arrived: Rows, vectors: Vectors, images: Numbers, found: Neighbours, settled: Rows) -> None:
    """Update the neighbours of settled nodes in place where nodes of new images are nearer."""
    if not len(arrived):
        return
    starts = np.unique(images[arrived], return_index=True)[1]
    nearest, similarities, count = found.nearest, found.similarities, found.nearest.shape[1]
    block = max(1, BLOCK_BYTES // (4 * len(arrived)))

    def insert(part: Rows) -> None:
        similar = vectors[part] @ vectors[arrived].T
        nearer = similar.max(axis=1) > similarities[part].min(axis=1)
        part, similar = part[nearer], similar[nearer]
        if not len(part):
            return
        of_image = np.maximum.reduceat(similar, starts, axis=1)
        best = best_of_images(similar, of_image, starts, min(count, len(starts)))
        candidates = np.hstack([nearest[part], arrived[best]])
        scores = _similar(vectors, part, candidates)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :count]
        row_order = np.argsort(np.take_along_axis(candidates, best, axis=1), axis=1)
        best = np.take_along_axis(best, row_order, axis=1)
        nearest[part] = np.take_along_axis(candidates, best, axis=1)
        similarities[part] = np.take_along_axis(scores, best, axis=1)

    parts = [settled[start : start + block] for start in range(0, len(settled), block)]
    with closing(in_threads(insert, parts)) as inserted:  # each part writes rows of its own
        deque(inserted, 0)


def _similar(vectors: Vectors, rows: Rows, others: Rows) -> Scores:
    """Similarities (B, K) of rows (B,) to others (B, K), pair by pair, so that results are bit-identical."""
    return np.asarray(np.einsum("bd,bkd->bk", vectors[rows], vectors[others]), np.float32)
