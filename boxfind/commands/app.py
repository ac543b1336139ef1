"""Starting the page on this machine and opening it in the browser."""

import errno
import http.client
import os
import socket
import sys
import threading
import time
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from boxfind.commands.options import note, settings_with
from boxfind.settings import PROJECT, Settings
from retrieval.errors import BoxfindError

HOST = "127.0.0.1"
OPTIONS = {
    "server.headless": "true",  # else Streamlit asks for an e-mail address and opens a browser itself
    "browser.gatherUsageStats": "false",
    "logger.hideWelcomeMessage": "true",
}
"""What the environment must not change; the rest is in .streamlit/config.toml."""

app = typer.Typer()


@app.command("app")
def start(
    gallery: Annotated[Path | None, typer.Option(help="Folder of pictures; without one a sample is drawn.")] = None,
    index: Annotated[Path | None, typer.Option(help="Folder of the index; without one, in the data folder.")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of this machine to listen on.")] = 8501,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the browser.")] = False,
) -> None:
    """Run the page until Ctrl+C, and open it in the browser where there is a display."""
    os.environ.setdefault("BOXFIND_ADMIN", "local")
    export_paths(settings_with(gallery=gallery, index=index))
    check_port(port)
    if not no_browser and has_display():
        threading.Thread(target=open_when_ready, args=(port,), daemon=True).start()
    note(f"Boxfind is at http://{HOST}:{port} (Ctrl+C stops it)")
    os.chdir(PROJECT)  # Streamlit reads .streamlit/ of the current folder
    run_streamlit(streamlit_arguments(port))


def streamlit_arguments(port: int) -> list[str]:
    """The words after `streamlit` that start the page from the project's folder."""
    options = [word for name, value in OPTIONS.items() for word in (f"--{name}", value)]
    return ["run", "app.py", "--server.port", str(port), *options]


def export_paths(settings: Settings) -> None:
    """Sets the variables of all paths, made absolute from the current folder, for the page and its builds."""
    for name, value in settings.flat().items():
        if isinstance(value, Path):
            os.environ[f"BOXFIND_{name.upper()}"] = str(value.expanduser().absolute())
    if settings.milvus.uri.endswith(".db"):
        os.environ["BOXFIND_MILVUS_URI"] = str(Path(settings.milvus.uri).expanduser().absolute())


def check_port(port: int) -> None:
    """Raises BoxfindError when nothing can listen on the port."""
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise BoxfindError(f"Port {port} {why}; choose another one with --port.") from None


def has_display() -> bool:
    """Whether a browser could show a page here: on Linux and the like only within a graphical session."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def open_when_ready(port: int) -> None:
    """Opens the browser once the server answers."""
    while not answers(port):
        time.sleep(0.2)
    webbrowser.open(f"http://{HOST}:{port}")


def answers(port: int) -> bool:
    """Whether a web server answers on the port; no proxy is asked."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/_stcore/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def run_streamlit(arguments: list[str]) -> None:
    """Runs Streamlit in this process; it handles Ctrl+C itself and returns when the server has stopped."""
    from streamlit.web.cli import main

    main(arguments, prog_name="streamlit", standalone_mode=False)
