"""Every documented command and option exists, and wrong usage exits with code 2."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from boxfind.commands.main import command_line

ROOT = Path(__file__).parents[3]
DOCUMENTED = {
    "app": {"--gallery", "--index", "--port", "--no-browser"},
    "build": {
        "--gallery",
        "--index",
        "--backbone",
        "--full",
        "--regions",
        "--pooling",
        "--head",
        "--engine",
        "--address",
    },
    "cancel": {"--index"},
    "search": {"--index", "--image", "--box", "--text", "--top", "--rank", "--query-mode", "--json"},
    "batch": {"--index", "--queries", "--images", "--top", "--rank", "--out", "--ranks", "--sheets", "--query-mode"},
    "evaluate": {"--index", "--dataset", "--rank", "--format", "--query-mode", "--json", "--csv"},
    "compare-networks": {"--on", "--pictures", "--dataset", "--json"},
    "finetune": {"--labels", "--gallery", "--out", "--backbone"},
    "verify": {"--index"},
    "why": {"--index", "--json"},
    "skipped": {"--index", "--csv"},
    "doctor": {"--json"},
    "generations": {"--index", "--check", "--json"},
    "rollback": {"--index", "--to"},
    "backup": {"--index", "--out"},
    "restore": {"--index"},
    "serve": {"--gallery", "--index"},
    "collections": {"--json", "--exclude", "--index"},
}


@pytest.mark.parametrize(
    "args",
    [
        ("search", "--index", "x", "--image", "y", "--top", "-1"),
        ("search", "--index", "x", "--image", "y", "--top", "many"),
        ("search", "--index", "x", "--image", "y", "--tpo", "1"),
        ("serach",),
        ("batch", "--index", "x"),
        ("why", "--index", "x"),
        ("generations", "--index"),
        ("backup", "--index", "x"),
        ("restore", "--index", "x"),
        ("doctor", "--gallery", "x"),
    ],
)
def test_wrong_usage(boxfind, args):
    result = boxfind(*args)
    assert result.code == 2 and result.out == "" and "Traceback" not in result.err


def options_of(command: str) -> set[str]:
    """The options of a command and of its own commands."""
    found = typer.main.get_command(command_line).commands[command]
    commands = [found, *getattr(found, "commands", {}).values()]
    return {option for each in commands for parameter in each.params for option in parameter.opts}


def test_the_documented_commands_and_options_exist():
    assert typer.main.get_command(command_line).commands.keys() == DOCUMENTED.keys()
    for command, options in DOCUMENTED.items():
        assert options <= options_of(command), command


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name
)
def test_the_commands_in_the_documentation_exist(page):
    blocks = re.findall(r"^```\w*\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    calls = [call[1] for line in lines if (call := re.search(r"(?:python\S* cli\.py|(?:^|[ /])boxfind) +(\w.*)", line))]
    assert calls or page.name not in ("README.md", "backup.md", "evaluation.md")
    for call in calls:
        words = shlex.split(call, comments=True)
        assert words[0] in DOCUMENTED, call
        written = {word.strip("[]").partition("=")[0] for word in words[1:] if word.strip("[]").startswith("--")}
        assert written <= options_of(words[0]), call


def test_the_help_names_every_command(boxfind):
    result = boxfind("--help")
    assert result.code == 0 and all(command in result.out for command in DOCUMENTED)


@pytest.mark.parametrize("program", [["cli.py"], ["-m", "boxfind"]], ids=" ".join)
def test_a_checkout_runs_without_being_installed(program):
    done = subprocess.run([sys.executable, *program, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "") and all(command in done.stdout for command in DOCUMENTED)


def test_the_command_line_imports_no_heavy_library():
    """Heavy packages are imported only by the commands that need them."""
    heavy = ("numpy", "torch", "faiss", "pyarrow", "pandas", "scipy", "streamlit")
    script = f"import sys, boxfind.commands.main; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
