"""Memory of a process and its descendants."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.speed.memory import Peak, family, peak_of

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells")
MEGABYTES = 10**6
HOLD = "import time; held = bytearray(b'1') * {}; time.sleep(0.6)"
BELOW = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"


def test_peaks_of_a_process_and_its_child_are_separate():
    below = HOLD.format(150 * MEGABYTES)
    with subprocess.Popen([sys.executable, "-c", BELOW, below]) as process, Peak(process.pid) as peak:
        process.wait()
    assert peak.below > 150 * MEGABYTES
    assert 0 < peak.own < 100 * MEGABYTES


def test_released_memory_counts_towards_the_peak():
    code = f"held = bytearray(b'1') * {150 * MEGABYTES}; del held; import time; time.sleep(0.6)"
    with subprocess.Popen([sys.executable, "-c", code]) as process, Peak(process.pid) as peak:
        process.wait()
    assert peak.own > 150 * MEGABYTES
    assert peak.below == 0


def test_an_ended_process_has_no_descendants():
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    assert family(ended.pid) == [ended.pid]


def test_a_family_starts_with_its_root():
    assert family(os.getpid())[0] == os.getpid()
    assert peak_of(os.getpid()) > 0
