"""Query folders: valid queries are read, and every invalid file or line is reported without affecting the others."""

import os
from pathlib import Path

import pytest

from boxfind.evaluation.query_folder import read_query_folder
from retrieval.errors import BadDataset
from retrieval.types import Box


@pytest.fixture
def folder(tmp_path: Path):
    """Make a folder of files with the given contents; pictures are never opened."""

    def made(**files: str | bytes) -> Path:
        for name, content in files.items():
            file = tmp_path / name.replace("__", " ").replace("_", ".")
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path

    return made


@pytest.mark.parametrize(
    "text",
    ["10 20 200 150", "10,20,200,150", "10\t20\t200\t150", " 10, 20 ,\t200  150 \r\n\r\n", "\ufeff10 20 200 150\n"],
)
def test_numbers_with_anything_between(folder, text: str):
    (query,), problems = read_query_folder(folder(cup_jpg="", cup_txt=text))
    assert (query.name, query.image.name, query.box) == ("cup", "cup.jpg", Box(10, 20, 210, 170))
    assert problems == []


def test_parts_of_a_pixel_are_rounded(folder):
    (query,), _ = read_query_folder(folder(cup_jpg="", cup_txt="9.6 20.4 1.995e2 150.0"))
    assert query.box == Box.from_xywh(10, 20, 200, 150)


def test_several_lines_are_several_queries_with_numbers(folder):
    queries, problems = read_query_folder(folder(cup_jpg="", cup_TXT="1 2 30 40\n\n5 6 70 80\n", pen_PNG=""))
    assert [(query.name, query.box) for query in queries] == [
        ("cup-1", Box(1, 2, 31, 42)),
        ("cup-2", Box(5, 6, 75, 86)),
        ("pen", None),
    ]
    assert problems == []


@pytest.mark.parametrize(
    "line", ["1 2 3", "1 2 3 4 5", "a b c d", "nan 1 2 3", "inf 1 2 3", "1 2 0 9", "1 2 9 -4", "1;2;3;4"]
)
def test_an_invalid_line_does_not_affect_the_others(folder, line: str):
    queries, problems = read_query_folder(folder(cup_jpg="", cup_txt=f"1 2 30 40\n{line}\n5 6 70 80"))
    assert [query.name for query in queries] == ["cup-1", "cup-3"]
    (problem,) = problems
    assert problem.startswith(f"cup.txt, line 2: {line} is not a box") and problem.endswith(".")


def test_every_invalid_file_is_reported(folder):
    place = folder(
        cup_jpg="", cup_txt=" \n", pen_png="", pen_txt=b"\xff\xfe\0", vase_txt="1 2 3 4", fine_gif="", notes_md=""
    )
    (place / "below").mkdir()
    (place / ".hidden.jpg").touch()
    queries, problems = read_query_folder(place)
    assert [query.name for query in queries] == ["fine"]
    assert [problem.split()[0] for problem in problems] == ["cup.txt", "pen.txt,", "vase.txt"]
    assert all(problem.count("\n") == 0 and problem.endswith(".") for problem in problems)


def test_two_queries_of_the_same_name_are_reported(folder):
    queries, problems = read_query_folder(
        folder(cup_jpg="", cup_png="", **{"pen-1_jpg": "", "pen_png": "", "pen_txt": "1 2 3 4\n1 2 3 4"})
    )
    assert [query.name for query in queries] == ["cup", "pen-1", "pen-2"]
    assert problems == [
        "cup.png: cup.jpg has a query of the same name; rename one of them.",
        "pen.png: pen-1.jpg has a query of the same name; rename one of them.",
    ]


def test_a_name_that_is_not_utf8_is_replaced(tmp_path: Path):
    (tmp_path / os.fsdecode(b"\xff cup.jpg")).touch()
    (query,), _ = read_query_folder(tmp_path)
    assert query.name == "\ufffd cup" and query.image.exists()


def test_a_text_that_is_a_pipe_is_not_waited_for(folder):
    place = folder(cup_jpg="")
    os.mkfifo(place / "cup.txt")
    queries, problems = read_query_folder(place)
    assert queries == [] and problems == ["cup.txt is not a file."]


def test_a_folder_without_pictures_is_refused(folder, tmp_path: Path):
    with pytest.raises(BadDataset, match="contains no pictures"):
        read_query_folder(folder(cup_txt="1 2 3 4"))
    with pytest.raises(BadDataset, match="cannot be opened"):
        read_query_folder(tmp_path / "gone")
