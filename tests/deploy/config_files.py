"""Read the Dockerfile, .dockerignore and the compose file."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
COMPOSE = ROOT / "deploy" / "compose.yaml"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One of the Dockerfile: its name in capitals, and what follows it on one line."""

    name: str
    text: str

    @property
    def command(self) -> tuple[str, ...]:
        """The list of words in square brackets, of CMD or HEALTHCHECK for instance."""
        return tuple(json.loads(self.text[self.text.index("[") :]))


@dataclass(frozen=True, slots=True)
class Service:
    """One of the compose file; what it does not say itself is empty."""

    image: str
    command: tuple[str, ...]
    health: tuple[str, ...]
    ports: tuple[str, ...]


def instructions() -> tuple[Instruction, ...]:
    """Those of the Dockerfile, in order."""
    lines = [line for line in DOCKERFILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    return tuple(Instruction(*line.split(maxsplit=1)) for line in joined.splitlines() if line.strip())


def named(name: str) -> tuple[Instruction, ...]:
    return tuple(instruction for instruction in instructions() if instruction.name == name)


def services(given: Mapping[str, str]) -> dict[str, Service]:
    """Those of the compose file by name, with what the environment says in place of ${…}. Raises KeyError."""
    told = yaml.safe_load(filled(COMPOSE.read_text(encoding="utf-8"), given))
    return {name: _service(said) for name, said in told["services"].items()}


def filled(text: str, given: Mapping[str, str]) -> str:
    """${NAME:-otherwise} and ${NAME:?why} as compose reads them. Raises KeyError for the second without a value."""

    def value(found: re.Match[str]) -> str:
        name, rule, otherwise = found.groups()
        return given.get(name) or (otherwise if rule == ":-" else given[name])

    return re.sub(r"\$\{(\w+)(:-|:\?)([^}]*)\}", value, text)


def comes_in(path: str) -> bool:
    """Whether .dockerignore lets a file of the project into the image: the last line that speaks of it decides."""
    let_in = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#") and _speaks_of(path, line.removeprefix("!")):
            let_in = line.startswith("!")
    return let_in


def _speaks_of(path: str, pattern: str) -> bool:
    """Also of what lies below a folder that is meant; a star stands for nothing with a slash in it."""
    parts = Path(path).parts
    if pattern.startswith("**/"):
        return any(fnmatch(part, pattern.removeprefix("**/")) for part in parts)
    wanted = Path(pattern).parts
    return len(parts) >= len(wanted) and all(fnmatch(part, want) for part, want in zip(parts, wanted, strict=False))


def _service(said: Mapping[str, Any]) -> Service:
    return Service(
        image=said["image"],
        command=tuple(said.get("command", ())),
        health=tuple(said.get("healthcheck", {}).get("test", ())[1:]),
        ports=tuple(said.get("ports", ())),
    )
