"""Open the folder of a file in the file manager of the machine that runs the program."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

from boxfind.logs import log


def can_open_folders() -> bool:
    """Whether this machine has a file manager and, on Linux, a display for it."""
    if sys.platform in ("darwin", "win32"):
        return True
    has_display = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return has_display and shutil.which("xdg-open") is not None


def open_folder(file: Path) -> None:
    """Open the folder of a file without waiting for the file manager."""
    threading.Thread(target=_open, args=[file.absolute()], name="open folder", daemon=True).start()


def _open(file: Path) -> None:
    quiet = subprocess.DEVNULL
    try:
        if sys.platform == "win32":
            os.startfile(file.parent)  # explorer.exe would divide a path at its commas
            return
        # A folder such as Holiday.app is a program to the Mac; -R shows the file in it and runs nothing.
        command = ["open", "-R", str(file)] if sys.platform == "darwin" else ["xdg-open", str(file.parent)]
        subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet, check=False)
    except OSError as error:
        log.warning("The file manager cannot be started: %s", error.strerror)
