"""How many CPUs this process may use: affinity and the quotas of its control groups."""

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

PROC = Path("/proc/self")


def cpu_count() -> int:
    """CPUs that this process may use, at least 1; a quota of one and a half counts as two."""
    return cpu_quota() or available_cpus()


def cpu_quota() -> int | None:
    """CPUs that the control groups allow, rounded up; None where that is not fewer than the available ones.

    Libraries that start threads look at the affinity themselves, most of them not at quotas.
    """
    quota = group_quota(PROC)
    count = math.ceil(quota) if quota is not None else available_cpus()
    return max(count, 1) if count < available_cpus() else None


def available_cpus() -> int:
    """CPUs that this process may be scheduled on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    count = os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count()  # the first from 3.13 on
    return count or 1


def limit_libraries() -> None:
    """Tells the libraries that are loaded from now on, and processes started from here, about the quota, if any.

    OpenBLAS, MKL and OpenMP (torch, FAISS) all follow OMP_NUM_THREADS; a value that is set already is kept.
    """
    quota = cpu_quota()
    if quota is not None:
        os.environ.setdefault("OMP_NUM_THREADS", str(quota))


def group_quota(proc: Path) -> float | None:
    """CPUs that the tightest of a process's control groups allows; None without a limit. `proc`: its folder in /proc.

    A group is limited by all groups above it. Where nothing can be read there is no limit.
    """
    quotas = [quota for folder in _groups(proc) if (quota := _quota_of(folder)) is not None]
    return min(quotas, default=None)


def _groups(proc: Path) -> Iterator[Path]:
    """The folders of the groups that limit CPU time, with those above them, of both versions of control groups."""
    paths = {}
    for line in _text(proc / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers or "cpu" in controllers.split(","):
            paths[controllers != ""] = path
    for line in _text(proc / "mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        is_v1 = kind == "cgroup"
        if (kind == "cgroup2" or (is_v1 and "cpu" in options.split(","))) and is_v1 in paths:
            root, mount = map(_unescaped, before.split(" ")[3:5])
            yield from _upwards(Path(mount), root, paths[is_v1])


def _upwards(mount: Path, root: str, path: str) -> Iterator[Path]:
    """The folder of the group at `path`, and all above it, below a mount that shows the groups from `root` on."""
    group = PurePosixPath(path)
    below = group.relative_to(root) if group.is_relative_to(root) else PurePosixPath()
    folder = mount / below
    yield folder
    while folder != mount:
        folder = folder.parent
        yield folder


def _quota_of(folder: Path) -> float | None:
    """Version 2 has "quota period" in one file, with "max" for no limit; version 1 has two files, with -1."""
    words = _text(folder / "cpu.max").split()
    if not words:
        words = [*_text(folder / "cpu.cfs_quota_us").split(), *_text(folder / "cpu.cfs_period_us").split()]
    if len(words) != 2 or not all(word.isdigit() for word in words) or int(words[1]) == 0:
        return None
    return int(words[0]) / int(words[1])


def _text(path: Path) -> str:
    try:
        return os.fsdecode(path.read_bytes())
    except OSError:
        return ""


def _unescaped(text: str) -> str:
    return re.sub(r"\\(\d{3})", lambda found: chr(int(found[1], 8)), text)  # a space is \040
