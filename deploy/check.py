"""Tries all that deploy/ says on this machine, without Docker: make deploy-check."""

import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from deploy.files import ROOT, named

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


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one check; `well` is None where this machine cannot make it."""

    what: str
    well: bool | None
    said: str = ""

    def __str__(self) -> str:
        word = {True: "ok", False: "FAILED", None: "not checked"}[self.well]
        return f"{word}: {self.what}" + (f"\n{self.said}" if self.said else "")


def main() -> None:
    """Prints what is found and exits with 1 if anything failed."""
    failed = False
    for finding in chain(_linted(), _installable(), _rehearsed()):
        print(finding, flush=True)
        failed |= finding.well is False
    sys.exit(failed)


def _linted() -> Iterator[Finding]:
    places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for linter, *words in LINTERS:
        found = shutil.which(linter, path=places)
        what = f"{linter} {' '.join(words)}"
        yield _tried(what, [found, *words]) if found else Finding(what, None, f"{linter} is not installed")


def _installable() -> Iterator[Finding]:
    """Every line of pip, in a fresh environment, up to where it would begin to install."""
    arguments = dict(argument.text.split("=", 1) for argument in named("ARG"))
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        environment = {**os.environ, **arguments, "PATH": f"{folder}/bin:{os.environ['PATH']}", "PIP_DRY_RUN": "1"}
        for line in named("RUN"):
            if line.text.startswith("pip install"):
                yield _tried(line.text, ["sh", "-c", line.text], environment)


def _rehearsed() -> Iterator[Finding]:
    what = "the commands of the image, of the containers, of systemd and of nginx"
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        yield Finding(what, None, "needs root on Linux, to make a throw-away copy of the machine")
        return
    with tempfile.TemporaryDirectory() as folder:
        ways = ["--mount", "--net", "--pid", "--fork", "--kill-child"]
        done = subprocess.run(["unshare", *ways, "sh", "-ec", COPY, "sh", folder, ROOT, sys.executable], check=False)
    yield Finding(what, done.returncode == 0)


def _tried(what: str, command: Sequence[str], environment: dict[str, str] | None = None) -> Finding:
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return Finding(what, done.returncode == 0, "" if done.returncode == 0 else (done.stdout + done.stderr).strip())


if __name__ == "__main__":
    main()
