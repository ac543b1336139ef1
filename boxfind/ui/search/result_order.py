"""The order of results on the page: matches first, the others after them, near-copies next to each other."""

from collections.abc import Callable, Iterable, Sequence

from retrieval.ranking.confidence import no_match
from retrieval.types import Hit

Ranked = tuple[int, Hit]
"""A hit and its rank on the page, from 1."""
OTHERS = "Less likely"
LOOK_ALIKES = "Nearest look-alikes"
"""Headings of the results that are no match: below matches, and without any."""


def is_match(hit: Hit) -> bool:
    """Whether the picture likely or possibly shows the object."""
    return not no_match([hit])


def matches_first(hits: Sequence[Hit]) -> list[Hit]:
    """Likely and possible matches before all others; both keep their order."""
    return sorted(hits, key=is_match, reverse=True)


def sections(ranked: Sequence[Ranked]) -> list[tuple[str, list[Ranked]]]:
    """The results with the heading of their section. Matches, which come first, have an empty heading."""
    matches = [(rank, hit) for rank, hit in ranked if is_match(hit)]
    others = [(rank, hit) for rank, hit in ranked if not is_match(hit)]
    parts = [("", matches), (OTHERS if matches else LOOK_ALIKES, others)]
    return [(heading, part) for heading, part in parts if part]


def by_source(ranked: Sequence[Ranked], source_of: Callable[[str], str]) -> list[list[Ranked]]:
    """The results of each file, best first; the file with the best result comes first.

    `source_of` gives the file of an image.
    """
    files: dict[str, list[Ranked]] = {}
    for rank, hit in ranked:
        files.setdefault(source_of(hit.image), []).append((rank, hit))
    return list(files.values())


def stacked(ranked: Sequence[Ranked], copies: Iterable[Sequence[str]]) -> list[tuple[Ranked, str]]:
    """Each result with the image under which it is stacked; empty for those on top.

    `copies` are groups of images that look nearly the same. The best one of a group is on top; the others follow it.
    """
    group_of = {image: number for number, group in enumerate(copies) for image in group}
    stacks: dict[object, list[Ranked]] = {}
    for rank, hit in ranked:
        stacks.setdefault(group_of.get(hit.image, hit.image), []).append((rank, hit))
    return [
        (result, stack[0][1].image if place else "") for stack in stacks.values() for place, result in enumerate(stack)
    ]


def match_counts(hits: Iterable[Hit]) -> str:
    """The numbers of likely and possible matches, such as "24 likely · 6 possible"; empty without any."""
    words = [hit.confidence for hit in hits]
    counts = [(words.count(word), word) for word in ("likely", "possible")]
    return " · ".join(f"{count} {word}" for count, word in counts if count)
