"""Group names: visible to everyone, edited by administrators."""

from collections.abc import Sequence

import streamlit as st

from boxfind.searches.group_names import GroupName, GroupNames, Places, labels_of
from boxfind.searches.saved_searches import LONGEST_NAME
from boxfind.ui.authorization import is_admin, require_admin
from boxfind.ui.session import shared_engine
from boxfind.ui.widgets.safe_text import plain
from boxfind.ui.widgets.synced_widgets import key_for, was_set
from index.groups.groups import Group
from retrieval.errors import BoxfindError


def names_of(groups: Sequence[Group]) -> list[GroupName | None]:
    """The current label of each group. Shows a warning if the labels cannot be read."""
    try:
        given = labels_of([_places(group) for group in groups], _labels().all())
    except BoxfindError as problem:
        st.warning(plain(str(problem)), icon=":material/warning:")
        given = {}
    return [given.get(place) for place in range(len(groups))]


def name_field(group: Group, number: int, label: GroupName | None) -> None:
    """An editable group name for administrators, plain text for other visitors."""
    name = label.name if label else ""
    if not is_admin():
        st.markdown(f"**{plain(name)}**" if name else f"Group {number}")
        return
    field = f"name of {group.best.image} {group.best.region.box.xywh}"
    key = key_for(field, name)
    st.text_input(
        f"Name of group {number}",
        name,
        max_chars=LONGEST_NAME,
        key=key,
        placeholder="Add a name",
        label_visibility="collapsed",
        on_change=_save_name,
        args=[field, key, group, label],
    )


def _save_name(field: str, key: str, group: Group, label: GroupName | None) -> None:
    name = str(st.session_state[key]).strip()
    if not was_set(field, key, name):
        return
    try:
        require_admin()
        _labels().give(name, _places(group), label.key if label else None)
    except BoxfindError as problem:
        st.toast(plain(str(problem)), icon=":material/block:")


def _places(group: Group) -> Places:
    return {member.image: member.region.box for member in group.members}


@st.cache_resource(show_spinner=False)
def _labels() -> GroupNames:
    return GroupNames(shared_engine().settings.searches_file)
