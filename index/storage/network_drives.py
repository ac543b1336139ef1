"""Tell whether the operating system reports every change below a folder: it does not for drives of other machines."""

import os
from pathlib import Path

import psutil

NETWORK = frozenset(
    """
    9p acfs afpfs afs autofs beegfs ceph cifs coda davfs drvfs gfs2 glusterfs gpfs lustre ncpfs nfs nfs4 ocfs2 prl_fs
    prl_fs_v2 smb2 smb3 smbfs vboxsf virtiofs vmhgfs webdav
    """.split()  # noqa: SIM905
)
"""File systems that other machines change too, or the host of a virtual machine."""
FUSE = ("fuse.", "macfuse", "osxfuse")
"""What a program serves as a drive, such as sshfs and rclone: it may change without a word to this system."""
REMOTE = "remote"
"""The option with which psutil marks network drives on Windows."""


def reports_changes(folder: Path) -> bool:
    """Whether this folder lies on a drive of this machine, whose changes are all reported.

    Drives that are mounted below the folder are not looked at. Unknown drives count as local.
    """
    place = os.path.normcase(folder.resolve())
    if place.startswith("\\\\"):  # a share of another Windows machine, without a drive letter
        return False
    mounts = [(os.path.normcase(mount.mountpoint), mount) for mount in psutil.disk_partitions(all=True)]
    around = [(len(point), mount) for point, mount in mounts if _contains(point, place)]
    if not around:
        return True
    depth = max(length for length, _ in around)
    drive = [mount for length, mount in around if length == depth][-1]  # the last one hides those before it
    return not (drive.fstype in NETWORK or drive.fstype.startswith(FUSE) or REMOTE in drive.opts.split(","))


def _contains(mount: str, place: str) -> bool:
    return place == mount or place.startswith(mount if mount.endswith(os.sep) else mount + os.sep)
