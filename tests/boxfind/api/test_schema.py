"""The OpenAPI schema has examples for every route, needs no external files and matches the behaviour."""

import json
import re

import pytest

from boxfind.builds import Builds
from boxfind.engines import Engines

pytest.importorskip("fastapi", reason='fastapi is not installed: pip install -e ".[api]"')
pytest.importorskip("schemathesis", reason='schemathesis is not installed: pip install -e ".[dev]"')
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from boxfind.api.app import make_api
from boxfind.settings import Settings
from index.building.jobs import BuildState
from tests.boxfind.api.conftest import TOKEN

METHODS = ("get", "post", "delete")
DESCRIBED = make_api(Engines(Settings.load())).openapi()
ADDRESSES = [(method, path) for path, methods in DESCRIBED["paths"].items() for method in METHODS if method in methods]
KEPT = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
RAN = BuildState(state="done", pid=41, started=1000.0, stage_started=1000.0, now=1020.0)


def resolved(part):
    """Inline all schema references."""
    if isinstance(part, list):
        return [resolved(inner) for inner in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return resolved(DESCRIBED["components"]["schemas"][part["$ref"].rpartition("/")[2]])
    return {name: resolved(inner) for name, inner in part.items()}


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
def test_every_route_has_examples(method, path):
    described = resolved(DESCRIBED["paths"][path][method])
    assert described["summary"] and described["description"].endswith(".")
    sent = [*described.get("requestBody", {}).get("content", {}).values(), *described.get("parameters", [])]
    named = [part for part in sent if part.get("required", True)]
    if path != "/v1/images" or method != "post":  # its only field is a file
        assert all("examples" in json.dumps(part) for part in named)
    for answer in described["responses"].values():
        for kind, content in answer.get("content", {}).items():
            assert kind in ("image/jpeg", "video/*", "application/pdf") or "examples" in json.dumps(content)


def test_the_schema_is_served_without_external_references(client):
    served = client.get("/openapi.json")
    assert served.status_code == 200 and served.json() == DESCRIBED
    assert not re.search(r"https?://", served.text)


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
def test_every_route_behaves_as_its_schema_says(start, monkeypatch, method, path):
    """Generated valid and invalid requests are answered as the schema says."""
    monkeypatch.setattr(Builds, "start", lambda *_: None)
    monkeypatch.setattr(Builds, "state", lambda *_: RAN)
    client = start(api_hosts=("*",), api_rate=1_000_000)
    operation = schemathesis.openapi.from_asgi("/openapi.json", client.app)[path][method.upper()]
    made_up = st.one_of(operation.as_strategy(generation_mode=mode) for mode in GenerationMode)
    asked = 0

    @given(case=made_up, token=st.sampled_from(["", f"Bearer {TOKEN}"]))
    @effort(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
    def keeps(case, token) -> None:
        nonlocal asked
        asked += 1
        answer = case.call(headers={"Authorization": token} if token else {})
        case.validate_response(answer, checks=KEPT)
        assert answer.status_code != 500
        if "json" in answer.headers.get("content-type", [""])[0] and answer.status_code >= 400:
            assert isinstance(answer.json()["detail"], str)

    keeps()
    assert asked
