"""Collections over HTTP: list, add, remove, and search one or all of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from boxfind.builds import Builds
from boxfind.collection_table import CollectionTable
from boxfind.engines import Engines
from boxfind.settings import Settings
from tests.boxfind.api.conftest import TOKEN
from tests.tiny import eight_pictures

pytest.importorskip("fastapi", reason='fastapi is not installed: pip install -e ".[api]"')
ADMIN = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def second(tmp_path: Path, settings: Settings, build_index: Any) -> Path:
    """The folder of another collection, "Zweite", which has an index."""
    folder = eight_pictures(tmp_path / "second")
    table = CollectionTable(settings.data)
    table.add("Zweite", [folder])
    (collection,) = table.read()
    assert collection.index
    build_index(folder, into=str(collection.index.relative_to(tmp_path)))
    return folder


def test_collections_are_listed_and_folders_are_for_administrators(client: Any, second: Path, pictures: Path) -> None:
    seen = client.get("/v1/collections").json()
    assert [(row["name"], row["pictures"], row["folders"]) for row in seen] == [("default", 12, []), ("Zweite", 8, [])]
    told = client.get("/v1/collections", headers=ADMIN).json()
    assert [row["folders"] for row in told] == [[str(pictures)], [str(second)]]


def test_pictures_and_index_of_a_collection(client: Any, second: Path) -> None:
    told = client.get("/v1/images", params={"collection": "zweite"})
    assert told.status_code == 200 and told.json()["total"] == 8, told.text
    assert client.get("/v1/images").json()["total"] == 12
    assert client.get("/v1/images/0.png/thumbnail", params={"collection": "Zweite"}).status_code == 200
    assert client.get("/v1/images/0.png/thumbnail").status_code == 404
    assert client.get("/v1/index", params={"collection": "Zweite"}).json()["served"]["images"] == 8
    unknown = client.get("/v1/images", params={"collection": "dritte"})
    assert unknown.status_code == 404 and "Zweite" in unknown.json()["detail"]
    assert client.get("/v1/images", params={"collection": "all"}).status_code == 404


def test_all_collections_are_searched_together(client: Any, second: Path) -> None:
    asked = {"image": "3.png", "of": "Zweite", "top": 20, "ranking": "fast"}
    found = client.post("/v1/search/stored", params={"collection": "all"}, json=asked).json()
    assert found["hits"][0]["collection"] == "Zweite" and found["hits"][0]["image"] == "3.png"
    assert {hit["collection"] for hit in found["hits"]} == {"default", "Zweite"} and found["generation"] == ""
    figures = [hit["match"] for hit in found["hits"]]
    assert figures == sorted(figures, reverse=True) and [hit["rank"] for hit in found["hits"]] == [*range(1, 21)]
    one = client.post("/v1/search/stored", params={"collection": "Zweite"}, json={**asked, "of": ""}).json()
    assert {hit["collection"] for hit in one["hits"]} == {"Zweite"} and one["generation"]
    refused = client.post("/v1/search/stored", params={"collection": "all"}, json={**asked, "folder": "below"})
    assert refused.status_code == 422 and "one collection" in refused.json()["detail"]


def test_only_administrators_add_and_remove_collections(
    client: Any, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = {"name": "Neu", "folders": [str(eight_pictures(tmp_path / "new"))]}
    assert client.post("/v1/collections", json=new).status_code == 401
    assert client.delete("/v1/collections/Neu").status_code == 401
    assert not CollectionTable(settings.data).read()
    added = client.post("/v1/collections", json=new, headers=ADMIN)
    assert added.status_code == 201 and added.json()["pictures"] is None
    started: list[str] = []
    monkeypatch.setattr(Builds, "start", lambda self, full=False: started.append(self._settings.collection))
    monkeypatch.setattr(Builds, "state", lambda self: None if not started else _running())
    assert client.post("/v1/index/build", params={"collection": "Neu"}, json={}, headers=ADMIN).status_code == 202
    assert started == ["Neu"]
    monkeypatch.undo()
    for wrong in ({"name": "x", "folders": ["relative"]}, {"name": "all", "folders": [str(tmp_path)]}, new):
        assert client.post("/v1/collections", json=wrong, headers=ADMIN).status_code == 422
    assert client.delete("/v1/collections/neu", headers=ADMIN).json()["name"] == "Neu"
    assert client.delete("/v1/collections/neu", headers=ADMIN).status_code == 404
    assert client.delete("/v1/collections/default", headers=ADMIN, params={"index": "true"}).status_code == 422
    assert (tmp_path / "new" / "0.png").exists()


def test_a_damaged_table_is_not_described_to_visitors(start: Callable[..., Any], settings: Settings) -> None:
    client = start()
    CollectionTable(settings.data).file.write_text("{")
    answer = client.get("/v1/collections")
    assert answer.status_code == 503 and str(settings.data) not in answer.text
    assert client.get("/v1/images").status_code == 200  # the gallery that was given does not need the table


def test_a_bad_pattern_and_an_index_that_is_missing_everywhere_have_public_messages(
    tmp_path: Path, start: Callable[..., Any]
) -> None:
    client = start(index=tmp_path / "no index")
    bad = {"name": "x", "folders": [str(eight_pictures(tmp_path / "x"))], "excluded": ["!"]}
    answer = client.post("/v1/collections", json=bad, headers=ADMIN)
    assert answer.status_code == 422 and "the pattern !, which is not valid" in answer.json()["detail"]
    for route, asked in (("words", {"words": "red"}), ("stored", {"image": "0.png"})):
        answer = client.post(f"/v1/search/{route}", params={"collection": "all"}, json=asked)
        assert answer.status_code == 503 and str(tmp_path) not in answer.text, answer.text


def _running() -> Any:
    from index.building.jobs import BuildState

    return BuildState(state="running", pid=1, started=1.0, stage_started=1.0, now=2.0)


def test_all_engines_share_one_process_wide_state(settings: Settings, second: Path) -> None:
    engines = Engines(settings)
    one, other = engines.get(), engines.get("zweite")
    assert one is engines.get("default") and other is engines.get("Zweite") and one is not other
    assert one.networks is other.networks and one.visitor_pictures is other.visitor_pictures
    assert one._searching is other._searching
