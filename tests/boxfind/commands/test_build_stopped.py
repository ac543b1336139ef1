"""A build that is stopped by a signal or by `boxfind cancel`."""

import re
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from index.building.jobs import build_state
from index.storage.generation import current_folder


def by_signal(number: int) -> Callable[..., None]:
    return lambda process, *_: process.send_signal(number)


def by_command(process: subprocess.Popen, index: Path, boxfind: Callable[..., Any]) -> None:
    result = boxfind("cancel", "--index", index)
    assert (result.code, result.err) == (0, "Cancelling…\n") and result.out.startswith("Cancelled. Finished work")


@pytest.mark.parametrize(
    "stop", [by_signal(signal.SIGINT), by_signal(signal.SIGTERM), by_command], ids=["ctrl-c", "kill", "cancel"]
)
def test_r36_a_build_that_is_stopped_keeps_what_was_done(writable_copy, boxfind, start, draw, stop):
    gallery, index = writable_copy.gallery, writable_copy.index
    before = current_folder(index)
    for number in range(40):
        Pillow.fromarray(draw(100 + number, 640, 480)).save(gallery / f"more-{number}.png")
    build = ("build", "--gallery", gallery, "--index", index, "--backbone", "efficientnet-lite0")
    with start(*build) as process:
        while (state := build_state(index)) is None or state.pid != process.pid or state.done < 2:
            assert process.poll() is None
            time.sleep(0.05)
        began = time.monotonic()
        stop(process, index, boxfind)
        out, err = process.communicate(timeout=30)
    assert time.monotonic() - began < 30
    notice, _, err = err.partition("\n")
    assert re.match(r"All 53 pictures are read again, .*: the whitening was learned from 12 pictures", notice)
    replace(writable_copy.said, code=process.returncode, out=out, err=err).assert_failed(
        "Cancelled. Finished work is kept", "continues from there"
    )
    assert build_state(index).state == "cancelled" and current_folder(index) == before
    assert (
        not list(index.glob("tmp-*"))
        and boxfind("search", "--index", index, "--image", before.parent.parent / "gallery" / "01.png").code == 0
    )
    boxfind("cancel", "--index", index).assert_failed("No build is running")
