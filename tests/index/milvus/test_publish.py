"""A generation is served only once Milvus has all of it; collections of deleted generations are dropped."""

from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from index.gallery import Gallery, make_gallery, open_gallery
from index.operations.backup import backup, restore
from index.operations.history import roll_back
from index.storage import publishing
from index.storage.generation import current_folder, generations, open_generation
from retrieval.errors import IndexProblem, StoreUnavailable
from retrieval.types import quiet
from tests.lite import LiteServer

pytest.importorskip("pymilvus", reason='pymilvus is not installed: pip install -e ".[milvus]"')
pytest.importorskip("milvus_lite", reason='milvus-lite is not installed: pip install -e ".[milvus]"')

from index.milvus.client import Access, Milvus
from index.milvus.collection import Collection
from index.milvus.publish import Publisher

ALIASES = count()


@pytest.fixture
def publisher(lite: Milvus) -> Publisher:
    """A publisher with its own alias in the shared Milvus file."""
    return Publisher(lite, f"gallery{next(ALIASES)}")


@pytest.fixture
def build_and_publish(build_index, publisher, gallery):
    """Build the gallery; the folder of the served generation."""

    def built(by: Publisher = publisher, full: bool = False) -> Path:
        folder = build_index(gallery, full=full, prepare=partial(by.publish, progress=quiet))
        by.drop_others(folder.parent)
        return folder

    return built


def collections(publisher: Publisher) -> list[str]:
    with publisher.milvus.client() as client:
        return sorted(name for name in client.list_collections() if name.startswith(f"{publisher._alias}_"))


def aliased(publisher: Publisher) -> str:
    with publisher.milvus.client() as client:
        return client.describe_alias(publisher._alias)["collection_name"]


def searched(folder: Path, publisher: Publisher) -> Gallery:
    generation = open_generation(folder)
    return make_gallery(generation, "milvus", collection=publisher.collection(generation))


def assert_same_answers(folder: Path, publisher: Publisher, below: str = "") -> None:
    local, remote = open_gallery(folder, "flat").below(below), searched(folder, publisher).below(below)
    for row in local.rows[::9]:
        query = local.vectors(np.array([row]))[0]
        for one, other in zip(local.nearest(query, 7), remote.nearest(query, 7), strict=True):
            assert np.array_equal(one, other)


def test_results_equal_the_local_store_in_subfolders_too(build_and_publish, publisher):
    folder = build_and_publish()
    assert_same_answers(folder, publisher)
    assert_same_answers(folder, publisher, "below")


def test_properties_of_the_collection(build_and_publish, publisher):
    folder = build_and_publish()
    manifest = open_generation(folder).manifest
    with publisher.milvus.client() as client:
        kept = client.describe_collection(publisher._alias)["properties"]
    assert kept["boxfind.generation"] == folder.name and '"pooling": "gap"' in kept["boxfind.recipe"]
    assert (kept["boxfind.images"], kept["boxfind.regions"]) == ("8", str(manifest.counts.regions))
    assert kept["boxfind.vectors"] == manifest.files["vectors.npy"].sha256


def test_the_alias_follows_builds_and_rollbacks_and_old_collections_are_dropped(
    build_and_publish, publisher, gallery, draw
):
    folders = [build_and_publish()]
    foreign = Publisher(publisher.milvus, f"{publisher._alias}_other")
    foreign.publish(folders[0], quiet)
    for number in (1, 2):
        Pillow.fromarray(draw(40 + number)).save(gallery / f"new-{number}.png")
        folders.append(build_and_publish())
        assert aliased(publisher) == publisher.collection(open_generation(folders[-1])).name
    own = [name for name in collections(publisher) if name not in collections(foreign)]
    assert own == [publisher._name(folder.name) for folder in folders[1:]] and len(collections(foreign)) == 1
    index = folders[0].parent
    assert roll_back(index, prepare=partial(publisher.publish, progress=quiet)) == folders[1]
    assert aliased(publisher) == publisher._name(folders[1].name)
    assert_same_answers(folders[1], publisher)


