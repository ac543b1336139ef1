"""Gallery routes: list, show, add and remove pictures; no other file is reachable."""

import hashlib
import io
import os
import shutil
import unicodedata
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image as Pillow

from boxfind.export.source_file import content_type
from boxfind.searches.albums import Albums
from index.building.build import build
from index.building.thread_executor import ThreadExecutor
from index.gallery import open_gallery
from index.operations import add_images
from index.operations import remove_images as removal
from index.operations.away_check import forget_answers
from index.storage.generation import current_folder
from retrieval.images.decode import load_image
from retrieval.types import Box, WrittenLine
from tests.boxfind.api.conftest import TOKEN, jpeg, pixels
from tests.documents import paged
from tests.tiny import TINY_EMBEDDER, draw_picture

pytest.importorskip("fastapi", reason='fastapi is not installed: pip install -e ".[api]"')
IDS = [*(f"{number:02d}.png" for number in range(10)), "below/10.png", "below/11.png"]


@pytest.fixture
def own(start, pictures, index, tmp_path):
    """An administrator client of a writable gallery, and the gallery folder."""
    folder = shutil.copytree(pictures, tmp_path / "own")
    moved = shutil.copytree(index, tmp_path / "index")
    manifest = current_folder(moved) / "manifest.json"
    manifest.write_text(manifest.read_text().replace(str(pictures), str(folder)))
    client = start(gallery=folder, index=moved)
    client.headers["Authorization"] = "Bearer a token that only tests know"
    return client, folder


def add(client, name: str, data: bytes):
    return client.post("/v1/images", files={"picture": (name, data)})


def test_pages_of_any_length_list_every_picture_once(client):
    for limit in (1, 5, 12, 100):
        listed, after = [], ""
        while after is not None:
            page = client.get("/v1/images", params={"after": after, "limit": limit}).json()
            assert page["total"] == 12 and len(page["images"]) <= limit
            listed += [image["id"] for image in page["images"]]
            after = page["next"]
        assert listed == IDS


def test_a_folder_can_be_listed(client):
    page = client.get("/v1/images", params={"folder": "below", "limit": 1}).json()
    assert (page["total"], page["images"][0]["id"], page["next"]) == (2, "below/10.png", "below/10.png")
    page = client.get("/v1/images", params={"folder": "below", "after": "below/10.png"}).json()
    assert [image["id"] for image in page["images"]] == ["below/11.png"] and page["next"] is None
    assert client.get("/v1/images", params={"folder": "below", "after": "zzz"}).json()["images"] == []
    assert client.get("/v1/images", params={"folder": "belo"}).status_code == 404


@pytest.mark.parametrize(
    ("field", "value", "listed"),
    [
        ("name", "PNG 1", ["01.png", *IDS[10:]]),
        ("since", "2020-01-01", IDS),
        ("since", "2100-01-01", []),
        ("until", "2020-01-01", []),
        ("until", "2100-01-01", IDS),
        ("shape", "landscape", IDS),
        ("shape", "square", []),
        ("pixels", 320 * 240, IDS),
        ("pixels", 320 * 240 + 1, []),
        ("album", " mine ", [IDS[3], IDS[10]]),
    ],
)
def test_a_filter_limits_the_list(client, settings, field, value, listed):
    contents = [client.get(f"/v1/images/{IDS[number]}").json()["sha256"] for number in (3, 10)]
    Albums(settings.searches_file).add("mine", contents)
    page = client.get("/v1/images", params={field: value}).json()
    assert [image["id"] for image in page["images"]] == listed and page["total"] == len(listed)


def test_a_filtered_list_has_pages_and_a_folder(client):
    page = client.get("/v1/images", params={"name": "1", "limit": 2}).json()
    assert (page["total"], page["next"]) == (3, "below/10.png")
    page = client.get("/v1/images", params={"name": "1", "after": page["next"]}).json()
    assert [image["id"] for image in page["images"]] == ["below/11.png"] and page["next"] is None
    assert client.get("/v1/images", params={"name": "11", "folder": "below"}).json()["total"] == 1


