"""Drives that other machines change do not report every change."""

import ntpath
from collections import namedtuple
from pathlib import Path

import psutil
import pytest

from index.storage import network_drives
from index.storage.network_drives import reports_changes

Mount = namedtuple("Mount", "mountpoint fstype opts")
LOCAL = [Mount("/", "ext4", "rw"), Mount("/home", "btrfs", "rw"), Mount("/media/usb", "fuseblk", "rw")]
AWAY = [Mount("/home/nas", "nfs4", "rw"), Mount("/mnt/share", "cifs", "rw"), Mount("/mnt/cloud", "fuse.rclone", "rw")]


@pytest.fixture
def mounts(monkeypatch: pytest.MonkeyPatch) -> list[Mount]:
    found = [*LOCAL, *AWAY]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: found)
    return found


@pytest.mark.parametrize("folder", ["/pictures", "/home/ada/Pictures", "/media/usb/DCIM", "/home/nasty"])
def test_drives_of_this_machine_report_their_changes(mounts, folder):
    assert reports_changes(Path(folder))


@pytest.mark.parametrize("folder", ["/home/nas", "/home/nas/photos", "/mnt/share/2024", "/mnt/cloud"])
def test_r94_network_drives_do_not(mounts, folder):
    assert not reports_changes(Path(folder))


def test_the_last_mount_hides_those_before_it(mounts):
    mounts.append(Mount("/home/nas", "ext4", "rw"))
    assert reports_changes(Path("/home/nas/photos"))


def test_without_mounts_a_folder_counts_as_local(mounts, tmp_path: Path):
    mounts.clear()
    assert reports_changes(tmp_path)


def test_r94_shares_and_network_drives_of_windows(monkeypatch: pytest.MonkeyPatch):
    class WindowsPath:
        def __init__(self, place: str) -> None:
            self.place = place

        def resolve(self) -> str:
            return self.place

    drives = [Mount("C:\\", "NTFS", "rw,fixed"), Mount("Z:\\", "NTFS", "rw,remote")]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: drives)
    monkeypatch.setattr(network_drives.os.path, "normcase", ntpath.normcase)
    monkeypatch.setattr(network_drives.os, "sep", ntpath.sep)
    found = {place: reports_changes(WindowsPath(place)) for place in (r"C:\Pictures", r"Z:\Pictures", r"\\nas\photos")}
    assert found == {r"C:\Pictures": True, r"Z:\Pictures": False, r"\\nas\photos": False}
