"""Make embedders from settings and recipes, for searching an index or building one."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

from boxfind.settings import Settings
from boxfind.settings_schema import BuildSettings
from index.building.decode_tasks import Unchanged
from index.building.decoder_pool import DecoderPool
from index.storage.folder_scan import find_pictures
from retrieval.descriptors.compatibility import recipe_problem
from retrieval.descriptors.embedder import Embedder
from retrieval.descriptors.projection_head import head_problem, read_head
from retrieval.descriptors.recipe import LEARNED, Recipe
from retrieval.descriptors.whitening import Whitening, no_whitening
from retrieval.errors import BadHead, GalleryProblem, IndexProblem, RuntimeMissing, UnreadableImage, pick
from retrieval.networks.backbone import Backbone
from retrieval.networks.backbones import AUTO, BACKBONES, choose_backbone, find_backbone, find_known, has_files
from retrieval.networks.imagenet_classes import CLASSES, Classifier, load_classifier
from retrieval.networks.openvino_runtime import INT8, NotConvertible, converted_network, has_quantised, quantise
from retrieval.networks.run_options import FULL, RunOptions
from retrieval.networks.runtimes import OPENVINO, RUNTIMES, TORCH_CPU, Runtime, choose_runtime
from retrieval.networks.weights import file_sha256, need_weights
from retrieval.regions.find_regions import REGIONS
from retrieval.regions.region_detectors import REGION_DETECTORS, RegionDetector, choose_region_detector
from retrieval.text.conse import class_embeddings
from retrieval.text.sentence_embedder import check_sentence_model
from retrieval.types import Pixels, Progress, Vectors

FIXED_SIZES = 4
"""Image sizes for which a build may compile the network once more; each takes some 20 to 60 MB."""
CALIBRATED_ON = 100
"""Maximum number of images for int8 calibration, evenly spread over the gallery."""

Sources = dict[str, RegionDetector | None]
"""Region sources by name, in order; None for a source that needs only the size of the image, not a detector."""


def embedder_for_building(settings: Settings, progress: Progress, before: Recipe | None = None) -> tuple[Embedder, str]:
    """Return the embedder for a new index, and a note for users about choices and settings that were replaced.

    The precision `auto` is that of `before`, the recipe of the index to update, if this machine has it; choose_backbone
    explains the backbone `auto`. Raises WeightsMissing, RuntimeMissing, UnknownName, BadHead. Raises GalleryProblem
    when the gallery has no picture for int8 calibration.
    """
    backbone, note = choose_backbone(
        settings.build.backbone, settings.offline, progress, before.backbone if before else ""
    )
    sources, notes = region_sources(settings, progress)
    precision, precision_note = _precision(backbone, settings, progress, before)
    recipe = make_recipe(backbone, settings, sources, precision)
    embedder = describing_embedder(recipe, settings, settings.build.workers)
    embedder = replace(embedder, whitening=_given_whitening(recipe, backbone, settings))
    if embedder.classifier:
        with contextlib.suppress(RuntimeMissing):  # only text search needs them
            progress("Preparing search by description", 0, 0)
            class_embeddings(class_names_file(settings))
    return embedder, " ".join(filter(None, [note, *notes, precision_note, _ignored_settings(backbone, settings)]))


def embedder_in_a_cluster(recipe: Recipe, settings: Settings) -> Embedder:
    """Return a single-threaded embedder for one worker process of a cluster, in exactly the recipe's precision.

    Raises WeightsMissing, RuntimeMissing, and IndexProblem when this version cannot make compatible vectors.
    """
    _, options = _runtime_and_options(recipe, settings, RunOptions())
    if options.precision != recipe.precision:
        raise RuntimeMissing(
            f"This machine cannot compute in {recipe.precision}, the precision of the index. Choose another precision "
            "with BOXFIND_PRECISION; for int8, share one data folder between all machines (BOXFIND_DATA)."
        )
    return describing_embedder(recipe, settings, streams=1, threads=1)


def describing_embedder(recipe: Recipe, settings: Settings, streams: int, threads: int = 0) -> Embedder:
    """Return an embedder that also finds regions and classifies them, unless the backbone has a text encoder.

    Raises WeightsMissing, RuntimeMissing, and IndexProblem for an unsupported recipe.
    """
    backbone = find_backbone(recipe.backbone)
    return replace(
        embedder_for_searching(recipe, settings, streams, threads, FIXED_SIZES),
        classifier=None if backbone.text else _classifier(backbone, settings),
        detectors={name: REGION_DETECTORS[name].start() for name in recipe.regions if name in REGION_DETECTORS},
    )


def _classifier(backbone: Backbone, settings: Settings) -> Classifier | None:
    """Return the ImageNet classifier of a network; None if it has none, or none for its last layer."""
    found = load_classifier(need_weights(backbone.weights), cache_file(backbone, settings, "npz"))
    return found if found and found.weight.shape == (CLASSES, backbone.channels[0]) else None


def embedder_for_searching(
    recipe: Recipe, settings: Settings, streams: int = 1, threads: int = 0, fixed_sizes: int = 0
) -> Embedder:
    """Return an embedder for queries. Raises WeightsMissing, RuntimeMissing, IndexProblem for an unsupported recipe."""
    problem = recipe_problem(recipe)
    if problem:
        raise IndexProblem(problem)
    backbone = find_backbone(recipe.backbone)
    weights = need_weights(backbone.weights)
    options = RunOptions(streams=streams, threads=threads, fixed_sizes=fixed_sizes)
    runtime, options = _runtime_and_options(recipe, settings, options)
    try:
        run = runtime.start(lambda: backbone.make(weights), options)
    except NotConvertible:
        runtime = RUNTIMES[TORCH_CPU]
        run = runtime.start(lambda: backbone.make(weights), replace(options, precision=FULL))
    return Embedder(recipe, run, at_once=runtime.at_once)


def _runtime_and_options(recipe: Recipe, settings: Settings, options: RunOptions) -> tuple[Runtime, RunOptions]:
    """Choose the runtime for a recipe's network, in its precision if possible, else float32. Raises RuntimeMissing."""
    options = _with_cache(find_backbone(recipe.backbone), settings, replace(options, precision=recipe.precision))
    if settings.runtime in (AUTO, OPENVINO) and has_quantised(options):
        return RUNTIMES[OPENVINO], options
    runtime, precision = choose_runtime(settings.runtime, recipe.precision)
    return runtime, replace(options, precision=precision)