def test_facts_of_a_picture(client, pictures):
    data = (pictures / "below" / "10.png").read_bytes()
    facts = client.get("/v1/images/below/10.png").json()
    assert (facts["id"], facts["width"], facts["height"], facts["bytes"]) == ("below/10.png", 320, 240, len(data))
    assert facts["sha256"] == hashlib.sha256(data).hexdigest()
    assert {"box": [0, 0, 320, 240], "kind": "whole"} in facts["regions"] and len(facts["regions"]) > 1
    assert (facts["text_read"], facts["written"]) == (False, [])


def test_facts_of_a_picture_that_was_read(client, index):
    gallery = open_gallery(current_folder(index))
    line = WrittenLine("Diet Coke", Box(1, 2, 30, 12), 0.9)
    gallery.written_text.add({gallery.contents.of_image(gallery.number("03.png")): [line]})
    try:
        facts = client.get("/v1/images/03.png").json()
    finally:
        gallery.written_text.remove()
    assert (facts["text_read"], facts["written"]) == (True, [{"text": "Diet Coke", "box": [1, 2, 29, 10]}])


def test_pictures_are_served_as_reencoded_jpegs(client, pictures):
    for view in ("thumbnail", "original"):
        shown = client.get(f"/v1/images/03.png/{view}")
        assert shown.headers["content-type"] == "image/jpeg" and shown.headers["x-content-type-options"] == "nosniff"
        assert np.abs(pixels(shown.content) - load_image(pictures / "03.png").astype(int)).mean() < 8


def test_an_original_is_upright_and_has_no_metadata(own, tmp_path):
    client, folder = own
    exif = Pillow.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"
    Pillow.fromarray(draw_picture(3, 320, 240)).save(folder / "03.png", exif=exif)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("index.operations.read_original.hashlib", _believing(client, "03.png"))
        shown = client.get("/v1/images/03.png/original")
    with Pillow.open(io.BytesIO(shown.content)) as picture:
        assert picture.size == (240, 320) and not picture.getexif()


def test_a_changed_or_missing_picture_is_not_found(own):
    client, folder = own
    Pillow.fromarray(draw_picture(50, 320, 240)).save(folder / "03.png")
    (folder / "04.png").unlink()
    for name in ("03.png", "04.png"):
        refusals = [
            client.get(f"/v1/images/{name}/original"),
            client.post("/v1/search/stored", json={"image": name}),
        ]
        assert [refused.status_code for refused in refusals] == [404, 404]
        assert all(str(folder) not in refused.text and name in refused.text for refused in refusals)
        assert client.get(f"/v1/images/{name}/thumbnail").status_code == 200  # it is still found, and shown


@pytest.mark.parametrize(
    "name",
    [
        *("%2e%2e/secret.png", "..%2fsecret.png", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "below/%2e%2e/03.png"),
        *("%2Fetc%2Fpasswd", "03.png%00", "%ff%fe.png", "03.png/", "CON", "x" * 5000),
    ],
)
def test_hostile_ids_reach_no_other_file(own, name):
    client, folder = own
    Pillow.fromarray(draw_picture(60)).save(folder.parent / "secret.png")
    for view in ("", "/thumbnail", "/original"):
        assert client.get(f"/v1/images/{name}{view}").status_code in (404, 307)
    assert client.delete(f"/v1/images/{name}").status_code in (404, 307)
    assert (folder.parent / "secret.png").exists()


def test_r95_pictures_on_a_drive_that_is_away_are_unavailable_but_found(own):
    client, folder = own
    folder.rename(folder.with_name("unplugged"))
    forget_answers()
    try:
        refusals = [
            client.get("/v1/images/03.png/original"),
            client.post("/v1/search/stored", json={"image": "03.png"}),
        ]
        assert [refused.status_code for refused in refusals] == [503, 503]
        assert all(refused.json()["detail"] == "The drive with this folder is not connected." for refused in refusals)
        assert client.get("/v1/images/03.png/thumbnail").status_code == 200
    finally:
        folder.with_name("unplugged").rename(folder)
        forget_answers()
    assert client.get("/v1/images/03.png/original").status_code == 200


