"""Verify candidates by keypoints and appearance, over all views of a query and its mirror image."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from retrieval.ranking.appearance import (
    COLOUR_SIDE,
    JOINING,
    alike_share,
    appearance_score,
    colour_score,
    colour_shares,
    compare,
    level_of,
    likeness,
    query_frame,
)
from retrieval.ranking.keypoints import Keypoints, mirror_keypoints, mirrored, query_keypoints
from retrieval.ranking.region_search import Searchable
from retrieval.ranking.search_threads import search_threads
from retrieval.ranking.verification import (
    MIN_INLIERS,
    PAIRS_BUDGET,
    Evidence,
    Homography,
    verification_score,
    verify_all,
)
from retrieval.types import Box, Image

FEW = 5
"""Matches from which on the mirror image of the query is not looked for."""
BATCH = 30
"""Candidates compared at a time; a batch without any match is the last."""
MATCH_KEYPOINTS = 150
"""Maximum keypoints of the object as a match shows it."""
REMEMBERED = 256
"""Images whose keypoints are kept in memory during a search."""


@dataclass(frozen=True, slots=True)
class View:
    """A query crop as it is compared: its keypoints in pixels of the crop, and the small frame for appearance."""

    keypoints: Keypoints
    size: tuple[int, int]
    """(width, height) of the crop."""
    frame: Image


@dataclass(frozen=True, slots=True)
class Match:
    """A candidate with enough inliers, and the view that has the most of them."""

    evidence: Evidence
    view: int
    likeness: float | None = None
    """See `appearance.likeness`; None if the appearance was not compared."""


def view_of(crop: Image) -> View:
    """Prepare a query crop (H, W, 3)."""
    return View(*query_keypoints(crop), query_frame(crop))


@dataclass(frozen=True)
class Matcher:
    """Compares images of a gallery with the views of a query: by keypoints, and matches by appearance."""

    views: Sequence[View]
    gallery: Searchable
    by_appearance: bool = True
    pairs: float = PAIRS_BUDGET
    """The most pairs of keypoints that one comparison takes; the views share them equally."""

    def match(self, candidates: Sequence[int], mirrored: int = 0) -> dict[int, Match]:
        """The candidates with enough inliers, in their order.

        If there are fewer than FEW, the first `mirrored` candidates without a match are compared with the mirrored
        views, within as many pairs again.
        """
        matches = self._strongest(self.views, candidates)
        if len(matches) < FEW:
            rest = [candidate for candidate in candidates if candidate not in matches][:mirrored]
            flipped = [replace(view, keypoints=mirror_keypoints(view.keypoints, view.size[0])) for view in self.views]
            matches |= {
                candidate: replace(match, evidence=_flipped_back(match.evidence))
                for candidate, match in self._strongest(flipped, rest).items()
            }
        return self._compared({candidate: matches[candidate] for candidate in candidates if candidate in matches})

    def match_in_batches(self, candidates: Sequence[int]) -> dict[int, Match]:
        """The candidates with enough inliers, BATCH compared at a time, until none of a batch matches."""
        matches: dict[int, Match] = {}
        for start in range(0, len(candidates), BATCH):
            found = self.match(candidates[start : start + BATCH])
            if not found:
                break
            matches |= found
        return matches

    def match_through(self, sources: Mapping[int, Match], candidates: Sequence[int]) -> dict[int, Match]:
        """The candidates with enough inliers with the object as it is shown by source images, which are matches.

        Their evidence is that for the query crop, whose place in the sources is known.
        """
        views = [self._view_of_match(image, match) for image, match in sources.items()]
        found = self._strongest(views, candidates)
        shown = [(match, self._to_view(image, match)) for image, match in sources.items()]
        return self._compared({candidate: _through(match, *shown[match.view]) for candidate, match in found.items()})

    def colour_scores(self, regions: Mapping[int, Box]) -> dict[int, float]:
        """The score part of each image without a match, by the colours of its region; 0 if its pixels are gone."""
        wanted = [colour_shares(view.frame) for view in self.views]

        def score(image: int) -> float:
            pixels = self.gallery.pixels(image, regions[image], COLOUR_SIDE)
            if not pixels.size:
                return 0.0
            shares = colour_shares(pixels)
            return max((colour_score(of_view, shares) for of_view in wanted), default=0.0)

        return dict(zip(regions, search_threads().map(score, regions), strict=True))

    @cached_property
    def _keypoints(self) -> Callable[[int], tuple[Keypoints, tuple[int, int]]]:
        """Reads the keypoints of an image, which several views are compared with."""
        return lru_cache(REMEMBERED)(self.gallery.keypoints)

    def _strongest(self, views: Sequence[View], candidates: Sequence[int]) -> dict[int, Match]:
        """For each candidate with enough inliers, the view with the most."""
        if not views or not candidates:
            return {}
        pairs = self.pairs / len(views)
        found = [verify_all(view.keypoints, view.size, candidates, self._keypoints, pairs) for view in views]
        matches = {}
        for candidate, of_views in zip(candidates, zip(*found, strict=True), strict=True):
            view = max(range(len(views)), key=lambda view: of_views[view].inliers)
            if of_views[view].inliers >= MIN_INLIERS:
                matches[candidate] = Match(of_views[view], view)
        return matches

    def _compared(self, matches: dict[int, Match]) -> dict[int, Match]:
        """The same matches with their likeness, if appearance is compared. Does not depend on the threads."""
        if not self.by_appearance:
            return matches

        def compared(candidate: int) -> Match:
            match = matches[candidate]
            homography, places = match.evidence.homography, match.evidence.places
            if homography is None or places is None or not (picture := self.gallery.pixels(candidate)).size:
                return match
            agreement = compare(self.views[match.view].frame, picture, homography, places)
            return replace(match, likeness=likeness(agreement, match.evidence))

        return dict(zip(matches, search_threads().map(compared, matches), strict=True))

    def _view_of_match(self, image: int, match: Match) -> View:
        """The object as an image shows it: the matched box, and the strongest keypoints in it."""
        box = match.evidence.box
        assert box is not None, "a match has a box"
        keypoints, _ = self._keypoints(image)
        places = np.asarray(keypoints.points - np.array([box.x0, box.y0], np.float32), np.float32)
        inside = np.flatnonzero(((places >= 0) & (places < (box.width, box.height))).all(axis=1))[:MATCH_KEYPOINTS]
        strongest = Keypoints(places[inside], keypoints.descriptors[inside])
        return View(strongest, (box.width, box.height), np.zeros((0, 0, 3), np.uint8))  # its appearance is not compared

    def _to_view(self, image: int, match: Match) -> Homography | None:
        """The homography from shares of the query crop to shares of the matched box."""
        box, homography = match.evidence.box, match.evidence.homography
        if box is None or homography is None:
            return None
        width, height = self._keypoints(image)[1]
        x, y = np.array([width, box.x0]) / box.width, np.array([height, box.y0]) / box.height
        return np.asarray(np.array([[x[0], 0, -x[1]], [0, y[0], -y[1]], [0, 0, 1]]) @ homography)


def alike(matches: Mapping[int, Match]) -> list[int]:
    """The images to expand the query with: those that look most like it first. All, if appearance is not compared."""
    level = _level(matches)
    compared = [image for image, match in matches.items() if match.likeness is not None]
    if not compared:
        return list(matches)
    likeness = {image: matches[image].likeness or 0.0 for image in compared}
    return sorted((i for i in compared if likeness[i] >= level - JOINING), key=lambda i: -likeness[i])


def appearance_scores(matches: Mapping[int, Match]) -> dict[int, float]:
    """The score part of each match."""
    level = _level(matches)
    return {
        image: 0.0 if match.likeness is None else appearance_score(match.likeness, level)
        for image, match in matches.items()
    }


def certainties(matches: Mapping[int, Match]) -> dict[int, float]:
    """From 0 to 1, whether each match has many inliers and looks like the query object, if that was compared."""
    level = _level(matches)
    return {
        image: verification_score(match.evidence.inliers)
        * (1.0 if match.likeness is None else alike_share(match.likeness, level))
        for image, match in matches.items()
    }


def _level(matches: Mapping[int, Match]) -> float:
    return level_of([match.likeness for match in matches.values() if match.likeness is not None])


def _flipped_back(evidence: Evidence) -> Evidence:
    """Evidence for a crop, from the evidence for its mirror image."""
    if evidence.homography is None or evidence.places is None:
        return evidence
    flip = np.array([[-1.0, 0, 1], [0, 1, 0], [0, 0, 1]])
    return replace(evidence, homography=evidence.homography @ flip, places=mirrored(evidence.places, 1))


def _through(match: Match, source: Match, to_view: Homography | None) -> Match:
    """A match with a view of a source, as a match with the view of the query that found the source."""
    homography, places = match.evidence.homography, match.evidence.places
    if to_view is None or homography is None or places is None:
        return Match(replace(match.evidence, homography=None, places=None), source.view)
    back = np.linalg.inv(to_view) @ np.concatenate([places, np.ones((len(places), 1))], axis=1).T
    in_crop = np.asarray(np.clip(back[:2] / back[2], 0, 1).T, np.float32)
    return Match(replace(match.evidence, homography=homography @ to_view, places=in_crop), source.view)
