"""Requests that are too large, too frequent or too many at once are refused, with the time to retry."""

import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from errno import EIO, ENOSPC

import pytest

from boxfind import engine
from boxfind.fair_turns import FairTurns
from boxfind.visitor_pictures import VisitorPictures
from tests.boxfind.api.conftest import SERVER, TOKEN, jpeg
from tests.tiny import draw_picture

pytest.importorskip("fastapi", reason='fastapi is not installed: pip install -e ".[api]"')
from fastapi.testclient import TestClient

from boxfind.api import limits
from boxfind.api.limits import RateLimiter

SEARCH = {"files": {"picture": ("a.jpg", jpeg(draw_picture(1)))}}


def test_a_burst_uses_up_the_rate_of_a_minute():
    now = 0.0
    limiter = RateLimiter(60, clock=lambda: now)
    assert [limiter.seconds_to_wait("a") for _ in range(60)] == [0] * 60
    assert limiter.seconds_to_wait("a") == pytest.approx(1) and limiter.seconds_to_wait("b") == 0
    now = 0.75
    assert limiter.seconds_to_wait("a") == pytest.approx(0.25)
    now = 1.0
    assert limiter.seconds_to_wait("a") == 0 and limiter.seconds_to_wait("a") > 0
    now = 1000.0
    assert [limiter.seconds_to_wait("a") for _ in range(60)] == [0] * 60 and limiter.seconds_to_wait("a") > 0


def test_the_least_recently_seen_clients_are_dropped(monkeypatch):
    monkeypatch.setattr(limits, "MAX_CLIENTS", 10)
    limiter = RateLimiter(1, clock=lambda: 0.0)
    for number in range(100):
        limiter.seconds_to_wait("often")
        limiter.seconds_to_wait(str(number))
    assert len(limiter._tokens) == 10 and limiter.seconds_to_wait("often") > 0


def test_too_many_requests_are_refused_with_the_time_to_wait(start):
    client = start(api_rate=3)
    assert [client.get("/v1/index").status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    refused = client.post("/v1/search", **SEARCH)
    assert refused.status_code == 429 and 0 < int(refused.headers["Retry-After"]) <= 20
    assert f"in {refused.headers['Retry-After']} s" in refused.json()["detail"]
    assert client.get("/health").status_code == client.get("/ready").status_code == 200


def test_too_large_a_request_is_refused_before_it_is_read(start, monkeypatch):
    monkeypatch.setattr(limits, "FORM_BYTES", 10_000)
    client = start(api_upload_mb=1)
    big = {"files": {"picture": ("a.jpg", bytes(1_020_000))}}
    monkeypatch.setattr(VisitorPictures, "read", lambda *_: pytest.fail("it was read"))
    assert client.post("/v1/search", **big).status_code == 413

    def unannounced():
        yield b'--x\r\nContent-Disposition: form-data; name="picture"; filename="a.jpg"\r\n\r\n'
        for _ in range(102):
            yield bytes(10_000)
        yield b"\r\n--x--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    refused = client.post("/v1/search", content=unannounced(), headers=headers)
    assert refused.status_code == 413 and "larger than 1.01 MB" in refused.json()["detail"]
    assert client.post("/v1/search/words", json={"words": "x" * limits.MAX_BODY_BYTES}).status_code == 413


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "Multipart/Form-Data; boundary=x"])
def test_a_form_in_a_slow_character_set_is_refused_before_it_is_read(client, kind):
    field = b'--x\r\nContent-Disposition: form-data; name="box"\r\n\r\n' + 70_000 * b"a" + b"-" + 70_000 * b"b"
    form = field + b"\r\n--x--\r\n"
    refused = client.post("/v1/search", content=form, headers={"Content-Type": f"{kind}; charset=punycode"})
    assert refused.status_code == 422 and "UTF-8" in refused.json()["detail"]
    read = client.post("/v1/search", content=form, headers={"Content-Type": f"{kind}; charset=UTF-8"})
    assert read.status_code == 422 and "UTF-8" not in read.json()["detail"]


def test_concurrent_uploads_are_limited(start, monkeypatch):
    monkeypatch.setattr(limits, "MAX_UPLOADS", 0)
    client = start()
    refused = client.post("/v1/search", **SEARCH)
    assert refused.status_code == 503 and "other uploads" in refused.json()["detail"]
    assert client.get("/v1/index").status_code == 200
    monkeypatch.setattr(limits, "MAX_UPLOADS", 1)
    client = start()
    assert [client.post("/v1/search", **SEARCH).status_code for _ in range(3)] == [200, 200, 200]
    assert client.post("/v1/search", files=SEARCH["files"], data={"box": "no box"}).status_code == 422
    assert client.post("/v1/search", **SEARCH).status_code == 200


