"""Routes for the index: its state, starting and cancelling builds, and reading the text in pictures."""

import contextlib

from fastapi import APIRouter, HTTPException

from boxfind.api.authorization import Admin, ByAdmin
from boxfind.api.dependencies import ServedCollection, Serving
from boxfind.api.requests import NewBuild
from boxfind.api.responses import Build, IndexState, PartSearched, Served, TextReading, answers
from boxfind.logs import log
from boxfind.search_scope import scope_of
from index.building.jobs import BuildState
from index.building.read_text import text_progress
from retrieval.errors import BuildRunning, IndexProblem

routes = APIRouter(prefix="/index", tags=["index"])


@routes.get("", openapi_extra={"security": [{}]})  # the token is optional
def index_state(serving: Serving, by_admin: ByAdmin) -> IndexState:
    """Return the served index and the progress of the build."""
    problem, served, update = "", None, ""
    try:
        served = _served(serving)
        update = serving.engine.builds.update_notice(serving.gallery(), measure=by_admin)
    except IndexProblem as missing:
        problem = str(missing)
    state = serving.engine.builds.state()
    return IndexState(
        served=served,
        problem=problem,
        warning=serving.engine.warning() if served else "",
        update=update,
        build=_build(state).model_copy(update={"message": ""}) if state else None,  # the message may contain paths
    )


@routes.get("/build", dependencies=[Admin], responses=answers(401, 403))
def build_state(serving: Serving) -> Build | None:
    """Return the running or last build, including the reason if it failed. `done` means that its result is served."""
    state = serving.engine.builds.state()
    if state and state.state == "done":
        with contextlib.suppress(IndexProblem):
            serving.engine.gallery(newest=True)
    return _build(state) if state else None


@routes.post("/build", status_code=202, dependencies=[Admin], responses=answers(401, 403, 409))
def start_build(asked: NewBuild, serving: Serving) -> Build:
    """Start a build in a separate process, which continues if the server stops."""
    if _running(serving):
        raise BuildRunning("A build is already running; wait until it has finished.")
    log.info("%s started through the API.", "Full build" if asked.full else "Build")
    serving.engine.builds.start(asked.full)
    return _build(serving.engine.builds.state())


@routes.delete("/build", status_code=202, dependencies=[Admin], responses=answers(401, 403, 409))
def cancel_build(serving: Serving) -> Build:
    """Cancel the running build. It stops within seconds, and the next build resumes from there."""
    cancelling = serving.engine.builds.cancel()
    if cancelling is None:
        raise HTTPException(409, "No build is running.")
    log.info("Cancellation of the build requested through the API.")
    return _build(cancelling)


@routes.get("/text")
def text_reading(serving: Serving) -> TextReading:
    """Return how many pictures have been read for what is written in them, and whether others are being read."""
    running = serving.engine.builds.text_progress(serving.gallery)
    progress = running or text_progress(serving.gallery())
    return TextReading(running=running is not None, read=progress.read, total=progress.total)


@routes.delete("/text", status_code=202, dependencies=[Admin], responses=answers(401, 403, 409))
def stop_reading(serving: Serving) -> TextReading:
    """Stop reading what is written in pictures. What was read is kept, and the next build continues from there."""
    if not serving.engine.builds.stop_reading():
        raise HTTPException(409, "Nothing is being read.")
    log.info("End of reading text requested through the API.")
    return text_reading(serving)


def _running(serving: ServedCollection) -> bool:
    state = serving.engine.builds.state()
    return state is not None and state.state == "running"


def _served(serving: ServedCollection) -> Served:
    gallery = serving.gallery()
    manifest, counts, found = gallery.manifest, gallery.manifest.counts, scope_of([gallery]).found
    return Served(
        generation=gallery.folder.name,
        created=manifest.created,
        images=counts.images,
        regions=counts.regions,
        skipped=counts.skipped,
        text_read=text_progress(gallery).read,
        wave=None if found is None else PartSearched(searched=counts.images, found=found),
        recipe=manifest.recipe,
        note=manifest.note,
    )


def _build(state: BuildState | None) -> Build:
    assert state is not None, "there is a build"
    left = state.seconds_left if state.state == "running" else None
    return Build.model_validate({**state.model_dump(include=set(Build.model_fields)), "seconds_left": left})
