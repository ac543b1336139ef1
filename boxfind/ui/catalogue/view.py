"""Groups of similar pictures as cards, the pictures of an open group, and ungrouped pictures."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from boxfind.export.crops import cut
from boxfind.export.groups import groups_csv
from boxfind.searches.group_names import GroupName
from boxfind.ui.catalogue.group_names import name_field, names_of
from boxfind.ui.gallery.browse import ACTIONS, picture_grid
from boxfind.ui.gallery.picture_dialog import PICTURE
from boxfind.ui.gallery.send_to_search import send_to_search
from boxfind.ui.served_gallery import failure
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.safe_text import plain
from boxfind.ui.widgets.thumbnail import thumbnail_of
from boxfind.ui.widgets.tile_grid import Tile, tile_grid
from index.gallery import Gallery
from index.groups.groups import Group, Grouped, Member, gallery_object_instances, group_gallery
from retrieval.clustering.grouping import LIKENESS
from retrieval.clustering.object_instances import ObjectInstances
from retrieval.errors import BoxfindError
from retrieval.images.decode import decode_image
from retrieval.images.resize import resize_image, thumbnail
from retrieval.types import Box

LIKENESSES = {"Strict": 0.7, "Medium": LIKENESS, "Loose": 0.3}
CARDS_PER_PAGE = 24
TILES_PER_PAGE = 40
CARD_WIDTH = 160
"""Pixels; two cards fit side by side on a phone."""
CROP_SIDE = 280
HELP = (
    "How similar the pictures of a group must be. Strict grouping may split an object into several groups. "
    "Loose grouping may include pictures of other objects."
)


def catalogue(gallery: Gallery) -> list[str]:
    """Show the groups or the open group. Returns the ids of the pictures the dialog can step through."""
    summary = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Grouping", list(LIKENESSES), 1, key="likeness", bind="query-params", help=HELP, width=200,
            on_change=_to_first_page,
        )  # fmt: skip
        export = st.container(width="content")
    try:
        grouped = _grouped(gallery.folder.name, LIKENESSES[chosen], gallery)
    except BoxfindError as error:
        failure(error)
        return []
    labels = names_of(grouped.groups)
    summary.caption(_summary(grouped))
    names = [label.name if label else "" for label in labels]
    export.download_button(
        "Export",
        partial(groups_csv, grouped.groups, names),
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
        return _groups(gallery, grouped.groups, labels)


def _groups(gallery: Gallery, groups: Sequence[Group], labels: Sequence[GroupName | None]) -> list[str]:
    place = next((place for place, group in enumerate(groups) if _key(group) == _opened()), None)
    if place is not None:
        return _open_group(gallery, groups[place], place + 1, labels[place])
    if not groups:
        st.info("No three pictures are similar enough to form a group.", icon=":material/info:")
        return []
    pages = -(-len(groups) // CARDS_PER_PAGE)
    page = st.pagination(pages, key="catalogue page", bind="query-params") if pages > 1 else 1
    first = (page - 1) * CARDS_PER_PAGE
    with st.container(horizontal=True, gap="small"):
        for place in range(first, min(first + CARDS_PER_PAGE, len(groups))):
            _card(gallery, groups[place], place + 1, labels[place])
    return []


def _card(gallery: Gallery, group: Group, number: int, label: GroupName | None) -> None:
    with st.container(border=True, width=CARD_WIDTH, gap="xsmall"):
        name = label.name if label else f"Group {number}"
        st.image(_crop(gallery.folder.name, group.best, gallery), width="stretch", alt=f"{name}: {group.best.image}")
        st.button(
            counted(len(group.members), "picture"),
            key=f"open {number}",
            type="tertiary",
            icon=":material/grid_view:",
            on_click=_open,
            args=[group],
            help=f"Open {plain(name)}",
        )
        name_field(group, number, label)


def _open_group(gallery: Gallery, group: Group, number: int, label: GroupName | None) -> list[str]:
    """The pictures of a group as tiles, outliers last."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("All groups", icon=":material/arrow_back:", shortcut="B", on_click=_open, args=[None])
        st.subheader(plain(label.name) if label else f"Group {number}", anchor=False, width="content")
        with st.container(width=240):
            name_field(group, number, label)
    outliers = sum(member.odd for member in group.members)
    st.caption(
        f"{counted(len(group.members), 'picture')}, most typical first"
        + (f", {counted(outliers, 'outlier')} last" if outliers else "")
    )
    pages = -(-len(group.members) // TILES_PER_PAGE)
    page = st.pagination(pages, key=f"page of {number}") if pages > 1 else 1
    members = group.members[(page - 1) * TILES_PER_PAGE : page * TILES_PER_PAGE]
    places = {member.image: member.region.box for member in members}
    tiles = [_tile(gallery, member) for member in members]
    tile_grid(tiles, ACTIONS, partial(_picked, places), "group", min_width=150, label="Pictures of the group")
    return [member.image for member in group.members]


def _tile(gallery: Gallery, member: Member) -> Tile:
    entry = gallery.entry(member.image)
    return Tile(
        member.image,
        thumbnail_of(gallery, member.image),
        (entry.width, entry.height),
        alt=f"{member.image}, outlier" if member.odd else member.image,
        title=member.image,
        outlines=(member.region.box,),
        badge="outlier" if member.odd else "",
        tone="fair" if member.odd else "",
        help="Much less similar to the group than the other pictures in it." if member.odd else "",
    )


def _ungrouped(gallery: Gallery, images: Sequence[str]) -> list[str]:
    if not images:
        st.text("Every picture is in a group.")
        return []
    st.caption("No region of these pictures is similar enough to regions of two others.")
    pages = -(-len(images) // TILES_PER_PAGE)
    page = st.pagination(pages, key="alone page") if pages > 1 else 1
    picture_grid(gallery, images[(page - 1) * TILES_PER_PAGE : page * TILES_PER_PAGE], "alone", "Ungrouped pictures")
    return list(images)


def _summary(grouped: Grouped) -> str:
    pictures = {member.image for group in grouped.groups for member in group.members}
    return (
        f"{counted(len(grouped.groups), 'group')} of {counted(len(pictures), 'picture')}, "
        f"{len(grouped.alone):,} ungrouped. A picture can be in several groups: one per object or background."
    )


@st.cache_resource(max_entries=2, show_spinner="Finding similar objects…")
def _instances(generation: str, _gallery: Gallery) -> ObjectInstances:
    return gallery_object_instances(_gallery)


@st.cache_resource(max_entries=6, show_spinner="Grouping similar pictures…")
def _grouped(generation: str, likeness: float, _gallery: Gallery) -> Grouped:
    return group_gallery(_gallery, _instances(generation, _gallery), likeness)


@st.cache_data(max_entries=2000, show_spinner=False)
def _crop(generation: str, member: Member, _gallery: Gallery) -> bytes:
    """A square JPEG of the centre of the region, cut from the thumbnail."""
    picture = decode_image(thumbnail_of(_gallery, member.image))
    box = member.region.box
    side = min(box.width, box.height)
    x, y = (box.x0 + box.x1 - side) // 2, (box.y0 + box.y1 - side) // 2
    square = cut(picture, Box.from_xywh(x, y, side, side), _gallery.entry(member.image))
    return thumbnail(resize_image(square, CROP_SIDE, CROP_SIDE), CROP_SIDE, quality=88)


def _key(group: Group) -> tuple[str, Box]:
    """Identifies an open group across regrouping."""
    return group.best.image, group.best.region.box


def _opened() -> tuple[str, Box] | None:
    return st.session_state.get("opened group")


def _open(group: Group | None) -> None:
    st.session_state["opened group"] = _key(group) if group else None


def _to_first_page() -> None:
    _open(None)
    st.session_state["catalogue page"] = 1


def _picked(places: dict[str, Box], action: str, image: str) -> None:
    if action == "look":
        PICTURE.open(image)
    elif action == "whole":
        send_to_search(image, "whole")
    else:
        send_to_search(image, places[image])
