"""Ways to find the things in a picture, each with its weights, its licence and the library it needs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from retrieval.errors import RuntimeMissing, WeightsMissing, in_short, pick
from retrieval.networks.backbones import FASTER_RCNN
from retrieval.networks.weights import Weights, have_weights, need_weights
from retrieval.optional_packages import TORCHVISION, TRANSFORMERS, OptionalPackage
from retrieval.regions.faster_rcnn import Detector
from retrieval.regions.proposals import propose_regions
from retrieval.regions.sam import SAM_VIT_B, SegmentAnything
from retrieval.types import Image, Progress, Region

Find = Callable[[Image], list[Region]]
"""An image (H, W, 3) -> regions in its pixels, best first, each with a score from 0 to 1; few or none may be there."""


@dataclass(frozen=True, slots=True)
class RegionDetector:
    """`make` takes the weights file, which is an empty path where there are no weights, and gives what finds."""

    name: str
    make: Callable[[Path], Find]
    weights: Weights | None
    licence: str
    needs: OptionalPackage | None = None

    def start(self) -> Find:
        """Ready to look at pictures, from many threads at once. Raises WeightsMissing, RuntimeMissing."""
        if self.needs:
            self.needs.check(self.name)
        return self.make(need_weights(self.weights) if self.weights else Path())


REGION_DETECTORS: dict[str, RegionDetector] = {
    "proposals": RegionDetector(
        name="proposals",
        make=lambda _: propose_regions,
        weights=None,
        licence="part of this program",
    ),
    "detector": RegionDetector(
        name="detector",
        make=Detector,
        weights=FASTER_RCNN,
        licence="BSD-3-Clause",
        needs=TORCHVISION,
    ),
    "sam": RegionDetector(
        name="sam",
        make=SegmentAnything,
        weights=SAM_VIT_B,
        licence="Apache-2.0",
        needs=TRANSFORMERS,
    ),
}
WITHOUT_WEIGHTS = "proposals"


def choose_region_detector(name: str, offline: bool, progress: Progress | None = None) -> tuple[RegionDetector, str]:
    """The finder of that name with its weights on disk, or the one that needs none and a sentence that says why.

    The sentence is empty when it is the one asked for. Raises UnknownName.
    """
    wanted = pick(REGION_DETECTORS, "way of finding regions", name)
    try:
        if wanted.needs:
            wanted.needs.check(wanted.name)
        if wanted.weights:
            have_weights(wanted.weights, offline, progress)
        return wanted, ""
    except (WeightsMissing, RuntimeMissing) as reason:
        return REGION_DETECTORS[
            WITHOUT_WEIGHTS
        ], f"Regions come from {WITHOUT_WEIGHTS}, which need no weights: {in_short(reason)}"
