"""Search state and its history."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image as Pillow

from boxfind.ui.search.search_state import KEPT, SearchState, search_from
from boxfind.ui.session import Picture
from retrieval.descriptors.embedder import SMALLEST_BOX
from retrieval.request import Example
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


def test_a_picture_without_a_box_adds_no_history_step(state: SearchState) -> None:
    assert state.request.examples == () and state.steps == [] and state.previous is None


def test_boxes_on_one_picture_are_objects_that_must_all_be_present(state: SearchState) -> None:
    state.several = True
    state.take_drawn([ONE])
    state.take_drawn([ONE, TWO])
    assert told(state) == [("cup", ONE, "object"), ("cup", TWO, "also")]


def test_moved_and_remaining_boxes_keep_their_roles(state: SearchState) -> None:
    state.several = True
    state.take_drawn([ONE, TWO])
    state.change(1, "not")
    state.take_drawn([ONE, THREE])
    assert told(state) == [("cup", ONE, "object"), ("cup", THREE, "not")]
    state.take_drawn([ONE, TWO, THREE])
    assert told(state)[1:] == [("cup", TWO, "also"), ("cup", THREE, "not")]


def test_a_box_on_an_added_picture_is_another_view(state: SearchState) -> None:
    state.take_drawn([ONE])
    state.joining = True
    state.show(MUG)
    assert state.several and not state.joining and state.boxes == []
    state.take_drawn([TWO])
    assert told(state) == [("cup", ONE, "object"), ("mug", TWO, "view")]


def test_a_new_picture_starts_a_search_with_the_same_options(state: SearchState) -> None:
    state.take_drawn([ONE])
    state.set_options(state.request.__class__(state.request.examples, "fast", 1.2, "plants", ("a",), ("b",)))
    state.show(MUG, [TWO])
    request = state.request
    assert told(state) == [("mug", TWO, "object")]
    assert (request.ranking, request.context, request.folder, request.positives, request.negatives) == (
        ("fast", 1.2, "plants", (), ())
    )


def test_removing_the_object_makes_another_box_the_object(state: SearchState) -> None:
    state.several = True
    state.take_drawn([ONE, TWO])
    state.change(0, None)
    assert told(state) == [("cup", TWO, "object")]
    assert state.preset == (TWO,)


def test_turning_several_boxes_off_keeps_the_last(state: SearchState) -> None:
    state.several = True
    state.take_drawn([ONE, TWO])
    state.set_several(False)
    assert told(state) == [("cup", TWO, "object")] and not state.several


def test_back_opens_the_previous_search(state: SearchState) -> None:
    state.take_drawn([ONE])
    state.take_drawn([TWO])
    state.show(MUG, [THREE])
    assert state.previous == 1
    state.go_to(1)
    assert told(state) == [("cup", TWO, "object")] and state.shown == CUP.key
    state.take_drawn([THREE])
    assert len(state.steps) == 4 and state.previous == 1
    state.go_to(state.previous)
    state.go_to(state.previous or 0)
    assert told(state) == [("cup", ONE, "object")] and state.previous is None


def test_back_from_a_picture_without_a_box_opens_the_last_search(state: SearchState) -> None:
    state.take_drawn([ONE])
    state.show(MUG)
    assert state.previous == 0


def test_the_canvas_is_redrawn_only_for_boxes_set_from_outside(state: SearchState) -> None:
    before = state.canvas
    state.take_drawn([ONE])
    assert state.canvas == before
    state.draw([TWO])
    assert state.canvas == before + 1 and state.preset == (TWO,)


def test_marks_are_steps_and_marking_twice_removes_the_mark(state: SearchState) -> None:
    state.take_drawn([ONE])
    state.mark("a.jpg", positive=True)
    state.mark("b.jpg", positive=False)
    assert (state.request.positives, state.request.negatives) == (("a.jpg",), ("b.jpg",))
    state.mark("a.jpg", positive=False)
    assert (state.request.positives, state.request.negatives) == ((), ("b.jpg", "a.jpg"))
    state.mark("a.jpg", positive=False)
    assert state.request.negatives == ("b.jpg",)
    assert state.previous is not None
    state.go_to(state.previous)
    assert state.request.negatives == ("b.jpg", "a.jpg")
    state.remove_marks()
    assert (state.request.positives, state.request.negatives) == ((), ())


def test_a_new_box_resets_the_marks(state: SearchState) -> None:
    state.take_drawn([ONE])
    state.mark("a.jpg", positive=True)
    state.take_drawn([TWO])
    assert state.request.positives == ()


def test_ranking_and_padding_change_the_step_in_place(state: SearchState) -> None:
    state.take_drawn([ONE])
    state.set_options(state.request.__class__(state.request.examples, "fast"))
    assert len(state.steps) == 1 and state.steps[0].request.ranking == "fast"


def test_old_pictures_are_dropped_but_not_those_of_the_current_search(state: SearchState) -> None:
    state.take_drawn([ONE])
    for number in range(2 * KEPT):
        state.joining = True
        state.show(Picture(f"{number}.jpg", str(number).encode()))
    assert CUP.key in state.pictures and len(state.pictures) == KEPT + 2
    assert state.request.examples == (Example(CUP.key, ONE),)


@pytest.mark.parametrize("box", [Box(0, 0, 3, 40), Box(98, 30, 100, 80), Box(20, 79, 30, 80)])
def test_searching_from_a_thin_region_enlarges_the_box(
    box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Pillow.new("RGB", (100, 80)).save(tmp_path / "cup.png")
    gallery: Any = SimpleNamespace(
        entry=lambda _: SimpleNamespace(width=100, height=80), file=lambda name: tmp_path / name
    )
    state = SearchState()
    monkeypatch.setattr("boxfind.ui.search.search_state.search_state", lambda: state)
    assert search_from(gallery, "cup.png", box)
    (wider,) = state.boxes
    assert min(wider.width, wider.height) >= SMALLEST_BOX
    assert wider == wider.clipped(100, 80)
    assert (wider.x0, wider.y0) <= (box.x0, box.y0) and wider.x1 >= box.x1 and wider.y1 >= box.y1
