"""A head learns to suppress noise channels in synthetic vectors."""

import numpy as np
import pytest

from boxfind.finetuning.examples import NONE, labelled_examples, mined_examples
from boxfind.finetuning.features import RawRegions, best_regions
from boxfind.finetuning.finetune import finetune, learn_and_measure, measure
from boxfind.finetuning.labels import Labelled, split_labels
from boxfind.finetuning.region_selection import choose_regions
from retrieval.descriptors.whitening import Whitening
from retrieval.errors import RuntimeMissing
from retrieval.optional_packages import OptionalPackage
from retrieval.types import Box, unit

OBJECTS, PICTURES, REGIONS, CHANNELS = 24, 6, 4, 32
START = Whitening("centre", np.zeros(CHANNELS, np.float32), np.eye(CHANNELS, dtype=np.float32))


def silent(*_: object) -> None:
    pass


@pytest.fixture(scope="module")
def raw() -> RawRegions:
    """Region 1 of each picture has its object in the first half of the channels, and noise in the second."""
    rng = np.random.default_rng(0)
    objects = np.repeat(rng.normal(size=(OBJECTS, CHANNELS // 2)), PICTURES, axis=0)
    vectors = rng.normal(size=(OBJECTS * PICTURES, REGIONS, CHANNELS))
    vectors[:, 1, : CHANNELS // 2] = objects + 0.3 * rng.normal(size=objects.shape)
    names = [f"{object_:02d}-{picture}.png" for object_ in range(OBJECTS) for picture in range(PICTURES)]
    boxes = [Box(20 * place, 0, 20 * place + 20, 20) for place in range(REGIONS)] * len(names)
    images = np.repeat(np.arange(len(names)), REGIONS)
    return RawRegions(names, boxes, images, vectors.reshape(-1, CHANNELS).astype(np.float16))


@pytest.fixture(scope="module")
def descriptors(raw):
    return unit(raw.projected(START))


@pytest.fixture(scope="module")
def labelled(raw) -> list[Labelled]:
    return [Labelled(name, name[:2], None) for name in raw.names]


def test_training_improves_results_on_held_out_objects(raw, labelled):
    head, before, after = learn_and_measure(raw, labelled, split_labels([row.label for row in labelled]), START, silent)
    assert after.average_precision > before.average_precision + 0.02
    assert head.kind == "finetuned" and np.array_equal(head.mean, START.mean)
    loudness = np.linalg.norm(head.projection, axis=1)
    assert loudness[: CHANNELS // 2].mean() > loudness[CHANNELS // 2 :].mean()


def test_held_out_labels_do_not_affect_the_head(raw, labelled, monkeypatch):
    monkeypatch.setattr("boxfind.finetuning.training.STEPS", 10)
    split = split_labels([row.label for row in labelled])

    def learned(changed):
        """Train the head with the pictures of these labels relabelled as the first of them."""
        rows = [Labelled(row.image, changed[0] if row.label in changed else row.label, None) for row in labelled]
        return learn_and_measure(raw, rows, split, START, silent)[0].projection

    train, held_out = split
    head = learned(held_out[:1])
    assert np.array_equal(head, learned(held_out))
    assert not np.array_equal(head, learned(train[:2]))


def test_without_a_box_the_recurring_region_is_chosen(raw, labelled, descriptors):
    shown = choose_regions(labelled, raw, descriptors)
    assert len(shown.rows) == len(raw.names) and (shown.rows // REGIONS == shown.images).all()
    assert (shown.rows % REGIONS == 1).mean() > 0.9


def test_the_region_that_overlaps_the_labelled_box_is_chosen(raw, labelled, descriptors):
    boxed = [Labelled(row.image, row.label, Box(41, 1, 58, 19)) for row in labelled]
    assert (choose_regions(boxed, raw, descriptors).rows % REGIONS == 2).all()


def test_best_regions_agrees_with_a_loop(raw, descriptors):
    rows, scores = best_regions(descriptors[:5], raw, descriptors, np.array([3, 0]))
    for asking in range(5):
        for place, image in enumerate((3, 0)):
            similar = descriptors[raw.images == image] @ descriptors[asking]
            assert rows[asking, place] == image * REGIONS + similar.argmax()
            assert scores[asking, place] == pytest.approx(similar.max(), abs=1e-6)


def test_labelled_positives_are_other_pictures_of_the_object(raw, labelled, descriptors):
    examples = labelled_examples(choose_regions(labelled, raw, descriptors), raw, descriptors)
    for anchor, positives, doubtful in zip(examples.anchors, examples.positives, examples.doubtful, strict=True):
        pictures = raw.images[positives[positives != NONE]]
        assert raw.images[anchor] not in pictures and len(set(pictures)) == PICTURES - 1
        assert set(doubtful) == {*pictures, raw.images[anchor]}
        assert {picture // PICTURES for picture in doubtful} == {raw.images[anchor] // PICTURES}


def test_mined_positives_are_other_pictures_and_often_of_the_object(raw, descriptors):
    examples = mined_examples(raw, descriptors, silent)
    assert len(examples.anchors) > OBJECTS
    anchor, place = np.nonzero(examples.positives != NONE)
    own = raw.images[examples.anchors[anchor]]
    found = raw.images[examples.positives[anchor, place]]
    assert (own != found).all() and (own // PICTURES == found // PICTURES).mean() > 0.2  # by chance 0.035
    assert (examples.doubtful[:, 0] == raw.images[examples.anchors]).all()


def test_perfect_descriptors_measure_perfectly(raw, labelled, descriptors):
    shown = choose_regions(labelled, raw, descriptors)
    told = np.zeros((len(raw.images), OBJECTS), np.float32)
    told[np.arange(len(told)), raw.images // PICTURES] = 1
    assert measure(shown, raw, told).average_precision == 1
    assert measure(shown, raw, descriptors).average_precision < 0.99


def test_a_missing_library_is_named(monkeypatch, tmp_path):
    gone = OptionalPackage("pytorch-metric-learning", "no_such_module", "finetune")
    monkeypatch.setattr("boxfind.finetuning.finetune.METRIC_LEARNING", gone)
    with pytest.raises(RuntimeMissing, match="pytorch-metric-learning"):
        finetune(tmp_path / "labels.csv", tmp_path, tmp_path / "head", None, None, 1, silent)
