"""Search state and its history."""

from types import SimpleNamespace
from typing import Any
from weakref import WeakSet

import numpy as np
import pytest

from boxfind.searches.link import MOST_BOXES, from_params, to_params
from boxfind.ui.search import search_history, search_state
from boxfind.ui.search.search_state import KEPT, SearchState, image_of, search_from
from boxfind.ui.session import Picture
from boxfind.ui.widgets.tile_grid import Tile
from retrieval.descriptors.embedder import SMALLEST_BOX
from retrieval.errors import UnreadableImage
from retrieval.images.decode import LoadedImage
from retrieval.request import Example, Request
from retrieval.types import Box

ONE, TWO, THREE = Box(0, 0, 40, 40), Box(50, 0, 90, 40), Box(0, 50, 40, 90)
CUP, MUG = Picture("cup.jpg", b"cup"), Picture("mug.jpg", b"mug")


@pytest.fixture
def state() -> SearchState:
    found = SearchState()
    found.show(CUP)
    return found


def told(state: SearchState) -> list[tuple[str, Box, str]]:
    names = {CUP.key: "cup", MUG.key: "mug"}
    return [(names[e.picture], e.box, e.role) for e in state.request.examples]


def test_a_picture_without_a_box_is_not_in_the_list_of_searches(state: SearchState) -> None:
    assert state.request.examples == () and state.steps == []


def test_boxes_on_one_picture_are_objects_that_must_all_be_present(state: SearchState) -> None:
    state.several = True
    state.draw([ONE])
    state.draw([ONE, TWO])
    assert told(state) == [("cup", ONE, "object"), ("cup", TWO, "also")]


def test_moved_and_remaining_boxes_keep_their_roles(state: SearchState) -> None:
    state.several = True
    state.draw([ONE, TWO])
    state.change(1, "not")
    state.draw([ONE, THREE])
    assert told(state) == [("cup", ONE, "object"), ("cup", THREE, "not")]
    state.draw([ONE, TWO, THREE])
    assert told(state)[1:] == [("cup", TWO, "also"), ("cup", THREE, "not")]


def test_a_box_on_an_added_picture_is_another_view(state: SearchState) -> None:
    state.draw([ONE])
    state.joining = True
    state.show(MUG)
    assert state.several and not state.joining and state.boxes == []
    state.draw([TWO])
    assert told(state) == [("cup", ONE, "object"), ("mug", TWO, "view")]


def test_a_picture_that_is_added_again_keeps_its_boxes(state: SearchState) -> None:
    state.draw([ONE])
    for added in ([], [TWO]):
        state.joining = True
        state.show(CUP, added)
    assert told(state) == [("cup", ONE, "object"), ("cup", TWO, "also")]


def test_the_pictures_of_a_search_share_the_largest_number_of_boxes(state: SearchState) -> None:
    state.several = True
    state.draw([Box(0, 0, 20, 20 + number) for number in range(5)])
    state.joining = True
    state.show(MUG)
    assert state.room == MOST_BOXES - 5
    state.draw([Box(0, 0, 20, 20 + number) for number in range(5)])
    assert len(state.boxes) == state.room
    assert from_params(to_params(state.request)) == state.request


def test_a_new_picture_starts_a_search_with_the_same_options(state: SearchState) -> None:
    state.draw([ONE])
    state.set_options(state.request.__class__(state.request.examples, "fast", 1.2, "plants", ("a",), ("b",)))
    state.show(MUG, [TWO])
    request = state.request
    assert told(state) == [("mug", TWO, "object")]
    assert (request.ranking, request.context, request.folder, request.positives, request.negatives) == (
        ("fast", 1.2, "plants", (), ())
    )


def test_removing_the_object_makes_another_box_the_object(state: SearchState) -> None:
    state.several = True
    state.draw([ONE, TWO])
    state.change(0, None)
    assert told(state) == [("cup", TWO, "object")]


def test_turning_several_boxes_off_keeps_the_last(state: SearchState) -> None:
    state.several = True
    state.draw([ONE, TWO])
    state.set_several(False)
    assert told(state) == [("cup", TWO, "object")] and not state.several


def test_a_search_that_is_opened_again_is_listed_once(state: SearchState) -> None:
    state.draw([ONE])
    state.draw([TWO])
    state.show(MUG, [THREE])
    state.open(state.steps[1])
    assert told(state) == [("cup", TWO, "object")] and state.shown == CUP.key
    assert len(state.steps) == 3


def test_a_search_is_opened_with_another_picture_on_the_canvas(state: SearchState) -> None:
    state.draw([ONE])
    state.open(state.request, MUG.key)
    assert state.shown == MUG.key and state.several
    state.open(Request(), MUG.key)
    assert state.shown == MUG.key and not state.several


def test_marks_are_steps_and_marking_twice_removes_the_mark(state: SearchState) -> None:
    state.draw([ONE])
    state.mark("a.jpg", positive=True)
    state.mark("b.jpg", positive=False)
    assert (state.request.positives, state.request.negatives) == (("a.jpg",), ("b.jpg",))
    state.mark("a.jpg", positive=False)
    assert (state.request.positives, state.request.negatives) == ((), ("b.jpg", "a.jpg"))
    state.mark("a.jpg", positive=False)
    assert state.request.negatives == ("b.jpg",)
    assert len(state.steps) == 5
    state.remove_marks()
    assert (state.request.positives, state.request.negatives) == ((), ())


