"""Responses to requests that no Boxfind page sends. Needs no browser."""

import http.client
from pathlib import Path
from urllib.parse import urlsplit

import pytest

UPLOAD = "/_stcore/upload_file/no-session/no-file"
HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": "streamlit",
}


@pytest.fixture(scope="module")
def data(new_data: Path) -> Path:
    """Without an index, which these requests do not need."""
    return new_data


def ask(address: str, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> http.client.HTTPResponse:
    place = urlsplit(address)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=20)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    connection.close()
    return answer


def connect(address: str, **headers: str) -> int:
    """The status of a page's WebSocket handshake: 101 if accepted."""
    return ask(address, "GET", "/_stcore/stream", HANDSHAKE | headers).status


def test_r24_own_pages_may_connect(address: str) -> None:
    port = urlsplit(address).port
    assert connect(address) == 101
    assert connect(address, Origin=address) == 101
    assert connect(address, Host=f"localhost:{port}", Origin=f"http://localhost:{port}") == 101


@pytest.mark.parametrize("origin", ["https://example.org", "http://127.0.0.1.example.org", "null", "file://"])
def test_r24_other_origins_are_refused(address: str, origin: str) -> None:
    assert connect(address, Origin=origin) == 403


@pytest.mark.parametrize("host", ["example.org", "rebound.example.org:8501", "127.0.0.1.example.org", ""])
def test_r24_other_host_names_are_refused(address: str, host: str) -> None:
    assert connect(address, Host=host) == 403
    assert connect(address, Host=host, Origin=f"http://{host}") == 403


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_r24_uploads_and_deletions_need_the_xsrf_token(address: str, method: str) -> None:
    assert ask(address, method, UPLOAD, {}, b"picture").status == 403
    forged = {"X-Xsrftoken": "2|aa|bb|1", "Cookie": "_streamlit_xsrf=2|cc|dd|1"}
    assert ask(address, method, UPLOAD, forged, b"picture").status == 403


def test_r24_uploads_need_an_open_page(address: str) -> None:
    given = ask(address, "GET", "/_stcore/health", {}).headers["Set-Cookie"].partition(";")[0]
    token = {"X-Xsrftoken": given.partition("=")[2].strip('"'), "Cookie": given}
    assert ask(address, "PUT", UPLOAD, token, b"picture").status == 400


@pytest.mark.parametrize("path", ["/media/../app.py", "/app/static/app.py", "/component/..%2f..%2fapp.py"])
def test_r24_no_file_of_the_program_is_served(address: str, path: str) -> None:
    answer = ask(address, "GET", path, {})
    assert answer.status in (400, 403, 404) or "text/html" in answer.headers["Content-Type"]


def test_r48_programs_cannot_drive_the_pages(address: str) -> None:
    assert ask(address, "POST", "/_stcore/agent/interact", {"Content-Type": "application/json"}, b"{}").status >= 400
