"""Run the API as a server of its own."""

import uvicorn

from boxfind.api.app import make_api
from boxfind.connections import limit_connections
from boxfind.engines import Engines
from boxfind.settings import Settings

FAREWELL = 10
"""Seconds that running requests have to finish on shutdown."""


def serve(settings: Settings) -> None:
    """Listen on the host and port of the settings until the process is stopped."""
    limit_connections()
    uvicorn.run(
        make_api(Engines(settings)),
        host=settings.api.host,
        port=settings.api.port,
        log_level="warning",
        access_log=False,  # request paths contain picture names
        server_header=False,
        proxy_headers=bool(settings.api.proxies),
        forwarded_allow_ips=[*settings.api.proxies],
        timeout_graceful_shutdown=FAREWELL,
    )
