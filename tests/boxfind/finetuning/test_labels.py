"""Label tables: reading, validation and the held-out split."""

import pytest

from boxfind.finetuning.labels import Labelled, read_labels, split_labels
from retrieval.errors import BadTable
from retrieval.types import Box

GALLERY = {f"{object_}{number}.png" for object_ in "abcdefgh" for number in range(3)}
ROWS = [f"{name},{name[0]}" for name in sorted(GALLERY)]


def table(folder, rows, header="image,label"):
    (folder / "labels.csv").write_text("\n".join([header, *rows]) + "\n")
    return folder / "labels.csv"


def test_labels_with_and_without_boxes(tmp_path):
    boxed = [row + (",1,2,30,40" if row.startswith("a0") else ",,,,") for row in ROWS]
    rows = read_labels(table(tmp_path, boxed, "image,label,x,y,w,h"), GALLERY)
    assert rows[0] == Labelled("a0.png", "a", Box(1, 2, 31, 42))
    assert rows[1] == Labelled("a1.png", "a", None) and len(rows) == 24
    plain = read_labels(table(tmp_path, ROWS), GALLERY)
    assert [row.image for row in plain] == [row.image for row in rows] and not any(row.box for row in plain)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (ROWS[:21], "7 labels, too few"),
        (ROWS[:22], "only one picture of h"),
        ([*ROWS, "z9.png,a"], "line 26: z9.png is not in the gallery"),
        ([*ROWS, ",a"], "line 26: image and label"),
        ([*ROWS, "a0.png,"], "line 26: image and label"),
        ([*ROWS, "a0.png,a"], "line 26: a0.png already has this label"),
        ([*ROWS, "b0.png,a,1,2,wide,4"], "line 26: x, y, w and h must be numbers"),
        ([*ROWS, "b0.png,a,1,2,3"], "line 26: x, y, w and h must be numbers"),
        ([*ROWS, "b0.png,a,1,2,nan,4"], "line 26: x, y, w and h must be numbers"),
        ([*ROWS, "b0.png,a,1,2,0,4"], "line 26: w and h must be greater than 0"),
    ],
)
def test_a_bad_row_is_refused_with_its_line(tmp_path, rows, words):
    with pytest.raises(BadTable, match=words):
        read_labels(table(tmp_path, rows, "image,label,x,y,w,h"), GALLERY)


def test_a_missing_table_or_column_is_refused(tmp_path):
    with pytest.raises(BadTable, match="cannot be read"):
        read_labels(tmp_path / "none.csv", GALLERY)
    with pytest.raises(BadTable, match="no column label"):
        read_labels(table(tmp_path, ROWS, "image,object"), GALLERY)


def test_training_and_held_out_labels_are_disjoint():
    labels = [f"object {number}" for number in range(40)]
    train, held_out = split_labels(labels * 2)
    assert sorted(train + held_out) == sorted(labels) and len(held_out) == 10
    assert (train, held_out) == split_labels(labels[::-1]) != split_labels(labels, seed=1)
