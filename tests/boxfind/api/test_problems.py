"""Every error has a status and a message; unexpected errors have a number."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from boxfind.builds import Builds
from boxfind.searches.errors import BadLink, SavedSearchesProblem
from index.operations.add_images import AlreadyThere
from retrieval import errors

pytest.importorskip("fastapi", reason='fastapi is not installed: pip install -e ".[api]"')
from boxfind.api.problems import boxfind_error

STATUS = {
    errors.UnreadableImage: 422,
    errors.BadBox: 422,
    errors.UnknownName: 422,
    BadLink: 422,
    errors.UnknownPicture: 404,
    errors.UnknownFolder: 404,
    errors.PictureGone: 404,
    errors.GalleryAway: 503,
    AlreadyThere: 409,
    errors.BuildRunning: 409,
    errors.RuntimeMissing: 501,
    errors.IndexProblem: 503,
    errors.WeightsMissing: 503,
    errors.GalleryProblem: 503,
    errors.BadHead: 503,
    SavedSearchesProblem: 503,
    errors.DiskFull: 507,
}


class StoreElsewhere(errors.IndexProblem):
    """A new subclass of a known error."""


@pytest.mark.parametrize("kind", [*STATUS, StoreElsewhere], ids=lambda kind: kind.__name__)
def test_every_problem_has_its_status(kind):
    problem = kind("code", "A sentence.") if kind is errors.UnreadableImage else kind("A sentence")
    with ThreadPoolExecutor(1) as thread:  # browser tests leave an event loop running in this one
        answer = thread.submit(asyncio.run, boxfind_error(None, problem)).result()
    assert answer.status_code == STATUS.get(kind, 503)
    assert ("retry-after" in answer.headers) == (answer.status_code == 503)
    assert b"A sentence" in answer.body or (kind is BadLink and b"a sentence" in answer.body.lower())


def test_an_unexpected_error_has_a_number_and_no_details(client, monkeypatch, caplog):
    def broken(_):
        raise RuntimeError("what only the operator may know")

    monkeypatch.setattr(Builds, "state", broken)
    answer = client.get("/v1/index")
    number = re.search(r"error ([0-9a-f]{8})", answer.json()["detail"])
    assert answer.status_code == 500 and "operator" not in answer.text
    assert f"Error {number[1]}" in caplog.text and "what only the operator may know" in caplog.text
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize(
    "sent", [{"content": b"{", "headers": {"Content-Type": "application/json"}}, {"content": b'{"words": "a panda"}'}]
)
def test_invalid_json_and_a_missing_content_type_are_explained(client, sent):
    refused = client.post("/v1/search/words", **sent)
    assert refused.status_code == 422
    detail = "The body is not valid JSON; send JSON with Content-Type: application/json."
    assert refused.json() == {"detail": detail}


def test_unknown_routes_have_a_json_detail(client):
    assert client.get("/v1/nothing").json() == {"detail": "Not Found"}
    assert client.put("/v1/index").status_code == 405
    for page in ("/docs", "/redoc"):  # FastAPI's pages would load scripts from the internet
        assert client.get(page).status_code == 404


def test_other_host_names_are_refused(client):
    assert client.get("/v1/index", headers={"Host": "evil.example"}).status_code == 400
    for name in ("localhost:8502", "127.0.0.1", "[::1]:8502"):
        assert client.get("/v1/index", headers={"Host": name}).status_code == 200
