"""Lines that were read are kept by the contents of pictures, and found by their words."""

import sqlite3

import numpy as np
import pytest

from index.storage import written_text as module
from index.storage.picture_contents import PictureContents
from index.storage.written_search import find_written
from index.storage.written_text import FILE, WrittenText
from retrieval.types import Box, WrittenLine

TEXTS = {
    1: ["7-ELEVEN"],
    2: ["ELEVEN"],
    3: ["Diet Coke", "330 ml"],
    4: ["DIETCOKE"],
    5: ["DOUBLEMINT", "Wrigley's"],
    6: ["Café Crème"],
    7: ["白加黑", "氨酚伪麻美芬片"],
    8: ["강남구청역"],
    9: ["AB12 CDE"],
    10: ["12345"],
    11: ["the cat and the dog"],
    12: [],
}


def line(text: str) -> WrittenLine:
    return WrittenLine(text, Box(len(text), 2, 30, 40), 0.87)


@pytest.fixture
def text(tmp_path) -> WrittenText:
    """Pictures whose contents are their numbers."""
    text = WrittenText(tmp_path)
    text.add({number: list(map(line, lines)) for number, lines in TEXTS.items()})
    return text


def find(text: WrittenText, *sought: str, images=range(100), most: int = 100) -> dict[int, list[float]]:
    numbers = np.arange(100)
    found = find_written(
        sought, text, PictureContents(numbers, numbers), lambda some: np.isin(some, list(images)), most
    )
    return {image: [round(match.score, 2) for match in matches] for image, matches in found.items()}


@pytest.mark.parametrize(
    ("sought", "found"),
    [
        ("7-Eleven", {1: [1.0], 2: [0.83]}),
        ("7eleven", {1: [1.0], 2: [0.86]}),
        ("eleven", {1: [1.0], 2: [1.0]}),
        ("elevem", {1: [0.83], 2: [0.83]}),
        ("coke", {3: [1.0], 4: [0.75]}),
        ("diet coke", {3: [1.0], 4: [1.0]}),
        ("double mint", {5: [1.0]}),
        ("doublmint", {5: [0.89]}),
        ("wrigley's", {5: [1.0]}),
        ("CAFE creme", {6: [1.0]}),
        ("加黑", {7: [1.0]}),
        ("氨酚伪麻美分片", {7: [0.86]}),
        ("강남구", {8: [1.0]}),
        ("ab12cde", {9: [1.0]}),
        ("12346", {}),
        ("ml", {3: [1.0]}),
        ("the dog", {11: [1.0]}),
        ("dog the", {11: [0.97]}),
        ("nothing", {}),
        ("", {}),
        ('" OR *', {}),
    ],
)
def test_what_is_found(text, sought, found):
    assert find(text, sought) == found


def test_more_and_rarer_texts_come_first(text):
    assert list(find(text, "eleven", "coke", "330")) == [3, 1, 2, 4]
    assert find(text, "eleven", "coke", "330")[3] == [1.0, 1.0]


def test_a_text_over_lines_near_each_other_comes_after_one_line_and_before_similar_ones(text):
    above, below, far = Box(10, 10, 60, 30), Box(15, 34, 70, 54), Box(15, 300, 70, 320)
    pairs = {
        50: ("GRAND", below, "HOTEL", above),
        51: ("GRAND", above, "HOTEL", far),
        52: ("GRAND", above, "HOT", below),
    }
    text.add({n: [WrittenLine(a, x, 0.9), WrittenLine(b, y, 0.8)] for n, (a, x, b, y) in pairs.items()})
    text.add({53: [line("Hotel, not grand")], 54: [line("Grand Hostel")], 55: [line("Grand Hotel")]})
    assert find(text, "grand hotel") == {55: [1.0], 53: [0.97], 50: [0.96], 54: [0.87]}
    numbers = np.arange(100)
    found = find_written(["Grand Hotel"], text, PictureContents(numbers, numbers), lambda some: some == 50, 9)
    assert found[50][0].line == WrittenLine("GRAND / HOTEL", Box(10, 10, 70, 54), 0.8)


