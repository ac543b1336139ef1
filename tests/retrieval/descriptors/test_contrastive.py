"""Contrastive refinement brings regions that keypoints confirm together, and does nothing without them."""

from dataclasses import dataclass

import numpy as np
import pytest

from retrieval import blas_threads
from retrieval.blas_threads import one_blas_thread
from retrieval.descriptors import contrastive, verified_pairs
from retrieval.descriptors.contrastive import learn_mixing, loss_gradient, refine_whitening
from retrieval.descriptors.verified_pairs import NONE, VerifiedPairs, find_verified_pairs
from retrieval.descriptors.whitening import Whitening
from retrieval.ranking.keypoints import Keypoints
from retrieval.types import Box, Vectors, unit
from tests.descriptors import made_descriptors

OBJECTS, VIEWS, CHANNELS = 24, 4, 32
SIZE = (400, 300)
OBJECT, BESIDE = Box(0, 0, 200, 300), Box(200, 0, 400, 300)
START = Whitening("mined", np.zeros(CHANNELS, np.float32), np.eye(CHANNELS, dtype=np.float32))


@dataclass
class Gallery:
    """Each image shows its object on the left, and something else on the right. Row 2 i is the object of image i."""

    vectors: Vectors
    images: np.ndarray
    boxes: list[Box]
    keypoints: list[Keypoints]

    def read(self, image: int) -> tuple[Keypoints, tuple[int, int]]:
        return self.keypoints[image], SIZE


