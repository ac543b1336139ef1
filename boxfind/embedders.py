"""Settings and recipes become embedders: networks ready to look at queries, or at a whole gallery."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

from boxfind.settings import Settings
from index.building.decoder_pool import DecoderPool, Unchanged
from index.storage.folder_scan import find_pictures
from retrieval.descriptors.compatibility import recipe_problem
from retrieval.descriptors.embedder import Embedder
from retrieval.descriptors.projection_head import head_problem, read_head
from retrieval.descriptors.recipe import LEARNED, Recipe, recipe_changes
from retrieval.descriptors.whitening import Whitening, no_whitening
from retrieval.errors import BadHead, GalleryProblem, IndexProblem, RuntimeMissing, UnreadableImage, pick
from retrieval.networks.backbones import AUTO, BACKBONES, Backbone, choose_backbone
from retrieval.networks.imagenet_classes import load_classifier
from retrieval.networks.openvino_runtime import INT8, has_quantised, quantise
from retrieval.networks.run_options import RunOptions
from retrieval.networks.runtimes import OPENVINO, RUNTIMES, Runtime, choose_runtime
from retrieval.networks.weights import file_sha256, need_weights
from retrieval.regions.find_regions import REGIONS
from retrieval.regions.region_detectors import REGION_DETECTORS, RegionDetector, choose_region_detector
from retrieval.types import Pixels, Progress, Vectors

CALIBRATED_ON = 100
"""Pictures, from all over the gallery."""

Sources = dict[str, RegionDetector | None]
"""Where regions come from, by name and in order; None where they are laid out by the size of a picture alone."""


def embedder_for_building(settings: Settings, progress: Progress) -> tuple[Embedder, str]:
    """What a new index is built with, and sentences for its users where something could not be had as asked for.

    Raises WeightsMissing, RuntimeMissing, UnknownName, BadHead.
    """
    backbone, note = choose_backbone(settings.build.backbone, settings.offline, progress)
    sources, notes = region_sources(settings, progress)
    precision, said = _precision(backbone, settings, progress)
    recipe = make_recipe(backbone, settings, sources, precision)
    embedder = _for_looking(recipe, settings, settings.build.workers)
    embedder = replace(embedder, whitening=_given_whitening(recipe, backbone, settings))
    return embedder, " ".join(filter(None, [note, *notes, said]))


def embedder_in_a_cluster(recipe: Recipe, settings: Settings) -> Embedder:
    """What describes gallery pictures in one process of many, by one thread and exactly as the recipe says.

    Raises WeightsMissing, RuntimeMissing.
    """
    _, options = _way_to_run(recipe, settings, RunOptions())
    if options.precision != recipe.precision:
        raise RuntimeMissing(
            f"This machine does not compute in {recipe.precision}, as the index does; choose another precision "
            "(BOXFIND_PRECISION), for int8 a data folder that all machines share (BOXFIND_DATA)."
        )
    return _for_looking(recipe, settings, streams=1, threads=1)


def _for_looking(recipe: Recipe, settings: Settings, streams: int, threads: int = 0) -> Embedder:
    backbone = BACKBONES[recipe.backbone]
    return replace(
        embedder_for_searching(recipe, settings, streams, threads),
        classifier=None
        if backbone.text
        else load_classifier(need_weights(backbone.weights), _kept(backbone, settings, "npz")),
        detectors={name: REGION_DETECTORS[name].start() for name in recipe.regions if name in REGION_DETECTORS},
    )


def embedder_for_searching(recipe: Recipe, settings: Settings, streams: int = 1, threads: int = 0) -> Embedder:
    """Raises IndexProblem when this program cannot make vectors that compare with the recipe's."""
    problem = recipe_problem(recipe)
    if problem:
        raise IndexProblem(problem)
    backbone = BACKBONES[recipe.backbone]
    weights = need_weights(backbone.weights)
    runtime, options = _way_to_run(recipe, settings, RunOptions(streams=streams, threads=threads))
    return Embedder(recipe, runtime.start(lambda: backbone.make(weights), options), at_once=runtime.at_once)


def _way_to_run(recipe: Recipe, settings: Settings, options: RunOptions) -> tuple[Runtime, RunOptions]:
    """How this machine runs a recipe's network: in its precision where it can, else in float32. Raises RuntimeMissing.

    The options come back with the precision and the place on disk.
    """
    converted = _kept(BACKBONES[recipe.backbone], settings, "xml")
    options = replace(options, precision=recipe.precision, converted=converted)
    if settings.runtime in ("auto", OPENVINO) and has_quantised(options):
        return RUNTIMES[OPENVINO], options
    runtime, precision = choose_runtime(settings.runtime, recipe.precision)
    return runtime, replace(options, precision=precision)


def _kept(backbone: Backbone, settings: Settings, suffix: str) -> Path:
    """Where what is made of a checkpoint is kept between starts."""
    name = f"{backbone.name}-{backbone.weights.sha256[:12]}-{backbone.preprocessing}-{len(backbone.channels)}.{suffix}"
    return settings.data / "networks" / name


