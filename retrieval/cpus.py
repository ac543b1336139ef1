"""Count the CPUs available to this process, from its affinity and its cgroup quotas."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

PROC_CGROUP = Path("/proc/self/cgroup")
CGROUP_MOUNT = Path("/sys/fs/cgroup")


def cpu_count() -> int:
    """CPUs this process may use, at least 1. A fractional quota is rounded up."""
    return cpu_quota() or available_cpus()


def cpu_quota() -> int | None:
    """The cgroup CPU quota, rounded up; None unless it is below the number of available CPUs.

    Threading libraries respect the affinity themselves, but most ignore quotas.
    """
    quota = group_quota()
    count = math.ceil(quota) if quota is not None else available_cpus()
    return max(count, 1) if count < available_cpus() else None


def available_cpus() -> int:
    """CPUs in the affinity mask of this process."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def limit_libraries() -> None:
    """Set OMP_NUM_THREADS to the CPU quota, if there is one. Affects libraries loaded and processes started later.

    OpenBLAS, MKL and OpenMP (torch, FAISS) all read OMP_NUM_THREADS. An existing value is kept.
    """
    quota = cpu_quota()
    if quota is not None:
        os.environ.setdefault("OMP_NUM_THREADS", str(quota))


def group_quota() -> float | None:
    """The tightest CPU quota among this process's cgroups and their parents; None without a limit.

    Unreadable files count as no limit.
    """
    quotas = [quota for folder in _cpu_cgroups() if (quota := _quota_of(folder)) is not None]
    return min(quotas, default=None)


def _cpu_cgroups() -> Iterator[Path]:
    """The folders of this process's CPU cgroups and of all their parents, for cgroup v1 and v2.

    In a container, the path may be that of the host and not exist; its parents still include the container's own group.
    """
    for line in _text(PROC_CGROUP).splitlines():
        _, controllers, path = line.split(":", 2)
        is_v2 = not controllers
        if is_v2 or "cpu" in controllers.split(","):
            for mount in [CGROUP_MOUNT] if is_v2 else [CGROUP_MOUNT / "cpu", CGROUP_MOUNT / controllers]:
                folder = mount / path.lstrip("/")
                yield from (folder, *folder.parents)


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