@pytest.fixture(scope="module")
def gallery() -> Gallery:
    """The second half of the channels is noise, which makes up most of each vector."""
    rng = np.random.default_rng(0)
    count = OBJECTS * VIEWS
    vectors = rng.normal(size=(count, 2, CHANNELS)) * 1.3
    meanings = rng.normal(size=(OBJECTS, CHANNELS // 2))
    vectors[:, 0, : CHANNELS // 2] = np.repeat(meanings, VIEWS, axis=0)
    keypoints = []
    for object_ in range(OBJECTS):
        details = np.random.default_rng(100 + object_)
        points = details.uniform((5, 5), (150, 250), size=(40, 2))
        descriptors = made_descriptors(details, 40)
        for _ in range(VIEWS):
            here = np.vstack([points + rng.uniform(0, 40, 2), rng.uniform((200, 0), SIZE, (20, 2))])
            others = made_descriptors(rng, 20)
            keypoints.append(Keypoints(here.astype(np.float32), np.vstack([descriptors, others])))
    vectors = vectors.reshape(-1, CHANNELS).astype(np.float32)
    vectors.setflags(write=False)
    return Gallery(vectors, np.repeat(np.arange(count), 2), [OBJECT, BESIDE] * count, keypoints)


@pytest.fixture(autouse=True)
def most_regions_are_anchors(monkeypatch):
    monkeypatch.setattr(verified_pairs, "ANCHORS_PER_IMAGE", 1.5)
    monkeypatch.setattr(verified_pairs, "VERIFIED", 8)


def refined(gallery: Gallery, whitening: Whitening = START) -> Whitening:
    return refine_whitening(whitening, gallery.vectors, gallery.images, gallery.boxes, gallery.read)


def found(gallery: Gallery) -> VerifiedPairs:
    return find_verified_pairs(unit(gallery.vectors), gallery.images, gallery.boxes, gallery.read)


def nearest_is_right(whitening: Whitening, vectors: Vectors) -> float:
    """The share of objects whose nearest other image shows the same object. vectors (OBJECTS * VIEWS, CHANNELS)."""
    descriptors = whitening.apply(vectors)
    similar = descriptors @ descriptors.T
    np.fill_diagonal(similar, -2)
    return float((similar.argmax(axis=1) // VIEWS == np.arange(len(vectors)) // VIEWS).mean())


def test_partners_are_the_same_object_in_other_images(gallery):
    pairs = found(gallery)
    assert len(pairs.anchors) > OBJECTS and (pairs.anchors % 2 == 0).all()  # nothing else recurs
    anchor, column = np.nonzero(pairs.partners != NONE)
    own, partner = pairs.anchors[anchor] // 2, pairs.partners[anchor, column] // 2
    assert (pairs.partners[anchor, column] % 2 == 0).all()  # the region with the object
    assert (own // VIEWS == partner // VIEWS).all() and (own != partner).all()
    assert (pairs.near[:, 0] == pairs.anchors // 2).all()
    assert all(len(set(row)) == len(row) for row in pairs.near.tolist())


def test_a_partner_overlaps_with_the_place_that_was_found(gallery):
    elsewhere = Gallery(gallery.vectors, gallery.images, [OBJECT, Box(0, 0, 20, 20)] * len(gallery.keypoints), [])
    elsewhere.boxes[2] = Box(300, 200, 400, 300)  # of image 1: no box is where the object is
    elsewhere.keypoints = gallery.keypoints
    pairs = found(elsewhere)
    assert 0 in pairs.anchors and not (pairs.partners // 2 == 1)[pairs.partners != NONE].any()


def test_refining_learns_which_directions_tell_objects_apart(gallery):
    whitening = refined(gallery)
    assert whitening.kind == "contrastive" and np.array_equal(whitening.mean, START.mean)
    loudness = np.linalg.norm(whitening.projection, axis=1)
    assert loudness[: CHANNELS // 2].mean() > loudness[CHANNELS // 2 :].mean()
    rng = np.random.default_rng(7)  # objects that were not in the gallery
    unseen = (rng.normal(size=(OBJECTS * VIEWS, CHANNELS)) * 1.3).astype(np.float32)
    unseen[:, : CHANNELS // 2] = np.repeat(rng.normal(size=(OBJECTS, CHANNELS // 2)), VIEWS, axis=0)
    assert nearest_is_right(whitening, unseen) > nearest_is_right(START, unseen)


def test_without_keypoints_the_whitening_is_unchanged(gallery):
    none = Keypoints(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8))
    bare = Gallery(gallery.vectors, gallery.images, gallery.boxes, [none] * len(gallery.keypoints))
    assert refined(bare) is START


@pytest.mark.parametrize("kind", ["pca", "centre", "identity", "finetuned"])
def test_only_mined_whitening_is_refined(gallery, kind):
    other = Whitening(kind, START.mean, START.projection)
    assert refined(gallery, other) is other


def test_a_gallery_in_which_too_little_recurs_keeps_its_whitening(gallery, monkeypatch):
    monkeypatch.setattr(contrastive, "MIN_ANCHORS", len(found(gallery).anchors) + 1)
    assert refined(gallery) is START


def test_r74_refining_does_not_depend_on_the_number_of_cpus(gallery, monkeypatch):
    learned = []
    for count in (1, 3):
        monkeypatch.setattr(blas_threads, "cpu_count", lambda count=count: count)
        monkeypatch.setattr("retrieval.ranking.verification.THREADS", count)
        with one_blas_thread():
            learned.append(refined(gallery).projection)
    assert np.array_equal(*learned)


def test_the_number_of_anchors_is_bounded(gallery, monkeypatch):
    monkeypatch.setattr(verified_pairs, "MAX_ANCHORS", 9)
    assert 0 < len(found(gallery).anchors) <= 9


def test_a_single_pair_can_be_learned(gallery):
    """In most steps neither of the two is drawn."""
    pairs = VerifiedPairs(np.array([0]), np.array([[2] + 14 * [NONE]]), np.array([[0, 1]]))
    mixing = learn_mixing(unit(gallery.vectors), gallery.images, pairs)
    assert np.isfinite(mixing).all() and mixing.shape == (CHANNELS, CHANNELS)


def test_the_gradient_agrees_with_differences():
    rng = np.random.default_rng(3)
    anchors, others = (unit(rng.normal(size=(count, 4))).astype(np.float64) for count in (5, 6))
    same = rng.uniform(size=(5, 6)) < 0.3
    different = ~same & (rng.uniform(size=(5, 6)) < 0.8)
    same[2] = different[4] = False  # an anchor without partners, and one without negatives
    mixing = np.eye(4) + rng.normal(size=(4, 4)) * 0.2
    _, slope = loss_gradient(anchors, others, same, different, mixing)
    for row, column in np.ndindex(4, 4):
        step = np.zeros((4, 4))
        step[row, column] = 1e-5
        ahead, behind = (loss_gradient(anchors, others, same, different, mixing + d)[0] for d in (step, -step))
        assert slope[row, column] == pytest.approx((ahead - behind) / 2e-5, rel=1e-3, abs=1e-4)
