"""Finds regions by a sentence: what a classifier takes them for, and how near that is to what the sentence means.

ConSE (Norouzi et al., ICLR 2014): the vector of a region is the mean of the embeddings of its likeliest classes, each
weighted by its probability. So a network that has learned a thousand classes answers to any sentence, for a sentence
and the names of the classes lie in one space.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import sparse

from retrieval.networks.imagenet_classes import ClassIds, Shares, class_names
from retrieval.ranking.diffusion import Graph
from retrieval.text.sentence_embedder import embed_sentences
from retrieval.types import Scores, Vectors

BLOCK = 8192
"""Regions at a time, so that what is computed on the way takes some megabytes however many there are."""


@dataclass(frozen=True, slots=True)
class TextIndex:
    """The likeliest classes of N regions and their probabilities, (N, T) each, and all that a sentence is held against.

    The vectors of the regions are never made: that would be a thousand times as much memory as a region has here.
    """

    classes: ClassIds
    shares: Shares
    embeddings: Vectors
    """(K, D) of the classes, unit length."""
    lengths: Scores
    """(N,) of the regions' vectors."""

    def scores(self, sentence: Vectors) -> Scores:
        """The cosine of each region's vector with that of a sentence. (D,), unit length -> (N,).

        A region without any class scores 0.
        """
        similar = self.embeddings @ sentence  # (K,)
        found = np.zeros(len(self.classes), np.float32)
        for start in range(0, len(found), BLOCK):
            part = slice(start, start + BLOCK)
            found[part] = np.einsum("rt,rt->r", self.shares[part].astype(np.float32), similar[self.classes[part]])
        return np.divide(found, self.lengths, out=np.zeros_like(found), where=self.lengths > 0)


def make_text_index(classes: ClassIds, shares: Shares, embeddings: Vectors) -> TextIndex:
    """classes and shares (N, T) as `Classifier.likely` gives them; embeddings (K, D) of all classes, unit length."""
    between = embeddings @ embeddings.T  # (K, K)
    squares = np.zeros(len(classes), np.float32)
    for start in range(0, len(classes), BLOCK):
        part = slice(start, start + BLOCK)
        weights, of = shares[part].astype(np.float32), classes[part]
        squares[part] = np.einsum("rt,rtu,ru->r", weights, between[of[:, :, None], of[:, None, :]], weights)
    return TextIndex(classes, shares, embeddings, np.sqrt(np.clip(squares, 0, None)))


@cache
def class_embeddings() -> Vectors:
    """What the names of the 1000 ImageNet classes mean, (1000, 384), read-only. Raises RuntimeMissing.

    The bare names: prompts such as "a photo of a ...", synonyms and definitions help some sentences and harm others.
    """
    embeddings = embed_sentences(class_names())
    embeddings.setflags(write=False)
    return embeddings


def agreed(scores: Scores, graph: Graph) -> Scores:
    """The mean of each region's score with those of the regions that look like it. (M,) -> (M,), for the graph's nodes.

    A classifier errs on one view of a thing and not on another; where look-alikes agree it is seldom wrong.
    """
    weighted = graph.affinity
    each_alike = np.ones_like(weighted.data), weighted.indices, weighted.indptr
    joined = sparse.csr_array(each_alike, shape=weighted.shape)
    return np.asarray((scores + joined @ scores) / (1 + joined.sum(axis=1)), np.float32)
