"""Tries all that deploy/ says on this machine, without Docker: make deploy-check."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from deploy.config_files import ROOT, named

COPY = """
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay none -o lowerdir=/,upperdir="$1/upper",workdir="$1/work" "$1/root"
mount -t proc none "$1/root/proc"
mount --rbind /dev "$1/root/dev"
mount --rbind /sys "$1/root/sys"
ip link set lo up
exec chroot "$1/root" env -C "$2" "$3" -m deploy.rehearsal
"""
"""Rehearses in a copy of this machine that is gone afterwards, and has no network but its own."""
LINTERS = (
    ("hadolint", "--failure-threshold", "style", "deploy/Dockerfile"),
    ("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "deploy/compose.yaml", "deploy/compose.cuda.yaml"),
)
PIP = tuple(("sh", "-ec", line.text) for line in named("RUN") if line.text.startswith("pip install"))
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def main() -> None:
    """Prints what is found and exits with 1 if anything failed."""
    well = [_passes(" ".join(command), command) for command in (*LINTERS, *PIP)]
    sys.exit(not all([*well, _rehearses()]))


def _rehearses() -> bool:
    what = "the commands of the image, of the containers, of systemd and of nginx"
    if os.geteuid() != 0:
        print(f"not checked: {what}, since a copy of the machine is made by root alone")
        return True
    with tempfile.TemporaryDirectory() as folder:
        ways = ("--mount", "--net", "--pid", "--fork", "--kill-child")
        return _passes(what, ("unshare", *ways, "sh", "-ec", COPY, "sh", folder, str(ROOT), sys.executable))


def _passes(what: str, command: Sequence[str]) -> bool:
    """True too where the program is not here, which is said; pip goes up to where it would install."""
    if shutil.which(command[0], path=PATH) is None:
        print(f"not checked: {what}, since {command[0]} is not here", flush=True)
        return True
    environment = {**os.environ, "PATH": PATH, "PIP_DRY_RUN": "1", "PIP_QUIET": "1"}
    passes = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0
    print(f"{'ok' if passes else 'FAILED'}: {what}", flush=True)
    return passes


if __name__ == "__main__":
    main()
