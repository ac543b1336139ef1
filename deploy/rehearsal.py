"""In a throw-away copy of this machine: puts the image together, and starts what its containers would start."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from deploy.config_files import ROOT, Service, comes_in, instructions, services
from deploy.proxy import check_answers, check_ways, proxy
from deploy.systemd_units import verify_units

SEALED = """
for volume in /index /data /tmp; do mount --bind "$volume" "$volume"; done
mount --bind -o ro /gallery /gallery
mount -o remount,bind,ro /
user=$1
shift
exec setpriv --reuid "${user%:*}" --regid "${user#*:}" --clear-groups --no-new-privs --bounding-set=-all "$@"
"""
"""What a container may do: nobody in particular, who can write to its volumes only."""
SEAL_HOLDS = (
    "sh",
    "-c",
    "exec 2>/dev/null; ! touch /opt/new && ! touch /gallery/new && touch /index/new /data/new /tmp/new && rm /*/new",
)
GIVEN = {"GALLERY": "/gallery", "HOST_NAME": "boxfind.example.org", "BOXFIND_API_TOKEN": "secret"}
START_TIMEOUT = 120.0
"""Seconds until a container must be healthy."""
GRACE = 10.0
"""Seconds that a container has to stop, as Docker gives it."""


@dataclass(slots=True)
class Setup:
    """What the Dockerfile makes, bit by bit."""

    folder: Path = Path("/")
    variables: dict[str, str] = field(default_factory=dict)
    user: str = "0:0"
    command: tuple[str, ...] = ()
    health: tuple[str, ...] = ()


def assembled() -> Setup:
    """Does what the Dockerfile says, but for installing packages: those of this environment are there already."""
    image = Setup()
    for instruction in instructions():
        match instruction.name:
            case "WORKDIR":
                image.folder = Path(instruction.text)
                image.folder.mkdir(parents=True, exist_ok=True)
            case "COPY":
                _copy(image.folder, instruction.text.split()[:-1])
            case "RUN" if not instruction.text.startswith("pip install"):
                subprocess.run(["sh", "-ec", instruction.text], cwd=image.folder, env=_environment(image), check=True)
            case "ENV":
                image.variables |= instruction.variables
            case "USER":
                image.user = instruction.text
            case "CMD":
                image.command = instruction.command
            case "HEALTHCHECK":
                image.health = instruction.command
    return image


@contextmanager
def running(image: Setup, service: Service) -> Iterator[None]:
    """A service once it is healthy; then it is asked to stop, and must in the time that Docker gives it."""
    process = _start(image, service)
    health = service.health or image.health
    until = time.monotonic() + START_TIMEOUT
    try:
        while subprocess.run(health, env=_environment(image, service), capture_output=True, check=False).returncode:
            assert process.poll() is None, f"{service.name} ended by itself with {process.returncode}"
            assert time.monotonic() < until, f"{service.name} did not become healthy"
            time.sleep(0.5)
        print(f"ok: {service.name} is healthy", flush=True)
        yield
    finally:
        process.terminate()
        process.wait(GRACE)


def finished(image: Setup, service: Service) -> None:
    """A service that ends by itself, and well."""
    assert _start(image, service).wait(START_TIMEOUT) == 0, f"{service.name} failed"
    print(f"ok: {service.name} has ended well", flush=True)


def _start(image: Setup, service: Service) -> "subprocess.Popen[bytes]":
    command = service.command or image.command
    sealed = ["unshare", "--mount", "sh", "-ec", SEALED, "sh", image.user, *command]
    print(f"{service.name}: {' '.join(command)}", flush=True)
    return subprocess.Popen(sealed, cwd=image.folder, env=_environment(image, service))


def _environment(image: Setup, service: Service | None = None) -> dict[str, str]:
    """What a container of the image would find, and where this machine has its Python."""
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    return {"PATH": path} | image.variables | (service.variables if service else {})


def _copy(folder: Path, sources: Sequence[str]) -> None:
    """Files of the project, where the list of what may come in has them; a source is a file, `folder/` or `.`."""
    wanted = [source.removesuffix("/") for source in sources]
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    for name in listed:
        if comes_in(name) and any(name == one or one == "." or name.startswith(f"{one}/") for one in wanted):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


def _reachable(program: Path) -> None:
    """Lets everybody come to it, which the folders above it may keep them from."""
    for folder in program.parents:
        folder.chmod(folder.stat().st_mode | 0o111)


def _draw_pictures(folder: Path) -> None:
    random = np.random.default_rng(0)
    for number in range(8):
        blocks = random.integers(0, 256, (6, 8, 3), np.uint8)
        Image.fromarray(blocks).resize((640, 480)).save(folder / f"{number}.jpg")


def main() -> None:
    """Raises AssertionError, or what a command fails with."""
    for python in (Path(sys.executable), Path(sys.executable).resolve()):
        _reachable(python)
    setup = assembled()
    _draw_pictures(Path(setup.variables["BOXFIND_GALLERY"]))
    verify_units(setup.folder)
    containers = services(GIVEN)
    finished(setup, Service("the seal", "", SEAL_HOLDS, {}, (), ()))
    with proxy() as browser:
        if browser:
            check_ways(browser)
        finished(setup, containers["build"])
        with running(setup, containers["app"]), running(setup, containers["api"]):
            if browser:
                check_answers(browser)


if __name__ == "__main__":
    main()