def test_more_pictures_are_looked_up_until_enough_are_searched(text):
    text.add({number: [line("Exit")] for number in range(20, 90)})
    assert find(text, "exit", images=[85, 21, 87, 60], most=3) == {21: [1.0], 60: [1.0], 85: [1.0]}
    assert list(find(text, "exit", most=70)) == list(range(20, 90))


def test_only_searched_pictures_are_found(text):
    assert find(text, "eleven", images=[2, 3]) == {2: [1.0]}
    assert find(text, "eleven", most=1) == {1: [1.0]}


def test_copies_of_a_picture_are_all_found(text):
    pictures = PictureContents(np.array([1, 3, 3, 99]), np.array([7, 0, 5, 6]))
    found = find_written(["coke"], text, pictures, lambda some: np.ones(len(some), bool), 100)
    assert {image: matches[0].line for image, matches in found.items()} == dict.fromkeys([0, 5], line("Diet Coke"))


def test_lines_are_kept_as_they_are(text):
    assert text.lines(3) == [line("Diet Coke"), line("330 ml")]
    assert text.lines(12) == text.lines(13) == []
    assert text.contents().tolist() == list(TEXTS)


def test_a_known_picture_is_not_read_twice(text):
    text.add({3: [line("other")], 14: [line("new")]})
    assert text.lines(3)[0].text == "Diet Coke"
    assert find(text, "other") == {} and find(text, "new") == {14: [1.0]}


def test_removed_pictures_leave_nothing(text):
    text.keep_only(np.array([3, 12, 50]))
    assert text.contents().tolist() == [3, 12]
    assert find(text, "eleven") == {} and find(text, "doublmint") == {} and find(text, "coke") == {3: [1.0]}
    with text.reading() as connection:
        assert {word for (word,) in connection.execute("SELECT word FROM words")} == {
            "diet",
            "coke",
            "dietcoke",
            "330ml",
        }
        connection.execute("INSERT INTO word_parts (word_parts) VALUES ('integrity-check')")
        assert connection.execute("SELECT count(*) FROM used_words").fetchone() == (6,)
    text.add({20: [line("Eleven more")]})
    assert find(text, "eleven") == {20: [1.0]}


def test_no_more_lines_than_have_numbers(text):
    text.add({30: [line(f"word{number}") for number in range(2000)], 31: [line("after")]})
    assert len(text.lines(30)) == 1024
    assert find(text, "after") == {31: [1.0]}


def test_without_a_database_there_is_no_text(tmp_path):
    text = WrittenText(tmp_path)
    assert find(text, "eleven") == {} and text.lines(1) == [] and len(text.contents()) == 0 and text.problem() == ""
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", ["garbage", "cut", "middle"])
def test_a_damaged_database_has_no_text_and_is_made_anew(text, damage):
    data = text.file.read_bytes()
    spoilt = {
        "garbage": b"x" * 10_000,
        "cut": data[: len(data) // 3],
        "middle": data[:4096] + b"\xff" * (len(data) - 4096),
    }
    text.file.write_bytes(spoilt[damage])
    assert find(text, "eleven") == {} and text.lines(1) == []
    assert "damaged" in text.problem()
    text.add({40: [line("new")]})
    assert find(text, "new") == {40: [1.0]} and text.problem() == ""


def test_text_of_another_reader_is_read_again(text, monkeypatch):
    monkeypatch.setattr(module, "VERSION", "2, another reader")
    assert len(text.contents()) == 0 and find(text, "eleven") == {}
    text.add({40: [line("new")]})
    assert text.contents().tolist() == [40]


def test_readers_do_not_wait_for_a_writer(text):
    writer = sqlite3.connect(text.index_dir / FILE, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM pictures")
    assert find(text, "eleven") == {1: [1.0], 2: [1.0]}
    writer.execute("ROLLBACK")
    writer.close()


def test_a_folder_that_cannot_be_written_is_still_read(text, monkeypatch):
    connect = sqlite3.connect

    def read_only(address, *rest, **options):
        if "mode=rw" in str(address):
            raise sqlite3.OperationalError("unable to open database file")
        return connect(address, *rest, **options)

    monkeypatch.setattr(module.sqlite3, "connect", read_only)
    assert find(text, "eleven") == {1: [1.0], 2: [1.0]}
