"""CPU counts from affinity and from cgroup quotas in synthetic file trees."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from retrieval import cpus
from retrieval.cpus import cpu_count, cpu_quota, group_quota, limit_libraries

ROOT = Path(__file__).parents[2]
SPACE = "\\040"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    folder = tmp_path / "proc"
    folder.mkdir()
    return folder


def version_2(proc: Path, path: str, root: str = "/", mount: str = "cgroup") -> Path:
    """Write the /proc files of a process in the cgroup `path`, with its mounts."""
    folder = proc.parent / mount
    (proc / "cgroup").write_text(f"0::{path}\n")
    shown = str(folder).replace(" ", SPACE)
    (proc / "mountinfo").write_text(
        "22 1 0:20 / /proc rw,nosuid - proc proc rw\n"
        f"31 23 0:28 {root} {shown} rw,relatime shared:4 master:2 - cgroup2 cgroup rw\n"
    )
    return folder


def limited(folder: Path, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cpu.max").write_text(f"{text}\n")


def limited_1(folder: Path, quota: int, period: int = 100000) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    (folder / "cpu.cfs_period_us").write_text(f"{period}\n")


def test_version_2(proc):
    limited(version_2(proc, "/") / ".", "150000 100000")
    assert group_quota(proc) == 1.5


def test_no_limit(proc):
    limited(version_2(proc, "/a") / "a", "max 100000")
    assert group_quota(proc) is None


@pytest.mark.parametrize(
    ("own", "above", "quota"), [("400000", "200000", 2), ("200000", "400000", 2), ("max", "50000", 0.5)]
)
def test_groups_above_limit_too(proc, own, above, quota):
    mount = version_2(proc, "/a/b")
    limited(mount / "a" / "b", f"{own} 100000")
    limited(mount / "a", f"{above} 100000")
    assert group_quota(proc) == quota


def test_a_container_that_sees_only_its_own_groups(proc):
    limited(version_2(proc, "/docker/7/b", root="/docker/7") / "b", "100000 100000")
    assert group_quota(proc) == 1


def test_a_group_outside_what_is_mounted(proc):
    limited(version_2(proc, "/../other", root="/docker/7") / ".", "100000 100000")
    assert group_quota(proc) == 1


def test_a_mount_with_a_space_in_its_name(proc):
    limited(version_2(proc, "/", mount="control groups") / ".", "300000 100000")
    assert group_quota(proc) == 3


def test_version_1_beside_version_2(proc):
    (proc / "cgroup").write_text("5:memory:/m\n4:cpu,cpuacct:/a\n0::/other\n")
    mounts = {"cpuset": "cpuset", "cpu": "cpu,cpuacct"}
    lines = [
        f"3{n} 23 0:2 / {proc.parent / name} rw - cgroup cgroup rw,{of}" for n, (name, of) in enumerate(mounts.items())
    ]
    lines.append(f"39 23 0:2 / {proc.parent / 'unified'} rw - cgroup2 cgroup rw")
    (proc / "mountinfo").write_text("\n".join(lines) + "\n")
    (proc.parent / "unified").mkdir()
    limited_1(proc.parent / "cpu", -1)
    assert group_quota(proc) is None
    limited_1(proc.parent / "cpu" / "a", 25000, 50000)
    assert group_quota(proc) == 0.5


@pytest.mark.parametrize("text", ["", "max", "100000 0", "some thing", "1 2 3"])
def test_what_cannot_be_understood_is_no_limit(proc, text):
    limited(version_2(proc, "/") / ".", text)
    assert group_quota(proc) is None


def test_what_cannot_be_read_is_no_limit(proc, tmp_path):
    version_2(proc, "/gone")
    assert group_quota(proc) is None
    assert group_quota(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    ("quota", "count"), [("150000 100000", 2), ("1000 100000", 1), ("max 100000", 4), ("900000 100000", 4)]
)
def test_the_quota_is_rounded_up_and_never_more_than_there_are(proc, monkeypatch, quota, count):
    monkeypatch.setattr(cpus, "available_cpus", lambda: 4)
    monkeypatch.setattr(cpus, "PROC", proc)
    limited(version_2(proc, "/") / ".", quota)
    assert cpu_count() == count
    assert cpu_quota() == (count if count < 4 else None)


def test_libraries_are_told_of_a_quota_but_not_against_the_users_word(proc, monkeypatch):
    monkeypatch.setattr(cpus, "available_cpus", lambda: 4)
    monkeypatch.setattr(cpus, "PROC", proc)
    monkeypatch.setenv("OMP_NUM_THREADS", "")  # so that it is as it was after this test
    monkeypatch.delenv("OMP_NUM_THREADS")
    limit_libraries()
    assert "OMP_NUM_THREADS" not in os.environ
    limited(version_2(proc, "/") / ".", "200000 100000")
    limit_libraries()
    assert os.environ["OMP_NUM_THREADS"] == "2"
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    limit_libraries()
    assert os.environ["OMP_NUM_THREADS"] == "3"


def test_systems_without_affinity(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "process_cpu_count", lambda: None, raising=False)
    assert cpus.available_cpus() == 1
    monkeypatch.delattr(os, "process_cpu_count")
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert cpus.available_cpus() == 6


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_affinity():
    program = """
import os
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
from retrieval.cpus import cpu_count
from retrieval.ranking import verification
from index.stores import flat_store
print(cpu_count(), verification.THREADS, flat_store.THREADS)
"""
    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True)
    assert said.stdout.split() == [b"1", b"1", b"1"]
