"""A sentence finds regions whose predicted classes have a similar meaning."""

from pathlib import Path

import numpy as np
import pytest

from retrieval.ranking.diffusion import Graph, Neighbours, make_graph
from retrieval.text import conse
from retrieval.text.conse import TextIndex, agreed, class_embeddings, make_text_index
from retrieval.text.sentence_embedder import DIMENSIONS, embed_sentences
from retrieval.types import unit


def drawn(regions: int = 60, top: int = 4, classes: int = 30, length: int = 8) -> tuple[np.ndarray, ...]:
    """Classes and shares (N, T), embeddings (K, D) and a sentence (D,), all read-only."""
    rng = np.random.default_rng(11)
    of = np.stack([rng.permutation(classes)[:top] for _ in range(regions)]).astype(np.int16)
    shares = -np.sort(-rng.dirichlet(np.ones(top + 2), regions)[:, :top], axis=1).astype(np.float16)
    arrays = of, shares, unit(rng.normal(size=(classes, length))), unit(rng.normal(size=length))
    for array in arrays:
        array.setflags(write=False)
    return arrays


def test_score_is_the_cosine_with_the_mean_of_class_embeddings():
    of, shares, embeddings, sentence = drawn()
    scores = make_text_index(of, shares, embeddings).scores(sentence)
    means = [sum(share * embeddings[k] for k, share in zip(*row, strict=True)) for row in zip(of, shares, strict=True)]
    assert scores.dtype == np.float32
    assert scores == pytest.approx(unit(np.array(means, np.float32)) @ sentence, abs=1e-4)


def test_block_size_does_not_change_scores(monkeypatch):
    of, shares, embeddings, sentence = drawn()
    at_once = make_text_index(of, shares, embeddings).scores(sentence)
    monkeypatch.setattr(conse, "BLOCK", 7)
    assert make_text_index(of, shares, embeddings).scores(sentence) == pytest.approx(at_once, abs=1e-6)


def test_scores_do_not_depend_on_the_scale_of_probabilities():
    of, shares, embeddings, sentence = drawn()
    unsure = make_text_index(of, shares / np.float16(2), embeddings).scores(sentence)
    assert unsure == pytest.approx(make_text_index(of, shares, embeddings).scores(sentence), abs=2e-3)


def test_class_name_has_cosine_1_with_its_own_class():
    _, _, embeddings, _ = drawn()
    of, shares = np.arange(30, dtype=np.int16)[:, None], np.full((30, 1), 0.3, np.float16)
    scores = make_text_index(of, shares, embeddings).scores(embeddings[17])
    assert scores.argmax() == 17 and scores[17] == pytest.approx(1, abs=1e-5)


def test_regions_without_classes_score_0():
    of, shares, embeddings, sentence = drawn(regions=2)
    none = np.where([[True], [False]], np.float16(0), shares)
    scores = make_text_index(of, none, embeddings).scores(sentence)
    assert scores[0] == 0 and scores[1] != 0
    assert make_text_index(of[:0], shares[:0], embeddings).scores(sentence).shape == (0,)


def test_memory_per_region_is_small():
    index = make_text_index(*drawn(top=10)[:3])
    kept = index.classes.nbytes + index.shares.nbytes + index.lengths.nbytes
    assert isinstance(index, TextIndex) and kept == 44 * len(index.classes)


def graph_of(nearest: list[list[int]]) -> Graph:
    """A graph with these neighbours and a different similarity per pair, which must not matter."""
    similarities = np.random.default_rng(1).uniform(0.2, 1, np.shape(nearest)).astype(np.float32)
    return make_graph(Neighbours(np.arange(len(nearest)), np.array(nearest), similarities))


def test_agreed_averages_a_node_with_its_neighbours():
    scores = np.array([0.9, 0.3, 0.0, 0.6], np.float32)
    scores.setflags(write=False)
    mean = agreed(scores, graph_of([[1], [0], [1], [2]]))  # 0-1, 1-2 and 2-3 are joined, either way
    assert mean.dtype == np.float32
    assert mean == pytest.approx([(0.9 + 0.3) / 2, (0.9 + 0.3 + 0.0) / 3, (0.3 + 0.0 + 0.6) / 3, (0.0 + 0.6) / 2])


def test_agreed_corrects_a_single_wrong_score():
    scores = np.array([0.5, 0.5, 0.5, 0.8, 0.1, 0.1], np.float32)  # region 3 is an error; its neighbours are not
    among_themselves = graph_of([[1, 2], [0, 2], [0, 1], [4, 5], [3, 5], [3, 4]])
    assert scores.argmax() == 3
    assert set(np.argsort(-agreed(scores, among_themselves))[:3]) == {0, 1, 2}


def test_agreed_keeps_equal_and_isolated_scores():
    assert agreed(np.full(3, 0.4, np.float32), graph_of([[1], [2], [0]])) == pytest.approx(0.4)
    alone = make_graph(Neighbours(np.arange(2), np.zeros((2, 0), int), np.zeros((2, 0), np.float32)))
    assert agreed(np.array([0.2, 0.7], np.float32), alone) == pytest.approx([0.2, 0.7])


def test_agreed_does_not_modify_the_graph():
    graph = graph_of([[1], [0], [1]])
    before = graph.affinity.toarray()
    agreed(np.ones(3, np.float32), graph)
    assert np.array_equal(graph.affinity.toarray(), before)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The calls that embed class names, which are quick here."""
    calls: list[int] = []

    def embed(names):
        calls.append(len(names))
        return unit(np.random.default_rng(5).normal(size=(len(names), DIMENSIONS)).astype(np.float32))

    monkeypatch.setattr(conse, "embed_sentences", embed)
    class_embeddings.cache_clear()
    yield calls
    class_embeddings.cache_clear()


def test_embedded_class_names_are_computed_once_and_kept_in_a_file(computed, tmp_path: Path):
    saved = tmp_path / "networks" / "names.npy"
    first = class_embeddings(saved)
    class_embeddings.cache_clear()  # as in the next process
    second = class_embeddings(saved)
    assert computed == [1000] and np.array_equal(first, second)
    assert not second.flags.writeable and [file.name for file in saved.parent.iterdir()] == ["names.npy"]


@pytest.mark.parametrize("content", [b"", b"half", "float64", "short", "nan"])
def test_a_damaged_file_of_class_names_is_replaced(computed, tmp_path: Path, content):
    saved = tmp_path / "names.npy"
    if isinstance(content, bytes):
        saved.write_bytes(content)
    else:
        rows, kind = (999 if content == "short" else 1000), (np.float64 if content == "float64" else np.float32)
        np.save(saved, np.full((rows, DIMENSIONS), np.nan if content == "nan" else 0.5, kind))
    found = class_embeddings(saved)
    assert computed == [1000] and np.array_equal(np.load(saved), found)


def test_class_names_work_without_a_writable_folder(computed, tmp_path: Path):
    (tmp_path / "file").touch()
    assert class_embeddings(tmp_path / "file" / "names.npy").shape == (1000, DIMENSIONS)


def test_synonyms_match_classes():
    embeddings = class_embeddings()
    assert embeddings.shape == (1000, 384) and not embeddings.flags.writeable
    asked = embed_sentences(["a panda", "a sofa", "a mug of coffee", "a pair of binoculars"])
    of, shares = np.arange(1000, dtype=np.int16)[:, None], np.ones((1000, 1), np.float16)
    index = make_text_index(of, shares, embeddings)
    best = [int(index.scores(sentence).argmax()) for sentence in asked]
    assert best[0] in (387, 388) and best[1:] == [831, 504, 447]  # either panda, studio couch, coffee mug, binoculars
