"""Routes for the index state and for starting and cancelling builds."""

import shutil

import pytest
from filelock import FileLock

from boxfind.builds import Builds
from index.building.jobs import BuildState
from index.building.read_text import LOCK, STOP, TextProgress
from index.storage.generation import current_folder
from tests.boxfind.api.conftest import TOKEN
from tests.waves import make_wave

pytest.importorskip("fastapi", reason='fastapi is not installed: pip install -e ".[api]"')


def build_of(state: str, **more) -> BuildState:
    known = {"pid": 41, "started": 1000.0, "stage": "Reading pictures", "stage_started": 1000.0, "now": 1020.0}
    return BuildState.model_validate({"state": state, "done": 40, "total": 100} | known | more)


@pytest.fixture
def state(monkeypatch):
    """Stub the engine's build state and record its build calls."""
    heard, now = [], [None]

    def start(engine, full=False):
        heard.append("full build" if full else "build")
        now[0] = build_of("running")

    monkeypatch.setattr(Builds, "state", lambda _: now[0])
    monkeypatch.setattr(Builds, "start", start)
    monkeypatch.setattr(Builds, "cancel", lambda _: heard.append("cancel") or now[0])
    return now, heard


def test_the_state_describes_the_served_index(client, index):
    state = client.get("/v1/index").json()
    served = state["served"]
    assert (served["generation"], served["images"]) == (current_folder(index).name, 12)
    assert (
        served["wave"] is None and served["recipe"]["side"] == 128 and served["regions"] > 12 and served["skipped"] == 0
    )
    assert (state["problem"], state["warning"], state["build"]) == ("", "", None)


def test_r90_the_state_says_that_an_index_is_not_complete(start, index, tmp_path):
    shutil.copytree(index, tmp_path / "index")
    make_wave(tmp_path / "index", found=98310)
    served = start(index=tmp_path / "index").get("/v1/index").json()["served"]
    assert served["wave"] == {"searched": 12, "found": 98310}


def test_r75_the_state_says_why_the_next_update_reads_all_pictures_again(start, state):
    now, _ = state
    now[0] = build_of("running", notice="All 12 pictures are read again, about 2 min: a full build was requested.")
    answer = start(keypoints=0).get("/v1/index").json()
    assert answer["update"].startswith("All 12 pictures are read again: ")
    assert "; keypoints changed from 500 to 0;" in answer["update"]
    assert answer["build"]["notice"] == now[0].notice


def test_the_state_without_an_index_has_the_problem_and_the_build(start, state, tmp_path):
    now, _ = state
    now[0] = build_of("running")
    answer = start(index=tmp_path / "none").get("/v1/index")
    assert answer.status_code == 200 and answer.json()["served"] is None
    assert "no usable index" in answer.json()["problem"] and str(tmp_path) not in answer.text
    build = answer.json()["build"]
    assert (build["state"], build["done"], build["total"], build["seconds_left"]) == ("running", 40, 100, 30)
    assert build["started"] == "1970-01-01T00:16:40Z"


def test_only_administrators_see_why_a_build_failed(admin, state):
    now, _ = state
    now[0] = build_of("failed", message="/srv/index is full")
    assert admin.get("/v1/index/build").json()["message"] == "/srv/index is full"
    assert admin.get("/v1/index").json()["build"]["message"] == ""
    now[0] = None
    assert admin.get("/v1/index/build").json() is None


def test_builds_are_started_once_and_cancelled(admin, state):
    now, heard = state
    started = admin.post("/v1/index/build", json={"full": True})
    assert (started.status_code, started.json()["state"]) == (202, "running")
    assert admin.post("/v1/index/build", json={}).status_code == 409
    assert admin.delete("/v1/index/build").status_code == 202
    now[0] = build_of("cancelled")
    assert admin.post("/v1/index/build", json={}).status_code == 202
    assert heard == ["full build", "cancel", "build"]


def test_the_log_and_the_status_say_whether_a_build_was_asked_to_stop(admin, state, monkeypatch, caplog):
    now, _ = state
    caplog.set_level("INFO", "boxfind")
    now[0] = build_of("running")
    monkeypatch.setattr(Builds, "cancel", lambda _: None)  # it has just ended
    refused = admin.delete("/v1/index/build")
    assert refused.status_code == 409 and "Cancel" not in caplog.text
    monkeypatch.setattr(Builds, "cancel", lambda _: now[0])
    assert admin.delete("/v1/index/build").status_code == 202 and "Cancellation" in caplog.text


def test_r75_only_an_administrator_has_the_time_measured(start, monkeypatch):
    measured = []
    monkeypatch.setattr(Builds, "update_notice", lambda *_, measure=True: measured.append(measure) or "")
    client = start()
    for header in ({}, {"Authorization": "Bearer guess"}, {"Authorization": f"Bearer {TOKEN}"}):
        assert client.get("/v1/index", headers=header).status_code == 200
    assert measured == [False, False, True]


def test_a_build_that_cannot_start_is_reported(admin, monkeypatch):
    def refused(*_):
        raise PermissionError(13, "Permission denied", "/srv/index/build.log")

    monkeypatch.setattr("boxfind.builds.start_build_process", refused)
    answer = admin.post("/v1/index/build", json={})
    assert answer.status_code == 503
    assert answer.json() == {"detail": "The build cannot be started: Permission denied."}


def test_reading_of_text_is_watched_and_stopped(admin, monkeypatch, caplog):
    caplog.set_level("INFO", "boxfind")
    assert admin.get("/v1/index/text").json() == {"running": False, "read": 0, "total": 12}
    refused = admin.delete("/v1/index/text")
    assert refused.status_code == 409 and refused.json() == {"detail": "Nothing is being read."}
    assert "reading" not in caplog.text
    asked = []
    monkeypatch.setattr(Builds, "stop_reading", lambda _: not asked.append("stop"))
    monkeypatch.setattr(Builds, "text_progress", lambda *_: TextProgress(3, 12))
    stopped = admin.delete("/v1/index/text")
    assert (stopped.status_code, stopped.json()) == (202, {"running": True, "read": 3, "total": 12})
    assert asked == ["stop"] and "End of reading text requested through the API." in caplog.text


def test_the_process_that_reads_is_asked_to_stop(admin, index):
    with FileLock(index / LOCK):
        assert admin.get("/v1/index/text").json()["running"]
        assert admin.delete("/v1/index/text").status_code == 202
        assert (index / STOP).exists()
    (index / STOP).unlink()
