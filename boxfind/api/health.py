"""Liveness and readiness checks for monitoring."""

from fastapi import APIRouter

from boxfind.api.dependencies import Serving
from boxfind.api.schemas import HealthStatus, answers

routes = APIRouter(tags=["health"])


@routes.get("/health")
async def health() -> HealthStatus:
    """Check that the server is running."""
    return HealthStatus()


@routes.get("/ready", responses=answers(503))
def ready(serving: Serving) -> HealthStatus:
    """Check that searches can be answered: the index is open and the network is loaded."""
    serving.check()
    return HealthStatus()
