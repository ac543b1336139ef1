"""Runs the API on its own, until it is told to stop."""

import uvicorn

from boxfind.api.app import make_api
from boxfind.engine import Engine
from boxfind.settings import Settings

FAREWELL = 10
"""Seconds that requests have to end when the program is told to stop."""


def serve(settings: Settings) -> None:
    """Listens where the settings say, and for as long as the process lives."""
    uvicorn.run(
        make_api(Engine(settings)),
        host=settings.api.host,
        port=settings.api.port,
        log_level="warning",
        access_log=False,  # addresses say what was looked at
        server_header=False,
        timeout_graceful_shutdown=FAREWELL,
    )
