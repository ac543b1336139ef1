"""Uploads from one address do not keep other addresses from searching, on a real server."""

import contextlib
import select
import time

import httpx
import pytest

from boxfind.engines import Engines
from boxfind.fair_turns import FairPlaces
from tests.boxfind.api.conftest import jpeg
from tests.boxfind.test_connections import need_address, open_connection, running
from tests.tiny import draw_picture

pytest.importorskip("fastapi", reason='fastapi is not installed: pip install -e ".[api]"')
import uvicorn

from boxfind.api import limits, server
from boxfind.api.app import make_api

HEAD = b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
BEGUN = HEAD + b"Content-Length: 1000000\r\n\r\n--x\r\nContent-Disp"


def test_r62_dripping_uploads_of_one_client_leave_room_for_others(settings, monkeypatch):
    need_address("127.0.0.2")
    places = FairPlaces(3)
    monkeypatch.setattr(limits, "FairPlaces", lambda _: places)
    picture = {"picture": ("a.jpg", jpeg(draw_picture(1)))}
    config = uvicorn.Config(make_api(Engines(settings)), port=0, log_level="error")
    with running(config) as port, contextlib.ExitStack() as stack:
        dripping = [stack.enter_context(open_connection(port, BEGUN)) for _ in range(3)]
        while sum(map(len, places._held.values())) < 3:
            time.sleep(0.01)
        full = stack.enter_context(open_connection(port, BEGUN))
        assert b"503" in full.recv(1000)
        other = stack.enter_context(httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.2")))
        assert other.post(f"http://127.0.0.1:{port}/v1/search", files=picture, timeout=20).status_code == 200
        (displaced,) = select.select(dripping, [], [], 20)[0]
        assert b"503" in displaced.recv(1000)


def test_r70_the_rate_of_a_client_holds_whatever_it_says_of_itself(settings, monkeypatch):
    ran = []
    monkeypatch.setattr(uvicorn, "run", lambda api, **how: ran.append(uvicorn.Config(api, **how)))
    limited = settings.changed(api_rate=3, api_port=1)
    server.serve(limited)
    server.serve(limited.changed(api_proxies="127.0.0.1"))
    for config in ran:
        config.port = 0
        with running(config) as port:
            made_up = [{"X-Forwarded-For": f"198.51.100.{number}, 192.0.2.9"} for number in range(5)]
            codes = [httpx.get(f"http://127.0.0.1:{port}/v1/index", headers=one).status_code for one in made_up]
            assert codes == [200, 200, 200, 429, 429]
            other = httpx.get(f"http://127.0.0.1:{port}/v1/index", headers={"X-Forwarded-For": "192.0.2.10"})
            assert other.status_code == (200 if config is ran[1] else 429)
