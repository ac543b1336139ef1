"""Whether the program lives, and whether it could answer a search now: for whatever watches over it."""

from fastapi import APIRouter

from boxfind.api.dependencies import Serving
from boxfind.api.schemas import HealthStatus, answers

routes = APIRouter(tags=["health"])


@routes.get("/health")
async def health() -> HealthStatus:
    """The program lives."""
    return HealthStatus()


@routes.get("/ready", responses=answers(503))
def ready(serving: Serving) -> HealthStatus:
    """The index is open and the network is loaded."""
    serving.check()
    return HealthStatus()
