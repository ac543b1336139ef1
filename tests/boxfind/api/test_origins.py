"""Browsers cannot use the API on behalf of pages of other origins."""

import pytest

from boxfind.engine import Engine
from tests.boxfind.api.conftest import jpeg
from tests.tiny import draw_picture

pytest.importorskip("fastapi", reason='fastapi is not installed: pip install -e ".[api]"')
SEARCH = {"files": {"picture": ("a.jpg", jpeg(draw_picture(1)))}}
FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "http://127.0.0.1:3000"},
    {"Origin": "http://127.0.0.1.evil.example:8502"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://[::1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "image"},
]
OWN = [
    {},
    {"Origin": "http://127.0.0.1:8502"},
    {"Origin": "https://127.0.0.1:8502", "Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
]
HOST = {"Host": "127.0.0.1:8502"}


@pytest.mark.parametrize("headers", FOREIGN)
def test_r70_pages_of_other_origins_are_refused(client, monkeypatch, headers):
    monkeypatch.setattr(Engine, "answer", lambda *_: pytest.fail("it was searched"))
    refused = client.post("/v1/search", **SEARCH, headers=HOST | headers)
    assert refused.status_code == 403 and "other origins" in refused.json()["detail"]
    for method, path in (("GET", "/v1/images/03.png/thumbnail"), ("DELETE", "/v1/images/03.png"), ("GET", "/v1/index")):
        assert client.request(method, path, headers=HOST | headers).status_code == 403
    assert client.get("/health", headers=HOST | headers).status_code == 200


@pytest.mark.parametrize("headers", OWN)
def test_programs_and_the_own_origin_are_served(client, headers):
    assert client.post("/v1/search", **SEARCH, headers=HOST | headers).status_code == 200
    assert client.get("/v1/images/03.png/thumbnail", headers=HOST | headers).status_code == 200


def test_a_link_opens_a_picture_and_changes_nothing(admin):
    opened = HOST | {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate"}
    assert admin.get("/v1/images/03.png/thumbnail", headers=opened).status_code == 200
    assert admin.delete("/v1/images/03.png", headers=opened).status_code == 403


def test_a_proxy_may_pass_the_host_name_without_its_port(start):
    client = start(api_hosts=("boxfind.example.org",))
    headers = {"Host": "boxfind.example.org", "Origin": "https://boxfind.example.org:8443"}
    assert client.get("/v1/index", headers=headers).status_code == 200
    headers["Origin"] = "https://www.boxfind.example.org"
    assert client.get("/v1/index", headers=headers).status_code == 403


@pytest.mark.parametrize(
    ("host", "origin"), [("127.0.0.1:443", "https://127.0.0.1"), ("127.0.0.1:80", "http://127.0.0.1")]
)
def test_r70_the_port_of_a_scheme_need_not_be_named(client, host, origin):
    assert client.get("/v1/index", headers={"Host": host, "Origin": origin}).status_code == 200
    foreign = {"Host": host, "Origin": f"{origin}:8502"}
    assert client.get("/v1/index", headers=foreign).status_code == 403
