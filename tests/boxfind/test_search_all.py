"""Search in all collections: merged by match figure, without those that have no index."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from boxfind.collection_table import CollectionsProblem
from boxfind.engine import Engine
from boxfind.engines import Engines
from boxfind.search_all import BY_WORDS, NOT_COMPARABLE, FoundHit, FoundInAll, merged, search_all
from boxfind.settings import Settings
from index.gallery import open_gallery
from index.storage.blobs import share
from index.storage.generation import served_generation
from index.storage.manifest import Wave
from index.storage.publishing import publish_wave, scratch_folder
from retrieval.errors import IndexProblem, WeightsMissing
from retrieval.images.decode import LoadedImage, load_image
from retrieval.request import Example, PictureFilter, Request
from retrieval.types import Box, Hit, Region
from tests.tiny import draw_picture, eight_pictures, use_tiny_network


@pytest.fixture
def engines(tmp_path: Path, build_index: Any, monkeypatch: pytest.MonkeyPatch) -> Engines:
    """Two collections with indexes, "One" and "Two", of which "Two" alone has the picture new.png, and one without."""
    use_tiny_network(monkeypatch)
    engines = Engines(Settings.load(data=tmp_path / "data", side=128, query_side=64, grid_levels=2))
    for name in ("One", "Two", "Empty"):
        folder = eight_pictures(tmp_path / name)
        if name == "Two":
            Pillow.fromarray(draw_picture(77)).save(folder / "new.png")
        engines.collections.table.add(name, [folder])
        if name != "Empty":
            index = engines.get(name).settings.index_dir
            build_index(folder, into=str(index.relative_to(tmp_path)))
    return engines


def asked(folder: Path, name: str) -> tuple[Request, dict[str, Any]]:
    picture = LoadedImage.of(load_image(folder / name))
    return Request((Example("", picture.whole),), "fast"), {"": picture}


def test_hits_come_from_the_collection_that_has_them(engines: Engines, tmp_path: Path) -> None:
    found = search_all(engines, *asked(tmp_path / "Two", "new.png"), top=20)
    assert (found.hits[0].collection, found.hits[0].hit.image) == ("Two", "new.png")
    assert found.hits[0].gallery.entry("new.png") and len(found.hits) == 17
    assert found.without_index == ("Empty",) and found.remarks == ["No usable index, so not searched: Empty."]
    both = search_all(engines, *asked(tmp_path / "One", "3.png"), top=2)
    assert {(one.collection, one.hit.image) for one in both.hits} == {("One", "3.png"), ("Two", "3.png")}
    for name in ("One", "Two"):
        engine = engines.get(name)
        alone = engine.answer(engine.gallery(), *asked(tmp_path / "Two", "new.png"), top=20)
        assert [one.hit for one in found.hits if one.collection == name] == alone


def test_a_collection_that_cannot_answer_does_not_stop_the_others(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails, answer = {"One"}, Engine.answer

    def answered(engine: Engine, *given: Any) -> list[Hit]:
        if engine.settings.collection in fails:
            raise WeightsMissing("The network of this collection is not on disk")
        return answer(engine, *given)

    monkeypatch.setattr(Engine, "answer", answered)
    found = search_all(engines, *asked(tmp_path / "Two", "new.png"), top=20)
    assert {one.collection for one in found.hits} == set(found.galleries) == {"Two"}
    assert (found.without_index, found.without_answer) == (("Empty",), ("One",))
    assert "These collections cannot answer this search: One." in found.remarks
    fails.add("Two")
    with pytest.raises(WeightsMissing):
        search_all(engines, *asked(tmp_path / "Two", "new.png"))


def test_other_settings_are_said(engines: Engines, tmp_path: Path, build_index: Any, make_embedder: Any) -> None:
    index = engines.get("Empty").settings.index_dir
    other = make_embedder(query_side=96)
    build_index(tmp_path / "Empty", embedder=other, into=str(index.relative_to(tmp_path)))
    assert search_all(engines, *asked(tmp_path / "One", "3.png")).remarks == [NOT_COMPARABLE]


def test_an_index_that_is_not_complete_is_said(engines: Engines, tmp_path: Path) -> None:
    index = engines.get("One").settings.index_dir
    with scratch_folder(index) as folder:
        served = served_generation(index)[0]
        for name in served.manifest.files:
            share(name, served.folder, folder)
        publish_wave(folder, index, served.manifest.model_copy(update={"wave": Wave(found=100)}))
    remarks = search_all(engines, *asked(tmp_path / "Two", "new.png")).remarks
    assert "Searched 17 of 109 pictures; the index of a collection is not complete." in remarks


def test_what_belongs_to_one_collection_is_refused(engines: Engines, tmp_path: Path) -> None:
    request, images = asked(tmp_path / "One", "3.png")
    for fields in (
        {"folder": "sub"},
        {"only": PictureFilter(album="x")},
        {"positives": ("3.png",)},
        {"negatives": ("3.png",)},
    ):
        with pytest.raises(CollectionsProblem, match="one collection"):
            search_all(engines, Request(request.examples, "fast", **fields), images)


def test_without_any_index_the_reason_is_told(tmp_path: Path) -> None:
    with pytest.raises(IndexProblem, match="no index"):
        search_all(Engines(Settings.load(data=tmp_path)), Request(words="x"), {})


def test_merging_keeps_the_order_of_each_answer(tmp_path: Path, gallery: Path, build_index: Any) -> None:
    opened = open_gallery(build_index(gallery))

    def answer(name: str, *figures: tuple[int | None, float]) -> list[FoundHit]:
        region = Region(Box(0, 0, 9, 9), "whole")
        return [
            FoundHit(name, opened, Hit(f"{place}", region, score, score, "likely", match=match))
            for place, (match, score) in enumerate(figures)
        ]

    hits = merged([answer("a", (99, 0.5), (98, 0.9), (3, 0.1)), answer("b", (99, 0.7), (50, 0.95)), answer("c")])
    assert [(one.collection, one.hit.match) for one in hits] == [("b", 99), ("a", 99), ("a", 98), ("b", 50), ("a", 3)]
    words = merged([answer("a", (None, 0.9), (None, 0.2)), answer("b", (None, 0.5))])
    assert [one.collection for one in words] == ["a", "b", "a"]
    mixed = merged([answer("a", (None, 0.9), (None, 0.2)), answer("knows no words", (2, 0.5), (1, 0.1))])
    assert [one.collection for one in mixed] == ["a", "knows no words", "a", "knows no words"]
    galleries = {"a": opened, "knows no words": opened}
    assert FoundInAll(tuple(mixed), galleries, (), ()).remarks == [BY_WORDS]
    assert FoundInAll(tuple(hits), galleries, (), ()).remarks == []
