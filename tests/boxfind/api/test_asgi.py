"""The page and the API run in one process with one engine."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.error import HTTPError, URLError

import pytest

from tests.browser.conftest import free_port

pytest.importorskip("fastapi", reason='fastapi is not installed: pip install -e ".[api]"')
PROJECT = Path(__file__).parents[3]


def get(address: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return answer.status, answer.read()
    except HTTPError as refused:
        return refused.code, refused.read()
    except (URLError, TimeoutError):
        return 0, b""


def until(address: str, status: int, words: bytes = b"") -> bytes:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found, body = get(address)
        if found == status and words in body:
            return body
        time.sleep(0.1)
    pytest.fail(f"{address} does not answer {status}")


def test_page_and_api_share_one_process(pictures, index, tmp_path):
    port = free_port()
    environment = os.environ | {"BOXFIND_GALLERY": str(pictures), "BOXFIND_INDEX": str(index)}
    command = [sys.executable, "-m", "streamlit", "run", "boxfind/asgi.py", "--server.port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log)
    try:
        page = f"http://127.0.0.1:{port}"
        until(f"{page}/api/health", 200)
        assert until(f"{page}/_stcore/health", 200) == b"ok"
        assert b"<title>" in until(page, 200)
        assert b'"images":12' in until(f"{page}/api/v1/index", 200)
        assert until(f"{page}/api/v1/images/03.png/thumbnail", 200).startswith(b"\xff\xd8")
        assert b'"/api"' in until(f"{page}/api/openapi.json", 200)  # so that clients find the routes
        until(f"{page}/api/ready", 503, b"Rebuild the index")  # it was built with the tiny network
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    assert "Traceback" not in (tmp_path / "log").read_text()
