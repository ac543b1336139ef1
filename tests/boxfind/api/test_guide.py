"""Every command in docs/api.md works as documented."""

import argparse
import json
import re
import shlex
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image as Pillow

from boxfind.builds import Builds
from boxfind.engine import Engine
from boxfind.settings import VARIABLES, Settings
from index.building.jobs import BuildState
from tests.boxfind.api.conftest import TOKEN, jpeg
from tests.tiny import draw_picture

pytest.importorskip("fastapi", reason='fastapi is not installed: pip install -e ".[api]"')
from boxfind.api.responses import SearchResponse

GUIDE = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
COMMANDS = [line for line in GUIDE.splitlines() if line.startswith("curl ")]
CURL = argparse.ArgumentParser()
CURL.add_argument("-F", action="append", default=[])
CURL.add_argument("-H", action="append", default=[])
CURL.add_argument("-d")
CURL.add_argument("-X")
CURL.add_argument("address")


def send(client, command: str):
    """Convert a curl command to a request."""
    given = CURL.parse_args(shlex.split(command.replace("$TOKEN", TOKEN))[1:])
    address = urlsplit(given.address)
    assert (address.hostname, address.port) == (Settings.load().api.host, Settings.load().api.port)
    fields: dict[str, list[str]] = {}
    for field in given.F:
        name, _, value = field.partition("=")
        fields.setdefault(name, []).append(value)
    pictures = {name: value[0][1:] for name, value in fields.items() if value[0].startswith("@")}
    seeds = {name: sum(map(ord, file)) for name, file in pictures.items()}
    files = {name: (file, jpeg(draw_picture(seeds[name], 640, 480))) for name, file in pictures.items()}
    data = given.d or {name: value for name, value in fields.items() if name not in pictures}
    return client.request(
        given.X or ("POST" if given.F or given.d else "GET"),
        f"{address.path}?{address.query}",
        headers=dict(header.split(": ") for header in given.H),
        files=files or None,
        **({"content": data} if given.d else {"data": data}),
    )


def test_every_documented_request_succeeds(start, tmp_path, build_index, monkeypatch):
    for name in ("cups/red.jpg", "cups/blue.jpg", "2024/tea.jpg"):
        (tmp_path / "gallery" / name).parent.mkdir(parents=True, exist_ok=True)
        Pillow.fromarray(draw_picture(len(name), 640, 480)).save(tmp_path / "gallery" / name)
    holidays = tmp_path / "holidays"
    holidays.mkdir()
    client = start(gallery=tmp_path / "gallery", index=build_index(tmp_path / "gallery").parent)
    running, heard, answer = [False], [], Engine.answer

    def state(_) -> BuildState:
        word = "running" if running[0] else "done"
        return BuildState(state=word, pid=41, started=1000.0, stage_started=1000.0, now=1020.0)

    def start_build(_, full: bool) -> None:
        heard.append("build")
        running[0] = True

    def answered(engine, gallery, request, *given):  # the tiny network has no text encoder
        return answer(engine, gallery, request, *given) if request.wanted else []

    monkeypatch.setattr(Builds, "state", state)
    monkeypatch.setattr(Builds, "start", start_build)
    monkeypatch.setattr(Builds, "cancel", lambda _: heard.append("cancel") or state(None))
    monkeypatch.setattr(Builds, "stop_reading", lambda _: not heard.append("stop reading"))
    monkeypatch.setattr(Engine, "answer", answered)
    assert len(COMMANDS) > 10
    for command in COMMANDS:
        told = send(client, command.replace("/srv/holidays", str(holidays)))
        assert told.status_code < 300, (command, told.text)
    assert heard == ["build", "cancel", "stop reading"]
    assert (tmp_path / "gallery" / "added" / "new.jpg").exists()
    assert not (tmp_path / "gallery" / "cups" / "red.jpg").exists() and [*tmp_path.rglob("removed/*/cups/red.jpg")]


def test_the_documented_response_is_valid():
    (example,) = re.findall(r"```json\n(.*?)```", GUIDE, flags=re.DOTALL)
    assert SearchResponse(**json.loads(example)).hits[0].confidence == "likely"


def test_the_guide_lists_every_api_setting():
    named = set(re.findall(r"`BOXFIND_(API_\w+)`", GUIDE))
    assert named == {name.upper() for name in VARIABLES if name.startswith("api_")}
