"""Groups of similar pictures as cards, the pictures of an open group, and ungrouped pictures."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import streamlit as st

from boxfind.export.groups import groups_csv
from boxfind.searches.group_corrections import LastCorrection
from boxfind.ui.authorization import is_admin
from boxfind.ui.catalogue.choose_group import group_choice
from boxfind.ui.catalogue.corrections import (
    CHOSEN_PICTURES,
    correction_store,
    last_correction,
    merge,
    report_correction,
    undo_button,
)
from boxfind.ui.catalogue.crop import crop_of
from boxfind.ui.catalogue.group_names import name_field, named
from boxfind.ui.catalogue.named_group import OPENED_GROUP, NamedGroup, of_one_name, place_in_picture
from boxfind.ui.catalogue.selection import SELECT, selected, selection_bar, tile_actions
from boxfind.ui.gallery.browse import picture_grid, picture_tile
from boxfind.ui.place_words import entry_in_words
from boxfind.ui.served_gallery import failure
from boxfind.ui.session import BY_GENERATION
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.paging import page_of
from boxfind.ui.widgets.safe_text import plain
from boxfind.ui.widgets.tile_grid import Tile
from index.gallery import Gallery
from index.groups.corrections import Place
from index.groups.groups import Grouped, Member, gallery_object_instances, group_gallery
from retrieval.clustering.grouping import LIKENESS
from retrieval.clustering.object_instances import ObjectInstances
from retrieval.errors import BoxfindError

SIMILARITIES = {"Strict": 0.7, "Medium": LIKENESS, "Loose": 0.3}
CARDS_PER_PAGE = 24
TILES_PER_PAGE = 40
CARD_WIDTH = 160
"""Pixels; two cards fit side by side on a phone."""
MOST_OFFERS = 3
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
            args=[{OPENED_GROUP: None, CHOSEN_PICTURES: frozenset(), "catalogue page": 1}],
        )
        buttons = st.container(horizontal=True, width="content")
    last = last_correction()
    try:
        grouped = _grouped(gallery, SIMILARITIES[chosen], last)
    except BoxfindError as error:
        failure(error)
        return []
    report_correction(len(grouped.contradicted))
    groups = named(grouped.groups)
    summary.caption(_summary(grouped))
    with buttons:
        _export(groups)
        if is_admin():
            undo_button(last)
    groups_tab, ungrouped_tab = st.tabs(["Groups", "Ungrouped"], key="catalogue tab", on_change="rerun")
    if ungrouped_tab.open:
        with ungrouped_tab:
            return _ungrouped(gallery, grouped.alone, groups)
    with groups_tab:
        return _groups(gallery, groups)


def _export(groups: Sequence[NamedGroup]) -> None:
    st.download_button(
        "Export",
        partial(groups_csv, [group.group for group in groups], [group.name for group in groups]),
        "groups.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
        disabled=not groups,
        help="A CSV table of all grouped pictures, with the box of the object and the name of the group.",
    )


def _groups(gallery: Gallery, groups: Sequence[NamedGroup]) -> list[str]:
    opened = st.session_state.get(OPENED_GROUP)
    for group in groups:
        if any(place_in_picture(member) == opened for member in group.group.members):
            return _open_group(gallery, group, groups)
    if not groups:
        st.info("No three pictures are similar enough to form a group.", icon=":material/info:")
    if is_admin():
        _offers(of_one_name(groups))
    page = page_of(groups, CARDS_PER_PAGE, "catalogue page", bind="query-params")
    with st.container(horizontal=True, gap="small"):
        for group in page:
            with st.container(border=True, width=CARD_WIDTH, gap="xsmall"):
                _card(gallery, group)
    return []


def _offers(sames: Sequence[Sequence[NamedGroup]]) -> None:
    """Offer to merge groups of one name."""
    for same in sames[:MOST_OFFERS]:
        name = same[0].name
        with st.container(horizontal=True, vertical_alignment="center", border=True):
            st.markdown(f"{len(same)} groups are named **{plain(name)}**.", width="content")
            st.button("Merge them", key=f"merge {name}", icon=":material/merge:", on_click=merge, args=[same])


def _card(gallery: Gallery, group: NamedGroup) -> None:
    best = group.group.best
    st.image(crop_of(gallery, best), width="stretch", alt=f"{group.title}: {entry_in_words(gallery.entry(best.image))}")
    st.button(
        counted(len(group.group.members), "picture"),
        key=f"open {group.number}",
        type="tertiary",
        icon=":material/grid_view:",
        on_click=st.session_state.update,
        args=[{OPENED_GROUP: place_in_picture(best), CHOSEN_PICTURES: frozenset()}],
        help=f"Open {plain(group.title)}",
    )
    name_field(group)


def _open_group(gallery: Gallery, group: NamedGroup, groups: Sequence[NamedGroup]) -> list[str]:
    """The pictures of a group as tiles, outliers last."""
    members = group.group.members
    with st.container(horizontal=True, vertical_alignment="center"):
        close: dict[str, object] = {OPENED_GROUP: None, CHOSEN_PICTURES: frozenset()}
        icon = ":material/arrow_back:"
        st.button("All groups", icon=icon, shortcut="B", on_click=st.session_state.update, args=[close])
        st.subheader(plain(group.title), anchor=False, width="content")
        with st.container(width=240):
            name_field(group)
    outliers = sum(member.odd for member in members)
    last = f", {counted(outliers, 'outlier')} last" if outliers else ""
    st.caption(f"{counted(len(members), 'picture')}, most typical first{last}")
    places = {member.image: member.place for member in members}
    selection_bar(group, places)
    tiles = [_tile(gallery, member) for member in page_of(members, TILES_PER_PAGE, f"page of group {group.number}")]
    _grid(gallery, tiles, "group", "Pictures of the group", group, places)
    group_choice(gallery, group, places, groups)
    return [member.image for member in members]


def _tile(gallery: Gallery, member: Member) -> Tile:
    tile = replace(picture_tile(gallery, member.image), outlines=(member.region.box,))
    if not member.odd:
        return tile
    help = "Much less similar to the group than the other pictures in it."
    return replace(tile, alt=f"{tile.alt}, outlier", badge="outlier", tone="fair", help=help)


def _ungrouped(gallery: Gallery, images: Sequence[str], groups: Sequence[NamedGroup]) -> list[str]:
    if not images:
        st.text("Every picture is in a group.")
        return []
    st.caption("No region of these pictures is similar enough to regions of two others.")
    page = page_of(images, TILES_PER_PAGE, "ungrouped page")
    shown = [*page, *selected(images)]  # also those selected on other pages
    places = {entry.image: Place(entry.sha256, entry.whole) for entry in map(gallery.entry, shown)}
    selection_bar(None, places)
    tiles = [picture_tile(gallery, image) for image in page]
    _grid(gallery, tiles, "ungrouped", "Ungrouped pictures", None, places)
    group_choice(gallery, None, places, groups)
    return list(images)


def _grid(
    gallery: Gallery, tiles: Sequence[Tile], key: str, label: str, source: NamedGroup | None, places: dict[str, Place]
) -> None:
    """Tiles with the actions that correct their group, for administrators."""
    chosen = set(selected(places))
    marked = [replace(tile, pressed=(SELECT.name,) if tile.name in chosen else ()) for tile in tiles]
    picture_grid(gallery, marked, key, label, tile_actions(source, places))


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
def _grouped(gallery: Gallery, likeness: float, last: LastCorrection | None) -> Grouped:
    """The groups with the corrections up to `last`."""
    return group_gallery(gallery, _instances(gallery), likeness, correction_store().until(last))
