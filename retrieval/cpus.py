"""Count the CPUs available to this process, from its affinity and its cgroup quotas."""

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

PROC = Path("/proc/self")


def cpu_count() -> int:
    """CPUs this process may use, at least 1. A fractional quota is rounded up."""
    return cpu_quota() or available_cpus()


def cpu_quota() -> int | None:
    """The cgroup CPU quota, rounded up; None unless it is below the number of available CPUs.

    Threading libraries respect the affinity themselves, but most ignore quotas.
    """
    quota = group_quota(PROC)
    count = math.ceil(quota) if quota is not None else available_cpus()
    return max(count, 1) if count < available_cpus() else None


def available_cpus() -> int:
    """CPUs in the affinity mask of this process."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    count = os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count()  # new in 3.13
    return count or 1


def limit_libraries() -> None:
    """Set OMP_NUM_THREADS to the CPU quota, if there is one. Affects libraries loaded and processes started later.

    OpenBLAS, MKL and OpenMP (torch, FAISS) all read OMP_NUM_THREADS. An existing value is kept.
    """
    quota = cpu_quota()
    if quota is not None:
        os.environ.setdefault("OMP_NUM_THREADS", str(quota))


def group_quota(proc: Path) -> float | None:
    """The tightest CPU quota among a process's cgroups and their parents; None without a limit.

    `proc` is the process's folder in /proc. Unreadable files count as no limit.
    """
    quotas = [quota for folder in _groups(proc) if (quota := _quota_of(folder)) is not None]
    return min(quotas, default=None)


def _groups(proc: Path) -> Iterator[Path]:
    """The folders of the process's CPU cgroups and of all their parents, for cgroup v1 and v2."""
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
    """The folder of the cgroup at `path` and its parents up to `mount`, where `root` is the cgroup mounted there."""
    group = PurePosixPath(path)
    below = group.relative_to(root) if group.is_relative_to(root) else PurePosixPath()
    folder = mount / below
    yield folder
    while folder != mount:
        folder = folder.parent
        yield folder


def _quota_of(folder: Path) -> float | None:
    """Read a quota. v2: one file "quota period", "max" for no limit. v1: two files, -1 for no limit."""
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
