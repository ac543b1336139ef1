"""Zero-shot text search with ConSE: score regions by their predicted classes and a sentence embedding.

ConSE (Norouzi et al., ICLR 2014): the vector of a region is the mean of the embeddings of its most likely class names,
weighted by probability. Sentences and class names are embedded in one space, so a classifier with 1000 classes can
answer any sentence.
"""

import contextlib
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy import sparse

from retrieval.networks.disk_cache import optional_cache
from retrieval.networks.imagenet_classes import ClassIds, Shares, class_names
from retrieval.ranking.diffusion import Graph
from retrieval.text.sentence_embedder import DIMENSIONS, embed_sentences
from retrieval.types import Scores, Vectors

CLASSES = 1000
BLOCK = 8192
"""Regions per block, so that intermediate arrays take a few megabytes for any number of regions."""


@dataclass(frozen=True, slots=True)
class TextIndex:
    """The most likely classes of N regions and their probabilities, (N, T) each, with the class embeddings.

    The vectors of the regions are never computed, which saves memory.
    """

    classes: ClassIds
    shares: Shares
    embeddings: Vectors  # (K, D), one per class, unit length
    lengths: Scores  # (N,): the norms of the region vectors

    def scores(self, sentence: Vectors) -> Scores:
        """Cosine similarity of each region to a sentence embedding. (D,), unit length -> (N,).

        A region without classes scores 0.
        """
        similar = self.embeddings @ sentence  # (K,)
        found = np.zeros(len(self.classes), np.float32)
        for start in range(0, len(found), BLOCK):
            part = slice(start, start + BLOCK)
            found[part] = np.einsum("rt,rt->r", self.shares[part].astype(np.float32), similar[self.classes[part]])
        return np.divide(found, self.lengths, out=np.zeros_like(found), where=self.lengths > 0)


def make_text_index(classes: ClassIds, shares: Shares, embeddings: Vectors) -> TextIndex:
    """classes and shares (N, T) from `Classifier.likely`; embeddings (K, D) of all classes, unit length."""
    between = embeddings @ embeddings.T  # (K, K)
    squares = np.zeros(len(classes), np.float32)
    for start in range(0, len(classes), BLOCK):
        part = slice(start, start + BLOCK)
        weights, of = shares[part].astype(np.float32), classes[part]
        squares[part] = np.einsum("rt,rtu,ru->r", weights, between[of[:, :, None], of[:, None, :]], weights)
    return TextIndex(classes, shares, embeddings, np.sqrt(np.clip(squares, 0, None)))


@cache
def class_embeddings(saved: Path | None = None) -> Vectors:
    """Embeddings of the 1000 ImageNet class names, (1000, 384), read-only. Raises RuntimeMissing.

    They are read from the file `saved`, or computed, which takes a second or two, and saved there. Only the bare names
    are embedded. Prompts such as "a photo of a ...", synonyms and definitions help some sentences and harm others.
    """
    embeddings = _read(saved) if saved else None
    if embeddings is None:
        embeddings = embed_sentences(class_names())
        if saved:
            _save(embeddings, saved)
    embeddings.setflags(write=False)
    return embeddings


def _read(saved: Path) -> Vectors | None:
    """The class embeddings in a file; None if it is missing or damaged."""
    with contextlib.suppress(OSError, ValueError, EOFError):
        found = np.load(saved)
        if found.shape == (CLASSES, DIMENSIONS) and found.dtype == np.float32 and np.isfinite(found).all():
            return np.asarray(found)
    return None


def _save(embeddings: Vectors, saved: Path) -> None:
    with optional_cache(saved.parent):
        saved.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=saved.parent) as scratch:
            part = Path(scratch) / saved.name
            np.save(part, embeddings)
            part.replace(saved)


def agreed(scores: Scores, graph: Graph) -> Scores:
    """Average each node's score with those of its graph neighbours. (M,) -> (M,).

    A classifier may fail on one view of an object and not on another. It is rarely wrong where similar regions agree.
    """
    weighted = graph.affinity
    each_alike = np.ones_like(weighted.data), weighted.indices, weighted.indptr
    joined = sparse.csr_array(each_alike, shape=weighted.shape)
    return np.asarray((scores + joined @ scores) / (1 + joined.sum(axis=1)), np.float32)
