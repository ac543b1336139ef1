"""A group of the catalogue with its number on the page and its name."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from boxfind.searches.group_names import GroupName, Places
from index.groups.corrections import Place
from index.groups.groups import Group, Member
from retrieval.types import Box

OPENED_GROUP = "opened group"
"""The session key of a member of the open group, also after regrouping: (image, box); None if no group is open."""


@dataclass(frozen=True, slots=True)
class NamedGroup:
    number: int
    """1 for the largest group."""
    group: Group
    given: GroupName | None

    @property
    def name(self) -> str:
        """The given name, or "" for an unnamed group."""
        return self.given.name if self.given else ""

    @property
    def title(self) -> str:
        return self.name or f"Group {self.number}"

    @property
    def places(self) -> tuple[Place, ...]:
        return tuple(member.place for member in self.group.members)

    @property
    def key(self) -> str:
        return f"{self.group.best.image} {self.group.best.region.box.xywh}"


def place_in_picture(member: Member) -> tuple[str, Box]:
    return member.image, member.region.box


def boxes_of(places: Iterable[Place]) -> Places:
    """Group members as stored with a name."""
    return {place.sha256: place.box for place in places}


def of_one_name(groups: Sequence[NamedGroup]) -> list[list[NamedGroup]]:
    """Named groups that have their name in common, ignoring case."""
    found = defaultdict[str, list[NamedGroup]](list)
    for group in groups:
        if group.name:
            found[group.name.casefold()].append(group)
    return [same for same in found.values() if len(same) > 1]
