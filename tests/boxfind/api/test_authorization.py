"""Only requests with the token can change anything."""

import hmac
import logging
import shutil

import pytest

from boxfind.builds import Builds
from tests.boxfind.api.conftest import TOKEN, jpeg
from tests.tiny import draw_picture

pytest.importorskip("fastapi", reason='fastapi is not installed: pip install -e ".[api]"')
CHANGES = [("POST", "/v1/images"), ("DELETE", "/v1/images/03.png"), ("POST", "/v1/index/build")]
CHANGES += [("DELETE", "/v1/index/build"), ("GET", "/v1/index/build"), ("DELETE", "/v1/index/text")]
WRONG = ["", "Bearer", "Bearer ", "Bearer wrong", f"Bearer {TOKEN} ", f"Basic {TOKEN}", TOKEN, "Bearer \xff"]


@pytest.fixture(autouse=True)
def nothing_starts(monkeypatch):
    for name in ("start", "cancel", "stop_reading"):
        monkeypatch.setattr(Builds, name, lambda *_: pytest.fail("a build was started or stopped"))


def ask(client, method, address, header: str | None):
    body = {"files": {"picture": ("new.jpg", jpeg(draw_picture(70)))}} if address == "/v1/images" else {}
    body = {"json": {}} if (method, address) == ("POST", "/v1/index/build") else body
    return client.request(method, address, headers={"Authorization": header} if header is not None else {}, **body)


@pytest.mark.parametrize(("method", "address"), CHANGES)
def test_r48_without_the_token_nothing_is_changed_and_the_log_tells(start, pictures, tmp_path, caplog, method, address):
    folder = shutil.copytree(pictures, tmp_path / "own")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    client = start(gallery=folder)
    caplog.set_level(logging.INFO, "boxfind")
    for header in (None, *(wrong.encode("latin-1") for wrong in WRONG if wrong != f"Bearer {TOKEN} ")):
        refused = ask(client, method, address, header)
        assert refused.status_code == 401 and refused.headers["WWW-Authenticate"] == "Bearer"
        assert "administrator" in refused.json()["detail"]
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert caplog.text.count("Refused") == len(WRONG) and "03.png" not in caplog.text


@pytest.mark.parametrize(("method", "address"), CHANGES)
def test_r48_where_no_token_is_set_nobody_is_administrator(start, caplog, method, address):
    client = start(api_token="")
    for header in (None, "Bearer", "Bearer ", f"Bearer {TOKEN}"):
        refused = ask(client, method, address, header)
        assert refused.status_code == 403 and "BOXFIND_API_TOKEN" in refused.json()["detail"]
    assert caplog.text.count("BOXFIND_API_TOKEN is not set.") == 4 and "wrong" not in caplog.text


def test_the_token_is_compared_in_constant_time(client, monkeypatch):
    compared, compare = [], hmac.compare_digest

    def overheard(one, other):
        compared.append((one, other))
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", overheard)
    ask(client, "POST", "/v1/index/build", "Bearer wrong")
    assert compared == [(b"wrong", TOKEN.encode())]


def test_the_token_is_in_no_log_response_or_settings(start, settings, pictures, tmp_path, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(Builds, "state", lambda _: 1 / 0)
    monkeypatch.setattr(Builds, "cancel", lambda _: None)
    monkeypatch.setattr(Builds, "stop_reading", lambda _: False)
    client = start(gallery=shutil.copytree(pictures, tmp_path / "own"))
    seen = [ask(client, *change, header).text for change in CHANGES for header in (f"Bearer {TOKEN}", "Bearer no")]
    assert "Error " in caplog.text and "ZeroDivisionError" in caplog.text
    assert TOKEN not in caplog.text + "".join(seen) + repr(settings) + settings.model_dump_json()
