"""Requests that are too large, too frequent or too many at once are refused, with the time to retry."""

import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest

from boxfind.engine import Engine
from tests.boxfind.api.conftest import jpeg
from tests.tiny import draw_picture

pytest.importorskip("fastapi", reason='fastapi is not installed: pip install -e ".[api]"')
from fastapi import HTTPException

from boxfind.api import limits
from boxfind.api.limits import RateLimiter, SearchSlots

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


def test_too_large_a_request_is_refused_before_it_is_read(client, monkeypatch):
    monkeypatch.setattr(limits, "MAX_UPLOAD_BYTES", 10_000)
    big = {"files": {"picture": ("a.jpg", bytes(20_000))}}
    monkeypatch.setattr(Engine, "read_picture", lambda *_: pytest.fail("it was read"))
    assert client.post("/v1/search", **big).status_code == 413

    def unannounced():
        yield b'--x\r\nContent-Disposition: form-data; name="picture"; filename="a.jpg"\r\n\r\n'
        for _ in range(20):
            yield bytes(1000)
        yield b"\r\n--x--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    refused = client.post("/v1/search", content=unannounced(), headers=headers)
    assert refused.status_code == 413 and "MB" in refused.json()["detail"]
    assert client.post("/v1/search/words", json={"words": "x" * limits.MAX_BODY_BYTES}).status_code == 413


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "Multipart/Form-Data; boundary=x"])
def test_a_form_in_a_slow_character_set_is_refused_before_it_is_read(client, kind):
    field = b'--x\r\nContent-Disposition: form-data; name="box"\r\n\r\n' + 70_000 * b"a" + b"-" + 70_000 * b"b"
    form = field + b"\r\n--x--\r\n"
    refused = client.post("/v1/search", content=form, headers={"Content-Type": f"{kind}; charset=punycode"})
    assert refused.status_code == 422 and "UTF-8" in refused.json()["detail"]
    read = client.post("/v1/search", content=form, headers={"Content-Type": f"{kind}; charset=UTF-8"})
    assert read.status_code == 422 and "UTF-8" not in read.json()["detail"]


def test_concurrent_uploads_are_limited(client, monkeypatch):
    monkeypatch.setattr(limits, "MAX_UPLOADS", 0)
    refused = client.post("/v1/search", **SEARCH)
    assert refused.status_code == 503 and "other uploads" in refused.json()["detail"]
    assert client.get("/v1/index").status_code == 200
    monkeypatch.setattr(limits, "MAX_UPLOADS", 1)
    assert [client.post("/v1/search", **SEARCH).status_code for _ in range(3)] == [200, 200, 200]
    assert client.post("/v1/search", files=SEARCH["files"], data={"box": "no box"}).status_code == 422
    assert client.post("/v1/search", **SEARCH).status_code == 200


def in_a_loop(work: Callable[[], Awaitable[Any]]) -> Any:
    """Run in a separate thread, since browser tests leave an event loop running in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(anyio.run, work).result()


def test_searches_wait_for_a_slot_until_the_queue_is_full():
    async def visits() -> tuple[int, int, int]:
        slots, most, done, busy, inside = SearchSlots(2, waiting=3, seconds=5), 0, 0, 0, 0

        async def visit() -> None:
            nonlocal most, done, busy, inside
            try:
                async with slots.hold():
                    inside += 1
                    most = max(most, inside)
                    await anyio.sleep(0.01)
                    inside -= 1
                    done += 1
            except HTTPException:
                busy += 1

        for _ in range(3):  # slots are released
            async with anyio.create_task_group() as group:
                for _ in range(8):
                    group.start_soon(visit)
        return most, done, busy

    assert in_a_loop(visits) == (2, 15, 9)


def test_waiting_for_a_slot_ends_after_the_time_limit():
    async def visit() -> None:
        slots = SearchSlots(1, waiting=3, seconds=0.01)
        async with slots.hold():
            with pytest.raises(HTTPException, match="No search slot"):
                async with slots.hold():
                    pass
        async with slots.hold():
            pass

    in_a_loop(visit)


def test_a_busy_server_refuses_searches_and_serves_other_requests(start, monkeypatch):
    begun, end = threading.Event(), threading.Event()
    client = start(api_searches=1)
    client.app.state.dependencies.slots._waiting = 0
    answer = Engine.answer

    def slow(*given):
        begun.set()
        assert end.wait(10)
        return answer(*given)

    monkeypatch.setattr(Engine, "answer", slow)
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
