"""Corrections of groups by administrators: move, merge, split, remove, and Undo of the last one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import streamlit as st

from boxfind.logs import log
from boxfind.searches.group_corrections import GroupCorrections, LastCorrection
from boxfind.searches.group_names import GroupName
from boxfind.ui.authorization import require_admin
from boxfind.ui.catalogue.named_group import OPENED_GROUP, NamedGroup, boxes_of, place_in_picture
from boxfind.ui.session import shared_engine
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.safe_text import plain
from index.groups.corrections import GroupCorrection, Place
from retrieval.errors import BoxfindError

CHOSEN_PICTURES = "chosen pictures"
"""The session key of the ids of the pictures that the next correction is about."""
MESSAGE, CONTRADICTED = "message about correction", "contradicted corrections"
"""Session keys: text and icon that the next page run shows, and the number of contradicted corrections before it."""


def correction_store() -> GroupCorrections:
    return _corrections(shared_engine().settings.searches_file)


@st.cache_resource(show_spinner=False)
def _corrections(file: Path) -> GroupCorrections:
    return GroupCorrections(file)


def last_correction() -> LastCorrection | None:
    """The newest correction. Shows a warning if corrections cannot be read."""
    try:
        return correction_store().last()
    except BoxfindError as problem:
        st.warning(f"Corrections of groups are missing: {plain(str(problem))}", icon=":material/warning:")
        return None


@contextmanager
def _reported() -> Iterator[None]:
    """Keep the message of an error for the next page run: a callback in a dialog cannot show anything."""
    try:
        yield
    except BoxfindError as error:
        st.session_state[MESSAGE] = str(error), ":material/warning:"


@_reported()
def remove(source: NamedGroup, chosen: Sequence[Place]) -> None:
    """The chosen pictures do not belong in the group."""
    rest = _rest(source, chosen)
    if not rest:
        st.session_state[MESSAGE] = "Leave at least one picture in the group.", ":material/warning:"
        return
    action = f"{counted(len(chosen), 'picture')} removed from {source.title}"
    _correct(action, GroupCorrection((), tuple(chosen), rest), [_renamed(source, rest)])
    _keep_open(source, rest)


@_reported()
def move(source: NamedGroup | None, chosen: Sequence[Place], target: NamedGroup) -> None:
    """The chosen pictures belong in another group. `source` is None for ungrouped pictures."""
    rest, whole = _rest(source, chosen), (*target.places, *chosen)
    action = f"{counted(len(chosen), 'picture')} moved to {target.title}"
    _correct(action, GroupCorrection(whole, tuple(chosen), rest), [_renamed(source, rest), _renamed(target, whole)])
    _keep_open(source, rest)


@_reported()
def make_group(source: NamedGroup | None, chosen: Sequence[Place], name: str) -> None:
    """The chosen pictures are a group of their own."""
    rest = _rest(source, chosen)
    action = f"{counted(len(chosen), 'picture')} made a new group"
    new = GroupName(0, name, boxes_of(chosen))
    _correct(action, GroupCorrection(tuple(chosen), tuple(chosen), rest), [_renamed(source, rest), new])
    _keep_open(source, rest)


@_reported()
def merge(groups: Sequence[NamedGroup]) -> None:
    """The groups are one; it has the first name among theirs."""
    whole = tuple(place for group in groups for place in group.places)
    named = [group.given for group in groups if group.given]
    names = [GroupName(given.key, "", {}) for given in named[1:]]
    if named:
        names.append(GroupName(named[0].key, named[0].name, boxes_of(whole)))
    _correct(f"{' and '.join(group.title for group in groups)} merged", GroupCorrection(whole), names)


@_reported()
def undo(last: LastCorrection) -> None:
    who = require_admin()
    restored = correction_store().undo(last)
    log.info("Correction of groups undone by %s: %s.", who, last.action)
    newer = "" if restored else " A name has been changed since and stays as it is."
    st.session_state[MESSAGE] = f"Undone: {last.action}.{newer}", ":material/undo:"


def undo_button(last: LastCorrection | None) -> None:
    if last is not None:
        undone = f"Undo: {plain(last.action)}"
        st.button("Undo", icon=":material/undo:", help=undone, key="undo correction", on_click=undo, args=[last])


def report_correction(contradicted: int) -> None:
    """Show what the last correction did. `contradicted`: the number of corrections that newer ones contradict."""
    before = st.session_state.get(CONTRADICTED, contradicted)
    st.session_state[CONTRADICTED] = contradicted
    text, icon = st.session_state.pop(MESSAGE, ("", ""))
    if text:
        newer = " An earlier correction said otherwise; where the two disagree, this one counts."
        st.toast(plain(text + (newer if contradicted > before else "")), icon=icon)


def _correct(action: str, correction: GroupCorrection, names: Sequence[GroupName | None]) -> None:
    who = require_admin()
    correction_store().add(action, correction, [name for name in names if name])
    st.session_state.update({MESSAGE: (f"{action}.", ":material/check:"), CHOSEN_PICTURES: frozenset()})
    log.info("Groups corrected by %s: %s.", who, action)


def _keep_open(source: NamedGroup | None, rest: Sequence[Place]) -> None:
    """Keep a group open that has lost members: remember one that it still has."""
    if source:
        left = [place_in_picture(member) for member in source.group.members if member.place in rest]
        st.session_state[OPENED_GROUP] = left[0] if left else None


def _rest(source: NamedGroup | None, chosen: Sequence[Place]) -> tuple[Place, ...]:
    """The members of a group without the chosen pictures and copies of them."""
    hashes = {place.sha256 for place in chosen}
    return tuple(place for place in source.places if place.sha256 not in hashes) if source else ()


def _renamed(source: NamedGroup | None, places: Sequence[Place]) -> GroupName | None:
    """The name of a group, if it has one, for its new members."""
    if source is None or source.given is None:
        return None
    return GroupName(source.given.key, source.given.name if places else "", boxes_of(places))
