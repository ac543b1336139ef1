"""Access control for administrator actions on the pages, by the configured `BOXFIND_ADMIN` method."""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import streamlit as st

from boxfind.logs import log
from boxfind.settings import Settings
from boxfind.settings_schema import ascii_lower
from boxfind.ui.session import shared_engine
from retrieval.errors import BoxfindError

PROXY_HEADERS = ("forwarded", "via", "x-real-ip")
"""Headers that indicate a proxy, in addition to X-Forwarded-*."""


class NotAllowed(BoxfindError):
    """The action requires an administrator."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """The unverified origin of a request: addresses, headers and log-in claims."""

    server: str | None = None
    """The address the server listens on; None for all interfaces."""
    address: str | None = None
    """The address of the client; None for this machine."""
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """All values of each header, by lower-case name."""
    claims: Mapping[str, object] = field(default_factory=dict)
    """The claims of the log-in provider."""


def admin_name(visitor: Visitor, settings: Settings) -> str | None:
    """The name of an administrator, for the log; None for any other visitor."""
    return ADMINS[settings.server.admin](visitor, settings)


def visitor() -> Visitor:
    """The visitor of the current page run."""
    headers = st.context.headers
    return Visitor(
        server=st.get_option("server.address"),
        address=st.context.ip_address,
        headers={name.lower(): tuple(headers.get_all(name)) for name in headers},
        claims=st.user.to_dict(),
    )


def is_admin() -> bool:
    """Whether to show administrator controls. Their actions call `require_admin` again."""
    return current_admin() is not None


def current_admin() -> str | None:
    """The name of the administrator who sees the current page, for the log; None for any other visitor."""
    return admin_name(visitor(), shared_engine().settings)


def require_admin() -> str:
    """The administrator's name, for the log. Logs and raises NotAllowed for any other visitor."""
    settings = shared_engine().settings
    name = admin_name(visitor(), settings)
    if name is None:
        log.warning("Refused an administrator action: the visitor is not an administrator (%s).", settings.server.admin)
        raise NotAllowed("Only an administrator may do this.")
    return name


def is_local_admin() -> bool:
    """Whether this administrator sits at the machine that runs the program, and may choose among its folders."""
    return shared_engine().settings.server.admin == "local" and is_admin()


def require_local_admin() -> str:
    """Like `require_admin`, for actions with any folder of this machine."""
    who = require_admin()
    if not is_local_admin():
        log.warning("Refused: %s is not at this machine.", who)
        raise NotAllowed("Only someone at the machine that runs Boxfind may do this.")
    return who


def _local(visitor: Visitor, settings: Settings) -> str | None:
    """A visitor on this machine. Any other host name means a proxy or a DNS rebinding attack."""
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
    """A logged-in visitor whose address the provider has verified."""
    claims = visitor.claims
    verified = str(claims.get("email_verified")) in ("True", "true")  # some providers send booleans as text
    return _listed(claims.get("email"), settings) if claims.get("is_logged_in") is True and verified else None


def _header(visitor: Visitor, settings: Settings) -> str | None:
    """A visitor named by the proxy. A duplicate header is rejected: the proxy did not write both."""
    names = visitor.headers.get(settings.server.admin_header.lower(), ())
    return _listed(names[0], settings) if len(names) == 1 else None


ADMINS: dict[str, Callable[[Visitor, Settings], str | None]] = {
    "nobody": lambda visitor, settings: None,
    "local": _local,
    "login": _login,
    "header": _header,
}


def _listed(email: object, settings: Settings) -> str | None:
    name = ascii_lower(email.strip(" ")) if isinstance(email, str) else ""
    return name if name in settings.server.admins else None


def _host_name(host: str) -> str | None:
    """ "[::1]:8501" -> "::1"; None for an invalid host."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
