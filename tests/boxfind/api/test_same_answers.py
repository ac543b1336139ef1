"""Page, command line and API return equal hits for equal queries."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import cli
from boxfind.engine import Engine
from retrieval.types import Box, Hit
from tests.boxfind.ui.conftest import app, main_module
from tests.boxfind.ui.reading import calm, choose

pytest.importorskip("fastapi", reason='fastapi is not installed: pip install -e ".[api]"')
__all__ = ["app", "main_module"]
QUESTIONS = [("fast", (40, 30, 200, 150)), ("best", (40, 30, 200, 150)), ("best", (0, 0, 320, 240))]


def of_the_api(client, picture: Path, ranking: str, box: tuple[int, ...]) -> list[dict]:
    fields = {"box": ",".join(map(str, box)), "ranking": ranking}
    answer = client.post("/v1/search", files={"picture": (picture.name, picture.read_bytes())}, data=fields)
    return answer.json()["hits"]


def as_told(rank: int, hit: Hit) -> dict:
    """Return a hit as the API does, without the image size and the collection."""
    return {
        **{"rank": rank, "image": hit.image, "score": hit.score, "similarity": hit.similarity},
        **{"confidence": hit.confidence, "match": hit.match, "parts": dict(hit.parts)},
        **{"box": list(hit.region.box.xywh), "kind": hit.region.kind, "written": hit.written, "others": []},
        "same_text": [{"text": line.text, "box": list(line.box.xywh)} for line in hit.same_text],
    }


@pytest.mark.parametrize(("ranking", "box"), QUESTIONS)
def test_the_page_has_the_same_hits(app: AppTest, client, pictures, monkeypatch, ranking, box):
    found, answer = [], Engine.answer

    def overheard(*given):
        found[:] = answer(*given)
        return list(found)

    told = of_the_api(client, pictures / "03.png", ranking, box)
    monkeypatch.setattr(Engine, "answer", overheard)
    choose(app, pictures / "03.png", Box.from_xywh(*box))
    state = app.session_state["search"]
    state.set_options(replace(state.request, ranking=ranking))
    app.run()
    assert calm(app) and len(found) == 12
    also = {"width": 320, "height": 240, "collection": "default"}
    assert told == [as_told(rank, hit) | also for rank, hit in enumerate(found[:10], start=1)]


@pytest.mark.parametrize(("ranking", "box"), QUESTIONS)
def test_the_command_line_has_the_same_hits_to_four_digits(client, pictures, index, monkeypatch, capsys, ranking, box):
    told = of_the_api(client, pictures / "03.png", ranking, box)
    query = ["--image", pictures / "03.png", "--box", ",".join(map(str, box)), "--rank", ranking]
    monkeypatch.setattr(sys, "argv", ["cli.py", "search", "--index", *map(str, [index, *query]), "--json"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 10
    assert rows == [in_four_digits(hit) for hit in told]


def in_four_digits(hit: dict) -> dict:
    numbers = {name: round(hit[name], 4) for name in ("score", "similarity")}
    parts = {name: round(part, 4) for name, part in hit["parts"].items()}
    names = ("rank", "image", "confidence", "match", "box", "kind", "written", "same_text")
    return {name: hit[name] for name in names} | numbers | {"parts": parts}
