"""Groups of similar pictures as cards, the pictures of an open group, and ungrouped pictures."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import streamlit as st

from boxfind.export.crops import cut
from boxfind.export.groups import groups_csv
from boxfind.searches.group_names import GroupName
from boxfind.ui.catalogue.group_names import name_field, names_of
from boxfind.ui.gallery.browse import picture_grid, picture_tile
from boxfind.ui.served_gallery import failure
from boxfind.ui.session import BY_GENERATION
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.paging import page_of
from boxfind.ui.widgets.safe_text import plain
from boxfind.ui.widgets.thumbnail import thumbnail_of
from boxfind.ui.widgets.tile_grid import Tile
from index.gallery import Gallery
from index.groups.groups import Group, Grouped, Member, gallery_object_instances, group_gallery
from retrieval.clustering.grouping import LIKENESS
from retrieval.clustering.object_instances import ObjectInstances
from retrieval.errors import BoxfindError
from retrieval.images.decode import decode_image
from retrieval.images.resize import resize_image, thumbnail
from retrieval.types import Box

SIMILARITIES = {"Strict": 0.7, "Medium": LIKENESS, "Loose": 0.3}
CARDS_PER_PAGE = 24
TILES_PER_PAGE = 40
CARD_WIDTH = 160
"""Pixels; two cards fit side by side on a phone."""
CROP_SIDE = 280
OPENED = "opened group"
"""The session key of the region that is the best member of the open group, also after regrouping; None if closed."""
HELP = (
    "How similar the pictures of a group must be. Strict grouping may split an object into several groups. "
    "Loose grouping may include pictures of other objects."
)


def catalogue(gallery: Gallery) -> list[str]:
    """Show the groups or the open group. Returns the ids of the pictures the dialog can step through."""
    summary = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Grouping",
            list(SIMILARITIES),
            1,
            key="likeness",
            bind="query-params",
            help=HELP,
            width=200,
            on_change=st.session_state.update,
            args=[{OPENED: None, "catalogue page": 1}],
        )
        export = st.container(width="content")
    try:
        grouped = _grouped(gallery, SIMILARITIES[chosen])
    except BoxfindError as error:
        failure(error)
        return []
    names = names_of(grouped.groups)
    summary.caption(_summary(grouped))
    export.download_button(
        "Export",
        partial(groups_csv, grouped.groups, [given.name if given else "" for given in names]),
        "groups.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
        disabled=not grouped.groups,
        help="A CSV table of all grouped pictures, with the box of the object and the name of the group.",
    )
    groups_tab, ungrouped_tab = st.tabs(["Groups", "Ungrouped"], key="catalogue tab", on_change="rerun")
    if ungrouped_tab.open:
        with ungrouped_tab:
            return _ungrouped(gallery, grouped.alone)
    with groups_tab:
        return _groups(gallery, grouped.groups, names)


def _groups(gallery: Gallery, groups: Sequence[Group], names: Sequence[GroupName | None]) -> list[str]:
    numbered = list(zip(range(1, len(groups) + 1), groups, names, strict=True))
    for number, group, given in numbered:
        if (group.best.image, group.best.region.box) == st.session_state.get(OPENED):
            return _open_group(gallery, group, number, given)
    if not groups:
        st.info("No three pictures are similar enough to form a group.", icon=":material/info:")
    page = page_of(numbered, CARDS_PER_PAGE, "catalogue page", bind="query-params")
    with st.container(horizontal=True, gap="small"):
        for number, group, given in page:
            with st.container(border=True, width=CARD_WIDTH, gap="xsmall"):
                _card(gallery, group, number, given)
    return []


def _card(gallery: Gallery, group: Group, number: int, given: GroupName | None) -> None:
    name = given.name if given else f"Group {number}"
    st.image(_crop(gallery, group.best), width="stretch", alt=f"{name}: {group.best.image}")
    st.button(
        counted(len(group.members), "picture"),
        key=f"open {number}",
        type="tertiary",
        icon=":material/grid_view:",
        on_click=st.session_state.update,
        args=[{OPENED: (group.best.image, group.best.region.box)}],
        help=f"Open {plain(name)}",
    )
    name_field(group, number, given)


def _open_group(gallery: Gallery, group: Group, number: int, given: GroupName | None) -> list[str]:
    """The pictures of a group as tiles, outliers last."""
    with st.container(horizontal=True, vertical_alignment="center"):
        close = {OPENED: None}
        icon = ":material/arrow_back:"
        st.button("All groups", icon=icon, shortcut="B", on_click=st.session_state.update, args=[close])
        st.subheader(plain(given.name) if given else f"Group {number}", anchor=False, width="content")
        with st.container(width=240):
            name_field(group, number, given)
    outliers = sum(member.odd for member in group.members)
    last = f", {counted(outliers, 'outlier')} last" if outliers else ""
    st.caption(f"{counted(len(group.members), 'picture')}, most typical first{last}")
    members = page_of(group.members, TILES_PER_PAGE, f"page of group {number}")
    picture_grid(gallery, [_tile(gallery, member) for member in members], "group", "Pictures of the group")
    return [member.image for member in group.members]


def _tile(gallery: Gallery, member: Member) -> Tile:
    tile = replace(picture_tile(gallery, member.image), outlines=(member.region.box,))
    if not member.odd:
        return tile
    help = "Much less similar to the group than the other pictures in it."
    return replace(tile, alt=f"{member.image}, outlier", badge="outlier", tone="fair", help=help)


def _ungrouped(gallery: Gallery, images: Sequence[str]) -> list[str]:
    if not images:
        st.text("Every picture is in a group.")
        return []
    st.caption("No region of these pictures is similar enough to regions of two others.")
    page = page_of(images, TILES_PER_PAGE, "ungrouped page")
    picture_grid(gallery, [picture_tile(gallery, image) for image in page], "ungrouped", "Ungrouped pictures")
    return list(images)


def _summary(grouped: Grouped) -> str:
    pictures = {member.image for group in grouped.groups for member in group.members}
    return (
        f"{counted(len(grouped.groups), 'group')} of {counted(len(pictures), 'picture')}, "
        f"{len(grouped.alone):,} ungrouped. A picture can be in several groups: one per object or background."
    )


@st.cache_resource(max_entries=2, show_spinner="Finding similar objects…", hash_funcs=BY_GENERATION)
def _instances(gallery: Gallery) -> ObjectInstances:
    return gallery_object_instances(gallery)


@st.cache_resource(max_entries=6, show_spinner="Grouping similar pictures…", hash_funcs=BY_GENERATION)
def _grouped(gallery: Gallery, likeness: float) -> Grouped:
    return group_gallery(gallery, _instances(gallery), likeness)


@st.cache_data(max_entries=2000, show_spinner=False, hash_funcs=BY_GENERATION)
def _crop(gallery: Gallery, member: Member) -> bytes:
    """A square JPEG of the centre of the region, cut from the thumbnail."""
    picture = decode_image(thumbnail_of(gallery, member.image))
    box = member.region.box
    side = min(box.width, box.height)
    x, y = (box.x0 + box.x1 - side) // 2, (box.y0 + box.y1 - side) // 2
    square = cut(picture, Box.from_xywh(x, y, side, side), gallery.entry(member.image))
    return thumbnail(resize_image(square, CROP_SIDE, CROP_SIDE), CROP_SIDE, quality=88)
