"""In a throw-away copy of this machine: starts nginx with our configuration, and asks for things through it."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx

from deploy.config_files import ROOT

NAME = "boxfind.example.org"
CERTIFICATES = Path("/etc/ssl/boxfind")
PAGE, API, LOG_IN = 8501, 8502, 4180
ADA = {"_oauth2_proxy": "ada"}
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Origin": f"https://{NAME}",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": "streamlit",
}
CLOSED = ("/_stcore/metrics", "/_stcore/agent/interact", "/%5fstcore/metrics", f"https://{NAME}//_stcore/metrics")
BEHIND = {"/api/v1/images/a%2Fb%20c?top=3": "/v1/images/a/b%20c?top=3", "/api/health": "/health"}
FORBIDDEN = (
    ("POST", "/api/v1/images"),
    ("DELETE", "/api/v1/images/a"),
    ("POST", "/api/v1/index/build"),
    ("POST", "/api//v1/search/%2e%2e/images"),
)


class Echo(BaseHTTPRequestHandler):
    """Stands in for the page and the API: tells what reached it."""

    protocol_version = "HTTP/1.1"

    def _tell(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        port = self.connection.getsockname()[1]
        self._answer(200, told=json.dumps({"port": port, "path": self.path, **dict(self.headers.items())}))

    do_GET = do_POST = do_DELETE = _tell  # noqa: N815

    def _answer(self, status: int, told: str = "", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(told)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(told.encode())

    def log_message(self, *_: object) -> None:
        """Nothing is told of single requests."""


class LogIn(Echo):
    """Stands in for oauth2-proxy: knows Ada by her cookie."""

    def _tell(self) -> None:
        if self.path == "/oauth2/auth" and "_oauth2_proxy=ada" in self.headers["Cookie"]:
            self._answer(202, X_Auth_Request_Email="ada@example.org")
        elif self.path == "/oauth2/auth":
            self._answer(401)
        else:
            self._answer(302, Location=f"https://provider.example.org/?back={self.headers['X-Auth-Request-Redirect']}")

    do_GET = _tell  # noqa: N815


@contextmanager
def proxy() -> Iterator[httpx.Client | None]:
    """What asks through nginx as a browser would that has logged in; None where nginx is not installed."""
    if shutil.which("nginx") is None:
        print("not checked: the proxy, since nginx is not here")
        yield None
        return
    CERTIFICATES.mkdir(parents=True)
    pair = ["-keyout", str(CERTIFICATES / "privkey.pem"), "-out", str(CERTIFICATES / "fullchain.pem")]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={NAME}", *pair]
    subprocess.run([*made, "-addext", f"subjectAltName=DNS:{NAME}"], check=True, capture_output=True)
    shutil.copy(ROOT / "deploy" / "nginx.conf", "/etc/nginx/conf.d/boxfind.conf")
    with Path("/etc/hosts").open("a", encoding="ascii") as hosts:
        hosts.write(f"127.0.0.1 {NAME}\n")
    subprocess.run(["nginx", "-t", "-q"], check=True)
    nginx = subprocess.Popen(["nginx", "-g", "daemon off;"])
    try:
        with answering(LogIn, LOG_IN), httpx.Client(
            base_url=f"https://{NAME}", verify=str(CERTIFICATES / "fullchain.pem"), cookies=ADA, timeout=60
        ) as browser:  # fmt: skip
            time.sleep(1)
            yield browser
    finally:
        nginx.terminate()
        nginx.wait(10)


@contextmanager
def answering(handler: type[BaseHTTPRequestHandler], port: int) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def check_ways(browser: httpx.Client) -> None:
    """Who gets where, and with which headers. Raises AssertionError."""
    with answering(Echo, PAGE), answering(Echo, API):
        assert httpx.get(f"http://{NAME}/a?b").headers["Location"] == f"https://{NAME}/a?b"
        stranger = {"Cookie": "_oauth2_proxy=mallory"}
        sent_to_log_in = browser.get("/?s=1&t=2", headers=stranger).headers
        assert sent_to_log_in["Location"].endswith("?back=/?s=1&t=2")
        assert sent_to_log_in["Set-Cookie"].startswith("boxfind=")
        assert browser.get("/api/v1/images", headers=stranger).status_code == 401

        page = browser.get("/a%20b?c", headers={"X-Forwarded-Email": "eve@example.org", "X-Forwarded-For": "::1"})
        told = page.json()
        assert (told["port"], told["path"]) == (PAGE, "/a%20b?c")
        assert (told["Host"], told["X-Forwarded-For"], told["X-Forwarded-Proto"]) == (NAME, "127.0.0.1", "https")
        assert told["X-Forwarded-Email"] == "ada@example.org", "what a visitor sends must be replaced"
        assert "Set-Cookie" not in page.headers, "who has a name keeps it"
        assert browser.post("/_stcore/upload_file/a/b", content=bytes(50_000_000)).status_code == 200
        assert browser.post("/_stcore/upload_file/a/b", content=bytes(60_000_000)).status_code == 413

        for path in CLOSED:
            assert browser.get(path).status_code == 404, path
        for path, behind in BEHIND.items():
            assert browser.get(path).json()["path"] == behind
        assert browser.post("/api/v1/search/stored", json={}).json()["path"] == "/v1/search/stored"
        for method, path in FORBIDDEN:
            assert browser.request(method, path).status_code == 403, path
    print("ok: nginx lets in, keeps out and tells who is who", flush=True)


def check_answers(browser: httpx.Client) -> None:
    """The page and the API themselves, through the proxy. Raises AssertionError."""
    assert "text/html" in browser.get("/").headers["Content-Type"]
    with browser.stream("GET", "/_stcore/stream", headers=HANDSHAKE) as opened:
        assert opened.status_code == 101, f"the page's connection is answered with {opened.status_code}"
    images = [image["id"] for image in browser.get("/api/v1/images").json()["images"]]
    hits = browser.post("/api/v1/search/stored", json={"image": images[0], "box": [0, 0, 320, 480]}).json()["hits"]
    assert hits[0]["image"] == images[0], "a picture is most like itself"
    print("ok: the page and the API answer through nginx", flush=True)
