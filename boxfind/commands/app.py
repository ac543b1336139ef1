"""The command `app`: start the web page on this machine and open it in the browser."""

import errno
import os
import signal
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from boxfind.commands.options import GalleryOption, IndexOption, given_settings, note
from boxfind.settings import PROJECT, Settings
from retrieval.errors import BoxfindError

HOST = "127.0.0.1"
OPTIONS = {
    "server.headless": "true",  # otherwise Streamlit asks for an e-mail address and opens a browser itself
    "browser.gatherUsageStats": "false",
    "logger.hideWelcomeMessage": "true",
}
"""Streamlit options that the environment must not override; the others are in .streamlit/config.toml."""


def start_page(
    gallery: GalleryOption = None,
    index: IndexOption = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8501,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the browser.")] = False,
) -> None:
    """Run the web page until Ctrl+C and open it in the browser if there is a display."""
    os.environ.setdefault("BOXFIND_ADMIN", "local")
    settings = given_settings(gallery=gallery, index=index)
    export_paths(settings)
    os.environ.setdefault("FORWARDED_ALLOW_IPS", ",".join(settings.api.proxies))  # for Streamlit's server
    check_port(port)
    if not no_browser and has_display():
        threading.Thread(target=open_when_ready, args=(port,), daemon=True).start()
    note(f"Boxfind is running at http://{HOST}:{port} (press Ctrl+C to stop).")
    os.chdir(PROJECT)  # Streamlit reads .streamlit/ in the current folder
    run_streamlit(streamlit_arguments(port))


def streamlit_arguments(port: int) -> list[str]:
    """Return the arguments of `streamlit` that start the page from the project folder."""
    options = [word for name, value in OPTIONS.items() for word in (f"--{name}", value)]
    return ["run", "boxfind/page.py", "--server.port", str(port), *options]


def export_paths(settings: Settings) -> None:
    """Export all paths as absolute environment variables, for the page and its build processes."""
    for name, value in settings.flat().items():
        if isinstance(value, Path):
            os.environ[f"BOXFIND_{name.upper()}"] = str(value.expanduser().absolute())
    if settings.milvus.uri.endswith(".db"):
        os.environ["BOXFIND_MILVUS_URI"] = str(Path(settings.milvus.uri).expanduser().absolute())


def check_port(port: int) -> None:
    """Raise BoxfindError if the port is not available."""
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise BoxfindError(f"Port {port} {why}; choose another port with --port.") from None


def has_display() -> bool:
    """Whether this session can show a browser; on Linux only a graphical session can."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def open_when_ready(port: int) -> None:
    """Open the browser as soon as the server responds."""
    while not answers(port):
        time.sleep(0.2)
    webbrowser.open(f"http://{HOST}:{port}")


def answers(port: int) -> bool:
    """Whether the web server responds on the port. Bypasses any HTTP proxy."""
    import httpx

    try:
        return httpx.get(f"http://{HOST}:{port}/_stcore/health", trust_env=False).is_success
    except httpx.HTTPError:
        return False


def run_streamlit(arguments: list[str]) -> None:
    """Run Streamlit in this process. It handles Ctrl+C and returns when the server has stopped."""
    from streamlit.web.cli import main

    from boxfind.connections import limit_connections
    from boxfind.ui.upload_limits import limit_uploads

    limit_connections()
    limit_uploads()
    with stop_signals_end_quietly():
        main(arguments, prog_name="streamlit", standalone_mode=False)


@contextmanager
def stop_signals_end_quietly() -> Iterator[None]:
    """End this process with exit code 0 after Ctrl+C or SIGTERM: the server raises these again once it has stopped."""
    before = {number: signal.signal(number, lambda *_: sys.exit(0)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
