"""Corrections of groups as must-link and cannot-link constraints; where two contradict, the newer one wins."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from retrieval.types import Numbers


@dataclass(frozen=True, slots=True)
class Correction:
    """One decision about the groups of numbered items."""

    together: tuple[int, ...] = ()
    """Items of one group (must-link)."""
    chosen: tuple[int, ...] = ()
    remaining: tuple[int, ...] = ()
    """Items whose groups contain none of the `chosen` ones (cannot-link)."""


class Components:
    """Disjoint sets (union-find) with cannot-link constraints.

    Linked items are one set, and some pairs of sets must stay apart. Items never named are not in any set.
    """

    def __init__(self) -> None:
        self._parents: dict[int, int] = {}
        self._apart: dict[int, set[int]] = {}  # root -> roots
        self.confirmed = set[int]()
        """Items that a correction puts or leaves in a group."""

    def copy(self) -> "Components":
        twin = Components()
        twin._parents, twin.confirmed = dict(self._parents), set(self.confirmed)
        twin._apart = {root: set(others) for root, others in self._apart.items()}
        return twin

    def root(self, item: int) -> int:
        """The item that stands for the set of `item`, which becomes a set of its own if it is new."""
        parents = self._parents
        parents.setdefault(item, item)
        while parents[item] != item:
            parents[item] = item = parents[parents[item]]
        return item

    def join(self, one: int, other: int) -> bool:
        """Link two items; False if their sets must stay apart."""
        kept, merged = self.root(one), self.root(other)
        if merged in self._apart.get(kept, ()):
            return False
        if kept != merged:
            self._parents[merged] = kept
            for apart in self._apart.pop(merged, set()):
                self._apart[apart].discard(merged)
                self._separate(kept, apart)
        return True

    def keep_apart(self, one: int, other: int) -> bool:
        """Keep the sets of two items apart; False if they are one set."""
        one, other = self.root(one), self.root(other)
        if one == other:
            return False
        self._separate(one, other)
        return True

    def roots(self, count: int) -> Numbers:
        """The root of each of the items 0 to `count` - 1, (count,); -1 for items in no set."""
        found = np.full(count, -1)
        items = [item for item in self._parents if item < count]
        found[items] = [self.root(item) for item in items]
        return found

    def pairs_apart(self) -> Numbers:
        """Pairs of roots that stay apart, in both orders, (P, 2)."""
        pairs = [(root, other) for root, others in self._apart.items() for other in others]
        return np.array(pairs, int).reshape(-1, 2)

    def _separate(self, one: int, other: int) -> None:
        self._apart.setdefault(one, set()).add(other)
        self._apart.setdefault(other, set()).add(one)


def resolve(corrections: Sequence[Correction]) -> tuple[Components, list[int]]:
    """Apply corrections, given oldest first; a pair of items that contradicts a newer correction is dropped.

    Also returns the positions of the corrections with dropped pairs.
    """
    components = Components()
    dropped = [place for place in reversed(range(len(corrections))) if not _applied(corrections[place], components)]
    return components, sorted(dropped)


def _applied(correction: Correction, components: Components) -> bool:
    """Apply a correction as far as the newer ones allow; whether it was applied in full."""
    components.confirmed.update(correction.together, correction.remaining)
    joined = _join_all(correction.together, components)
    pairs = product(_sets_of(correction.chosen, components), _sets_of(correction.remaining, components))
    apart = [components.keep_apart(*pair) for pair in pairs]
    return joined and all(apart)


def _sets_of(items: Iterable[int], components: Components) -> list[int]:
    """The roots of the sets of the items, each once."""
    return sorted({components.root(item) for item in items})


def _join_all(items: Iterable[int], components: Components) -> bool:
    """Join the items to as few sets as possible; whether that is one."""
    sets: list[int] = []
    for item in items:
        if not any(components.join(first, item) for first in sets):
            sets.append(item)
    return len(sets) <= 1