def test_a_symlink_in_place_of_a_picture_is_refused(own):
    client, folder = own
    secret = folder.parent / "secret.png"
    Pillow.fromarray(draw_picture(60)).save(secret)
    (folder / "03.png").unlink()
    (folder / "03.png").symlink_to(secret)
    assert client.get("/v1/images/03.png/original").status_code == 404
    assert client.delete("/v1/images/03.png").status_code == 503
    assert secret.exists() and (folder / "03.png").is_symlink()


def test_a_picture_is_added_unchanged_and_only_once(own):
    client, folder = own
    data = jpeg(draw_picture(70))
    added = add(client, "new.jpg", data)
    assert (added.status_code, added.json()) == (201, {"id": "added/new.jpg"})
    assert (folder / "added" / "new.jpg").read_bytes() == data
    assert add(client, "new.jpg", data).status_code == 409
    assert add(client, "again.png", (folder / "03.png").read_bytes()).status_code == 409
    assert add(client, "new.jpg", jpeg(draw_picture(71))).json() == {"id": "added/new-2.jpg"}


@pytest.mark.parametrize("name", ["../out.jpg", "/etc/out.jpg", "C:out.jpg", ".hidden.jpg", "out.exe", "o" * 5000])
def test_an_invalid_file_name_is_refused(own, name):
    client, folder = own
    refused = add(client, name, jpeg(draw_picture(70)))
    assert refused.status_code in (400, 422) and not [*folder.parent.rglob("out*")]


def test_an_invalid_picture_is_not_added(own):
    client, folder = own
    assert add(client, "bad.jpg", b"hello").status_code == 422
    assert client.post("/v1/images").status_code == 422
    assert not (folder / "added").exists()


def test_r65_a_picture_that_would_be_left_out_is_not_added(own):
    client, folder = own
    (folder / ".boxfindignore").write_text("draft.*")
    refused = add(client, "draft.jpg", jpeg(draw_picture(70)))
    assert refused.status_code == 422 and "would be left out" in refused.text and not (folder / "added").exists()


