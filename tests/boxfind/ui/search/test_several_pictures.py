"""Files that hold several pictures: their tiles and dialog, and queries of one of their pictures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from boxfind.engine import Engine
from boxfind.settings import Settings
from boxfind.ui.search.kept_pictures import kept_pictures
from boxfind.ui.search.search_state import SearchState
from boxfind.ui.session import Picture
from boxfind.ui.upload_limits import UPLOAD_MB
from boxfind.uploads import Upload
from boxfind.visitor_pictures import VisitorPictures
from retrieval.errors import UnreadableImage
from retrieval.images.file_kinds import PACKAGES, unread_sentence
from retrieval.images.limits import SOURCE_SUFFIXES
from retrieval.optional_packages import OptionalPackage
from retrieval.types import Box
from tests.boxfind.ui.reading import (
    APP,
    HEIGHT,
    WIDTH,
    address_after,
    alts,
    calm,
    draw,
    on_canvas,
    pick,
    press,
    shown_name,
    texts,
    tiles_of,
    view_of,
)
from tests.documents import archive, encoded, paged
from tests.films import film

WHOLE = Box(0, 0, WIDTH, HEIGHT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, draw: Any) -> Path:
    made = tmp_path_factory.mktemp("files")
    one, two, three, four = (draw(seed, WIDTH, HEIGHT) for seed in range(4))
    (made / "book.pdf").write_bytes(paged([one, two, three], "PDF", quality=95))
    (made / "clip.mp4").write_bytes(film([one, four], seconds=2))
    (made / "scan.tif").write_bytes(paged([two, four], "TIFF"))
    (made / "photo.png").write_bytes(encoded(three, "PNG"))
    return made


@pytest.fixture(scope="module")
def files_index(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("index")
    Engine(Settings.load(gallery=folder, index=made)).builds.build(lambda *_: None)
    return made


@pytest.fixture
def files(app: AppTest, folder: Path, files_index: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The app with a gallery of such files."""
    monkeypatch.setenv("BOXFIND_GALLERY", str(folder))
    monkeypatch.setenv("BOXFIND_INDEX", str(files_index))
    return app


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    kept_pictures.cache_clear()
    yield
    kept_pictures.cache_clear()


def give(app: AppTest, name: str, data: bytes) -> None:
    """Upload a file."""
    app.file_uploader[0].set_value((name, data, "application/octet-stream")).run()


def test_the_pictures_of_a_file_are_one_tile_with_buttons(files: AppTest, folder: Path) -> None:
    state = SearchState()
    state.show(Picture("photo.png", (folder / "photo.png").read_bytes()), [WHOLE])
    files.session_state["search"] = state
    files.run()
    assert calm(files)
    tiles = tiles_of(files, "results")
    assert {tile.name for tile in tiles} >= {f"book.pdf#page={number}" for number in (1, 2, 3)}
    for section in {tile.section for tile in tiles}:
        for file, also in (("book.pdf", "on page"), ("clip.mp4", "at"), ("scan.tif", "on page")):
            places = [n for n, tile in enumerate(tiles) if tile.section == section and tile.name.startswith(file)]
            assert places == list(range(places[0], places[0] + len(places))) if places else True
            ranks = [int(tiles[place].title.split()[0]) for place in places]
            assert ranks == sorted(ranks)
            stacked = [tiles[place] for place in places] if len(places) > 1 else []
            assert len({tile.source for tile in stacked}) <= 1 and all(tile.source for tile in stacked)
            assert all(tile.place and (tile.also[0] == f"also {also}") == (not section) for tile in stacked)
    assert any(tile.source for tile in tiles)
    titles = [tile.title for tile in tiles]
    assert any(title.endswith("book.pdf, page 3") for title in titles)
    assert any(title.endswith("scan.tif, page 1") for title in titles)
    assert any("clip.mp4, at 0:0" in title for title in titles)
    assert {tile.name for tile in tiles if tile.name == "photo.png" and not tile.source}


