"""Who may change the gallery through the API: programs that show the token which the operator has set."""

import hmac
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from boxfind.api.dependencies import Serving
from boxfind.api.problems import NobodyMay, NoToken
from boxfind.logs import log

BEARER = HTTPBearer(auto_error=False, description="What BOXFIND_API_TOKEN says.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)]


async def _require_admin(request: Request, serving: Serving, shown: Credentials) -> None:
    token = serving.engine.settings.api.token.get_secret_value()
    if token and shown and hmac.compare_digest(shown.credentials.encode(), token.encode()):  # in constant time
        return
    log.warning("Refused: a program without the token asked for %s %s.", request.method, request.scope["route"].path)
    if not token:
        raise NobodyMay("Nobody may do that: BOXFIND_API_TOKEN is not set where this program runs (docs/api.md).")
    raise NoToken("Only an administrator may do that: send the header Authorization: Bearer TOKEN.")


Admin = Depends(_require_admin)
"""For what only administrators may do. Raises NoToken, NobodyMay, which the log tells too."""