def test_a_full_disk_is_status_507(own, monkeypatch):
    client, folder = own

    def full(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(add_images, "_put", full)
    assert add(client, "new.jpg", jpeg(draw_picture(70))).status_code == 507
    monkeypatch.setattr(removal.shutil, "move", full)
    assert client.delete("/v1/images/03.png").status_code == 507 and (folder / "03.png").exists()


def test_a_removed_picture_is_moved_and_kept(own, tmp_path):
    client, folder = own
    data = (folder / "below" / "10.png").read_bytes()
    removed = client.delete("/v1/images/below/10.png")
    assert removed.status_code == 200 and removed.json()["id"] == "below/10.png"
    assert (tmp_path / removed.json()["moved_to"]).read_bytes() == data
    assert removed.json()["moved_to"].startswith("removed/") and not (folder / "below" / "10.png").exists()
    assert client.delete("/v1/images/below/10.png").status_code == 404


def _believing(client, name: str):
    """A hashlib stub that returns the indexed hash for any data."""
    known = client.get(f"/v1/images/{name}").json()["sha256"]

    class Believing:
        @staticmethod
        def sha256(_: bytes):
            return type("Hash", (), {"hexdigest": lambda _: known})()

    return Believing


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_r76_names_with_line_breaks_and_in_other_unicode_forms_are_found(start, tmp_path, pool, form):
    folder = tmp_path / "own"
    names = [f"{part}/é {number}\nend.png" for part in ("above", "ça") for number in range(2)]
    for number, name in enumerate(names):
        path = folder / unicodedata.normalize("NFD", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        Pillow.fromarray(draw_picture(number)).save(path)
    build(folder, tmp_path / "index", ThreadExecutor(TINY_EMBEDDER, pool, 1), lambda *_: None)
    client = start(gallery=folder, index=tmp_path / "index")
    client.headers["Authorization"] = f"Bearer {TOKEN}"
    for name in names:
        sent = quote(unicodedata.normalize(form, name))
        for view in ("", "/thumbnail", "/original"):
            assert client.get(f"/v1/images/{sent}{view}").status_code == 200, (name, view)
        stored = {"image": unicodedata.normalize(form, name), "folder": unicodedata.normalize(form, "ça")}
        assert client.post("/v1/search/stored", json=stored).json()["hits"]
    listed = client.get("/v1/images", params={"folder": unicodedata.normalize(form, "ça")}).json()
    assert [image["id"] for image in listed["images"]] == names[2:]
    assert client.delete(f"/v1/images/{quote(unicodedata.normalize(form, names[0]))}").status_code == 200
    assert not (folder / unicodedata.normalize("NFD", names[0])).exists()


@pytest.mark.parametrize("name", ["CON.jpg", "a?.jpg", "lpt1.tar.jpg", "o" * 241 + ".jpg", " a.jpg"])
def test_r76_names_that_another_system_forbids_are_refused(own, name):
    client, folder = own
    refused = add(client, name, jpeg(draw_picture(70)))
    assert refused.status_code == 422 or refused.status_code == 400
    assert "rename it" in refused.json()["detail"] and not (folder / "added").exists()


def test_a_document_is_served_as_a_file_and_in_parts(start, pictures, tmp_path, build_index):
    folder = shutil.copytree(pictures, tmp_path / "own")
    document = paged([draw_picture(seed) for seed in (50, 51)], "PDF")
    (folder / "a.pdf").write_bytes(document)
    (folder / "page.pdf").write_bytes(b"<html><script>alert(1)</script></html>")
    (folder / "scan.tif").write_bytes(paged([draw_picture(seed) for seed in (52, 53)], "TIFF"))
    client = start(gallery=folder, index=build_index(folder).parent)
    facts = client.get("/v1/images/a.pdf%23page=2").json()
    assert (facts["id"], facts["file"], facts["place"]) == ("a.pdf#page=2", "a.pdf", "page=2")
    whole = client.get("/v1/images/a.pdf%23page=2/file")
    assert whole.content == document and whole.headers["content-type"] == "application/pdf"
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert whole.headers["content-security-policy"].startswith("default-src 'none'")
    part = client.get("/v1/images/a.pdf%23page=2/file", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, document[10:20])
    for image in ("00.png", "scan.tif%23page=2", "page.pdf", "a.pdf", "a.pdf%23page=9"):
        assert client.get(f"/v1/images/{image}/file").status_code == 404
    assert pixels(client.get("/v1/images/a.pdf%23page=1/original").content).shape == (1440, 1920, 3)
    found = client.post("/v1/search/stored", json={"image": "scan.tif#page=2"})
    assert found.status_code == 200 and found.json()["hits"][0]["image"] == "scan.tif#page=2"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\0\0\0\x14ftypM4A \0\0\0\0M4A ", ""),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "video/mp4"),
        (b"\x1aE\xdf\xa3\x93B\x82\x84webm", "video/webm"),
        (b"\x1aE\xdf\xa3\x93B\x82\x88matroska", "video/x-matroska"),
        (b"RIFF\0\0\0\0AVI LIST", "video/x-msvideo"),
        (b"%PDF-1.7", "application/pdf"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", ""),
        (b"<!doctype html>", ""),
        (b"PK\3\4", ""),
        (b"\xff\xd8\xff", ""),
        (b"", ""),
    ],
)
def test_only_films_and_pdf_files_have_a_content_type(data, kind):
    assert content_type(data) == kind