def _with_cache(backbone: Backbone, settings: Settings, options: RunOptions) -> RunOptions:
    converted = cache_file(backbone, settings, "xml")
    return replace(options, converted=converted, stride=backbone.stride, proven=backbone.name in BACKBONES)


def cache_file(backbone: Backbone, settings: Settings, suffix: str) -> Path:
    """Return the cache path for a file derived from a checkpoint."""
    version = f"{backbone.weights.sha256[:12]}-{backbone.preprocessing}-{len(backbone.channels)}"
    return settings.data / "networks" / f"{backbone.file_stem}-{version}.{suffix}"


def class_names_file(settings: Settings) -> Path:
    """Return the path of the embedded class names, with which descriptions are compared."""
    return settings.data / "networks" / "class-names-all-MiniLM-L6-v2.npy"


def text_problem(recipe: Recipe, classified: bool) -> str:
    """Return why an index cannot be searched by text; empty if it can. `classified`: its regions have classes."""
    backbone = find_known(recipe.backbone)
    try:
        if backbone and backbone.text:
            if backbone.needs:
                backbone.needs.check(backbone.name)
            return "" if has_files(backbone.name) else f"The weights of {backbone.name} are not on this machine."
        if classified:
            check_sentence_model()
            return ""
    except RuntimeMissing as problem:
        return str(problem)
    return (
        f"An index built with {recipe.backbone} cannot be searched by text; "
        "rebuild it with a network of open_clip, resnet50 or the bundled network."
    )


def text_tower(recipe: Recipe) -> Callable[[str], Vectors] | None:
    """Return the text encoder that shares the recipe's vector space; None if its backbone has none."""
    backbone = find_known(recipe.backbone)
    return _tower(backbone.name) if backbone and backbone.text else None


@cache
def _tower(name: str) -> Callable[[str], Vectors]:
    backbone = find_backbone(name)
    assert backbone.text is not None
    return backbone.text(need_weights(backbone.weights))


def region_sources(settings: Settings, progress: Progress | None = None) -> tuple[Sources, list[str]]:
    """Return the region sources, and a note for each source that had to be replaced. Raises UnknownName."""
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
    """Return the recipe of a new index."""
    has_text = backbone.text is not None  # such a backbone stays in the space that it shares with text
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
        pooling=_pooling(backbone, settings),
        mid_layer_weight=0.0 if has_text else settings.tuning.mid_layer_weight,
        whitening="none" if has_text else _head_id(settings) or settings.build.whitening,
        dimensions=settings.tuning.dimensions,
        precision=precision,
        keypoints=settings.build.keypoints,
        tiled_from=settings.build.tiled_from,
        tiles=settings.build.tiles,
        stride=backbone.stride,
        revision=backbone.weights.revision,
    )


