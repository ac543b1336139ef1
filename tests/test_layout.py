"""Rules of the tree that lint-imports cannot see."""

from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_tests_are_no_packages():
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_tests_mirror_the_code():
    """A folder of tests is called what the folder of code is called."""
    apart = {"browser", "chaos"}  # whole programs, from outside
    for folder in (path for path in (ROOT / "tests").rglob("*") if path.is_dir() and path.name != "__pycache__"):
        place = folder.relative_to(ROOT / "tests")
        assert place.parts[0] in apart or (ROOT / place).is_dir(), place
