"""Administrator log-in, with a local OpenID Connect provider that returns the claims of the test."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from playwright.sync_api import Browser, Page, expect

from boxfind.engine import Engine
from boxfind.settings import Settings
from retrieval.types import quiet
from tests.browser.acting import serious
from tests.browser.conftest import free_port, new_page, serving
from tests.browser.test_other_hosts import asked_hosts
from tests.tiny import eight_pictures

KEY = RSAKey.generate_key(2048, {"kid": "test", "use": "sig", "alg": "RS256"})
CLIENT = "boxfind"


class Provider(ThreadingHTTPServer):
    """The four OpenID Connect endpoints that a log-in needs."""

    claims: dict[str, object]
    nonce = ""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answers(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        if place.path == "/authorize":  # where a person would type a password
            asked = {name: values[0] for name, values in parse_qs(place.query).items()}
            self.server.nonce = asked["nonce"]
            self.send_response(302)
            self.send_header("Location", f"{asked['redirect_uri']}?{urlencode({'code': '1', 'state': asked['state']})}")
            self.end_headers()
        elif place.path == "/keys":
            self.tell({"keys": [KEY.as_dict(private=False)]})
        else:
            address = self.server.address
            self.tell(
                {
                    "issuer": address,
                    "authorization_endpoint": f"{address}/authorize",
                    "token_endpoint": f"{address}/token",
                    "jwks_uri": f"{address}/keys",
                    "id_token_signing_alg_values_supported": ["RS256"],
                }
            )

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        now = int(time.time())
        claims = {"iss": self.server.address, "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 600}
        claims |= {"nonce": self.server.nonce} | self.server.claims
        token = jwt.encode({"alg": "RS256", "kid": "test"}, claims, KEY)
        self.tell({"access_token": "1", "token_type": "Bearer", "expires_in": 600, "id_token": token})

    def tell(self, answer: dict[str, object]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Keep the log quiet."""


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def with_login(provider: Provider, networks: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("login"), free_port()
    (folder / "networks").symlink_to(networks)
    gallery = eight_pictures(folder / "gallery")
    Engine(Settings.load(data=folder, gallery=gallery)).builds.build(quiet)
    secrets = {
        "redirect_uri": f"http://127.0.0.1:{port}/oauth2callback",
        "cookie_secret": "of these tests",
        "client_id": CLIENT,
        "client_secret": "secret",
        "server_metadata_url": f"{provider.address}/.well-known/openid-configuration",
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in secrets.items()]
    (folder / "secrets.toml").write_text("\n".join(["[auth]", *lines]))
    settings = {
        "BOXFIND_DATA": str(folder),
        "BOXFIND_GALLERY": str(gallery),
        "BOXFIND_OFFLINE": "1",
        "BOXFIND_ADMIN": "login",
        "BOXFIND_ADMINS": "ada@example.org",
        "STREAMLIT_SECRETS_FILES": str(folder / "secrets.toml"),
        "NO_PROXY": "127.0.0.1",
    }
    with serving(settings, folder, port) as address:
        yield address


def log_in(visitor: Page, address: str) -> None:
    visitor.goto(address)
    visitor.get_by_role("heading", name="Find an object").wait_for()
    expect(visitor.get_by_role("link", name="Index")).to_have_count(0)
    visitor.get_by_role("link", name="Log in").click()
    visitor.get_by_role("button", name="Log in").click()
    visitor.get_by_role("link", name="Account").click()
    visitor.get_by_role("button", name="Log out").wait_for()


def test_r48_listed_administrators_may_build_until_they_log_out(
    browser: Browser, with_login: str, provider: Provider
) -> None:
    provider.claims = {"email": "Ada@example.org", "email_verified": True}
    visitor = new_page(browser)
    log_in(visitor, with_login)
    assert serious(visitor) == []
    visitor.get_by_role("link", name="Index").click()
    visitor.get_by_role("button", name="Update index").wait_for()
    visitor.get_by_role("link", name="Account").click()
    visitor.get_by_role("button", name="Log out").click()
    visitor.get_by_role("link", name="Log in").wait_for()
    expect(visitor.get_by_role("link", name="Index")).to_have_count(0)
    visitor.close()


@pytest.mark.parametrize(
    "claims", [{"email": "eve@example.org"}, {"email": "ada@example.org", "email_verified": False}, {}], ids=str
)
def test_r48_everyone_else_who_logs_in_may_only_search(
    browser: Browser, with_login: str, provider: Provider, claims: dict[str, object]
) -> None:
    provider.claims = claims
    visitor = new_page(browser)
    log_in(visitor, with_login)
    visitor.get_by_text("You can search and browse").wait_for()
    expect(visitor.get_by_role("link", name="Index")).to_have_count(0)
    visitor.close()


def test_r71_the_login_asks_no_other_host(browser: Browser, with_login: str, provider: Provider) -> None:
    provider.claims = {"email": "ada@example.org", "email_verified": True}
    visitor = new_page(browser)
    hosts = asked_hosts(visitor)
    log_in(visitor, with_login)
    assert hosts == {urlsplit(address).netloc for address in (with_login, provider.address)}
    visitor.close()


def test_r48_the_proxy_header_is_ignored_with_log_in(browser: Browser, with_login: str) -> None:
    visitor = new_page(browser, extra_http_headers={"X-Forwarded-Email": "ada@example.org"})
    visitor.goto(with_login)
    visitor.get_by_role("link", name="Log in").wait_for()
    expect(visitor.get_by_role("link", name="Index")).to_have_count(0)
    visitor.context.close()