def test_a_new_box_resets_the_marks(state: SearchState) -> None:
    state.draw([ONE])
    state.mark("a.jpg", positive=True)
    state.draw([TWO])
    assert state.request.positives == ()


def test_ranking_and_padding_change_the_step_in_place(state: SearchState) -> None:
    state.draw([ONE])
    state.set_options(state.request.__class__(state.request.examples, "fast"))
    assert len(state.steps) == 1 and state.steps[0].ranking == "fast"


def test_old_pictures_are_dropped_but_not_those_of_the_current_search(state: SearchState) -> None:
    state.draw([ONE])
    for number in range(2 * KEPT):
        state.joining = True
        state.show(Picture(f"{number}.jpg", str(number).encode()))
    assert CUP.key in state.pictures and len(state.pictures) == KEPT + 2
    assert state.request.examples == (Example(CUP.key, ONE),)


@pytest.mark.parametrize("box", [Box(0, 0, 3, 40), Box(98, 30, 100, 80), Box(20, 79, 30, 80)])
def test_searching_from_a_thin_region_enlarges_the_box(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery: Any = SimpleNamespace(entry=lambda _: SimpleNamespace(width=100, height=80, sha256=""))
    state = SearchState()
    monkeypatch.setattr("boxfind.ui.session.read_original", lambda *_: b"a picture")
    monkeypatch.setattr("boxfind.ui.search.search_state.search_state", lambda: state)
    search_from(gallery, "cup.png", box)
    (wider,) = state.boxes
    assert min(wider.width, wider.height) >= SMALLEST_BOX
    assert wider == wider.clipped(100, 80)
    assert (wider.x0, wider.y0) <= (box.x0, box.y0) and wider.x1 >= box.x1 and wider.y1 >= box.y1


def test_r59_the_files_of_a_visit_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_state, "MOST_BYTES", 10)
    toasts: list[str] = []
    monkeypatch.setattr(search_state.st, "toast", lambda text, **_: toasts.append(text))
    state = SearchState()
    given = [Picture(f"{number}.jpg", bytes([number]) * 4) for number in range(4)]
    for picture in given:
        state.show(picture, [ONE])
    assert list(state.pictures) == [given[2].key, given[3].key]
    state.joining = True
    state.show(given[0], [ONE])  # in place of the unused one
    assert set(state.pictures) == {given[3].key, given[0].key} and len(state.request.examples) == 2
    state.joining = True
    state.show(given[1])
    assert len(toasts) == 1 and set(state.pictures) == {given[3].key, given[0].key} and state.shown == given[0].key


def test_r59_the_files_of_all_visits_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_state, "ALL_BYTES", 10)
    monkeypatch.setattr(search_state, "_states", WeakSet())
    small, large, new = SearchState(), SearchState(), SearchState()
    for state, size in ((small, 3), (large, 6), (new, 4)):
        state.show(Picture("cup.jpg", size * b"x"))
    assert [len(state.pictures) for state in (small, large, new)] == [1, 0, 1]
    monkeypatch.setattr(search_state, "search_state", lambda: large)
    monkeypatch.setattr(search_state, "saved_search_store", lambda: SimpleNamespace(picture=lambda key: None))
    gallery: Any = SimpleNamespace(tables=SimpleNamespace(with_contents=lambda key: None))
    with pytest.raises(UnreadableImage, match="Choose it again"):
        image_of(large.shown, gallery)


def test_r59_the_files_of_a_visit_that_has_ended_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_state, "ALL_BYTES", 10)
    monkeypatch.setattr(search_state, "_states", WeakSet())
    kept, ended = SearchState(), SearchState()
    kept.show(Picture("cup.jpg", b"123456"))
    ended.show(Picture("cup.jpg", b"1234"))
    del ended
    SearchState().show(Picture("cup.jpg", b"1234"))
    assert kept.pictures


def test_r59_a_stored_picture_is_not_kept_a_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    state = SearchState()
    monkeypatch.setattr(search_state, "search_state", lambda: state)
    monkeypatch.setattr(search_state, "saved_search_store", lambda: SimpleNamespace(picture=lambda key: b"saved"))
    monkeypatch.setattr(search_state, "decoded", lambda key, picture: picture)
    opened: Any = image_of("key", SimpleNamespace())  # type: ignore[arg-type]
    assert opened == Picture("Saved picture", b"saved") and not state.pictures


def test_r59_the_list_of_searches_decodes_each_picture_once(
    state: SearchState, monkeypatch: pytest.MonkeyPatch
) -> None:
    for box in (ONE, TWO):
        state.draw([box])
    state.mark("a.jpg", positive=True)
    opened: list[str] = []

    def image_of(key: str, _: object) -> LoadedImage:
        opened.append(key)
        return LoadedImage.of(np.zeros((100, 100, 3), np.uint8))

    tiles: list[Tile] = []
    monkeypatch.setattr(search_history, "image_of", image_of)
    monkeypatch.setattr(search_history, "title_of", lambda *_: "cup")
    monkeypatch.setattr(search_history, "tile_grid", lambda shown, *_: tiles.extend(shown))
    gallery: Any = None
    search_history._history(gallery, state)
    assert len(opened) == len(state.crops) == 2
    search_history._history(gallery, state)
    assert len(opened) == 2
    assert [tile.size for tile in tiles] == 6 * [(40, 40)] and all(
        tile.picture in state.crops.values() for tile in tiles
    )
