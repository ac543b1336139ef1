"""A gallery as a catalogue: groups of pictures that have something alike in them, and the pictures in none."""

from dataclasses import dataclass
from itertools import pairwise
from zipfile import BadZipFile

import numpy as np

from index.gallery import Gallery
from index.storage.arrays import read_neighbours
from retrieval.clustering.grouping import LIKENESS, group_instances, typical
from retrieval.clustering.object_instances import ObjectInstances, find_object_instances
from retrieval.errors import IndexProblem
from retrieval.types import Numbers, Region, Scores

ODD = 0.8
"""A member is odd below this share of its group's median likeness.

On 2,000 photographs of 80 objects, grouped by the default, that is so of 6 % of the members, and half of those show
another object than their group.
"""


@dataclass(frozen=True, slots=True)
class Member:
    """A picture of a group, and the region of it that is like the others."""

    image: str
    region: Region
    strength: float
    """How much of the picture is like other pictures because of it: what it shows above all is strongest."""
    likeness: float
    """To the other members, on average, 0 to 1."""
    odd: bool
    """Whether that is far less than the members of this group are like one another."""


@dataclass(frozen=True, slots=True)
class Group:
    """Members of different pictures, the most typical first."""

    members: tuple[Member, ...]

    @property
    def best(self) -> Member:
        """The medoid."""
        return self.members[0]


@dataclass(frozen=True, slots=True)
class Grouped:
    """The groups, those of most pictures first, and the ids of the pictures in none, in order."""

    groups: tuple[Group, ...]
    alone: tuple[str, ...]


def gallery_object_instances(gallery: Gallery) -> ObjectInstances:
    """What there is to see in the pictures. Takes seconds. Raises IndexProblem when the generation has gone."""
    tables = gallery.tables
    try:
        neighbours = read_neighbours(gallery.folder, len(tables.image_of_row))
    except (OSError, ValueError, KeyError, BadZipFile):
        raise IndexProblem("The index has been rebuilt since; open this page again to see the groups.") from None
    rows = neighbours.nodes
    return find_object_instances(
        neighbours, tables.image_of_row[rows], tables.boxes[rows], gallery.vectors(rows), gallery.background
    )


def group_gallery(
    gallery: Gallery, instances: ObjectInstances, likeness: float = LIKENESS, grouping: str = "linkage"
) -> Grouped:
    """The groups whose members are alike by `likeness` on average, 0 to 1. Raises UnknownName."""
    numbers = group_instances(instances, gallery.vectors(instances.rows), likeness, grouping)
    likenesses = typical(instances, numbers)
    order = np.lexsort((-likenesses, numbers))
    bounds = np.searchsorted(numbers[order], np.arange(int(numbers.max(initial=-1)) + 2))
    groups = [_group(gallery, instances, order[start:end], likenesses) for start, end in pairwise(bounds)]
    grouped = {member.image for group in groups for member in group.members}
    return Grouped(tuple(groups), tuple(image for image in gallery.tables.ids if image not in grouped))


def _group(gallery: Gallery, instances: ObjectInstances, members: Numbers, likenesses: Scores) -> Group:
    """Of some instances, the most typical first."""
    odd_below = ODD * float(np.median(likenesses[members]))
    return Group(
        tuple(
            Member(
                gallery.name(int(instances.images[instance])),
                gallery.region(int(instances.rows[instance])),
                float(instances.strengths[instance]),
                float(likenesses[instance]),
                bool(likenesses[instance] < odd_below),
            )
            for instance in members
        )
    )
