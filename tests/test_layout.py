"""Rules of the source tree that lint-imports cannot check."""

from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_tests_are_no_packages():
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_tests_mirror_the_code():
    """Every test folder has the name of a code folder."""
    apart = {"browser", "chaos"}  # end-to-end tests
    for folder in (path for path in (ROOT / "tests").rglob("*") if path.is_dir() and path.name != "__pycache__"):
        place = folder.relative_to(ROOT / "tests")
        assert place.parts[0] in apart or (ROOT / place).is_dir(), place
