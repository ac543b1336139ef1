"""Revisited Oxford and Paris are read as published, with the junk of each difficulty; no code in a pickle runs."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from boxfind.evaluation.dataset import BoxedQuery, Labels
from boxfind.evaluation.revisited_oxford_paris import read_revisited
from retrieval.errors import BadDataset
from retrieval.types import Box

NAMES = [f"all_souls_{n:06d}" for n in range(6)]
QUERIES = ["all_souls_000013", "radcliffe_camera_000007", "oriel_000001"]
ENTRIES = [
    {"easy": [0, 1], "hard": [2], "junk": [3], "bbx": [136.5, 34.1, 648.4, 955.7]},
    {"easy": [], "hard": [4], "junk": [], "bbx": [0, 0, 10, 10]},
    {"easy": [5], "hard": [], "junk": [0], "bbx": [1, 2, 3, 4]},
]


def as_arrays(entry: dict) -> dict:
    """Convert lists to NumPy arrays; an empty array has NumPy's default type."""
    return {part: np.array(values) for part, values in entry.items()}


def as_numpy_numbers(entry: dict) -> dict:
    return {
        part: [np.float64(value) if part == "bbx" else np.int64(value) for value in values]
        for part, values in entry.items()
    }


def as_rows(entry: dict) -> dict:
    return {**entry, "bbx": np.array([entry["bbx"]], dtype=np.float32)}


@pytest.fixture
def folder(tmp_path: Path):
    """Write a ground truth to tmp_path/roxford; keyword arguments override its parts."""
    folder = tmp_path / "roxford"
    (folder / "jpg").mkdir(parents=True)

    def written(protocol: int = 2, **changes: object) -> Path:
        truth = {"imlist": NAMES, "qimlist": QUERIES, "gnd": ENTRIES, **changes}
        (folder / "gnd_roxford5k.pkl").write_bytes(pickle.dumps(truth, protocol))
        return folder

    return written


def jpg(*numbers: int) -> set[str]:
    return {f"{NAMES[n]}.jpg" for n in numbers}


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("form", [dict, as_arrays, as_numpy_numbers, as_rows])
def test_the_published_lists_by_hand(folder, form, protocol):
    found = read_revisited(folder(protocol, gnd=[form(entry) for entry in ENTRIES]))
    own = {f"{query}.jpg" for query in QUERIES}
    first, second, third = QUERIES
    assert found.labels == {
        "easy": Labels(
            {first: jpg(0, 1), third: jpg(5)},
            {first: jpg(2, 3) | own, second: jpg(4) | own, third: jpg(0) | own},
        ),
        "medium": Labels(
            {first: jpg(0, 1, 2), second: jpg(4), third: jpg(5)},
            {first: jpg(3) | own, second: own, third: jpg(0) | own},
        ),
        "hard": Labels(
            {first: jpg(2), second: jpg(4)},
            {first: jpg(0, 1, 3) | own, second: own, third: jpg(0, 5) | own},
        ),
    }
    assert [query.box for query in found.queries] == [Box(136, 34, 648, 956), Box(0, 0, 10, 10), Box(1, 2, 3, 4)]


def test_queries_objects_and_protocol(folder):
    found = read_revisited(folder())
    assert found.name == "roxford" and found.gallery == folder() / "jpg" and found.boxes == {}
    assert (found.main, found.protocol) == ("medium", "revisited")
    assert found.queries[1] == BoxedQuery(QUERIES[1], folder() / "jpg" / f"{QUERIES[1]}.jpg", Box(0, 0, 10, 10))
    assert list(found.objects.values()) == ["all_souls", "radcliffe_camera", "oriel"]


def test_a_query_listed_as_a_picture_can_be_relevant(folder):
    found = read_revisited(folder(imlist=[*NAMES[:5], QUERIES[1]]))
    assert found.labels["easy"].relevant[QUERIES[2]] == {f"{QUERIES[1]}.jpg"}
    assert f"{QUERIES[1]}.jpg" not in found.labels["easy"].ignored[QUERIES[2]]