def text_tower(recipe: Recipe) -> Callable[[str], Vectors] | None:
    """What gives sentences a place among the vectors of a recipe; None where the network knows no sentences."""
    backbone = BACKBONES.get(recipe.backbone)
    return _tower(backbone.name) if backbone and backbone.text else None


@cache
def _tower(name: str) -> Callable[[str], Vectors]:
    backbone = BACKBONES[name]
    assert backbone.text is not None
    return backbone.text(need_weights(backbone.weights))


def region_sources(settings: Settings, progress: Progress | None = None) -> tuple[Sources, list[str]]:
    """What finds the regions, and a sentence for each way that had to be replaced. Raises UnknownName."""
    sources: Sources = {}
    notes = []
    for name in settings.build.regions:
        if pick({**REGIONS, **REGION_DETECTORS}, "region source", name) is REGIONS.get(name):
            sources[name] = None
        else:
            detector, note = choose_region_detector(name, settings.offline, progress)
            sources[detector.name] = detector
            notes.append(note)
    return sources, notes


def make_recipe(backbone: Backbone, settings: Settings, sources: Sources, precision: str) -> Recipe:
    """What a new index is built with.

    A backbone that knows sentences keeps its own space, in which they lie too: averaged, not whitened.
    """
    speaks = backbone.text is not None
    return Recipe(
        backbone=backbone.name,
        weights_sha256=backbone.weights.sha256,
        preprocessing=backbone.preprocessing,
        side=settings.build.side,
        query_side=settings.tuning.query_side,
        query_views=settings.tuning.query_views,
        regions=tuple(sources),
        detectors=tuple(
            detector.weights.sha256 if detector and detector.weights else "" for detector in sources.values()
        ),
        grid_levels=settings.build.grid_levels,
        dedup_similarity=settings.tuning.dedup_similarity,
        pooling="gap" if speaks else settings.build.pooling,
        mid_layer_weight=0.0 if speaks else settings.tuning.mid_layer_weight,
        whitening="none" if speaks else _head_id(settings) or settings.build.whitening,
        dimensions=settings.tuning.dimensions,
        precision=precision,
        keypoints=settings.build.keypoints,
    )


def expected_changes(recipe: Recipe, settings: Settings) -> list[str]:
    """How an update would change the recipe of an index, as far as the settings say without starting anything.

    The backbone that `auto` takes, where regions come from and the precision depend on what this machine has: only the
    build knows these.
    """
    backbone = BACKBONES.get(recipe.backbone if settings.build.backbone == AUTO else settings.build.backbone)
    if backbone is None:
        return []
    now = make_recipe(backbone, settings.changed(head=None), {}, recipe.precision)
    now = replace(now, regions=recipe.regions, detectors=recipe.detectors)
    return recipe_changes(recipe, replace(now, whitening=recipe.whitening) if settings.build.head else now)


def _precision(backbone: Backbone, settings: Settings, progress: Progress) -> tuple[str, str]:
    """What a new index is computed in, and a sentence where that is not what was asked for. Raises RuntimeMissing."""
    wanted = settings.build.precision
    if wanted == INT8 and settings.runtime in ("auto", OPENVINO):
        weights, converted = need_weights(backbone.weights), _kept(backbone, settings, "xml")
        return quantise(lambda: backbone.make(weights), converted, lambda: _examples(settings, progress)), ""
    _, precision = choose_runtime(settings.runtime, None if wanted == "auto" else wanted)
    unmet = wanted not in ("auto", precision)
    return precision, f"This machine does not compute in {wanted}: the index is built in {precision}." if unmet else ""


def _examples(settings: Settings, progress: Progress) -> list[Pixels]:
    """Pictures from all over the gallery, as the network takes them. Raises GalleryProblem."""
    found, _ = find_pictures(settings.gallery_dir)
    chosen = found[:: max(len(found) // CALIBRATED_ON, 1)][:CALIBRATED_ON]
    examples = []
    with DecoderPool(1) as pool:
        for count, picture in enumerate(chosen, start=1):
            progress("Reading pictures to calibrate 8-bit integers on", count, len(chosen))
            with contextlib.suppress(UnreadableImage):
                seen = pool.look(picture.path, settings.build.side)
                assert not isinstance(seen, Unchanged)  # no file was known before
                examples.append(seen.pixels[None])
    progress("Calibrating 8-bit integers (a minute)", 0, 0)
    if not examples:
        raise GalleryProblem(f"There is no picture in {settings.gallery_dir} to calibrate 8-bit integers on.")
    return examples


def _head_id(settings: Settings) -> str:
    if settings.build.head is None:
        return ""
    if not settings.build.head.is_file():
        raise BadHead(f"There is no head {settings.build.head}; make one with `boxfind finetune`.")
    return file_sha256(settings.build.head)


def _given_whitening(recipe: Recipe, backbone: Backbone, settings: Settings) -> Whitening | None:
    """The whitening that the recipe names; None where it is learned."""
    if recipe.whitening == LEARNED:
        return None
    if recipe.whitening == "none" or settings.build.head is None:
        coarse, fine = backbone.channels
        return no_whitening(coarse + fine if recipe.mid_layer_weight else coarse)
    whitening, facts = read_head(settings.build.head)
    problem = head_problem(facts, recipe)
    if problem:
        raise BadHead(problem)
    return whitening
