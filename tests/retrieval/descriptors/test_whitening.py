"""Whitening helps when the gallery has enough data, and does no harm otherwise."""

from dataclasses import dataclass

import numpy as np
import pytest

from retrieval import blas_threads
from retrieval.blas_threads import one_blas_thread
from retrieval.descriptors.whitening import MIN_PAIRS, learn_whitening
from retrieval.types import Vectors, unit

CHANNELS = 64


@dataclass
class Gallery:
    """Region vectors of images that repeatedly show some objects, in very different light."""

    vectors: Vectors
    images: np.ndarray
    objects: np.ndarray


def made_up(objects: int, views: int, seed: int = 0, nuisance: float = 1.0) -> Gallery:
    rng = np.random.default_rng(seed)
    what = np.repeat(np.arange(objects), views)
    meanings = rng.normal(size=(objects, CHANNELS)) * 0.5
    light = rng.normal(size=(3, CHANNELS)) * nuisance  # few directions with strong variation
    vectors = meanings[what] + rng.normal(size=(len(what), 3)) @ light + rng.normal(size=(len(what), CHANNELS)) * 0.1
    vectors = (vectors + 2).astype(np.float32)
    vectors.setflags(write=False)
    return Gallery(vectors, np.arange(len(what)), what)


def precision_of_the_nearest(vectors: Vectors, objects: np.ndarray, among: int = 5) -> float:
    similar = vectors @ vectors.T
    np.fill_diagonal(similar, -2)
    nearest = np.argsort(-similar, axis=1)[:, :among]
    return float((objects[nearest] == objects[:, None]).mean())


@pytest.fixture(scope="module")
def repeated() -> Gallery:
    return made_up(objects=220, views=10)


def test_mined_whitening_suppresses_nuisance_directions(repeated):
    whitening = learn_whitening(repeated.vectors, repeated.images, 32)
    assert whitening.kind == "mined" and whitening.projection.shape == (CHANNELS, 32)
    raw = precision_of_the_nearest(unit(repeated.vectors), repeated.objects)
    white = precision_of_the_nearest(whitening.apply(repeated.vectors), repeated.objects)
    assert white > raw + 0.2 and white > 0.9


def test_r74_the_whitening_does_not_depend_on_the_number_of_cpus(repeated, monkeypatch):
    learned = []
    for count in (1, 3):
        monkeypatch.setattr(blas_threads, "cpu_count", lambda count=count: count)
        with one_blas_thread():
            learned.append(learn_whitening(repeated.vectors, repeated.images, 32))
    assert np.array_equal(learned[0].projection, learned[1].projection)


def test_whitening_generalises_to_unseen_objects(repeated):
    whitening = learn_whitening(repeated.vectors, repeated.images, 32)
    rng = np.random.default_rng(9)
    views = 5
    meanings = np.repeat(rng.normal(size=(60, CHANNELS)) * 0.5, views, axis=0)
    light = np.random.default_rng(0)
    light.normal(size=(220, CHANNELS))  # the same draws as in made_up: the same light
    directions = light.normal(size=(3, CHANNELS))
    noise = rng.normal(size=meanings.shape) * 0.1
    vectors = (meanings + rng.normal(size=(len(meanings), 3)) @ directions + noise + 2).astype(np.float32)
    objects = np.repeat(np.arange(60), views)
    raw = precision_of_the_nearest(unit(vectors), objects, views - 1)
    assert precision_of_the_nearest(whitening.apply(vectors), objects, views - 1) > raw + 0.2


def test_without_mined_pairs_whitening_is_pca():
    vectors = np.random.default_rng(1).normal(size=(2200, 200)).astype(np.float32)
    whitening = learn_whitening(vectors, np.arange(2200), 32)
    assert whitening.kind == "pca" and whitening.projection.shape == (200, 32)
    assert whitening.mean == pytest.approx(unit(vectors).mean(axis=0), abs=1e-6)


def test_pairs_within_one_image_are_not_mined():
    """Sixty unrelated objects, forty views of each."""
    things = np.repeat(np.arange(60), 40)
    views = np.eye(60, 100)[things] + np.random.default_rng(3).normal(size=(2400, 100)) * 0.05
    views = views.astype(np.float32)
    assert learn_whitening(views, things, 32).kind == "pca"  # all views of an object are in one image
    assert learn_whitening(views, np.arange(2400), 32).kind == "mined"


def test_small_gallery_is_only_centred():
    small = made_up(objects=10, views=5)
    whitening = learn_whitening(small.vectors, small.images, 32)
    assert whitening.kind == "centre" and len(small.vectors) < MIN_PAIRS
    expected = unit(unit(small.vectors) - unit(small.vectors).mean(axis=0))
    assert whitening.apply(small.vectors) == pytest.approx(expected, abs=1e-5)


def test_one_or_two_images_are_left_unchanged():
    vectors = made_up(2, 10).vectors
    for images in (np.zeros(20, int), np.repeat([0, 1], 10)):
        whitening = learn_whitening(vectors, images, 32)
        assert whitening.kind == "identity"
        assert whitening.apply(vectors) == pytest.approx(unit(vectors), abs=1e-6)


def test_output_has_unit_length_for_any_input_length(repeated):
    for count in (20, len(repeated.vectors)):
        whitening = learn_whitening(repeated.vectors[:count], repeated.images[:count], 16)
        out = whitening.apply(repeated.vectors)
        assert out.dtype == np.float32
        assert np.linalg.norm(out, axis=1) == pytest.approx(1, abs=1e-5)
        assert whitening.apply(repeated.vectors * 7) == pytest.approx(out, abs=1e-4)
        assert whitening.apply(repeated.vectors[0]) == pytest.approx(out[0], abs=1e-4)


def test_learning_is_deterministic(repeated):
    one, two = (learn_whitening(repeated.vectors, repeated.images, 32) for _ in range(2))
    assert np.array_equal(one.projection, two.projection) and np.array_equal(one.mean, two.mean)


@pytest.mark.parametrize("count", [10, 2500])
def test_identical_images_keep_their_vectors(count):
    for vector in (np.ones(8, np.float32), np.eye(8, dtype=np.float32)[0]):
        whitening = learn_whitening(np.tile(vector, (count, 1)), np.arange(count), 4)
        assert whitening.kind == "identity"
        assert np.linalg.norm(whitening.apply(vector)) == pytest.approx(1)


def test_constant_directions_cause_no_division_by_zero():
    vectors = np.random.default_rng(0).normal(size=(2500, 8)).astype(np.float32)
    vectors[:, 3:] = 1
    out = learn_whitening(vectors, np.arange(2500), 8).apply(vectors)
    assert np.linalg.norm(out, axis=1) == pytest.approx(1, abs=1e-5)
