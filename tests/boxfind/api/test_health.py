"""Liveness and readiness checks."""

import threading

import pytest

from boxfind import loaded_networks as module
from boxfind.engine import Engine
from boxfind.engines import Engines
from boxfind.loaded_networks import LoadedNetworks
from index.building.decoder_pool import DecoderPool
from retrieval.errors import RuntimeMissing, WeightsMissing

pytest.importorskip("fastapi", reason='fastapi is not installed: pip install -e ".[api]"')


def test_ready_waits_for_the_network(settings, monkeypatch):
    from fastapi.testclient import TestClient

    from boxfind.api.app import make_api

    loaded, load = threading.Event(), module.embedder_for_searching

    def slow(*given):
        assert loaded.wait(10)
        return load(*given)

    monkeypatch.setattr(module, "embedder_for_searching", slow)
    api = make_api(Engines(settings))
    with TestClient(api, base_url="http://localhost") as client:
        assert client.get("/health").json() == {"status": "ok"}
        early = client.get("/ready")
        assert early.status_code == 503 and int(early.headers["Retry-After"]) > 0
        assert "are loading" in early.json()["detail"]
        loaded.set()
        api.state.dependencies.load_finished.wait()
        assert client.get("/ready").json() == {"status": "ok"}


def test_ready_needs_an_index_and_a_runtime(start, tmp_path, index, monkeypatch):
    client = start(index=tmp_path / "late")
    assert client.get("/ready").status_code == 503 and client.get("/health").status_code == 200
    (tmp_path / "late").symlink_to(index)
    assert client.get("/ready").status_code == 200

    def missing(*_):
        raise RuntimeMissing("Nothing here runs it.")

    monkeypatch.setattr(LoadedNetworks, "embedder", missing)
    assert client.get("/ready").json() == {"detail": "Nothing here runs it."}
    assert client.get("/ready").status_code == 503


def test_ready_needs_milvus_unless_fallback_is_on(start, monkeypatch):
    client, local = start(), start(milvus_fallback=True)
    monkeypatch.setattr(Engine, "store_problem", lambda _: "Milvus does not answer.")
    assert client.get("/ready").json() == {"detail": "Milvus does not answer."}
    assert client.get("/ready").status_code == 503 and local.get("/ready").status_code == 200


def test_details_of_missing_weights_are_only_logged(start, monkeypatch):
    client = start()

    def missing(*_):
        raise WeightsMissing("The weights are missing", "put them into /home/ada/.cache")

    monkeypatch.setattr(LoadedNetworks, "embedder", missing)
    assert "/home" not in client.get("/ready").text and client.get("/ready").status_code == 503


def test_shutdown_stops_the_decoder_processes(settings, monkeypatch):
    from fastapi.testclient import TestClient

    from boxfind.api.app import make_api

    closed = []
    monkeypatch.setattr(DecoderPool, "close", lambda pool: closed.append(pool))
    engines = Engines(settings)
    pictures = engines.shared.visitor_pictures
    with TestClient(make_api(engines)):
        pictures._pool = pool = DecoderPool.__new__(DecoderPool)
    assert closed == [pool] and pictures._pool is None


def test_the_folder_is_watched_until_the_server_stops(settings):
    from fastapi.testclient import TestClient

    from boxfind.api.app import make_api

    engines = Engines(settings.changed(watch="on"))
    engine = engines.get()
    with TestClient(make_api(engines), base_url="http://localhost"):
        assert engine.watcher.status.kind == "watching"
    assert engine.watcher.status.kind == "off"
    assert "folder watcher" not in [thread.name for thread in threading.enumerate()]
