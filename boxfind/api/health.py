"""Liveness and readiness checks for monitoring."""

from fastapi import APIRouter

from boxfind.api.dependencies import App, served
from boxfind.api.problems import public_message, unavailable
from boxfind.api.responses import HealthStatus, answers
from retrieval.errors import BoxfindError

routes = APIRouter(tags=["health"])


@routes.get("/health")
async def health() -> HealthStatus:
    """Check that the server is running."""
    return HealthStatus()


@routes.get("/ready", responses=answers(503))
def ready(app: App) -> HealthStatus:
    """Check that searches can be answered: the index is open, the network loaded and the vector store reachable."""
    if not app.load_finished.is_set():
        raise unavailable("The index and the network are loading; try again in a few seconds.")
    try:
        serving = served(app, "")
        serving.engine.networks.embedder(serving.gallery().manifest.recipe)
    except BoxfindError as error:
        raise unavailable(public_message(error)) from None
    problem = serving.engine.store_problem()
    if problem and not serving.engine.settings.milvus.fallback:
        raise unavailable(problem)
    return HealthStatus()
