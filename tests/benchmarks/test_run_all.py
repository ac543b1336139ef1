"""All benchmark programs run one after the other; a failed one is named and does not stop the others."""

import contextlib
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from benchmarks import __main__
from benchmarks.__main__ import NAMES, main
from benchmarks.run_all import run_all
from retrieval.networks.runtimes import RUNTIMES

ROOT = Path(__file__).parents[2]


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def recording(results_file: Path, section: str) -> list[str]:
    """A program that records one table."""
    return python(
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path\n"
        "from benchmarks import results\n"
        f"results.written_to = Path({str(results_file)!r})\n"
        f"results.record({section!r}, results.table(['a'], [[1]]))"
    )


def test_a_failed_program_is_named_and_the_tables_of_the_others_are_kept(tmp_path, capfd):
    file = tmp_path / "RESULTS.md"
    file.write_text("# Results\n")
    programs = {"one": recording(file, "One"), "broken": python("raise SystemExit(3)"), "two": recording(file, "Two")}
    assert run_all(programs) == ["broken"]
    text = file.read_text()
    assert text.index("## One") < text.index("## Two")
    said = capfd.readouterr().out
    assert "[1/3] one: finished after" in said and "[2/3] broken: failed with exit status 3 after" in said
    assert "2 of 3 programs finished in" in said and "Failed: broken." in said


def test_without_failures_none_is_named(capfd):
    assert run_all({"one": python("print('hello')")}) == []
    said = capfd.readouterr().out
    assert "hello" in said and "1 of 1 programs finished" in said and "Failed" not in said


def test_a_program_that_hangs_is_ended_with_what_it_started(tmp_path):
    started = tmp_path / "pid"
    hanging = python(
        "import subprocess, sys, time, pathlib\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(started)!r}).write_text(str(child.pid))\n"
        "time.sleep(600)"
    )
    began = time.monotonic()
    assert run_all({"hanging": hanging, "next": python("")}, limit=1) == ["hanging"]
    assert time.monotonic() - began < 60
    with contextlib.suppress(psutil.NoSuchProcess):  # otherwise it ends now
        psutil.Process(int(started.read_text())).wait(10)


@pytest.fixture
def ran(monkeypatch) -> dict[str, list[str]]:
    """The commands that `all` would run; none is run."""
    commands: dict[str, list[str]] = {}

    def note(given: dict[str, list[str]], limit: float) -> list[str]:
        commands.update(given)
        return []

    monkeypatch.setattr(__main__, "run_all", note)
    return commands


@pytest.fixture
def dataset(tmp_path) -> Path:
    (tmp_path / "gallery").mkdir()
    (tmp_path / "queries").mkdir()
    (tmp_path / "queries.csv").write_text("query,image,x,y,w,h\ncup-1,cup.jpg,0,0,10,10\n")
    (tmp_path / "relevant.csv").write_text("query,image\ncup-1,a.jpg\n")
    return tmp_path


def test_all_programs_run_short_on_one_index(ran, dataset):
    main(["all", str(dataset)])
    assert list(ran)[: len(NAMES)] == list(NAMES)
    own = [command for name, command in ran.items() if name in NAMES]
    assert all(
        command[1:5] == ["-m", "benchmarks", name, str(dataset)] for name, command in zip(NAMES, own, strict=True)
    )
    assert all("--short" in command for command in own)
    assert len({option for command in own for option in command if option.startswith(("--index", "--data"))}) == 2
    assert all("--vectors=1000000" in command for command in own)
    given = __main__._parsed(ran["scale"][3:])  # the program understands its options
    assert (given.name, given.dataset, given.vectors, given.short) == ("scale", dataset, 1_000_000, True)


def test_full_sizes_are_an_option(ran, dataset):
    main(["all", str(dataset), "--full", "--pictures", "40"])
    command = ran["scale"]
    assert "--short" not in command and "--vectors=20000000" in command and "--pictures=40" in command


@pytest.mark.parametrize("precisions", [(), ("float16", "float32")])
def test_a_gpu_is_measured_where_there_is_one(ran, dataset, monkeypatch, capsys, precisions):
    gpu = replace(RUNTIMES["torch-cuda"], precisions=lambda: precisions)
    monkeypatch.setitem(RUNTIMES, "torch-cuda", gpu)
    main(["all", str(dataset)])
    assert ("speed.gpu" in ran) == bool(precisions)
    assert ("speed.gpu is left out" in capsys.readouterr().out) != bool(precisions)


def test_a_failure_makes_the_exit_status_1(monkeypatch, dataset):
    monkeypatch.setattr(__main__, "run_all", lambda commands, limit: ["load"])
    with pytest.raises(SystemExit) as ended:
        main(["all", str(dataset)])
    assert ended.value.code == 1


def test_a_missing_data_set_is_named(tmp_path):
    with pytest.raises(SystemExit, match="missing does not exist"):
        main(["all", str(tmp_path / "missing")])