def test_the_dialog_says_the_page_and_opens_the_document(files: AppTest, folder: Path) -> None:
    state = SearchState()
    state.show(Picture("photo.png", (folder / "photo.png").read_bytes()), [WHOLE])
    files.session_state["search"] = state
    files.session_state["file menu"] = True
    files.run()
    pick(files, "results", "open", "book.pdf#page=3")
    assert calm(files)
    assert "book.pdf, page 3" in texts(files, "markdown").replace("\\", "")
    assert "book.pdf, page 3" in view_of(files)["alt"]
    (link,) = [link.proto for link in files.get("link_button")]
    assert "page 3" in link.label and "/source/show/" in link.url and link.url.endswith("book.pdf%23page%3D3#page=3")
    assert "page 3 of a file" in texts(files, "caption").replace("\\", "")
    assert not [toggle for toggle in files.toggle if toggle.label.startswith("Play")]


def test_a_film_plays_from_its_moment_in_the_dialog(files: AppTest, folder: Path) -> None:
    state = SearchState()
    state.show(Picture("photo.png", (folder / "photo.png").read_bytes()), [WHOLE])
    files.session_state["search"] = state
    files.run()
    name = max(tile.name for tile in tiles_of(files, "results") if tile.name.startswith("clip.mp4"))
    files.session_state["play film"] = True
    pick(files, "results", "open", name)
    assert calm(files)
    (player,) = files.get("video")
    assert player.proto.start_time == int(float(name.partition("t=")[2])) > 0
    assert "/source/show/" in player.proto.url and "clip.mp4%23t%3D" in player.proto.url
    assert any(toggle.label.startswith("Play from 0:0") for toggle in files.toggle)


def test_the_gallery_says_pages_and_moments(files: AppTest) -> None:
    files.run()
    files.switch_page("pages/gallery.py").run()
    titles = {tile.title for tile in tiles_of(files, "gallery")}
    assert titles >= {"book.pdf, page 1", "scan.tif, page 1", "scan.tif, page 2", "photo.png"}
    pick(files, "gallery", "open", "scan.tif#page=2")
    assert "scan.tif, page 2" in texts(files, "markdown").replace("\\", "")
    pick(files, "gallery", "object", "book.pdf#page=2")
    assert calm(files) and "book.pdf, page 2" in texts(files, "caption").replace("\\", "")


def test_a_page_of_a_document_is_the_query(files: AppTest, folder: Path) -> None:
    files.run()
    give(files, "mine.pdf", (folder / "book.pdf").read_bytes())
    assert calm(files)
    assert shown_name(files) == "mine.pdf#page=1" and "mine.pdf, page 1" in texts(files, "caption").replace("\\", "")
    (field,) = [field for field in files.number_input if field.label.startswith("Page")]
    assert (field.label, field.min, field.max, field.value) == ("Page (of 3)", 1, 3, 1)
    before = on_canvas(files)["picture"]
    field.set_value(3).run()
    assert calm(files) and shown_name(files) == "mine.pdf#page=3" and on_canvas(files)["picture"] != before
    press(files, "Whole picture")
    assert alts(files)[0].startswith("Rank 1: book.pdf, page 3, likely")


def test_a_moment_of_a_film_is_the_query(files: AppTest, folder: Path) -> None:
    files.run()
    give(files, "mine.mp4", (folder / "clip.mp4").read_bytes())
    assert calm(files) and shown_name(files) == "mine.mp4#t=0.00"
    (slider,) = files.select_slider[:1]
    assert slider.label == "Moment (of 0:04)"
    slider.set_value(3.0).run()
    assert calm(files) and shown_name(files) == "mine.mp4#t=3.00"
    press(files, "0.1 seconds on")
    assert shown_name(files) == "mine.mp4#t=3.10"
    assert "mine.mp4, at 0:03.10" in texts(files, "caption").replace("\\", "")
    press(files, "Previous key frame")
    assert float(shown_name(files).partition("t=")[2]) < 3.1
    disabled = {button.label: button.disabled for button in files.button}
    assert calm(files) and disabled["0.1 seconds back"] == (shown_name(files) == "mine.mp4#t=0.00")


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "CBZ"])
def test_other_files_with_several_pictures_can_be_queries(files: AppTest, draw: Any, kind: str) -> None:
    images = [draw(seed, WIDTH, HEIGHT) for seed in (0, 3)]
    if kind == "CBZ":
        data = archive({f"{n}.png": encoded(image, "PNG") for n, image in enumerate(images)})
    else:
        data = paged(images, kind)
    files.run()
    give(files, f"mine.{kind.lower()}", data)
    assert calm(files)
    if kind == "GIF":
        assert shown_name(files) == "mine.gif#frame=1"
        (slider,) = files.select_slider[:1]
        assert slider.label == "Picture 1 of 2"
        slider.set_value("frame=2").run()
        assert shown_name(files) == "mine.gif#frame=2"
    else:
        (field,) = [field for field in files.number_input if field.label.startswith("Page")]
        field.set_value(2).run()
        assert shown_name(files) == f"mine.{kind.lower()}#page=2"
    assert calm(files) and on_canvas(files)["size"] == [WIDTH, HEIGHT]


