"""CPU counts from affinity and from cgroup quotas in synthetic file trees."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from retrieval import cpus
from retrieval.cpus import cpu_count, cpu_quota, group_quota, limit_libraries

ROOT = Path(__file__).parents[2]


@pytest.fixture
def mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cgroup mount, for a process that `set_groups` puts into a group."""
    monkeypatch.setattr(cpus, "CGROUP_MOUNT", tmp_path / "cgroup")
    monkeypatch.setattr(cpus, "PROC_CGROUP", tmp_path / "groups")
    set_groups("0::/")
    return tmp_path / "cgroup"


def set_groups(text: str) -> None:
    """Write /proc/self/cgroup."""
    cpus.PROC_CGROUP.write_text(f"{text}\n")


def limit_v2(folder: Path, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cpu.max").write_text(f"{text}\n")


def limit_v1(folder: Path, quota: int, period: int = 100000) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    (folder / "cpu.cfs_period_us").write_text(f"{period}\n")


def test_quota_of_cgroup_v2(mount):
    limit_v2(mount, "150000 100000")
    assert group_quota() == 1.5


def test_max_is_no_limit(mount):
    set_groups("0::/a")
    limit_v2(mount / "a", "max 100000")
    assert group_quota() is None


@pytest.mark.parametrize(
    ("own", "parent", "quota"), [("400000", "200000", 2), ("200000", "400000", 2), ("max", "50000", 0.5)]
)
def test_quotas_of_parent_groups_apply(mount, own, parent, quota):
    set_groups("0::/a/b")
    limit_v2(mount / "a" / "b", f"{own} 100000")
    limit_v2(mount / "a", f"{parent} 100000")
    assert group_quota() == quota


@pytest.mark.parametrize("path", ["/docker/7", "/../other"])
def test_path_outside_the_container_falls_back_to_the_mounted_group(mount, path):
    set_groups(f"0::{path}")
    limit_v2(mount, "100000 100000")
    assert group_quota() == 1


@pytest.mark.parametrize("path", ["/a", "/docker/7"])
def test_quota_of_cgroup_v1(mount, path):
    set_groups(f"5:memory:/m\n4:cpu,cpuacct:{path}\n0::/other")
    limit_v1(mount / "cpu", -1)
    assert group_quota() is None
    limit_v1(mount / "cpu" / "a" if path == "/a" else mount / "cpu", 25000, 50000)
    assert group_quota() == 0.5


@pytest.mark.parametrize("text", ["", "max", "100000 0", "some thing", "1 2 3"])
def test_malformed_quota_is_no_limit(mount, text):
    limit_v2(mount, text)
    assert group_quota() is None


def test_missing_files_are_no_limit(mount):
    set_groups("0::/gone")
    assert group_quota() is None
    cpus.PROC_CGROUP.unlink()
    assert group_quota() is None


@pytest.mark.parametrize(
    ("quota", "count"), [("150000 100000", 2), ("1000 100000", 1), ("max 100000", 4), ("900000 100000", 4)]
)
def test_quota_is_rounded_up_and_limited_to_the_available_cpus(mount, monkeypatch, quota, count):
    monkeypatch.setattr(cpus, "available_cpus", lambda: 4)
    limit_v2(mount, quota)
    assert cpu_count() == count
    assert cpu_quota() == (count if count < 4 else None)


def test_limit_libraries_sets_the_quota_and_keeps_an_existing_value(mount, monkeypatch):
    monkeypatch.setattr(cpus, "available_cpus", lambda: 4)
    monkeypatch.setenv("OMP_NUM_THREADS", "")  # so that the fixture restores it
    monkeypatch.delenv("OMP_NUM_THREADS")
    limit_libraries()
    assert "OMP_NUM_THREADS" not in os.environ
    limit_v2(mount, "200000 100000")
    limit_libraries()
    assert os.environ["OMP_NUM_THREADS"] == "2"
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    limit_libraries()
    assert os.environ["OMP_NUM_THREADS"] == "3"


def test_systems_without_affinity(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cpus.available_cpus() == 1
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert cpus.available_cpus() == 6


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_affinity_limits_the_counts_of_a_new_process():
    program = """
import os
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
from retrieval.cpus import cpu_count
from retrieval.ranking import verification
from index.stores import flat_store
print(cpu_count(), verification.THREADS, flat_store.THREADS)
"""
    output = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True).stdout
    assert output.split() == [b"1", b"1", b"1"]
