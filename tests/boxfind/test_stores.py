"""The choice of vector store, and the behaviour of the engine while Milvus is unreachable."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from boxfind.engine import Engine
from boxfind.settings import PROJECT, BadSetting, Settings
from boxfind.stores import publisher_for
from retrieval.errors import IndexProblem, StoreUnavailable
from retrieval.optional_packages import OptionalPackage
from retrieval.types import quiet
from tests.lite import LiteServer

ANYWHERE = "http://127.0.0.1:1"


def test_local_stores_have_no_publisher():
    assert publisher_for(Settings.load(store="auto", milvus_uri=ANYWHERE)) is None


def test_milvus_needs_a_uri():
    with pytest.raises(IndexProblem, match="set BOXFIND_MILVUS_URI"):
        publisher_for(Settings.load(store="milvus"))
    with pytest.raises(BadSetting, match=r"MILVUS_URI .*ending in \.db"):
        Settings.load(milvus_uri="milvus.example")
    with pytest.raises(BadSetting, match="BOXFIND_MILVUS_ALIAS"):
        Settings.load(milvus_alias="no spaces")


def test_without_pymilvus_the_message_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(OptionalPackage, "installed", False)
    with pytest.raises(IndexProblem, match=r"needs the package pymilvus.*\[milvus\]"):
        publisher_for(Settings.load(store="milvus", milvus_uri=ANYWHERE))


def test_the_alias_is_unique_or_configured(tmp_path: Path):
    pytest.importorskip("pymilvus", reason='pymilvus is not installed: pip install -e ".[milvus]"')
    settings = [Settings.load(store="milvus", milvus_uri=ANYWHERE, index=tmp_path / name) for name in "aab"]
    one, same, other = (publisher_for(each)._alias for each in settings)
    assert one == same != other and one.startswith("boxfind_")
    assert publisher_for(settings[0].changed(milvus_alias="cups"))._alias == "cups"


@pytest.fixture
def server(tmp_path: Path):
    pytest.importorskip("pymilvus", reason='pymilvus is not installed: pip install -e ".[milvus]"')
    pytest.importorskip("milvus_lite", reason='milvus-lite is not installed: pip install -e ".[milvus]"')
    started = LiteServer(tmp_path / "engine")
    yield started
    started.stop()


def test_r54_what_visitors_are_told_while_it_is_away(server, gallery, build_index, tmp_path, monkeypatch):
    from index.milvus import client as milvus

    for name in ("PAUSE", "PROBE"):
        monkeypatch.setattr(milvus, name, 0.2)
    settings = Settings.load(
        gallery=gallery, index=tmp_path / "index", store="milvus", milvus_uri=server.uri, milvus_timeout=0.5
    )
    folder = build_index(gallery)
    publisher_for(settings).publish(folder, quiet)
    strict = Engine(settings)
    lenient = Engine(settings.changed(milvus_fallback=True))
    query = strict.gallery().vectors(slice(0, 1))[0]
    expected = strict.gallery().nearest(query, 5)[0].tolist()
    assert lenient.gallery().nearest(query, 5)[0].tolist() == expected
    assert strict.warning() == lenient.warning() == ""
    server.stop()
    with pytest.raises(StoreUnavailable, match="does not answer"):
        strict.gallery().nearest(query, 5)
    assert "does not answer" in strict.warning()
    assert lenient.gallery().nearest(query, 5)[0].tolist() == expected
    assert "searching the vectors on this machine" in lenient.warning()
    with pytest.raises(StoreUnavailable):
        strict.builds.build(quiet)
    server.start()
    for engine in (strict, lenient):
        while engine.warning():  # until the test times out
            time.sleep(0.1)
        assert engine.gallery().nearest(query, 5)[0].tolist() == expected


def test_local_searches_do_not_import_pymilvus():
    """Run in a subprocess, since other tests import it in this one."""
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; import boxfind.stores, index.gallery; print({'pymilvus', 'grpc'} & sys.modules.keys())",
        ],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "set()"