def test_a_file_with_one_picture_has_nothing_to_choose(files: AppTest, draw: Any) -> None:
    files.run()
    give(files, "one.pdf", paged([draw(0, WIDTH, HEIGHT)], "PDF"))
    assert calm(files) and shown_name(files) == "one.pdf#page=1"
    assert not [field for field in files.number_input if field.label.startswith("Page")]
    give(files, "one.png", encoded(draw(0, WIDTH, HEIGHT), "PNG"))
    assert shown_name(files) == "one.png" and calm(files)


def test_the_address_keeps_the_chosen_page(files: AppTest, folder: Path) -> None:
    files.run()
    give(files, "mine.pdf", (folder / "book.pdf").read_bytes())
    next(field for field in files.number_input if field.label.startswith("Page")).set_value(2).run()
    draw(files, Box(100, 100, 900, 700))
    other = AppTest.from_file(str(APP), default_timeout=60)
    other.query_params = dict(address_after(files))
    other.run()
    assert calm(other) and shown_name(other) == "mine.pdf#page=2"
    (field,) = [field for field in other.number_input if field.label.startswith("Page")]
    assert field.value == 2 and alts(other) == alts(files)
    field.set_value(3).run()
    assert shown_name(other) == "mine.pdf#page=3"


def test_a_file_that_cannot_be_read_leaves_the_search_and_says_why(
    files: AppTest, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.run()
    give(files, "photo.png", (folder / "photo.png").read_bytes())
    give(files, "empty.zip", archive({"notes.txt": b"x"}))
    assert "empty.zip is an archive without pictures" in texts(files, "error").replace("\\", "")
    assert shown_name(files) == "photo.png" and not files.exception
    assert not texts(files.run(), "error")
    monkeypatch.setattr(VisitorPictures, "open_upload", without_av)
    give(files, "mine.mp4", (folder / "clip.mp4").read_bytes())
    assert "mine.mp4 is a video, which needs the package av" in texts(files, "error").replace("\\", "")


def without_av(_: VisitorPictures, data: bytes, name: str, client: str = "") -> Upload:
    raise UnreadableImage("format", unread_sentence(name, "video"))


def test_uploads_take_every_kind_that_a_collection_does(files: AppTest) -> None:
    files.run()
    told = files.file_uploader[0].proto
    assert set(told.type) >= set(SOURCE_SUFFIXES) and told.max_upload_size_mb == UPLOAD_MB
    assert "PDF files and archives up to 500 MB" in told.help


def skipped_page() -> None:  # AppTest runs only the source of this function
    from boxfind.ui.index_facts import _table
    from index.storage.folder_scan import Skipped

    _table(
        [
            Skipped("book.zip#page=3", "damaged", "Page 3 of book.zip is damaged.", place="page=3"),
            Skipped("trip.mp4", "format", "trip.mp4 is a video."),
        ]
    )


def test_skipped_pages_are_shown_with_their_page_and_missing_packages_by_their_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(PACKAGES, "video", OptionalPackage("av", "no_such_module", "video"))
    monkeypatch.setattr("boxfind.ui.index_facts.is_admin", lambda: True)
    page = AppTest.from_function(skipped_page, default_timeout=20).run()
    assert not page.exception
    assert list(page.dataframe[0].value["File"]) == ["book.zip, page 3", "trip.mp4"]
    assert "1 file needs the package av" in texts(page, "info").replace("\\", "")
    monkeypatch.setattr("boxfind.ui.index_facts.is_admin", lambda: False)
    assert not page.run().info
