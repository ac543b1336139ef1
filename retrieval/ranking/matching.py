"""Verify candidates by keypoints and appearance, over all views of a query and its mirror image."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from retrieval.ranking.appearance import (
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
from retrieval.ranking.verification import MIN_INLIERS, THREADS, Evidence, verification_score, verify_all
from retrieval.types import Box, Image

FEW = 5
"""Matches from which on the mirror image of the query is not looked for."""


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


def view_of_match(image: int, evidence: Evidence, gallery: Searchable) -> View:
    """The object as a matched image shows it: what of the image lies in the matched box."""
    box = evidence.box
    assert box is not None, "a match has a box"
    keypoints, _ = gallery.keypoints(image)
    corner, size = np.array([box.x0, box.y0], np.float32), np.array([box.width, box.height])
    places = np.asarray(keypoints.points - corner, np.float32)
    inside = ((places >= 0) & (places < size)).all(axis=1)
    object_ = Keypoints(places[inside], keypoints.descriptors[inside])
    return View(object_, (box.width, box.height), query_frame(gallery.pixels(image, box)))


def match_keypoints(
    views: Sequence[View], candidates: Sequence[int], gallery: Searchable, pairs: float, mirror: int = 0
) -> dict[int, Match]:
    """The candidates with enough inliers, in their order. The views share the budget of `pairs` equally.

    If there are fewer than FEW, the first `mirror` candidates without a match are compared with the mirrored views,
    within as many pairs again.
    """
    matches = _strongest(views, candidates, gallery, pairs)
    if len(matches) >= FEW:
        return matches
    rest = [candidate for candidate in candidates if candidate not in matches][:mirror]
    flipped = [replace(view, keypoints=mirror_keypoints(view.keypoints, view.size[0])) for view in views]
    matches |= {
        candidate: replace(match, evidence=_flipped_back(match.evidence))
        for candidate, match in _strongest(flipped, rest, gallery, pairs).items()
    }
    return {candidate: matches[candidate] for candidate in candidates if candidate in matches}


def compare_appearance(views: Sequence[View], matches: dict[int, Match], gallery: Searchable) -> dict[int, Match]:
    """The same matches with their likeness. Threads share the work; results do not depend on their number."""

    def compared(candidate: int) -> Match:
        match = matches[candidate]
        homography, places = match.evidence.homography, match.evidence.places
        if homography is None or places is None or not (picture := gallery.pixels(candidate)).size:
            return match
        agreement = compare(views[match.view].frame, picture, homography, places)
        return replace(match, likeness=likeness(agreement, match.evidence))

    with ThreadPoolExecutor(THREADS) as pool:
        return dict(zip(matches, pool.map(compared, matches), strict=True))


def colour_scores(views: Sequence[View], regions: Mapping[int, Box], gallery: Searchable) -> dict[int, float]:
    """The score part of each image without a match, by the colours of its region; 0 if its pixels are gone."""
    wanted = [colour_shares(view.frame) for view in views]

    def score(image: int) -> float:
        pixels = gallery.pixels(image, regions[image])
        if not pixels.size:
            return 0.0
        shares = colour_shares(pixels)
        return max((colour_score(of_view, shares) for of_view in wanted), default=0.0)

    with ThreadPoolExecutor(THREADS) as pool:
        return dict(zip(regions, pool.map(score, regions), strict=True))


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


def _strongest(views: Sequence[View], candidates: Sequence[int], gallery: Searchable, pairs: float) -> dict[int, Match]:
    """For each candidate with enough inliers, the view with the most."""
    if not candidates:
        return {}
    found = [verify_all(view.keypoints, view.size, candidates, gallery.keypoints, pairs / len(views)) for view in views]
    matches = {}
    for candidate, of_views in zip(candidates, zip(*found, strict=True), strict=True):
        view = max(range(len(views)), key=lambda view: of_views[view].inliers)
        if of_views[view].inliers >= MIN_INLIERS:
            matches[candidate] = Match(of_views[view], view)
    return matches


def _flipped_back(evidence: Evidence) -> Evidence:
    """Evidence for a crop, from the evidence for its mirror image."""
    if evidence.homography is None or evidence.places is None:
        return evidence
    flip = np.array([[-1.0, 0, 1], [0, 1, 0], [0, 0, 1]])
    return replace(evidence, homography=evidence.homography @ flip, places=mirrored(evidence.places, 1))