def _pooling(backbone: Backbone, settings: Settings) -> str:
    """Return the pooling that suits the backbone: generalised means need features without negative values."""
    wanted = settings.build.pooling
    return "gap" if backbone.text or (backbone.signed and wanted == "gem") else wanted


def machine_precision(settings: Settings, before: Recipe | None) -> str:
    """Return the precision of a build on this machine: as set, else that of the index to update, else the fastest.

    A precision that the machine lacks is replaced. Raises RuntimeMissing.
    """
    wanted: str | None = settings.build.precision
    if wanted == AUTO:
        wanted = before.precision if before and not before.precision.startswith(INT8) else None
    return choose_runtime(settings.runtime, wanted)[1]


def is_asked_for(precision: str, settings: Settings) -> bool:
    """Whether the settings name this precision, so that a build does not keep an index of another one."""
    return precision.startswith(settings.build.precision)


def calibrates_int8(settings: Settings) -> bool:
    """Whether a build uses the int8 network that is calibrated on the gallery."""
    return settings.build.precision == INT8 and settings.runtime in (AUTO, OPENVINO)


def _precision(backbone: Backbone, settings: Settings, progress: Progress, before: Recipe | None) -> tuple[str, str]:
    """Return the precision of a new index, and a note if it is not the requested one. Raises RuntimeMissing."""
    wanted = settings.build.precision
    if calibrates_int8(settings):
        weights, options = need_weights(backbone.weights), _with_cache(backbone, settings, RunOptions())
        try:
            return quantise(
                lambda: backbone.make(weights), options, lambda: _examples(settings, backbone.stride, progress)
            ), ""
        except NotConvertible as error:
            raise RuntimeMissing(f"{backbone.name} cannot run in {INT8}: {error} Choose another precision.") from None
    precision = machine_precision(settings, before)
    problem = _conversion_problem(backbone, settings, precision, progress)
    if problem:
        return FULL, f"{backbone.name} runs with torch, which takes longer: {problem}"
    unmet = wanted not in (AUTO, precision)
    return precision, f"This machine cannot compute in {wanted}; it uses {precision}." if unmet else ""


def _conversion_problem(backbone: Backbone, settings: Settings, precision: str, progress: Progress) -> str:
    """Return why OpenVINO cannot run a network that it would run; empty if it can. The converted network is kept."""
    if backbone.name in BACKBONES or choose_runtime(settings.runtime, precision)[0].name != OPENVINO:
        return ""
    progress(f"Converting {backbone.name} for OpenVINO", 0, 0)
    weights, options = need_weights(backbone.weights), _with_cache(backbone, settings, RunOptions())
    try:
        converted_network(lambda: backbone.make(weights), options)
    except NotConvertible as problem:
        return str(problem)
    return ""


def _ignored_settings(backbone: Backbone, settings: Settings) -> str:
    """Return a note if settings were changed that a backbone with a text encoder ignores."""
    given = settings.build
    changed = {"pooling": given.pooling == "gap", "whitening": given.whitening == "none", "head": given.head is None}
    defaults = BuildSettings.model_fields
    ignored = [name for name, used in changed.items() if not used and getattr(given, name) != defaults[name].default]
    if backbone.text is None or not ignored:
        return ""
    return f"{backbone.name} uses average pooling without whitening; ignored settings: {', '.join(ignored)}."


def _examples(settings: Settings, stride: int, progress: Progress) -> list[Pixels]:
    """Return calibration images as network input. Raises GalleryProblem."""
    found, _ = find_pictures(settings.gallery_dir, settings.gallery_rules)
    count = min(len(found), CALIBRATED_ON)
    chosen = [found[position * len(found) // count] for position in range(count)]
    examples = []
    with DecoderPool(1) as pool:
        for done, picture in enumerate(chosen, start=1):
            progress("Reading pictures for int8 calibration", done, count)
            with contextlib.suppress(UnreadableImage):
                seen = pool.decode_file(picture.path, settings.build.side, stride=stride)
                assert not isinstance(seen, Unchanged)  # no known files were passed
                examples.append(seen.pixels[None])
    progress("Calibrating int8 (about a minute)", 0, 0)
    if not examples:
        raise GalleryProblem(
            f"{settings.gallery_dir} has no readable pictures for int8 calibration; choose another precision."
        )
    return examples


def _head_id(settings: Settings) -> str:
    if settings.build.head is None:
        return ""
    if not settings.build.head.is_file():
        raise BadHead(f"The projection head {settings.build.head} does not exist; create one with `boxfind finetune`.")
    return file_sha256(settings.build.head)


def _given_whitening(recipe: Recipe, backbone: Backbone, settings: Settings) -> Whitening | None:
    """Return the fixed whitening that the recipe names; None if the build learns it."""
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
