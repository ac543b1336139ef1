"""Requirements: version ranges per extra, pins in constraints.txt, an extra for every optional package."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from retrieval import optional_packages
from retrieval.optional_packages import OptionalPackage

ROOT = Path(__file__).parents[1]
CONSTRAINTS = ROOT / "requirements" / "constraints.txt"
FILES = [ROOT / "requirements.txt", *sorted(set((ROOT / "requirements").glob("*.txt")) - {CONSTRAINTS})]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PYPROJECT["tool"]["setuptools"]["dynamic"]["optional-dependencies"]


def lines(file: Path) -> list[str]:
    stripped = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    return [line for line in stripped if line and not line.startswith("#")]


def requirements(file: Path) -> list[Requirement]:
    return [Requirement(line) for line in lines(file)]


def test_constraints_pin_every_package_once():
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines(CONSTRAINTS))
    names = [canonicalize_name(pin.name) for pin in requirements(CONSTRAINTS)]
    assert len(names) == len(set(names))
    assert not {"boxfind", "pip", "setuptools", "wheel"} & set(names)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_requirements_are_ranges_that_hold_the_pinned_version(file):
    pins = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in requirements(CONSTRAINTS)}
    for wanted in requirements(file):
        assert wanted.specifier and "==" not in str(wanted.specifier), f"{wanted} is not a range"
        assert wanted.specifier.contains(pins[canonicalize_name(wanted.name)]), f"{wanted} does not hold its pin"


def test_a_package_has_the_same_range_in_every_file():
    ranges = {canonicalize_name(one.name): one.specifier for file in FILES for one in requirements(file)}
    assert all(one.specifier == ranges[canonicalize_name(one.name)] for file in FILES for one in requirements(file))


def test_every_file_of_requirements_is_an_extra():
    assert {name: f"requirements/{name}.txt" for name in EXTRAS} == {name: EXTRAS[name]["file"][0] for name in EXTRAS}
    assert {file.stem for file in FILES[1:]} == EXTRAS.keys()
    assert all(len(EXTRAS[name]["file"]) == 1 for name in EXTRAS.keys() - {"dev"})


def test_dev_has_every_extra_that_the_tests_need():
    assert {Path(name).stem for name in EXTRAS["dev"]["file"]} == EXTRAS.keys() - {"deploy", "audit"}


def test_every_optional_package_is_in_its_extra():
    packages = [value for value in vars(optional_packages).values() if isinstance(value, OptionalPackage)]
    assert packages
    for package in packages:
        assert not package.extra or package.extra in EXTRAS, package
        file = ROOT / (f"requirements/{package.extra}.txt" if package.extra else "requirements.txt")
        name = canonicalize_name(Requirement(package.package).name)
        assert name in {canonicalize_name(one.name) for one in requirements(file)}, package
