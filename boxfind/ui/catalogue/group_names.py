"""Group names: visible to everyone, edited by administrators."""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from boxfind.searches.group_names import GroupNames, by_content, labels_of
from boxfind.searches.saved_searches import LONGEST_NAME
from boxfind.ui.authorization import is_admin, require_admin
from boxfind.ui.catalogue.named_group import NamedGroup, boxes_of
from boxfind.ui.error_boundary import errors_as_toasts
from boxfind.ui.session import shared_engine
from boxfind.ui.widgets.safe_text import plain
from boxfind.ui.widgets.synced_widgets import synced
from index.groups.groups import Group
from retrieval.errors import BoxfindError


def named(groups: Sequence[Group]) -> list[NamedGroup]:
    """The groups with their numbers and current names. Shows a warning if the names cannot be read."""
    hashes = {member.image: member.sha256 for group in groups for member in group.members}
    places = [boxes_of(member.place for member in group.members) for group in groups]
    try:
        names = labels_of(places, [by_content(label, hashes) for label in _names().all()])
    except BoxfindError as problem:
        st.warning(plain(str(problem)), icon=":material/warning:")
        names = {}
    return [NamedGroup(place + 1, group, names.get(place)) for place, group in enumerate(groups)]


def name_field(group: NamedGroup) -> None:
    """An editable group name for administrators, plain text for other visitors."""
    if not is_admin():
        st.markdown(f"**{plain(group.name)}**" if group.name else group.title)
        return

    @errors_as_toasts()
    def save(new: str) -> None:
        require_admin()
        _names().give(new, boxes_of(group.places), group.given.key if group.given else None)

    st.text_input(
        f"Name of group {group.number}",
        group.name,
        max_chars=LONGEST_NAME,
        placeholder="Add a name",
        label_visibility="collapsed",
        **synced(f"name of {group.key}", group.name, save, parse=str.strip),
    )


def _names() -> GroupNames:
    return _names_in(shared_engine().settings.searches_file)


@st.cache_resource(show_spinner=False)
def _names_in(file: Path) -> GroupNames:
    return GroupNames(file)
