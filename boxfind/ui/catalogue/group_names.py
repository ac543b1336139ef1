"""Group names: visible to everyone, edited by administrators."""

from collections.abc import Sequence

import streamlit as st

from boxfind.searches.group_names import GroupName, GroupNames, Places, labels_of
from boxfind.searches.saved_searches import LONGEST_NAME
from boxfind.ui.authorization import is_admin, require_admin
from boxfind.ui.error_boundary import errors_as_toasts
from boxfind.ui.session import shared_engine
from boxfind.ui.widgets.safe_text import plain
from boxfind.ui.widgets.synced_widgets import synced
from index.groups.groups import Group
from retrieval.errors import BoxfindError


def names_of(groups: Sequence[Group]) -> list[GroupName | None]:
    """The current name of each group. Shows a warning if the names cannot be read."""
    try:
        names = labels_of([_boxes(group) for group in groups], _names().all())
    except BoxfindError as problem:
        st.warning(plain(str(problem)), icon=":material/warning:")
        names = {}
    return [names.get(place) for place in range(len(groups))]


def name_field(group: Group, number: int, given: GroupName | None) -> None:
    """An editable group name for administrators, plain text for other visitors."""
    name = given.name if given else ""
    if not is_admin():
        st.markdown(f"**{plain(name)}**" if name else f"Group {number}")
        return

    @errors_as_toasts()
    def save(new: str) -> None:
        require_admin()
        _names().give(new, _boxes(group), given.key if given else None)

    st.text_input(
        f"Name of group {number}",
        name,
        max_chars=LONGEST_NAME,
        placeholder="Add a name",
        label_visibility="collapsed",
        **synced(f"name of {group.best.image} {group.best.region.box.xywh}", name, save, parse=str.strip),
    )


def _boxes(group: Group) -> Places:
    return {member.image: member.region.box for member in group.members}


@st.cache_resource(show_spinner=False)
def _names() -> GroupNames:
    return GroupNames(shared_engine().settings.searches_file)
