"""serve: runs the API until it is stopped."""

import subprocess
import sys

import pytest

from retrieval.optional_packages import OptionalPackage


def test_without_fastapi_the_message_says_how_to_install_it(boxfind, monkeypatch, tmp_path):
    monkeypatch.setattr("boxfind.commands.serve.FASTAPI", OptionalPackage("fastapi", "no_such_module", "api"))
    boxfind("serve", "--index", tmp_path).assert_failed('pip install -e ".[api]"')


def test_the_api_listens_on_the_configured_host_and_port(boxfind, monkeypatch, tmp_path):
    pytest.importorskip("fastapi", reason='fastapi is not installed: pip install -e ".[api]"')
    import uvicorn

    ran = []
    monkeypatch.setattr(uvicorn, "run", lambda api, **how: ran.append((api, how)))
    monkeypatch.setenv("BOXFIND_API_PORT", "8123")
    said = boxfind("serve", "--gallery", tmp_path / "pictures", "--index", tmp_path / "index")
    assert said.code == 0 and "http://127.0.0.1:8123/v1" in said.err
    ((api, how),) = ran
    assert (how["host"], how["port"], how["access_log"]) == ("127.0.0.1", 8123, False)
    settings = api.state.dependencies.engines.settings
    assert (settings.gallery, settings.index) == (tmp_path / "pictures", tmp_path / "index")


def test_the_command_line_does_not_import_the_api():
    code = "import sys, cli; sys.exit(any(name in sys.modules for name in ('fastapi', 'uvicorn', 'boxfind.api')))"

    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
