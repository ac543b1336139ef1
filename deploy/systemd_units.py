"""In a throw-away copy of this machine: installs the units of systemd and has systemd read them."""

import shutil
import subprocess
import sys
from pathlib import Path

from deploy.config_files import ROOT

UNITS = Path("/etc/systemd/system")
NAMES = ("boxfind-page@8501.service", "boxfind-api.service", "boxfind-build.service", "boxfind-build.timer")
EXPOSURE = 25
"""Of 100: how much a service may be able to do at most, as `systemd-analyze security` counts."""


def verify_units(folder: Path) -> None:
    """`folder`: where the program lies. Raises CalledProcessError; systemd has said why."""
    if shutil.which("systemd-analyze") is None:
        print("not checked: the units, since systemd is not here")
        return
    (folder / ".venv").symlink_to(sys.prefix)
    shutil.copytree(ROOT / "deploy" / "systemd", UNITS, dirs_exist_ok=True)
    for name in NAMES:
        _systemd("verify", "--man=no", "--recursive-errors=no", name)
        if name.endswith(".service"):
            _systemd("security", "--offline=yes", "--no-pager", f"--threshold={EXPOSURE}", str(UNITS / name))
        print(f"ok: {name}", flush=True)


def _systemd(*words: str) -> None:
    done = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "boxfind" not in done.stderr, done.stdout + done.stderr
