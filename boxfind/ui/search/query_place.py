"""Choose the page, frame or moment of a visitor's file to search with."""

from bisect import bisect_left, bisect_right

import streamlit as st

from boxfind.ui.error_boundary import errors_as_toasts
from boxfind.ui.place_words import clock, first_place, place_in_words
from boxfind.ui.search.search_state import SearchState, search_state
from boxfind.ui.session import GONE, Picture, shared_engine, visiting_client
from boxfind.ui.widgets.synced_widgets import synced
from boxfind.uploads import Upload
from index.storage.sources import PAGED
from retrieval.errors import UnreadableImage
from retrieval.images.file_kinds import START, VIDEO, picture_format
from retrieval.images.places import join_id, number_of, seconds_of, time_place

FINE = 0.1
"""Seconds of a fine step."""
STEPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds between the moments that the slider can choose."""
MOST_MOMENTS = 600


def opened(name: str, data: bytes) -> Picture:
    """The query picture of a visitor's file; of one that holds several the first. Raises UnreadableImage and Busy."""
    if picture_format(name, data[:START]) not in (*PAGED, VIDEO):
        return Picture(name, data)
    upload = shared_engine().visitor_pictures.open_upload(data, name, visiting_client())
    if upload.is_picture and not upload.holds_several:
        return Picture(name, data)
    return _picture_at(upload, time_place(0) if upload.is_film else upload.places[0])


def place_chooser(state: SearchState) -> None:
    """Let the visitor choose another picture of the file of the shown one; hidden if it has no other."""
    picture = state.picture(state.shown)
    if picture is None or picture.upload is None or not picture.upload.holds_several:
        return
    with st.container(key="query-place", horizontal=True, vertical_alignment="center", gap="xsmall"):
        if picture.upload.is_film:
            _moment(picture.upload, seconds_of(picture.place))
        elif _is_counted(picture.upload):
            _page(picture.upload, picture.place)
        else:
            _frame(picture.upload, picture.place)


def _moment(upload: Upload, now: float) -> None:
    """A slider over the length of a film, and buttons for the previous and next key frame and for fine steps."""
    keys, end = upload.contents.key_times, upload.seconds
    before, after = bisect_left(keys, now) - 1, bisect_right(keys, now)
    step = next((step for step in STEPS if end / step <= MOST_MOMENTS), STEPS[-1])
    moments = sorted({*(round(number * step, 2) for number in range(int(end / step) + 1)), now})
    _button(upload, "Previous key frame", "skip_previous", keys[before] if before >= 0 else None)
    _button(upload, f"{FINE} seconds back", "chevron_left", now - FINE if now > 0 else None)
    if len(moments) > 1:
        st.select_slider(
            f"Moment (of {clock(end)})",
            moments,
            now,
            format_func=lambda seconds: clock(seconds, exact=True),
            label_visibility="collapsed",
            **synced("moment", now, lambda seconds: _go_to(upload, time_place(seconds))),
        )
        st.caption(clock(end), width="content")
    _button(upload, f"{FINE} seconds on", "chevron_right", now + FINE if now < end or not end else None)
    _button(upload, "Next key frame", "skip_next", keys[after] if after < len(keys) else None)


def _button(upload: Upload, label: str, icon: str, seconds: float | None) -> None:
    """A button that goes to a moment; None disables it."""
    place = time_place(min(max(seconds or 0.0, 0.0), upload.seconds or 999_999.0))
    st.button(
        label,
        icon=f":material/{icon}:",
        help=label,
        key=label,
        disabled=seconds is None,
        on_click=_go_to,
        args=[upload, place],
    )


def _is_counted(upload: Upload) -> bool:
    """Whether the places are pages from 1 on without gaps."""
    pages = [place or first_place(upload.name) for place in upload.places]
    return pages == [f"page={number}" for number in range(1, len(pages) + 1)]


def _page(upload: Upload, place: str) -> None:
    count, total = len(upload.places), upload.contents.total
    more = f"The file has {total:,} pages; the first {count:,} can be chosen here." if total > count else None
    number = number_of(place)
    st.caption("Page", width="content")
    st.number_input(
        f"Page (of {total:,})",
        1,
        count,
        number,
        label_visibility="collapsed",
        width=140,
        **synced("page of file", number, lambda chosen: _go_to(upload, upload.places[chosen - 1])),
    )
    st.caption(f"of {total:,}", width="content", help=more)


def _frame(upload: Upload, place: str) -> None:
    number = upload.places.index(place) + 1
    st.select_slider(
        f"Picture {number} of {len(upload.places)}",
        upload.places,
        place,
        format_func=lambda place: place_in_words(place or first_place(upload.name)),
        label_visibility="collapsed",
        **synced("frame of file", place, lambda chosen: _go_to(upload, chosen)),
    )


@errors_as_toasts()
def _go_to(upload: Upload, place: str) -> None:
    search_state().show(_picture_at(upload, place))


def _picture_at(upload: Upload, place: str) -> Picture:
    """One picture of a file as a query picture. Raises UnreadableImage and Busy."""
    if not upload.is_kept:
        raise UnreadableImage("gone", GONE)
    data = shared_engine().visitor_pictures.read_upload(upload, place, visiting_client())
    return Picture(join_id(upload.name, place or first_place(upload.name)), data, "", upload, place)
