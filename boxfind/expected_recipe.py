"""Predict the recipe of the next update, before a build loads or downloads anything."""

from dataclasses import replace

from boxfind.embedders import cache_file, calibrates_int8, machine_precision, make_recipe
from boxfind.settings import Settings
from retrieval.descriptors.recipe import Recipe
from retrieval.networks.backbone import Backbone
from retrieval.networks.backbones import AUTO, BACKBONES, BUNDLED, PREFERRED, find_backbone, find_known, is_chosen
from retrieval.networks.openvino_runtime import INT8, quantised_precision
from retrieval.networks.weights import Weights, has_file
from retrieval.optional_packages import OptionalPackage
from retrieval.regions.region_detectors import REGION_DETECTORS, WITHOUT_WEIGHTS


def expected_recipe(before: Recipe, settings: Settings) -> Recipe:
    """Return the recipe of the next update of an index with the recipe `before`.

    Where missing weights could still be downloaded, the prediction is that nothing changes. Raises RuntimeMissing.
    """
    backbone = _expected_backbone(before, settings)
    if backbone is None:
        return before
    now = make_recipe(backbone, settings.changed(head=None), {}, _expected_precision(backbone, before, settings))
    if now.backbone == before.backbone and not now.weights_sha256:  # a file of the hub that is not on this machine
        now = replace(now, weights_sha256=before.weights_sha256)
    regions = dict(_expected_region(name, before, settings) for name in settings.build.regions)
    now = replace(now, regions=tuple(regions), detectors=tuple(regions.values()))
    return replace(now, whitening=before.whitening) if settings.build.head else now


def first_recipe(settings: Settings) -> Recipe:
    """Return the recipe of a first build, if nothing is downloaded. Raises RuntimeMissing, UnknownName."""
    name, preferred = settings.build.backbone, BACKBONES[PREFERRED]
    if name == AUTO:
        name = PREFERRED if _is_available(preferred.weights, preferred.needs, settings) else BUNDLED
    backbone = find_backbone(name)
    recipe = make_recipe(backbone, settings.changed(head=None), {}, machine_precision(settings, None))
    regions = dict(_expected_region(name, recipe, settings) for name in settings.build.regions)
    return replace(recipe, regions=tuple(regions), detectors=tuple(regions.values()))


def _expected_backbone(before: Recipe, settings: Settings) -> Backbone | None:
    """None for an index whose backbone this version does not include."""
    name = settings.build.backbone
    if name == AUTO:
        known, preferred = find_known(before.backbone), BACKBONES[PREFERRED]
        if known and is_chosen(known.name) and _is_available(known.weights, known.needs, settings) is not False:
            return known
        available = _is_available(preferred.weights, preferred.needs, settings)
        name = before.backbone if available is None else PREFERRED if available else BUNDLED
    return find_known(name)


def _expected_precision(backbone: Backbone, before: Recipe, settings: Settings) -> str:
    if calibrates_int8(settings):
        return quantised_precision(cache_file(backbone, settings, "xml")) or f"{INT8} (still to be calibrated)"
    return machine_precision(settings, before)


def _expected_region(name: str, before: Recipe, settings: Settings) -> tuple[str, str]:
    """Return the region source that is used for `name`, and the SHA-256 of its weights."""
    detector = REGION_DETECTORS.get(name)
    if detector is None:
        return name, ""
    available = _is_available(detector.weights, detector.needs, settings)
    used = name if available or (available is None and name in before.regions) else WITHOUT_WEIGHTS
    weights = REGION_DETECTORS[used].weights
    return used, weights.sha256 if weights else ""


def _is_available(weights: Weights | None, needs: OptionalPackage | None, settings: Settings) -> bool | None:
    """Whether a network can be used; None if that depends on a download."""
    if needs and not needs.installed:
        return False
    if weights is None or has_file(weights):
        return True
    return False if settings.offline else None
