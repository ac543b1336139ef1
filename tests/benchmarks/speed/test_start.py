"""Startup of a new process."""

import json
import os
import subprocess
import sys

import pytest

from benchmarks.speed import __main__ as speed
from benchmarks.speed.start import PROJECT, _run


def test_page_imports_run_without_the_page():
    code = (
        "import sys; from benchmarks.speed.first_result import import_what_the_page_imports as go; go(); "
        "wanted = ('boxfind.ui.search.box_picker', 'boxfind.engine', 'torch', 'openvino'); "
        "print(*[name for name in wanted if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.split() == ["boxfind.ui.search.box_picker", "boxfind.engine"]


def test_a_process_is_timed_and_its_output_returned():
    seconds, out, _ = _run(["-c", "import time, json; time.sleep(0.2); print(json.dumps([1, 2]))"], dict(os.environ))
    assert seconds >= 0.2
    assert json.loads(out) == [1, 2]


def test_a_failed_process_raises():
    with pytest.raises(subprocess.CalledProcessError):
        _run(["-c", "raise SystemExit(3)"], dict(os.environ))


def test_parts_can_be_chosen():
    given = speed.arguments().parse_args(["--only", "query", "--only", "start", "--pictures", "40"])
    assert given.only == ["query", "start"]
    assert given.pictures == 40
    assert given.runtime == "auto"
    with pytest.raises(SystemExit):
        speed.arguments().parse_args(["--only", "cooking"])