def test_a_busy_server_refuses_searches_and_serves_other_requests(start, monkeypatch):
    begun, end = threading.Event(), threading.Event()
    client = start(api_searches=1)
    client.app.state.dependencies.engines.get()._searching = FairTurns(1, waiting=0)
    answer = engine.answer

    def slow(*given):
        begun.set()
        assert end.wait(10)
        return answer(*given)

    monkeypatch.setattr("boxfind.engine.answer", slow)
    codes = []
    first = threading.Thread(target=lambda: codes.append(client.post("/v1/search", **SEARCH).status_code))
    first.start()
    assert begun.wait(10)
    refused = client.post("/v1/search", **SEARCH)
    assert refused.status_code == 503 and int(refused.headers["Retry-After"]) > 0
    assert client.get("/health").status_code == client.get("/v1/images/03.png/thumbnail").status_code == 200
    end.set()
    first.join()
    assert codes == [200] and client.post("/v1/search", **SEARCH).status_code == 200


def test_r63_a_client_with_many_searches_gives_way_to_others(start, monkeypatch):
    client, end, answer = start(api_searches=1), threading.Event(), engine.answer
    turns = FairTurns(1, waiting=3)
    client.app.state.dependencies.engines.get()._searching = turns

    def slow(*given):
        assert end.wait(10)
        return answer(*given)

    def search(address: str) -> int:
        one = TestClient(client.app, base_url=SERVER, client=(address, 5000))
        return one.post("/v1/search", **SEARCH).status_code

    monkeypatch.setattr("boxfind.engine.answer", slow)
    with ThreadPoolExecutor(5) as pool:
        greedy = [pool.submit(search, "192.0.2.1") for _ in range(4)]
        until(lambda: len(turns._waiting) == 3)
        other = pool.submit(search, "192.0.2.2")
        until(lambda: any(one.done() for one in greedy))
        end.set()
        assert other.result() == 200
        assert sorted(one.result() for one in greedy) == [200, 200, 200, 503]


def until(condition) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_r77_a_full_temporary_folder_is_answered_and_logged_as_such(client, monkeypatch, caplog):
    def full(_):
        raise OSError(ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", full)
    refused = client.post("/v1/search", files={"picture": ("a.jpg", bytes(3_000_000))})
    assert refused.status_code == 507 and "no room" in refused.json()["detail"]
    assert "cannot be stored" in caplog.text and "No space left on device" in caplog.text
    assert client.post("/v1/search", **SEARCH).status_code == 200


def test_r77_a_temporary_folder_that_fails_otherwise_is_not_called_full(client, monkeypatch, caplog):
    def broken(_):
        raise OSError(EIO, "Input/output error")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", broken)
    answer = client.post("/v1/search", files={"picture": ("a.jpg", bytes(3_000_000))})
    assert answer.status_code == 500 and "room" not in answer.text and "Input/output error" in caplog.text


def test_r63_an_original_takes_no_turn_of_a_search(start, monkeypatch):
    client, begun, end, read = start(api_searches=1), threading.Event(), threading.Event(), VisitorPictures.read

    def slow(pictures, data, name, client="", **options):
        if "pixels" in options:  # in full size
            begun.set()
            assert end.wait(20)
        return read(pictures, data, name, client, **options)

    monkeypatch.setattr(VisitorPictures, "read", slow)
    with ThreadPoolExecutor(2) as pool:
        original = pool.submit(client.get, "/v1/images/03.png/original")
        assert begun.wait(10)
        search = pool.submit(client.post, "/v1/search", **SEARCH)
        try:
            assert search.result(10).status_code == 200
        finally:
            end.set()
        assert original.result().status_code == 200


def test_a_body_that_is_no_form_stays_a_bad_request(client):
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert client.post("/v1/search", content=b"no form", headers=headers).status_code in (400, 422)


def test_r70_guessing_tokens_soon_has_to_wait(start):
    client = start(api_rate=600)
    headers = [{"Authorization": f"Bearer guess {number}"} for number in range(700)]
    codes = [client.delete("/v1/index/build", headers=guess).status_code for guess in headers]
    assert codes.count(401) < 15 and set(codes) == {401, 429}
    other = TestClient(client.app, base_url=SERVER, client=("192.0.2.2", 5000))
    assert other.delete("/v1/index/build", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 409


def test_requests_without_a_token_are_no_guesses(client):
    assert {client.delete("/v1/index/build").status_code for _ in range(50)} == {401}
