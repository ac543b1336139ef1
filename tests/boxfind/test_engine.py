"""The engine serves the current generation and rejects incompatible indexes."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image as Pillow

from boxfind import engine as module
from boxfind import recent_finds as recent_finds_module
from boxfind.embedders import make_recipe, region_sources
from boxfind.engine import Engine
from boxfind.evaluation.batch import make_answer
from boxfind.evaluation.dataset import BoxedQuery
from boxfind.searches.albums import Albums
from boxfind.settings import Settings
from index.storage import generation
from index.storage.generation import open_generation
from index.storage.picture_contents import contents_of
from index.storage.publishing import point_current_at
from index.storage.recent_finds import recent_finds
from retrieval import answer as answering
from retrieval.errors import BadBox, GalleryProblem, IndexProblem, UnknownName
from retrieval.images.decode import LoadedImage, load_image
from retrieval.networks.backbones import BACKBONES
from retrieval.networks.runtimes import choose_runtime
from retrieval.request import Example, PictureFilter, Request
from retrieval.text.written_text import TextReader
from retrieval.types import Box, Hit, Image, WrittenLine, quiet
from tests.blas import numpy_threads, numpy_with
from tests.tiny import eight_pictures, use_tiny_network

pytestmark = pytest.mark.usefixtures("shared_pool")
SOON = 10
LITE0 = BACKBONES["efficientnet-lite0"]


def small(gallery: Path, index: Path, **more: object) -> Settings:
    return Settings.load(
        gallery=gallery, index=index, side=128, query_side=64, grid_levels=2, workers=2, api_searches=2, **more
    )


@pytest.fixture
def settings(gallery: Path, tmp_path: Path) -> Settings:
    return small(gallery, tmp_path / "index")


@pytest.fixture
def reads_text(gallery: Path, tmp_path: Path) -> Settings:
    return small(gallery, tmp_path / "index", text=True)


@pytest.fixture
def tiny_network(tiny_embedder, monkeypatch) -> None:
    use_tiny_network(monkeypatch)


@pytest.mark.usefixtures("tiny_network")
def test_build_then_search(settings):
    engine = Engine(settings)
    with pytest.raises(IndexProblem, match="no index"):
        engine.gallery()
    told = []
    folder = engine.builds.build(lambda *progress: told.append(progress))
    gallery = engine.gallery()
    assert gallery.folder == folder and engine.gallery() is gallery
    assert gallery.manifest.recipe == make_recipe(LITE0, settings, region_sources(settings)[0], choose_runtime()[1])
    assert gallery.manifest.note.startswith("Using the bundled backbone efficientnet-lite0")
    assert engine.builds.state().state == "done" and told
    picture = load_image(settings.gallery_dir / "4.png")
    hits = engine.search(gallery, picture, Box.whole(picture), top=3)
    assert hits[0].image == "4.png" and len(hits) == 3


@pytest.mark.usefixtures("tiny_network")
def test_both_rankings_and_no_other(settings):
    engine = Engine(settings)
    engine.builds.build(quiet)
    picture = load_image(settings.gallery_dir / "4.png")
    for ranking in ("fast", "best"):
        hits = engine.search(engine.gallery(), picture, Box.whole(picture), 0, ranking)
        assert hits[0].image == "4.png" and hits[0].similarity == pytest.approx(1, abs=1e-4)
        assert len({hit.image for hit in hits}) == 8
        assert all(hit.score == sum(hit.parts.values()) for hit in hits)
    assert hits[0].parts.keys() == {
        "expansion",
        "diffusion",
        "lead",
        "verification",
        "appearance",
        "text",
    }  # of the best ranking
    assert hits[0].region.kind == "verified" and hits[0].confidence == "likely"
    with pytest.raises(UnknownName, match="no ranking called 'bets'; choose from: best, euclidean, fast, sift"):
        engine.search(engine.gallery(), picture, Box.whole(picture), ranking="bets")


WHOLE = Box(0, 0, 128, 96)


@pytest.fixture(scope="module")
def built(tmp_path_factory, tiny_embedder) -> Engine:
    """An engine with a read-only index."""
    folder = tmp_path_factory.mktemp("built")
    with pytest.MonkeyPatch.context() as patch:
        use_tiny_network(patch)
        engine = Engine(small(eight_pictures(folder / "gallery"), folder / "index"))
        engine.builds.build(quiet)
        engine.networks.embedder(engine.gallery().manifest.recipe)  # cached from now on
    return engine


@pytest.fixture
def pictures(built) -> dict:
    return {
        name: LoadedImage.of(load_image(built.settings.gallery_dir / name))
        for name in ("0.png", "1.png", "below/6.png")
    }


def answered(engine: Engine, request: Request, pictures: dict, top: int = 0) -> list[str]:
    return [hit.image for hit in engine.answer(engine.gallery(), request, pictures, top)]


@pytest.mark.parametrize("ranking", ["fast", "best"])
def test_search_equals_answer_with_one_box(built, pictures, ranking):
    box, gallery = Box(10, 10, 70, 60), built.gallery()
    request = Request((Example("1.png", box),), ranking)
    assert built.answer(gallery, request, pictures, 5) == built.search(
        gallery, pictures["1.png"].image, box, 5, ranking
    )


LOADED, READ = "loaded", "read"


@pytest.fixture
def written(built, monkeypatch) -> Iterator[list[str]]:
    """A reader that reads "ACME" in every crop, and a picture, 3.png, in which it is written; returns what it did."""
    readings: list[str] = []

    class Reader:
        def __init__(self) -> None:
            readings.append(LOADED)

        def read(self, crop: Image) -> list[WrittenLine]:
            readings.append(READ)
            return [WrittenLine("ACME", Box(0, 0, 9, 9), 1.0)]

    monkeypatch.setattr(TextReader, "of_queries", Reader)
    gallery = built.gallery()
    line = WrittenLine("Acme Ltd", Box(1, 2, 30, 12), 0.9)
    gallery.written_text.add({gallery.contents.of_image(n): [line] if n == 3 else [] for n in range(8)})
    yield readings
    gallery.written_text.remove()


def test_best_reads_the_crop_and_finds_its_words(built, pictures, written):
    engine, box = Engine(built.settings.changed(text=True)), Box(10, 10, 70, 60)
    engine.networks._embedders = built.networks._embedders
    gallery, image = engine.gallery(), pictures["1.png"].image
    engine.search(gallery, image, box)
    assert written == []  # fast reads nothing
    (found,) = (hit for hit in engine.search(gallery, image, box, 0, "best") if hit.same_text)
    assert found.image == gallery.name(3) and found.parts["text"] > 0
    assert [(line.text, line.box) for line in found.same_text] == [("Acme Ltd", Box(1, 2, 30, 12))]
    engine.search(gallery, image, box, 0, "best")
    assert written == [LOADED, READ, READ]


def test_without_text_nothing_is_read(built, pictures, written):
    engine, box = Engine(built.settings.changed(text=False)), Box(10, 10, 70, 60)
    engine.networks._embedders = built.networks._embedders
    gallery, image = engine.gallery(), pictures["1.png"].image
    assert not any(hit.same_text for hit in engine.search(gallery, image, box, 0, "best"))
    engine.networks.load(gallery)
    gallery.written_text.remove()
    engine = Engine(built.settings.changed(text=True))
    engine.networks._embedders = built.networks._embedders
    engine.networks.load(gallery)
    engine.search(gallery, image, box, 0, "best")
    assert written == []


def test_a_gallery_picture_is_known_by_its_contents(built, written):
    gallery = built.gallery()
    sha256 = gallery.entry(gallery.name(3)).sha256
    assert [line.text for line in gallery.written_in(sha256)] == ["Acme Ltd"]
    assert gallery.written_in("0" * 64) == []


@pytest.mark.parametrize("mode", ["crop", "slice"])
def test_r59_a_box_on_a_smaller_copy_is_in_pixels_of_the_original(built, pictures, monkeypatch, mode):
    engine = Engine(built.settings.changed(query_mode=mode))
    monkeypatch.setattr(engine.networks, "embedder", built.networks.embedder)
    box, image = Box(10, 20, 70, 60), pictures["1.png"].image
    copy = LoadedImage(image, 3 * image.shape[1], 3 * image.shape[0])
    request = Request((Example("", Box(30, 60, 210, 180)),), "best")
    assert engine.answer(engine.gallery(), request, {"": copy}) == engine.search(
        engine.gallery(), image, box, ranking="best"
    )
    with pytest.raises(BadBox, match="The box is 7 x 9 pixels"):
        engine.answer(engine.gallery(), Request((Example("", Box(30, 60, 37, 69)),)), {"": copy})


def test_an_empty_request_is_refused(built, pictures):
    for examples in ((), (Example("1.png", WHOLE, "view"), Example("0.png", WHOLE, "not"))):
        with pytest.raises(BadBox, match="drag a box around"):
            built.answer(built.gallery(), Request(examples), pictures)


def test_overlapping_searches_restore_the_thread_counts(built, pictures, monkeypatch):
    """The first thread to start is the first to finish; threads stay alive, like those of a server."""
    gallery, seen = built.gallery(), []
    begun = {name: threading.Event() for name in ("first", "second")}
    ended = {name: threading.Event() for name in ("first", "second")}
    other = {"first": begun["second"], "second": ended["first"]}
    counted = threading.Event()

    def search(*_: object) -> list:
        name = threading.current_thread().name
        begun[name].set()
        assert other[name].wait(10)
        seen.append(numpy_threads())
        return []

    def visit() -> None:
        built.search(gallery, pictures["1.png"].image, WHOLE)
        ended[threading.current_thread().name].set()
        counted.wait(10)

    monkeypatch.setattr(answering, "search_multiple", search)
    with numpy_with(2):
        first, second = (threading.Thread(target=visit, name=name) for name in begun)
        first.start()
        assert begun["first"].wait(10)
        second.start()
        assert ended["second"].wait(10)
        assert seen == [1, 1] and numpy_threads() == 2
        counted.set()
        first.join()
        second.join()


def test_boxes_count_by_their_roles(built, pictures, monkeypatch):
    given = []
    monkeypatch.setattr(answering, "search_multiple", lambda *what: given.append(what) or [])
    examples = [("0.png", "not"), ("1.png", "view"), ("0.png", "also"), ("below/6.png", "object"), ("1.png", "also")]
    request = Request(
        tuple(Example(name, WHOLE, role) for name, role in examples), "fast", negatives=("3.png", "4.png")
    )
    built.answer(built.gallery(), request, pictures, 7)
    wanted, unwanted, part, ranking, count = given[0]
    assert [len(query.crops) for query in (*wanted, *unwanted)] == [2, 1, 1, 1]
    views = [pictures["1.png"].image, pictures["below/6.png"].image]
    assert all(crop is not None and (crop == view).all() for crop, view in zip(wanted[0].crops, views, strict=True))
    assert (wanted[1].crops[0] == pictures["0.png"].image).all() and (
        unwanted[0].crops[0] == pictures["0.png"].image
    ).all()
    assert (ranking, count) == ("fast", 9) and part == built.gallery()  # two more, for hits that are dropped


def test_views_attract_and_exclusions_remove_their_pictures(built, pictures):
    one, other = Example("0.png", WHOLE), Example("below/6.png", WHOLE, "view")
    places = [answered(built, Request(both, "fast"), pictures).index("below/6.png") for both in ((one,), (one, other))]
    assert places[1] < places[0]
    forbidden = Example("below/6.png", WHOLE, "not")
    without = answered(built, Request((one, forbidden), "best"), pictures)
    assert without[0] == "0.png" and "below/6.png" not in without


def test_a_folder_limits_the_search(built, pictures):
    request = Request((Example("0.png", WHOLE),), "best", folder="below")
    assert sorted(answered(built, request, pictures)) == ["below/6.png", "below/7.png"]
    with pytest.raises(GalleryProblem, match="no pictures below the folder gone"):
        answered(built, Request(request.examples, folder="gone"), pictures)


@pytest.mark.parametrize("ranking", ["fast", "best"])
def test_a_filter_limits_the_search_and_changes_no_similarity(built, pictures, ranking):
    request = Request((Example("0.png", WHOLE),), ranking)
    gallery, wanted = built.gallery(), ["below/7.png", "1.png", "3.png"]
    Albums(built.settings.searches_file).add("three", [gallery.entry(image).sha256 for image in wanted])
    everything = {hit.image: hit.similarity for hit in built.answer(gallery, request, pictures, 0)}
    hits = built.answer(gallery, replace(request, only=PictureFilter(album="three")), pictures, 0)
    assert {hit.image for hit in hits} == set(wanted)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    if ranking == "fast":
        assert all(hit.similarity == pytest.approx(everything[hit.image], abs=1e-6) for hit in hits)
    below = replace(request, only=PictureFilter(album="three"), folder="below")
    assert answered(built, below, pictures) == ["below/7.png"]


@pytest.mark.parametrize("folder", ["", "below"])
@pytest.mark.parametrize("only", [PictureFilter(album="gone"), PictureFilter("nowhere"), PictureFilter("1.png")])
def test_a_filter_that_nothing_passes_gives_no_hits(built, pictures, only, folder):
    if folder or only.name != "1.png":
        assert answered(built, Request((Example("0.png", WHOLE),), folder=folder, only=only), pictures) == []


@pytest.mark.parametrize("ranking", ["fast", "best"])
def test_negatives_are_left_out_of_the_hits(built, pictures, ranking):
    examples = (Example("0.png", Box(5, 5, 90, 80)),)
    before = answered(built, Request(examples, ranking), pictures)
    assert (
        answered(built, Request(examples, ranking, negatives=("gone.png",), positives=("gone.png",)), pictures)
        == before
    )
    after = answered(built, Request(examples, ranking, negatives=tuple(before[1:3])), pictures, 5)
    assert len(after) == 5 and not set(after) & set(before[1:3])


def test_positives_move_the_query_also_from_outside_the_folder(built, pictures):
    request = Request((Example("0.png", Box(5, 5, 90, 80)),), "fast", folder="below")
    gallery = built.gallery()
    before, after = (
        [
            (hit.image, hit.similarity)
            for hit in built.answer(gallery, Request(request.examples, "fast", 1.0, "below", right), pictures, 0)
        ]
        for right in ((), ("1.png",))
    )
    assert before != after
    moved = answered(built, Request(request.examples, "fast", positives=("below/7.png",)), pictures)
    assert moved.index("below/7.png") < answered(built, Request(request.examples, "fast"), pictures).index(
        "below/7.png"
    )


def test_the_recipe_is_that_of_the_settings():
    changes = {
        "query_views": (0.5, 1.0),
        "dedup_similarity": 0.9,
        "mid_layer_weight": 0.25,
        "query_side": 99,
        "pooling": "rmac",
    }
    settings = Settings.load(**changes)
    recipe = make_recipe(LITE0, settings, region_sources(settings)[0], choose_runtime()[1])
    assert {name: getattr(recipe, name) for name in changes} == changes
    assert hash(recipe)  # the key of the embedder cache


@pytest.mark.usefixtures("tiny_network")
def test_the_gallery_is_reopened_after_a_second_build(settings, draw):
    engine = Engine(settings)
    first = engine.builds.build(quiet)
    before = engine.gallery()
    Pillow.fromarray(draw(99)).save(settings.gallery_dir / "new.png")
    second = Engine(settings).builds.build(quiet)  # like another process
    assert engine.gallery().folder == second != first
    picture = load_image(settings.gallery_dir / "new.png")
    assert engine.search(engine.gallery(), picture, Box.whole(picture))[0].image == "new.png"
    assert "new.png" not in {hit.image for hit in engine.search(before, picture, Box.whole(picture), top=0)}


@pytest.mark.usefixtures("tiny_network")
def test_a_failed_build_keeps_the_served_gallery(settings, tmp_path: Path):
    engine = Engine(settings)
    folder = engine.builds.build(quiet)
    with pytest.raises(GalleryProblem):
        Engine(settings.changed(gallery=tmp_path / "gone")).builds.build(quiet)
    state = engine.builds.state()
    assert state.state == "failed" and "The gallery folder" in state.message
    assert engine.gallery().folder == folder


@pytest.mark.parametrize(
    ("changes", "both"),
    [
        ({"weights_sha256": "f00dfeed" + "0" * 56}, ("f00dfeed", LITE0.weights.sha256[:8])),
        ({"preprocessing": 77}, ("preprocessing 77", f"preprocessing {LITE0.preprocessing}")),
        ({"backbone": "vgg19"}, ("vgg19", "does not include")),
    ],
)
def test_an_index_of_another_recipe_is_refused_and_both_are_named(settings, build_index, make_embedder, changes, both):
    embedder = make_embedder(**{"weights_sha256": LITE0.weights.sha256, **changes})
    build_index(settings.gallery_dir, embedder=embedder)
    engine = Engine(settings)
    picture = load_image(settings.gallery_dir / "1.png")
    with pytest.raises(IndexProblem) as caught:
        engine.search(engine.gallery(), picture, Box.whole(picture))
    assert all(value in str(caught.value) for value in both) and "Rebuild" in str(caught.value)


@pytest.mark.usefixtures("tiny_network")
def test_an_index_that_was_built_in_another_precision_elsewhere_is_searched(settings, build_index, make_embedder):
    embedder = make_embedder(weights_sha256=LITE0.weights.sha256, precision="float16")
    build_index(settings.gallery_dir, embedder=embedder)
    engine = Engine(settings)
    picture = load_image(settings.gallery_dir / "1.png")
    assert engine.search(engine.gallery(), picture, Box.whole(picture))[0].image == "1.png"


@pytest.mark.usefixtures("tiny_network")
def test_an_index_without_keypoints_is_searched_by_all_but_verification(settings):
    engine = Engine(settings.changed(keypoints=0))
    engine.builds.build(quiet)
    gallery = engine.gallery()
    assert all(len(gallery.keypoints(number)[0]) == 0 for number in range(gallery.image_count))
    picture = load_image(settings.gallery_dir / "2.png")
    (first, *_) = engine.search(gallery, picture, Box.whole(picture), ranking="best")
    assert first.image == "2.png" and first.parts["verification"] == 0 and first.parts["expansion"] > 0


@pytest.mark.usefixtures("tiny_network")
def test_the_query_follows_the_recipe_of_the_index_not_todays_settings(settings):
    Engine(settings).builds.build(quiet)
    later = Engine(settings.changed(side=64, query_side=32, pooling="mac"))
    picture = load_image(settings.gallery_dir / "2.png")
    hit = later.search(later.gallery(), picture, Box.whole(picture))[0]
    assert hit.image == "2.png" and hit.score == pytest.approx(1, abs=1e-4)


@pytest.mark.usefixtures("tiny_network")
def test_r40_searches_while_generations_are_swapped(settings, tmp_path: Path, draw, build_index):
    """One generation holds pictures a-*, the other b-*; no answer may mix them."""
    names, expected = [], []
    for letter in "ab":
        folder = tmp_path / letter
        folder.mkdir()
        for number in range(4):
            Pillow.fromarray(draw(number, 64, 64)).save(folder / f"{letter}-{number}.png")
        names.append(build_index(folder).name)
        expected.append({f"{letter}-{number}.png" for number in range(4)})
    engine, over, picture = Engine(settings), threading.Event(), draw(0, 64, 64)

    def searches() -> list[int]:
        seen = []
        while not over.is_set() or not seen:
            hits = engine.search(engine.gallery(), picture, Box.whole(picture), top=0)
            seen.append(expected.index({hit.image for hit in hits}))
            assert hits[0].image in ("a-0.png", "b-0.png") and len(hits) == 4
        return seen

    with ThreadPoolExecutor(8) as threads:
        visitors = [threads.submit(searches) for _ in range(8)]
        try:
            for swap in range(20):
                point_current_at(settings.index_dir, names[swap % 2])
                time.sleep(0.05)
        finally:
            over.set()
        answers = [answer for visitor in visitors for answer in visitor.result()]
    assert set(answers) == {0, 1} and engine.warning() == ""


@pytest.mark.usefixtures("tiny_network")
def test_a_generation_removed_while_it_is_opened(settings, monkeypatch):
    engine = Engine(settings)
    engine.builds.build(quiet)
    real, swept = generation.open_generation, []

    def slow(folder: Path, thorough: bool = False):
        if not swept:
            swept.append(folder)
            for _ in range(2):
                Engine(settings).builds.build(quiet, full=True)
        return real(folder, thorough)

    monkeypatch.setattr(generation, "open_generation", slow)
    assert engine.gallery().folder != swept[0] and not swept[0].exists()


def test_a_damaged_index_is_an_error_until_a_rebuild(settings, build_index):
    folder = build_index(settings.gallery_dir)
    (folder / "vectors.npy").write_bytes(b"")
    engine = Engine(settings)
    for _ in range(2):
        with pytest.raises(IndexProblem, match=r"vectors\.npy"):
            engine.gallery()
    again = build_index(settings.gallery_dir)
    assert engine.gallery().folder == again and open_generation(again)


def test_hits_below_the_minimum_similarity_are_left_out(built, pictures, monkeypatch):
    request = Request((Example("0.png", WHOLE),), "fast")
    every = built.answer(built.gallery(), request, pictures, 0)
    least = every[2].similarity
    strict = Engine(built.settings.changed(min_similarity=least))
    monkeypatch.setattr(strict.networks, "embedder", built.networks.embedder)
    kept = strict.answer(strict.gallery(), request, pictures, 0)
    assert [hit.image for hit in kept] == [hit.image for hit in every if hit.similarity >= least] and len(kept) == 3


def test_what_is_written_is_found_without_class_scores(built):
    engine = Engine(built.settings)
    gallery = engine.gallery()
    try:
        line = WrittenLine("Exit", Box(1, 2, 30, 40), 0.9)
        gallery.written_text.add({gallery.contents.of_image(2): [line]})
        assert engine.networks.text_problem(gallery) == ""
        (hit,) = engine.answer(gallery, Request(words="exit"), {})
        assert (hit.image, hit.region.box, hit.written) == (gallery.name(2), line.box, "Exit")
        assert engine.answer(gallery, Request(words="nowhere"), {}) == []
    finally:
        gallery.written_text.remove()


def test_text_search_needs_class_scores_or_a_text_encoder(built):
    assert "cannot be searched by text" in built.networks.text_problem(built.gallery())
    with pytest.raises(IndexProblem, match="cannot be searched by text"):
        built.answer(built.gallery(), Request(words="a cup"), {})


@pytest.mark.usefixtures("tiny_network")
def test_searches_use_the_previous_generation_while_a_new_one_opens(settings, monkeypatch):
    engine = Engine(settings)
    engine.builds.build(quiet)
    before = engine.gallery()
    Engine(settings).builds.build(quiet, full=True)
    opening, over, real = threading.Event(), threading.Event(), module.served_generation

    def slow(index_dir: Path):
        opening.set()
        assert over.wait(SOON)
        return real(index_dir)

    monkeypatch.setattr(module, "served_generation", slow)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(engine.gallery)
        assert opening.wait(SOON)
        assert threads.submit(engine.gallery).result(SOON) is before and not first.done()
        over.set()
        assert first.result(SOON) is engine.gallery() is not before


def test_r63_searches_take_turns_whoever_asks_for_them(monkeypatch):
    begun, end = threading.Event(), threading.Event()

    def slow(*_: object) -> list[Hit]:
        begun.set()
        assert end.wait(20)
        return []

    monkeypatch.setattr(module, "answer", slow)
    engine, question = Engine(Settings.load(api_searches=1)), Request(words="a cup")
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(engine.answer, None, question, {}, 10, "192.0.2.1")
        assert begun.wait(20)
        second = pool.submit(engine.answer, None, question, {}, 10, "192.0.2.2")
        while not engine._searching._waiting:
            assert not second.done()
            time.sleep(0.001)
        end.set()
        assert first.result(20) == second.result(20) == []


@pytest.mark.usefixtures("tiny_network")
def test_what_a_search_finds_is_kept_for_the_reading_of_text(reads_text, gallery):
    engine, index = Engine(reads_text), reads_text.index_dir
    engine.builds.build(quiet)
    hits = _answered(engine, gallery)
    engine.recent_finds.wait()
    best = engine.gallery().entry(hits[0].image).sha256
    assert recent_finds(index)[0] == contents_of([best])[0] and len(recent_finds(index)) == len(hits)


@pytest.mark.usefixtures("tiny_network")
def test_nothing_is_kept_where_no_text_is_read(settings, gallery):
    engine = Engine(settings)
    engine.builds.build(quiet)
    _answered(engine, gallery)
    engine.recent_finds.wait()
    assert not len(recent_finds(settings.index_dir))


@pytest.mark.usefixtures("tiny_network")
def test_r91_a_folder_that_cannot_be_written_does_not_disturb_a_search(reads_text, gallery, monkeypatch):
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    engine = Engine(reads_text)
    engine.builds.build(quiet)
    monkeypatch.setattr(recent_finds_module, "note_finds", refused)
    for _ in range(2):
        assert _answered(engine, gallery)
        engine.recent_finds.wait()
    assert not len(recent_finds(reads_text.index_dir))


@pytest.mark.usefixtures("tiny_network")
def test_r91_searches_do_not_wait_for_a_slow_disk(reads_text, gallery, monkeypatch):
    written, goes_on = [], threading.Event()

    def slow(_: object, found: object) -> None:
        assert goes_on.wait(SOON)
        written.append(found)

    engine = Engine(reads_text)
    engine.builds.build(quiet)
    monkeypatch.setattr(recent_finds_module, "note_finds", slow)
    for _ in range(5):
        _answered(engine, gallery)
    assert not written
    goes_on.set()
    engine.recent_finds.wait()
    assert len(written) == 2  # the first one and the last one


@pytest.mark.usefixtures("tiny_network")
def test_nothing_is_kept_of_an_evaluation_which_may_delete_its_index_at_once(reads_text, gallery):
    engine = Engine(reads_text)
    engine.builds.build(quiet)
    query = BoxedQuery("3", gallery / "3.png", Box(0, 0, 128, 96))
    assert make_answer(engine, engine.gallery(), 10, "fast")(query).hits
    assert engine.search(engine.gallery(), load_image(gallery / "3.png"), Box(0, 0, 128, 96))
    engine.recent_finds.wait()
    assert not len(recent_finds(reads_text.index_dir))


def _answered(engine: Engine, gallery: Path) -> list[Hit]:
    """What a person is shown for a box on a gallery picture."""
    picture = LoadedImage.of(load_image(gallery / "3.png"))
    return engine.answer(engine.gallery(), Request((Example("", Box(0, 0, 128, 96)),)), {"": picture})
