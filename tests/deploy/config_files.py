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
    """An instruction of the Dockerfile: its name in capitals, and its arguments on one line."""

    name: str
    text: str

    @property
    def command(self) -> tuple[str, ...]:
        """The command in square brackets, for example of CMD or HEALTHCHECK."""
        return tuple(json.loads(self.text[self.text.index("[") :]))


@dataclass(frozen=True, slots=True)
class Service:
    """A service of the compose file; missing values are empty."""

    image: str
    command: tuple[str, ...]
    health: tuple[str, ...]
    ports: tuple[str, ...]


def instructions() -> tuple[Instruction, ...]:
    """All instructions of the Dockerfile, in order."""
    lines = [line for line in DOCKERFILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    return tuple(Instruction(*line.split(maxsplit=1)) for line in joined.splitlines() if line.strip())


def named(name: str) -> tuple[Instruction, ...]:
    return tuple(instruction for instruction in instructions() if instruction.name == name)


def services(given: Mapping[str, str]) -> dict[str, Service]:
    """The services of the compose file by name, with ${…} replaced from the environment `given`. Raises KeyError."""
    compose = yaml.safe_load(filled(COMPOSE.read_text(encoding="utf-8"), given))
    return {name: _service(entry) for name, entry in compose["services"].items()}


def filled(text: str, given: Mapping[str, str]) -> str:
    """Replace ${NAME:-default} and ${NAME:?message} as compose does. Raises KeyError for the second without a value."""

    def value(found: re.Match[str]) -> str:
        name, rule, default = found.groups()
        return given.get(name) or (default if rule == ":-" else given[name])

    return re.sub(r"\$\{(\w+)(:-|:\?)([^}]*)\}", value, text)


def in_image(path: str) -> bool:
    """Whether .dockerignore includes a file of the project in the image: the last matching line decides."""
    included = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#") and _matches(path, line.removeprefix("!")):
            included = line.startswith("!")
    return included


def _matches(path: str, pattern: str) -> bool:
    """Whether a pattern matches the path or one of its parent folders; a star matches no slash."""
    parts = Path(path).parts
    if pattern.startswith("**/"):
        return any(fnmatch(part, pattern.removeprefix("**/")) for part in parts)
    wanted = Path(pattern).parts
    return len(parts) >= len(wanted) and all(fnmatch(part, want) for part, want in zip(parts, wanted, strict=False))


def _service(entry: Mapping[str, Any]) -> Service:
    return Service(
        image=entry["image"],
        command=tuple(entry.get("command", ())),
        health=tuple(entry.get("healthcheck", {}).get("test", ())[1:]),
        ports=tuple(entry.get("ports", ())),
    )
