"""Assert that two indexes have the same contents."""

import numpy as np

from index.gallery import Gallery


def assert_same_index(one: Gallery, other: Gallery) -> None:
    """Compare all tables, vectors, neighbours, thumbnails and keypoints."""
    assert one.tables.ids == other.tables.ids
    assert np.array_equal(one.tables.boxes, other.tables.boxes) and one.tables.kinds == other.tables.kinds
    assert np.array_equal(one.tables.scores, other.tables.scores) and one.tables.labels == other.tables.labels
    for name in ("vectors.npy", "classes.npy", "shares.npy", "neighbours.npz", "whitening.npz"):
        assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes(), name
    assert one.background == other.background
    facts = ("width", "height", "bytes", "mtime", "sha256", "path")
    for number, image in enumerate(one.tables.ids):
        assert [getattr(one.entry(image), fact) for fact in facts] == [getattr(other.entry(image), f) for f in facts]
        assert one.thumbnail(image) == other.thumbnail(image)
        mine, theirs = one.keypoints(number)[0], other.keypoints(number)[0]
        assert np.array_equal(mine.points, theirs.points) and np.array_equal(mine.descriptors, theirs.descriptors)