def test_labels_that_rate_no_query_are_left_out(folder):
    entries = [{**entry, "hard": []} for entry in ENTRIES]
    found = read_revisited(folder(gnd=entries))
    assert found.labels.keys() == {"easy", "medium"}
    assert found.labels["medium"].relevant.keys() == {QUERIES[0], QUERIES[2]}
    with pytest.raises(BadDataset, match="no query with a relevant picture"):
        read_revisited(folder(gnd=[{**entry, "easy": []} for entry in entries]))


class Attack:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_an_attack_is_refused_in_one_sentence_and_does_not_run(folder, tmp_path, protocol):
    trace = tmp_path / "trace"
    entries = [*ENTRIES[:2], {**ENTRIES[2], "bbx": Attack(f"touch {trace}")}]
    with pytest.raises(
        BadDataset, match=r"^\S+gnd_roxford5k\.pkl asks for posix\.system, [^.]* nothing in it was run\.$"
    ):
        read_revisited(folder(protocol, gnd=entries))
    assert not trace.exists()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"imlist": None}, "imlist must be a list of str"),
        ({"imlist": [*NAMES, 7]}, "imlist must be a list of str"),
        ({"qimlist": ("a", "b", "c")}, "qimlist must be a list of str"),
        ({"gnd": [1, 2, 3]}, "gnd must be a list of dict"),
        ({"gnd": ENTRIES[:2]}, "gnd must have one entry for each name"),
        ({"qimlist": [QUERIES[0]] * 3}, "gnd must have one entry for each name"),
        ({"imlist": [*NAMES[:5], "../../secret"]}, "../../secret is not a plain picture name"),
        ({"qimlist": [*QUERIES[:2], "/etc/passwd"]}, "/etc/passwd is not a plain picture name"),
    ],
)
def test_an_invalid_ground_truth_is_refused(folder, changes, says):
    with pytest.raises(BadDataset, match=rf"^\S+gnd_roxford5k\.pkl is not a valid ground truth: .*{says}"):
        read_revisited(folder(**changes))


@pytest.mark.parametrize(
    ("part", "value", "says"),
    [
        ("easy", [0, 6], "easy must be a list of indices into imlist, from 0 to 5"),
        ("easy", [-1], "easy must be"),
        ("hard", [1.5], "hard must be"),
        ("hard", [True], "hard must be"),
        ("junk", None, "junk must be"),
        ("junk", [[1]], "junk must be"),
        ("bbx", [1, 2, 3], "bbx must be four numbers"),
        ("bbx", [1, 2, 3, float("nan")], "bbx must be four numbers"),
        ("bbx", [1, 2, 3, 10**400], "bbx must be four numbers"),
        ("bbx", "1234", "bbx must be four numbers"),
        ("bbx", [[1, 2], [3, 4]], "bbx must be four numbers"),
    ],
)
def test_a_bad_entry_is_named(folder, part, value, says):
    with pytest.raises(BadDataset, match=rf"gnd_roxford5k\.pkl, gnd\[1\]: {says}"):
        read_revisited(folder(gnd=[ENTRIES[0], {**ENTRIES[1], part: value}, ENTRIES[2]]))


def test_a_pickle_of_another_type_is_refused(folder):
    place = folder()
    (place / "gnd_roxford5k.pkl").write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(BadDataset, match="must be a dict with imlist, qimlist and gnd"):
        read_revisited(place)


def test_exactly_one_ground_truth_file_is_required(folder):
    place = folder()
    (place / "gnd_rparis6k.pkl").touch()
    with pytest.raises(BadDataset, match=r"must contain exactly one ground truth file gnd_….pkl; found 2\."):
        read_revisited(place)
    for file in place.glob("gnd_*"):
        file.unlink()
    with pytest.raises(BadDataset, match=r"found 0\."):
        read_revisited(place)
