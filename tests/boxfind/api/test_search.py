"""Search routes: boxes and roles, gallery pictures, text, and their errors."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from boxfind.engine import Engine
from boxfind.loaded_networks import LoadedNetworks
from boxfind.searches.albums import Albums
from boxfind.visitor_pictures import VisitorPictures
from index.storage.generation import current_folder
from retrieval.errors import Busy, RuntimeMissing, WeightsMissing
from retrieval.request import Example, PictureFilter, Request
from retrieval.types import Box, Hit, Region

pytest.importorskip("fastapi", reason='fastapi is not installed: pip install -e ".[api]"')
HIT = Hit("03.png", Region(Box(1, 2, 30, 40), "grid"), 0.5, 0.25, "possible", {"similarity": 0.5})


@pytest.fixture
def asked(monkeypatch) -> list[Request]:
    """Record the requests to the engine, which answers with one picture."""
    heard = []

    def answer(engine, gallery, request, images, top, client):
        heard.append(request)
        return [replace(HIT, others=(Region(Box(5, 5, 9, 9), "whole"),))]

    monkeypatch.setattr(Engine, "answer", answer)
    return heard


def send(client, picture: Path, **fields):
    return client.post("/v1/search", files={"picture": (picture.name, picture.read_bytes())}, data=fields)


def test_a_picture_finds_itself_within_the_limit(client, pictures, index):
    found = send(client, pictures / "03.png", top=4)
    assert found.status_code == 200
    answer = found.json()
    assert answer["generation"] == current_folder(index).name and len(answer["hits"]) == 4
    first = answer["hits"][0]
    assert (first["rank"], first["image"], first["width"], first["height"]) == (1, "03.png", 320, 240)
    assert first["similarity"] == pytest.approx(1, abs=1e-3) and first["confidence"] == "likely"
    assert first["score"] == pytest.approx(sum(first["parts"].values()))
    assert len(send(client, pictures / "03.png").json()["hits"]) == 10


def test_every_field_reaches_the_search(client, pictures, asked):
    fields = {"box": "10,20,30,40", "view": ["1,2,30,40", "3,4,50,60"], "also": "5,6,70,80", "not": "7,8,90,100"}
    answer = send(client, pictures / "03.png", **fields, ranking="fast", folder="/below/", words=" red ").json()
    roles = [("object", (10, 20, 30, 40)), ("view", (1, 2, 30, 40)), ("view", (3, 4, 50, 60))]
    roles += [("also", (5, 6, 70, 80)), ("not", (7, 8, 90, 100))]
    examples = tuple(Example("", Box.from_xywh(*sides), role) for role, sides in roles)
    assert asked == [Request(examples, "fast", folder="below", words="red")]
    hit = answer["hits"][0]
    assert hit["box"] == [1, 2, 29, 38] and hit["kind"] == "grid"
    assert hit["others"] == [{"box": [5, 5, 4, 4], "kind": "whole"}]


def test_defaults_are_those_of_other_interfaces(client, pictures, asked):
    send(client, pictures / "03.png")
    client.post("/v1/search/stored", json={"image": "below/10.png"})
    client.post("/v1/search/words", json={"words": "a panda"})
    whole = (Example("", Box(0, 0, 320, 240)),)
    assert asked == [Request(whole), Request(whole), Request(words="a panda")]


def test_a_stored_picture_gives_the_same_answer_as_its_upload(client, pictures):
    sent = send(client, pictures / "below" / "10.png", box="20,30,100,90").json()
    assert sent == client.post("/v1/search/stored", json={"image": "below/10.png", "box": [20, 30, 100, 90]}).json()


def test_a_folder_limits_the_search(client):
    found = client.post("/v1/search/stored", json={"image": "01.png", "folder": "below"}).json()
    assert {hit["image"] for hit in found["hits"]} == {"below/10.png", "below/11.png"}


FILTER = {"name": "1", "since": "2020-01-02", "until": "2100-01-01", "shape": "landscape", "pixels": 9, "album": "mine"}


def test_a_filter_reaches_every_search(client, pictures, settings, asked):
    Albums(settings.searches_file).add("mine", [])
    send(client, pictures / "03.png", **FILTER)
    client.post("/v1/search/stored", json={"image": "03.png", **FILTER})
    client.post("/v1/search/words", json={"words": "a panda", **FILTER})
    only = PictureFilter("1", date(2020, 1, 2), date(2100, 1, 1), "landscape", 9, "mine")
    assert [request.only for request in asked] == [only] * 3


def test_a_filter_limits_the_search(client):
    found = client.post("/v1/search/stored", json={"image": "01.png", "name": "1"}).json()
    assert {hit["image"] for hit in found["hits"]} == {"01.png", "below/10.png", "below/11.png"}
    found = client.post("/v1/search/stored", json={"image": "01.png", "shape": "portrait"}).json()
    assert found["hits"] == [] and found["no_match"]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", 5, "name: Input should be a valid string."),
        ("since", "soon", "since: 'soon' is not a date; write it as 2025-03-09."),
        ("until", 20250309, "until: Input should be a valid date."),
        ("shape", "round", "shape: Input should be '', 'landscape', 'portrait' or 'square'."),
        ("pixels", -1, "pixels: Input should be greater than or equal to 0."),
        ("album", "a" * 301, "album: String should have at most 300 characters."),
    ],
)
def test_a_bad_filter_is_one_sentence(client, field, value, said):
    body = json.dumps({"image": "01.png", field: value})
    refused = client.post("/v1/search/stored", content=body, headers={"Content-Type": "application/json"})
    assert refused.status_code == 422 and refused.json() == {"detail": said}


BAD_FIELDS = {
    "no numbers": {"box": "a,b,c,d"},
    "too few": {"box": "1,2,3"},
    "not finite": {"box": "nan,0,inf,9"},
    "outside": {"box": "900,900,50,50"},
    "tiny": {"box": "5,5,3,3"},
    "too many boxes": {"view": ["1,2,30,40"] * 4, "also": ["1,2,30,40"] * 4},
    "no such ranking": {"ranking": "bets"},
    "too many hits": {"top": "101"},
    "none": {"top": "0"},
    "words without end": {"words": "red " * 100},
    "no such field": {"boxes": "1,2,30,40"},
}


@pytest.mark.parametrize("fields", BAD_FIELDS.values(), ids=BAD_FIELDS)
def test_a_bad_field_is_one_sentence(client, pictures, fields):
    refused = send(client, pictures / "03.png", **fields)
    assert refused.status_code == 422
    assert refused.json().keys() == {"detail"} and refused.json()["detail"].endswith(".")


@pytest.mark.parametrize("data", [b"", b"hello", b"\x89PNG\r\n\x1a\n"])
def test_an_invalid_picture_is_one_sentence(client, tmp_path, data):
    (tmp_path / "bad.jpg").write_bytes(data)
    refused = send(client, tmp_path / "bad.jpg")
    assert refused.status_code == 422 and "bad.jpg" in refused.json()["detail"]


@pytest.mark.parametrize("body", ["{", "[]", '"x"', '{"image": "01.png", "box": [1, 2, 3]}', '{"words": 5}', "{}"])
def test_a_bad_body_is_one_sentence(client, body):
    for address in ("/v1/search/stored", "/v1/search/words"):
        refused = client.post(address, content=body, headers={"Content-Type": "application/json"})
        assert refused.status_code == 422 and isinstance(refused.json()["detail"], str)
    assert client.post("/v1/search", data={"box": "1,2,3,4"}).json() == {"detail": "picture: Field required."}


def test_unknown_pictures_folders_and_albums_are_not_found(client):
    for body in ({"image": "99.png"}, {"image": "01.png", "folder": "elsewhere"}, {"image": "01.png", "album": "gone"}):
        refused = client.post("/v1/search/stored", json=body)
        assert refused.status_code == 404 and refused.json()["detail"].endswith(".")
    refused = client.get("/v1/images", params={"album": "gone"})
    assert refused.status_code == 404 and "no album called 'gone'" in refused.json()["detail"]


def test_unsupported_text_search_is_reported(client, monkeypatch):
    refused = client.post("/v1/search/words", json={"words": "a panda"})  # the tiny network has no text encoder
    assert refused.status_code == 503 and "cannot be searched by text" in refused.json()["detail"]
    assert client.post("/v1/search/words", json={"words": "  "}).status_code == 422

    def without_library(*_):
        raise RuntimeMissing("Words need the library example, which is not installed.")

    monkeypatch.setattr(LoadedNetworks, "text_scorer", without_library)
    refused = client.post("/v1/search/words", json={"words": "a panda"})
    assert refused.status_code == 501 and "Retry-After" not in refused.headers


def test_messages_about_a_missing_index_or_weights_have_no_paths(start, tmp_path, monkeypatch, caplog):
    refused = start(index=tmp_path / "none").post("/v1/search/words", json={"words": "a panda"})
    assert refused.status_code == 503 and int(refused.headers["Retry-After"]) > 0
    assert str(tmp_path) not in refused.text and str(tmp_path) in caplog.text

    def missing(*_):
        raise WeightsMissing("The weights are missing", f"put them into {tmp_path}")

    client = start()
    monkeypatch.setattr(LoadedNetworks, "embedder", missing)
    refused = client.post("/v1/search/stored", json={"image": "01.png"})
    assert refused.status_code == 503 and str(tmp_path) not in refused.text
    assert "The weights are missing" in refused.json()["detail"]


def test_r58_a_stored_picture_is_read_when_its_turn_has_come(client, monkeypatch):
    def busy(*_: object, **__: object) -> None:
        raise Busy("The server is busy.")

    read = []
    monkeypatch.setattr(VisitorPictures, "read", busy)
    for module in ("api.search", "export.originals"):
        monkeypatch.setattr(f"boxfind.{module}.read_original", lambda *_: read.append("file"))
    assert client.post("/v1/search/stored", json={"image": "01.png"}).status_code == 503
    assert client.get("/v1/images/01.png/original").status_code == 503
    assert not read


def test_uploads_are_not_stored(client, pictures, tmp_path, index):
    before = sorted(index.rglob("*"))
    picture = tmp_path / "mine.png"
    picture.write_bytes((pictures / "03.png").read_bytes())
    assert send(client, picture).status_code == 200
    assert sorted(index.rglob("*")) == before and [*tmp_path.iterdir()] == [picture]


def test_responses_are_strict_json(client, pictures):
    assert json.loads(send(client, pictures / "03.png", ranking="fast").content, parse_constant=pytest.fail)
