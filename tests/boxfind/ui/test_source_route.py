"""Films and documents are served to the page in parts, and nothing else is."""

import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import streamlit as st
from starlette.applications import Starlette
from starlette.testclient import TestClient

from boxfind.ui.session import shared_engines
from boxfind.ui.source_route import SAVE, SHOW, source_address, source_route
from tests.boxfind.ui.reading import HEIGHT, WIDTH
from tests.documents import encoded, paged


@pytest.fixture
def document(draw: Any) -> bytes:
    return paged([draw(seed, WIDTH, HEIGHT) for seed in (50, 51)], "PDF")


@pytest.fixture
def folder(draw: Any, document: bytes, tmp_path: Path, build_index: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "gallery"
    made.mkdir()
    (made / "a #1.pdf").write_bytes(document)
    (made / "photo.png").write_bytes(encoded(draw(1, WIDTH, HEIGHT), "PNG"))
    (made / "scan.tif").write_bytes(paged([draw(seed, WIDTH, HEIGHT) for seed in (52, 53)], "TIFF"))
    monkeypatch.setenv("BOXFIND_GALLERY", str(made))
    monkeypatch.setenv("BOXFIND_INDEX", str(build_index(made).parent))
    st.cache_resource.clear()
    return made


@pytest.fixture
def browser(folder: Path) -> TestClient:
    return TestClient(Starlette(routes=[source_route()]))


def path(image: str, use: str = SHOW) -> str:
    return urlsplit(source_address(shared_engines().get().gallery(), image, use)).path


def test_a_document_is_shown_whole_and_in_parts(browser: TestClient, document: bytes) -> None:
    address = path("a #1.pdf#page=2")
    whole = browser.get(address)
    assert whole.content == document and whole.headers["content-type"] == "application/pdf"
    assert whole.headers["x-content-type-options"] == "nosniff" and "inline" in whole.headers["content-disposition"]
    assert whole.headers["content-security-policy"].startswith("default-src 'none'")
    part = browser.get(address, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, document[10:20])


def test_only_films_and_pdf_files_are_shown_and_any_file_is_saved(browser: TestClient, folder: Path) -> None:
    assert browser.get(path("scan.tif#page=2")).status_code == browser.get(path("photo.png")).status_code == 404
    saved = browser.get(path("scan.tif#page=2", SAVE))
    assert saved.content == (folder / "scan.tif").read_bytes()
    assert saved.headers["content-disposition"].startswith('attachment; filename="scan.tif"')
    assert saved.headers["content-type"] == "application/octet-stream"


def test_an_address_cannot_be_made_up(browser: TestClient) -> None:
    address = path("a #1.pdf#page=2")
    head, use, token, index, image = address.rpartition("/source/")[0], *address.rpartition("/source/")[2].split("/")
    for made_up in (
        f"{head}/source/{SAVE}/{token}/{index}/{image}",  # administrators only get this one
        f"{head}/source/{use}/{'0' * 32}/{index}/{image}",
        f"{head}/source/{use}/ü/{index}/{image}",
        f"{head}/source/{use}/{token}/{index}/photo.png",
        f"{head}/source/{use}/{token}/{'0' * 16}/{image}",
        f"{head}/source/run/{token}/{index}/{image}",
    ):
        assert browser.get(made_up).status_code == 404


def test_a_file_that_has_changed_is_not_served(browser: TestClient, folder: Path) -> None:
    shutil.copy(folder / "scan.tif", folder / "a #1.pdf")
    refused = browser.get(path("a #1.pdf#page=2"))
    assert refused.status_code == 404 and "has changed" in refused.text and str(folder) not in refused.text
