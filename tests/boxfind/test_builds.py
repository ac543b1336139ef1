"""A build runs in a process of its own, and every process sees its state."""

import threading
from pathlib import Path

from boxfind.engine import Engine
from boxfind.settings import Settings


def test_a_build_in_a_process_of_its_own(tmp_path: Path):
    """The build process runs on its own; without a gallery it reports the error in the shared build state."""
    engine = Engine(Settings.load(gallery=tmp_path / "gone", index=tmp_path / "index"))
    assert engine.builds.state() is None
    engine.builds.start()
    engine.builds.start()  # no effect while a build is running
    while (state := engine.builds.state()).state == "running":
        threading.Event().wait(0.05)
    assert state.state == "failed" and "The gallery folder" in state.message