def test_a_build_without_changes_copies_only_missing_collections(build_and_publish, publisher, monkeypatch):
    folder, filled = build_and_publish(), []
    fill = Collection.fill
    monkeypatch.setattr(Collection, "fill", lambda self, *given: filled.append(self.name) or fill(self, *given))
    assert build_and_publish() == folder and filled == []
    publisher.collection(open_generation(folder)).drop()
    assert build_and_publish() == folder and filled == [publisher._name(folder.name)] == collections(publisher)
    assert aliased(publisher) == filled[0]
    assert_same_answers(folder, publisher)


def test_r54_half_a_collection_is_never_published(build_and_publish, publisher, gallery, draw, monkeypatch):
    before = build_and_publish()
    Pillow.fromarray(draw(40)).save(gallery / "new.png")
    insert = Collection._insert
    monkeypatch.setattr(Collection, "_insert", lambda self, rows: insert(self, rows[::2]))
    with pytest.raises(IndexProblem, match="did not store the vectors"):
        build_and_publish()
    assert current_folder(before.parent) == before and generations(before.parent) == [before]
    assert collections(publisher) == [publisher._name(before.name)] == [aliased(publisher)]
    monkeypatch.undo()
    assert build_and_publish() != before and len(collections(publisher)) == 2


def test_r54_vectors_that_arrive_as_others_are_not_published(build_and_publish, publisher, monkeypatch):
    def insert(self, rows):
        negated = -self._vectors[rows.start : rows.stop]
        with self._milvus.client() as client:
            client.insert(self.name, [{"row": row, "vector": one} for row, one in zip(rows, negated, strict=True)])

    monkeypatch.setattr(Collection, "_insert", insert)
    with pytest.raises(IndexProblem, match="did not store the vectors"):
        build_and_publish()
    assert collections(publisher) == []


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiteServer]:
    started = LiteServer(tmp_path / "engine")
    yield started
    started.stop()


def test_r54_an_engine_that_goes_while_it_is_filled(build_and_publish, server, monkeypatch):
    publisher, insert = Publisher(Milvus(Access(server.uri, timeout=0.5)), "gallery"), Collection._insert

    def stopped(self, rows):
        insert(self, rows)
        server.stop()

    with monkeypatch.context() as patch:
        patch.setattr(Collection, "_insert", stopped)
        with pytest.raises(StoreUnavailable, match="does not answer"):
            build_and_publish(publisher)
    server.start()
    again = Publisher(Milvus(publisher.milvus.access), "gallery")
    assert len(collections(again)) == 1  # the drop that failed before
    folder = build_and_publish(again)
    assert collections(again) == [again._name(folder.name)] == [aliased(again)]
    assert_same_answers(folder, again)


def test_r54_killed_between_the_alias_and_current(build_and_publish, publisher, gallery, draw, monkeypatch):
    before = build_and_publish()
    Pillow.fromarray(draw(40)).save(gallery / "new.png")
    with monkeypatch.context() as patch:
        patch.setattr(publishing, "point_current_at", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        patch.setattr(publishing.shutil, "rmtree", lambda *_, **__: None)  # no cleanup
        with pytest.raises(KeyboardInterrupt):
            build_and_publish()
    assert current_folder(before.parent) == before and aliased(publisher) != publisher._name(before.name)
    assert_same_answers(before, publisher)  # searches do not use the alias
    after = build_and_publish()
    assert aliased(publisher) == publisher._name(after.name)
    assert collections(publisher) == [publisher._name(folder.name) for folder in (before, after)]


def test_a_restored_backup_is_copied_to_milvus(build_and_publish, publisher, tmp_path):
    folder = build_and_publish()
    backup(folder.parent, tmp_path / "kept.tar")
    restored = restore(tmp_path / "kept.tar", tmp_path / "other", prepare=partial(publisher.publish, progress=quiet))
    assert aliased(publisher) == publisher._name(restored.name)
    assert_same_answers(restored, publisher)
