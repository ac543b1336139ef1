"""Group the images of a gallery by similar objects, for the catalogue."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from zipfile import BadZipFile

import numpy as np

from index.gallery import Gallery
from index.groups.corrections import GroupCorrection, Place, locate
from index.storage.arrays import read_neighbours
from retrieval.clustering.corrections import resolve
from retrieval.clustering.grouping import LIKENESS, group_instances, typical
from retrieval.clustering.object_instances import ObjectInstances, find_object_instances
from retrieval.errors import IndexProblem
from retrieval.types import Numbers, Region, Scores

ODD = 0.8
"""A member is odd if its likeness is below this share of its group's median.

On 2,000 photographs of 80 objects with default grouping, 6 % of the members are odd, and half of these show another
object than their group.
"""


@dataclass(frozen=True, slots=True)
class Member:
    """An image of a group, and its region that matches the other members."""

    image: str
    region: Region
    strength: float
    """Total similarity of the object's regions to other images; highest for the image's main object."""
    likeness: float
    """Mean similarity to the other members, 0 to 1."""
    odd: bool
    """Whether the likeness is far below the group's median, and no administrator put the image into the group."""
    sha256: str = ""

    @property
    def place(self) -> Place:
        return Place(self.sha256, self.region.box)


@dataclass(frozen=True, slots=True)
class Group:
    """Members from distinct images, most typical first."""

    members: tuple[Member, ...]

    @property
    def best(self) -> Member:
        """The medoid."""
        return self.members[0]


@dataclass(frozen=True, slots=True)
class Grouped:
    """The groups, largest first, and the sorted ids of ungrouped images."""

    groups: tuple[Group, ...]
    alone: tuple[str, ...]
    contradicted: frozenset[int] = frozenset()
    """Positions of the corrections of which a newer one dropped a part."""


def gallery_object_instances(gallery: Gallery) -> ObjectInstances:
    """Find object instances in all images. Takes seconds. Raises IndexProblem if the generation was deleted."""
    tables = gallery.tables
    try:
        neighbours = read_neighbours(gallery.folder, len(tables.image_of_row))
    except (OSError, ValueError, KeyError, BadZipFile):
        raise IndexProblem("The index has been rebuilt; reload this page to see the groups.") from None
    rows = neighbours.nodes
    return find_object_instances(
        neighbours, tables.image_of_row[rows], tables.boxes[rows], gallery.vectors(rows), gallery.background
    )


def group_gallery(
    gallery: Gallery,
    instances: ObjectInstances,
    likeness: float = LIKENESS,
    corrections: Sequence[GroupCorrection] = (),
) -> Grouped:
    """Group instances with a mean likeness of at least `likeness`, 0 to 1, as `corrections`, oldest first, demand."""
    located = locate(gallery, instances, corrections)
    instances = located.instances
    components, contradicted = resolve(located.corrections)
    numbers = group_instances(instances, likeness, components if located.corrections else None)
    likenesses = typical(instances, numbers)
    order = np.lexsort((-likenesses, numbers))
    bounds = np.searchsorted(numbers[order], np.arange(int(numbers.max(initial=-1)) + 2))
    groups = [
        _group(gallery, instances, order[start:end], likenesses, located.moved) for start, end in pairwise(bounds)
    ]
    grouped = {member.image for group in groups for member in group.members}
    alone = tuple(image for image in gallery.tables.ids if image not in grouped)
    return Grouped(tuple(groups), alone, frozenset(contradicted))


def _group(
    gallery: Gallery, instances: ObjectInstances, members: Numbers, likenesses: Scores, moved: Collection[int]
) -> Group:
    """Make a group of instances, given most typical first."""
    odd_below = ODD * float(np.median(likenesses[members]))
    hashes = gallery.tables.images["sha256"]
    return Group(
        tuple(
            Member(
                gallery.name(int(instances.images[instance])),
                gallery.region(int(instances.rows[instance])),
                float(instances.strengths[instance]),
                float(likenesses[instance]),
                bool(likenesses[instance] < odd_below) and int(instance) not in moved,
                hashes[int(instances.images[instance])].as_py(),
            )
            for instance in members
        )
    )
