"""The table of collections: names, folders and index folders; what damages it; and who is first."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from boxfind.attached_indexes import attach_index
from boxfind.collection_table import CollectionsProblem, CollectionTable, UnknownCollection, UnreadableTable, index_name
from boxfind.collections_served import ServedCollections
from boxfind.engines import Engines
from boxfind.settings import Settings


@pytest.fixture
def table(tmp_path: Path) -> CollectionTable:
    return CollectionTable(tmp_path / "data")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in ("a", "b", "a/below"):
        (tmp_path / name).mkdir()
    return tmp_path


def names(table: CollectionTable) -> list[str]:
    return [collection.name for collection in table.read()]


def test_collections_are_added_renamed_put_first_and_removed(table: CollectionTable, photos: Path) -> None:
    assert table.read() == ()
    first = table.add(" Straße ", [photos / "a"], ["*.png", " "])
    assert (first.name, first.folders, first.excluded) == ("Straße", (photos / "a",), ("*.png",))
    second = table.add("b", [photos / "b"])
    renamed = table.rename("STRASSE", "Küche / 2 🫖")
    assert renamed.index == first.index and names(table) == ["Küche / 2 🫖", "b"]
    table.make_first("B")
    assert names(table) == ["b", "Küche / 2 🫖"]
    assert table.remove("b") == second and names(table) == ["Küche / 2 🫖"]
    assert (photos / "b").is_dir()
    assert table.add("b again", [photos / "b"]).index == second.index  # what was indexed is used again


def test_index_folders_are_plain_names_and_each_has_one_owner(table: CollectionTable, photos: Path) -> None:
    (photos / "Büro: *?\n").mkdir()
    folders = [[photos / "Büro: *?\n"], [photos / "a"], [photos / "b"], [photos / "a", photos / "b"]]
    made = [table.add(str(number), given) for number, given in enumerate(folders)]
    made.append(table.add("other exclusions", [photos / "a"], ["x/"]))
    places = [collection.index for collection in made]
    assert len({*places}) == 5 and all(place and place.name.replace("-", "").isalnum() for place in places)
    assert places[1] == Settings.load(gallery=photos / "a", data=photos / "data").index_dir


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "all", "DEFAULT", "Sample", "x" * 101, "\ud800"])
def test_names_are_printable_and_not_reserved(table: CollectionTable, photos: Path, name: str) -> None:
    with pytest.raises(CollectionsProblem):
        table.add(name, [photos / "a"])
    assert not table.file.exists()


def test_what_cannot_be_a_collection_is_refused(table: CollectionTable, photos: Path) -> None:
    table.add("Mine", [photos / "a"])
    for name, folders in {
        "mine": [photos / "b"],  # the name is taken
        "other": [photos / "a"],  # the folder is taken
        "none": [],
        "nested": [photos / "a", photos / "a" / "below"],
        "gone": [photos / "nowhere"],
        "null": [Path("a\0b")],
    }.items():
        with pytest.raises(CollectionsProblem):
            table.add(name, folders)
    with pytest.raises(CollectionsProblem, match="the pattern !, which is not valid"):
        table.add("bad pattern", [photos / "b"], ["!"])
    for unknown in (table.remove, table.make_first, lambda name: table.rename(name, "x")):
        with pytest.raises(UnknownCollection, match="Mine"):
            unknown("nobody")
    assert names(table) == ["Mine"]


@pytest.mark.parametrize(
    "contents",
    [
        *(b"", b"{", b"[]", b"\xff", b'{"format": 2}', b'{"collections": [{"name": "x"}]}'),
        json.dumps({"collections": [{"name": "x", "folders": ["/x"], "index": "../../other"}]}).encode(),
        json.dumps({"collections": [{"name": name, "folders": ["/x"], "index": "x"} for name in "xX"]}).encode(),
    ],
)
def test_r99_a_damaged_table_is_told_and_never_overwritten(
    table: CollectionTable, photos: Path, contents: bytes
) -> None:
    table.file.parent.mkdir()
    table.file.write_bytes(contents)
    for use in (table.read, lambda: table.add("a", [photos / "a"]), lambda: table.remove("x")):
        with pytest.raises(UnreadableTable, match="is damaged"):
            use()
    assert table.file.read_bytes() == contents


def test_r99_changes_of_several_processes_do_not_lose_each_other(table: CollectionTable, photos: Path) -> None:
    folders = [photos / f"folder {number}" for number in range(12)]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda folder: CollectionTable(photos / "data").add(folder.name, [folder]), folders))
    assert sorted(names(table)) == sorted(folder.name for folder in folders)
    assert [file.name for file in table.file.parent.iterdir() if file.suffix not in (".lock", ".json")] == []


def test_the_gallery_that_is_given_comes_first(photos: Path) -> None:
    settings = Settings.load(data=photos / "data")
    served = ServedCollections(settings)
    assert [collection.name for collection in served.all()] == ["sample"] and served.find().name == "sample"
    served.table.add("Mine", [photos / "a"], ["x/"])
    assert [collection.name for collection in served.all()] == ["Mine"] and served.find("default").name == "Mine"
    mine = served.settings_of(served.find())
    assert (mine.gallery, mine.build.ignore, mine.collection) == (photos / "a", ("x/",), "Mine")
    given = ServedCollections(settings.changed(gallery=photos / "b", milvus_alias="only_one"))
    assert [collection.name for collection in given.all()] == ["default", "Mine"]
    assert given.settings_of(given.find()).gallery == photos / "b"
    assert not given.settings_of(given.find("mine")).milvus.alias  # two collections cannot share one
    given.table.add("B", [photos / "b"])
    assert [collection.name for collection in given.all()] == ["B", "Mine"]  # it is one and the same


def test_another_folder_takes_the_place_of_one_that_has_moved(table: CollectionTable, photos: Path) -> None:
    before = table.add("Mine", [photos / "a", photos / "b"], ["x/"])
    (photos / "a").rename(photos / "new place")
    moved = table.move("mine", photos / "new place")
    assert moved.folders == (photos / "new place", photos / "b") and moved.index == before.index
    assert table.read() == (moved,) and moved.excluded == before.excluded
    (photos / "b").rename(photos / "away")  # as when both were on a drive that has another name now
    again = (photos / "new place").rename(photos / "newer place")
    assert table.move("mine", again).folders == (again, photos / "b")


def test_another_folder_at_an_old_place_gets_an_index_of_its_own(table: CollectionTable, photos: Path) -> None:
    row = table.add("Mine", [photos / "a"])
    (photos / "a").rename(photos / "moved")
    table.move("Mine", photos / "moved")
    (photos / "a").mkdir()
    given = ServedCollections(Settings.load(data=photos / "data", gallery=photos / "a"))
    assert given.settings.index_dir == row.index.with_name(f"{row.index.name}-2")
    assert [one.name for one in given.all()] == ["default", "Mine"]
    attach_index(photos / "data", photos / "c", photos / "data" / "indexes" / index_name([photos / "b"]))
    assert table.add("B", [photos / "b"]).index.name == f"{index_name([photos / 'b'])}-2"
    table.remove("B")
    attach_index(photos / "data", photos / "b", photos / "data" / "indexes" / index_name([photos / "b"]))
    assert table.add("B", [photos / "b"]).index.name == index_name([photos / "b"])


def test_only_an_index_that_is_asked_for_is_deleted(photos: Path) -> None:
    engines = Engines(Settings.load(data=photos / "data"))
    engines.collections.table.add("A", [photos / "a"])
    index = engines.get("A").settings.index_dir
    index.mkdir(parents=True)
    (index / "CURRENT").write_text("gen")
    for name in ("", "default"):
        with pytest.raises(CollectionsProblem, match="own name to remove it: A"):
            engines.remove(name, with_index=True)
    engines.remove("a")
    assert (index / "CURRENT").exists()
    engines.collections.table.add("A", [photos / "a"])
    engines.remove("a", with_index=True)
    assert not index.exists() and (photos / "a" / "below").is_dir()
    with pytest.raises(CollectionsProblem, match="sample"):
        engines.remove("sample")
