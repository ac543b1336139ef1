"""The table of region detectors, each with its weights, licence and required package."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from retrieval.errors import RuntimeMissing, WeightsMissing, in_short, pick
from retrieval.networks.torchvision_networks import FASTER_RCNN
from retrieval.networks.weights import Weights, have_weights, need_weights
from retrieval.optional_packages import TORCHVISION, TRANSFORMERS, OptionalPackage
from retrieval.regions.faster_rcnn import Detector
from retrieval.regions.find_regions import Find
from retrieval.regions.proposals import propose_regions
from retrieval.regions.sam import SAM_VIT_B, SegmentAnything
from retrieval.types import Progress


@dataclass(frozen=True, slots=True)
class RegionDetector:
    """A region detector. `make` turns the path of the weights file (empty without weights) into a detector function."""

    name: str
    make: Callable[[Path], Find]
    weights: Weights | None
    licence: str
    needs: OptionalPackage | None = None

    def start(self) -> Find:
        """Load the detector. The result is thread-safe. Raises WeightsMissing, RuntimeMissing."""
        if self.needs:
            self.needs.check(self.name)
        return self.make(need_weights(self.weights) if self.weights else Path())


REGION_DETECTORS: dict[str, RegionDetector] = {
    "proposals": RegionDetector("proposals", lambda _: propose_regions, None, "part of this program"),
    "detector": RegionDetector("detector", Detector, FASTER_RCNN, "BSD-3-Clause", TORCHVISION),
    "sam": RegionDetector("sam", SegmentAnything, SAM_VIT_B, "Apache-2.0", TRANSFORMERS),
}
WITHOUT_WEIGHTS = "proposals"


def choose_region_detector(name: str, offline: bool, progress: Progress | None = None) -> tuple[RegionDetector, str]:
    """Return the detector with its weights on disk, or the fallback without weights and a message that says why.

    The message is empty for the requested detector. Raises UnknownName.
    """
    wanted = pick(REGION_DETECTORS, "region detector", name)
    try:
        if wanted.needs:
            wanted.needs.check(wanted.name)
        if wanted.weights:
            have_weights(wanted.weights, offline, progress)
        return wanted, ""
    except (WeightsMissing, RuntimeMissing) as reason:
        sentence = f"Using the region detector {WITHOUT_WEIGHTS}, which needs no weights. {in_short(reason)}"
        return REGION_DETECTORS[WITHOUT_WEIGHTS], sentence
