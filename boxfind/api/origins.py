"""Refuse requests that a browser sends for pages of other origins."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from boxfind.api.limits import UNLIMITED
from boxfind.api.problems import refusal

FOREIGN = refusal(403, "Pages of other origins may not use this API; send the request from a program instead.")

DEFAULT_PORTS = {"http": 80, "https": 443}


class SameOrigin:
    """Middleware that answers 403 to pages of other origins, except for links that open an address of the API."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        foreign = scope["type"] == "http" and is_foreign(scope["method"], Headers(scope=scope))
        if foreign and scope["path"].removeprefix(scope.get("root_path", "")) not in UNLIMITED:
            await FOREIGN(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def is_foreign(method: str, headers: Headers) -> bool:
    """Whether the headers that browsers add name another origin. Programs send none of them."""
    opened = method == "GET" and headers.get("sec-fetch-dest") == "document"  # by a link or an address bar
    if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not opened:
        return True
    return any(not _is_own(origin, headers.get("host", "")) for origin in headers.getlist("origin"))


def _is_own(origin: str, host: str) -> bool:
    """Whether an origin has the host name and the port of the Host header, which a proxy may pass without a port."""
    try:
        sender, server = urlsplit(origin), urlsplit(f"//{host}")
        ports = None, sender.port or DEFAULT_PORTS.get(sender.scheme)
        return bool(sender.hostname) and sender.hostname == server.hostname and server.port in ports
    except ValueError:
        return False
