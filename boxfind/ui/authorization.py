"""Who may have the index built from the page: the operator decides, and every action asks here."""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import streamlit as st

from boxfind.logs import log
from boxfind.settings import Settings
from boxfind.ui.session import shared_engine
from retrieval.errors import BoxfindError

PROXY_HEADERS = ("forwarded", "via", "x-real-ip")
"""Beside every header that begins with X-Forwarded-."""


class NotAllowed(BoxfindError):
    """The visitor asked for what only an administrator may do."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """What a request says about who sent it, and the address it arrived at. Nothing of it is believed yet."""

    server: str | None = None
    """The address the server listens on; None for all there are."""
    address: str | None = None
    """Where the request comes from; None for this machine."""
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By lower-case name, every value in turn."""
    claims: Mapping[str, object] = field(default_factory=dict)
    """What the log-in provider vouches for."""


def admin_name(visitor: Visitor, settings: Settings) -> str | None:
    """The name under which a visitor may have the index built; None when they may not."""
    return ADMINS[settings.server.admin](visitor, settings)


def visitor() -> Visitor:
    """Whoever this run of the page is for."""
    headers = st.context.headers
    return Visitor(
        server=st.get_option("server.address"),
        address=st.context.ip_address,
        headers={name.lower(): tuple(headers.get_all(name)) for name in headers},
        claims=st.user.to_dict(),
    )


def is_admin() -> bool:
    """Whether to show the buttons. The action behind a button asks `require_admin` all the same."""
    return admin_name(visitor(), shared_engine().settings) is not None


def require_admin() -> str:
    """The administrator's name, for the log. Raises NotAllowed, which the log tells too."""
    settings = shared_engine().settings
    name = admin_name(visitor(), settings)
    if name is None:
        log.warning(
            "Refused: a visitor who is no administrator asked for a build or its end (%s).", settings.server.admin
        )
        raise NotAllowed("Only an administrator of this program may do that.")
    return name


def _nobody(visitor: Visitor, settings: Settings) -> None:
    return None


def _local(visitor: Visitor, settings: Settings) -> str | None:
    """Someone at this very machine. A name of another host means a proxy, or a page that plays tricks with DNS."""
    hosts = visitor.headers.get("host", ())
    local = (
        _is_loopback(visitor.server)
        and visitor.address is None
        and len(hosts) == 1
        and _is_loopback(_host_name(hosts[0]))
        and not any(name in PROXY_HEADERS or name.startswith("x-forwarded-") for name in visitor.headers)
    )
    return "a visitor on this machine" if local else None


def _login(visitor: Visitor, settings: Settings) -> str | None:
    """Someone logged in whose address the provider does not call unverified. Some providers write claims as text."""
    verified = str(visitor.claims.get("email_verified", True)).casefold() == "true"
    if visitor.claims.get("is_logged_in") is not True or not verified:
        return None
    return _listed(visitor.claims.get("email"), settings)


def _header(visitor: Visitor, settings: Settings) -> str | None:
    """Someone the proxy names. A header that stands there twice was not written by the proxy alone."""
    names = visitor.headers.get(settings.server.admin_header.lower(), ())
    return _listed(names[0], settings) if len(names) == 1 else None


ADMINS: dict[str, Callable[[Visitor, Settings], str | None]] = {
    "nobody": _nobody,
    "local": _local,
    "login": _login,
    "header": _header,
}


def _listed(email: object, settings: Settings) -> str | None:
    name = email.strip().casefold() if isinstance(email, str) else ""
    return name if name in settings.server.admins else None


def _host_name(host: str) -> str | None:
    """ "[::1]:8501" -> "::1"; None for what is no host."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _is_loopback(host: str | None) -> bool:
    if not host or host == "localhost":
        return host == "localhost"
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
